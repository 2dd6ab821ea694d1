"""The physics engines by name."""

from rfs_sim_bridge.engine import Engine
from rfs_sim_bridge.mujoco_engine import MujocoEngine
from rfs_sim_bridge.task_config import TaskConfig


def make_engine(config: TaskConfig, num_envs: int, threads: int) -> Engine:
    """`mujoco` (CPU), `warp` (MuJoCo Warp on a GPU) or `warp_cpu` (to check it without one).

    Raises:
        ModuleNotFoundError: MuJoCo Warp is not installed.
        ValueError: there is no GPU for it.
    """
    if config.engine == "mujoco":
        return MujocoEngine(num_envs, config.timestep, threads, config.shift)
    from rfs_sim_bridge.warp_engine import WarpEngine  # an optional dependency

    device = "cuda" if config.engine == "warp" else "cpu"
    return WarpEngine(num_envs, config.timestep, threads, config.shift, device)
