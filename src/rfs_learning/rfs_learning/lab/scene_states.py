"""Finds robot and object among the recorded states of an Isaac Lab scene, in the robot's base frame."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import JOINTS
from rfs_policy.observation import WORKSPACE_BOX
from rfs_sim_bridge.objects import catalog
from scipy.spatial.transform import Rotation

from rfs_learning.lab.demo_file import LabDemo
from rfs_learning.lab.robot_session import require_robot

Array = NDArray[np.float64]

_ROBOT, _OBJECT = "articulation", "rigid_object"


def robot_joints(demo: LabDemo, environment: Mapping[str, Any]) -> Array:
    """Joints (T + 1, 23) in rad, in the order of `JOINTS`.

    The file's order is that of `joint_names` in env_args; without it, this project's own.

    Raises:
        ValueError: no states, no robot, or another robot than this one.
    """
    found = {path: rows for path, rows in demo.states.items() if path.endswith("/joint_position")}
    if not found:
        raise ValueError(
            f"{demo.name} has no states of a robot: record initial_state and states with Isaac Lab's "
            "ActionStateRecorderManagerCfg, as its record_demos.py does"
        )
    path = _preferred(found, f"{_ROBOT}/robot/joint_position", lambda rows: rows.shape[1] == len(JOINTS))
    joints = found[path]
    names = environment.get("joint_names")
    if names is not None:
        joints = _in_order(joints, names)
    require_robot(joints, f"{demo.name}/{path}")
    return joints


def object_name(demo: LabDemo, environment: Mapping[str, Any], given: str = "") -> str:
    """Which object of the catalog was grasped: as given, as the file says, or as its body is called.

    Raises:
        ValueError: that is not known, or no such object.
    """
    body = _body(demo, given)
    name = given or demo.object or str(environment.get("object", "")) or _object_of(body)
    if name not in catalog():
        told = f"'{name}' is not a known object" if name else "the file does not say which object it is"
        raise ValueError(f"{told}: name one with --object ({', '.join(catalog())})")
    return name


def object_pose(demo: LabDemo, name: str) -> Array:
    """Pose (T + 1, 7) of the object in the base frame: m, quaternion xyzw.

    Raises:
        ValueError: no rigid object was recorded, or several and it is unclear which was grasped.
    """
    body = _body(demo, name)
    if not body:
        has = ", ".join(_bodies(demo)) or "none"
        raise ValueError(
            f"{demo.name}: which rigid object is the {name}? Recorded are: {has}; call the scene's asset "
            f"'object' or 'object_{name}'"
        )
    return _relative(demo.states[f"{_OBJECT}/{body}/root_pose"], base_pose(demo))


def _body(demo: LabDemo, name: str) -> str:
    """The rigid body that was grasped: called so, or the only one, or the only one on the table, where others
    are parked elsewhere; empty where that is unclear."""
    bodies = _bodies(demo)
    called = [body for body in bodies if name and _object_of(body) == name]
    if called or len(bodies) < 2:
        return (called or bodies or [""])[0]
    foot = base_pose(demo)
    starts = {b: _relative(demo.states[f"{_OBJECT}/{b}/root_pose"][:1], foot)[0, :3] for b in bodies}
    lower, upper = WORKSPACE_BOX
    inside = [b for b, at in starts.items() if ((at >= lower) & (at <= upper)).all()]
    return inside[0] if len(inside) == 1 else ""


def _object_of(body: str) -> str:
    """Name in the catalog of an asset called NAME or object_NAME; empty where there is none."""
    return next((name for name in (body, body.removeprefix("object_")) if name in catalog()), "")


def base_pose(demo: LabDemo) -> Array:
    """Pose (7,) of the robot's foot, which the recorded poses are moved into; without a robot, the origin."""
    found = {path: rows for path, rows in demo.states.items() if path.startswith(_ROBOT)}
    roots = {path: rows for path, rows in found.items() if path.endswith("/root_pose")}
    if not roots:
        return np.array([0.0, 0, 0, 0, 0, 0, 1])
    return roots[_preferred(roots, f"{_ROBOT}/robot/root_pose", lambda _: True)][0]


def _relative(pose: Array, base: Array) -> Array:
    turn = Rotation.from_quat(base[3:]).inv()
    rotation = (turn * Rotation.from_quat(pose[:, 3:])).as_quat()
    return np.concatenate([turn.apply(pose[:, :3] - base[:3]), rotation], axis=1)


def _bodies(demo: LabDemo) -> list[str]:
    paths = (path.split("/") for path in sorted(demo.states))
    return [parts[1] for parts in paths if parts[0] == _OBJECT and parts[-1] == "root_pose"]


def _preferred(found: Mapping[str, Array], usual: str, fits: Any) -> str:
    if usual in found:
        return usual
    return next((path for path, rows in sorted(found.items()) if fits(rows)), min(found))


def _in_order(joints: Array, names: Any) -> Array:
    if not isinstance(names, list) or len(names) != joints.shape[1] or sorted(names) != sorted(JOINTS):
        missing = sorted(set(JOINTS) - set(names if isinstance(names, list) else ()))
        raise ValueError(
            f"'joint_names' in env_args are not the FR3's with the LEAP hand (missing: {missing[:3]}): "
            "a recording of another robot can be used only if it has a human hand in it"
        )
    return joints[:, [names.index(joint) for joint in JOINTS]]
