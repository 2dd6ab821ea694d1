"""The physics engines by name."""

from rfs_sim_bridge.engine import Engine
from rfs_sim_bridge.mujoco_engine import MujocoEngine
from rfs_sim_bridge.task_config import TaskConfig


def make_engine(config: TaskConfig, num_envs: int, threads: int) -> Engine:
    """`mujoco` (CPU) or `warp` (MuJoCo Warp, for a GPU; ModuleNotFoundError where it is not installed)."""
    if config.engine == "mujoco":
        return MujocoEngine(num_envs, config.timestep, threads, config.shift)
    from rfs_sim_bridge.warp_engine import WarpEngine  # an optional dependency

    return WarpEngine(num_envs, config.timestep, threads, config.shift)
