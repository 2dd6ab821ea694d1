"""Which shapes and bodies of Newton's model belong to what, from their labels (paths of USD prims)."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from isaaclab_newton.physics import NewtonManager
from numpy.typing import NDArray
from rfs_sim_bridge.scene import CONTACT_BODIES, OBJECT_BODY

NOTHING = -1
_OBJECT = re.compile(rf"/env_(\d+)/Object_(\w+)/Geometry/{OBJECT_BODY}$")
_PALM = CONTACT_BODIES[-1]


def solver() -> Any:
    """MuJoCo's solver inside Newton. Isaac Lab has no public way to it; `versions` pins what this reads."""
    return NewtonManager._solver


def model() -> Any:
    """Newton's model."""
    return NewtonManager.get_model()


def object_bodies(objects: Sequence[str]) -> NDArray[np.intp]:
    """(environments, objects) index of each object's body in Newton's model."""
    labels = model().body_label
    found = {tuple(match.groups()): index for index, match in _matches(labels)}
    envs = NewtonManager.get_num_envs()
    return np.array([[found[str(env), name] for name in objects] for env in range(envs)], np.intp)


def _matches(labels: Sequence[str]) -> list[tuple[int, re.Match[str]]]:
    matches = ((index, _OBJECT.search(label)) for index, label in enumerate(labels))
    return [(index, match) for index, match in matches if match]


def geom_bodies() -> NDArray[np.intp]:
    """(geoms,) Newton's body of each geom of MuJoCo's model, in the first environment; -1: the world."""
    shapes = solver().mjc_geom_to_newton_shape.numpy()[0]
    bodies = model().shape_body.numpy()[np.maximum(shapes, 0)]
    return np.where(shapes >= 0, bodies, NOTHING).astype(np.intp)


def hand_part(label: str) -> int:
    """Index in `scene.CONTACT_BODIES` of the finger that the body is part of, or of the palm; -1: neither."""
    names = label.split("/")
    fingers = [index for index, root in enumerate(CONTACT_BODIES[:-1]) if root in names]
    if fingers:
        return fingers[0]
    return CONTACT_BODIES.index(_PALM) if names[-1] == _PALM else NOTHING
