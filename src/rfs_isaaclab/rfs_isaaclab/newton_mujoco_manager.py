"""Isaac Lab's Newton manager, mended for one environment on MuJoCo in C.

Isaac Lab 3.0.0 asks that solver for a number of contacts it does not tell. The overridden methods are not
public: `versions` checks that this is the version they belong to.
"""

from typing import Any

from isaaclab_newton.physics import NewtonManager
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager


class NewtonMujocoManager(NewtonMJWarpManager):
    """Without contact buffers where MuJoCo in C steps: contacts are read from its own data."""

    @classmethod
    def _initialize_contacts(cls) -> None:
        solver: Any = cls._solver
        if solver is not None and solver.use_mujoco_cpu:
            NewtonManager._contacts = None
            return
        super()._initialize_contacts()
