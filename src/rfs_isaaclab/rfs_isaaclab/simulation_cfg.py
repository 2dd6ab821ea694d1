"""Physics settings: those under which grasps hold, as in the task's MuJoCo scene."""

from isaaclab.sim import SimulationCfg
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_physx.physics import PhysxCfg

SUBSTEPS = 4
"""Physics steps in one call of Isaac Lab, which costs far more than a step."""
_CONTACTS, _CONSTRAINTS = 64, 320  # room in one environment


def physx_physics(timestep: float) -> SimulationCfg:
    """PhysX on a GPU, under Isaac Sim; timestep in s. Never run where it was made."""
    physics = PhysxCfg(
        solver_type=1, enable_external_forces_every_iteration=True, bounce_threshold_velocity=0.2
    )
    return SimulationCfg(dt=timestep, device="cuda:0", gravity=(0.0, 0.0, -9.81), physics=physics)


def newton_physics(timestep: float, device: str = "cpu", single: bool = False) -> SimulationCfg:
    """Newton with MuJoCo's solver; timestep in s. `single`: one environment, on MuJoCo in C, by far the
    fastest way to run one."""
    solver = MJWarpSolverCfg(
        solver="newton",
        integrator="implicitfast",
        cone="elliptic",
        impratio=10.0,
        iterations=10 if single else 20,  # single precision needs more than MuJoCo in C
        ls_iterations=20 if single else 50,
        njmax=_CONSTRAINTS,
        nconmax=_CONTACTS,
        use_mujoco_cpu=single,
        class_type="rfs_isaaclab.newton_mujoco_manager:NewtonMujocoManager",
    )
    physics = NewtonCfg(num_substeps=SUBSTEPS, solver_cfg=solver)
    return SimulationCfg(dt=SUBSTEPS * timestep, device=device, gravity=(0.0, 0.0, -9.81), physics=physics)
