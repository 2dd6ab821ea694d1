"""The physics engines by name."""

from rfs_sim_bridge.engine import Engine
from rfs_sim_bridge.mujoco_engine import MujocoEngine


def make_engine(name: str, num_envs: int, timestep: float, threads: int) -> Engine:
    """`mujoco` (CPU) or `warp` (MuJoCo Warp, for a GPU; ModuleNotFoundError where it is not installed)."""
    if name == "mujoco":
        return MujocoEngine(num_envs, timestep, threads)
    from rfs_sim_bridge.warp_engine import WarpEngine  # an optional dependency

    return WarpEngine(num_envs, timestep, threads)
