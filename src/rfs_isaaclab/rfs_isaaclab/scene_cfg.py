"""The grasp scene as Isaac Lab configuration: robot, table, objects and the ray caster of the clouds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors.ray_caster.patterns import PatternBaseCfg
from isaaclab.sim import UsdFileCfg
from isaaclab.utils import configclass
from isaaclab_newton.sensors.ray_caster.newton_raycast_sensor_cfg import NewtonRaycastSensorCfg
from rfs_description.robot import ARM_HOME, ARM_JOINTS, HAND_HOME, HAND_JOINTS

from rfs_isaaclab import assets
from rfs_isaaclab.actuators import actuators

ROBOT, TABLE, RAYS = "robot", "table", "rays"
_RAY_REACH = 5.0  # m
_PARK = (-3.0, 0.0, 1.0)  # m: where the first object waits that is not in use; the next ones are behind it
_PARK_GAP = 0.5  # m


def object_key(name: str) -> str:
    """Name of an object in the scene."""
    return f"object_{name}"


def parking_place(index: int) -> tuple[float, float, float]:
    """m: where an object floats while it is not in use."""
    return (_PARK[0] - _PARK_GAP * index, _PARK[1], _PARK[2])


def _no_rays(cfg: Any, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(count, 3) starts and directions, all down: the engine aims them anew for each frame."""
    down = torch.tensor([0.0, 0.0, -1.0], device=device)
    return torch.zeros(cfg.count, 3, device=device), down.repeat(cfg.count, 1)


@configclass
class AimedRaysCfg(PatternBaseCfg):
    """`count` rays without a pattern."""

    func = _no_rays
    count: int = 1


@configclass
class GraspSceneCfg(InteractiveSceneCfg):
    """Robot and table; `grasp_scene` adds objects and rays."""

    num_envs: int = 1
    env_spacing: float = 12.0
    robot: ArticulationCfg = None  # type: ignore[assignment]
    table: AssetBaseCfg = None  # type: ignore[assignment]


def grasp_scene(objects: Sequence[str], num_envs: int = 1, rays: int = 0) -> GraspSceneCfg:
    """The scene with these objects in each environment, all but one of them parked; `rays` for the clouds.

    Raises:
        FileNotFoundError, ValueError: as of `assets`.
    """
    folder = assets.folder()
    cfg = GraspSceneCfg(num_envs=num_envs)
    cfg.robot = _robot(assets.robot_in(folder))
    cfg.table = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table", spawn=UsdFileCfg(usd_path=str(assets.table_in(folder)))
    )
    for index, name in enumerate(objects):
        setattr(cfg, object_key(name), _object(assets.object_in(folder, name), name, index))
    if rays:
        setattr(cfg, RAYS, _ray_caster(rays))
    return cfg


def _robot(file: Path) -> ArticulationCfg:
    home = zip((*ARM_JOINTS, *HAND_JOINTS), (*ARM_HOME, *HAND_HOME), strict=True)
    return ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=UsdFileCfg(usd_path=str(file)),
        init_state=ArticulationCfg.InitialStateCfg(joint_pos={name: float(angle) for name, angle in home}),
        actuators=actuators(),
    )


def _object(file: Path, name: str, index: int) -> RigidObjectCfg:
    return RigidObjectCfg(
        prim_path=f"{{ENV_REGEX_NS}}/Object_{name}",
        spawn=UsdFileCfg(usd_path=str(file)),
        init_state=RigidObjectCfg.InitialStateCfg(pos=parking_place(index)),
    )


def _ray_caster(count: int) -> NewtonRaycastSensorCfg:
    return NewtonRaycastSensorCfg(
        class_type="rfs_isaaclab.visible_ray_caster:VisibleRayCaster",
        prim_path="{ENV_REGEX_NS}/Robot/Geometry/fr3_link0",
        ray_alignment="world",
        pattern_cfg=AimedRaysCfg(count=count),
        max_distance=_RAY_REACH,
        use_cuda_graph=False,
    )
