"""The robot's motors as Isaac Lab's implicit actuators, with the gains and limits of the MJCF."""

from functools import cache

import mujoco
from isaaclab.actuators import ActuatorBaseCfg, ImplicitActuatorCfg
from rfs_description.mjcf import robot_spec
from rfs_description.robot import ARM_JOINTS, HAND_JOINTS


@cache
def _model() -> mujoco.MjModel:
    return robot_spec().compile()


def actuators() -> dict[str, ActuatorBaseCfg]:
    """Arm and hand; stiffness N m/rad, damping N m s/rad, effort N m, armature kg m^2."""
    return {"arm": _group(ARM_JOINTS), "hand": _group(HAND_JOINTS)}


def _group(joints: tuple[str, ...]) -> ImplicitActuatorCfg:
    return ImplicitActuatorCfg(
        joint_names_expr=list(joints),
        stiffness={name: float(_model().actuator(name).gainprm[0]) for name in joints},
        damping={name: -float(_model().actuator(name).biasprm[2]) for name in joints},
        effort_limit_sim={name: _most_effort(name) for name in joints},
        armature={name: float(_model().joint(name).armature[0]) for name in joints},
    )


def _most_effort(name: str) -> float:
    """N m: of the actuator, else of the joint."""
    model = _model()
    if model.actuator(name).forcelimited[0]:
        return float(model.actuator(name).forcerange[1])
    return float(model.jnt_actfrcrange[model.joint(name).id, 1])
