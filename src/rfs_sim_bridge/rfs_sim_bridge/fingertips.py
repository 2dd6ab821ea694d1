"""Where the fingertips are, from joint angles alone, as a recording tells them."""

from functools import cache

import numpy as np
from rfs_description.mjcf import robot_spec
from rfs_description.robot import FINGERTIPS, PALM_SITE
from scipy.spatial.transform import Rotation

from rfs_description import kinematics
from rfs_sim_bridge.engine import Array
from rfs_sim_bridge.interpenetration import link_frames


@cache
def _sites() -> tuple[Array, Array, Array]:
    """Palm frame in the palm body's: position (3,) and rotation (3, 3); fingertips in their links' (4, 3)."""
    spec = robot_spec()
    palm = spec.site(PALM_SITE)
    w, *xyz = palm.quat
    rotation = Rotation.from_quat([*xyz, w]).as_matrix()
    return np.array(palm.pos), rotation, np.array([spec.site(name).pos for name in FINGERTIPS])


def fingertips(joints: Array) -> Array:
    """(n, 4, 3) m, base frame, in the order of `robot.FINGERTIPS`, of joints (n, 23) rad."""
    place, turn, tips = _sites()
    origins, frames = link_frames(joints[:, 7:])
    on_hand = origins[:, :, -1] + np.einsum("nfij,fj->nfi", frames[:, :, -1], tips)
    palm, rotation = kinematics.forward(joints[:, :7])
    in_palm = (on_hand - place) @ turn
    return palm[:, None] + in_palm @ rotation.transpose(0, 2, 1)
