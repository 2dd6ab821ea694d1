"""The robot as it is drawn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_description.robot import ARM_HOME, ARM_LOWER, ARM_UPPER, HAND_HOME
from rfs_viewer.picture import rotation_of
from rfs_viewer.robot_model import RobotModel

from rfs_description import kinematics

ROBOT = RobotModel()


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_links_are_where_the_kinematics_say(shares: list[float]) -> None:
    arm = ARM_LOWER + np.array(shares) * (ARM_UPPER - ARM_LOWER)
    positions, wxyz = ROBOT.poses(np.concatenate([arm, HAND_HOME]))
    flange = ROBOT.links.index("fr3_link7")
    palm, rotation = kinematics.forward(arm)
    np.testing.assert_allclose(rotation_of(wxyz[flange]), rotation, atol=1e-6)
    np.testing.assert_allclose(positions[flange] + rotation @ [0.07, 0, 0.1995], palm, atol=1e-6)


def test_the_drawing_is_as_large_as_the_robot() -> None:
    positions, wxyz = ROBOT.poses(np.concatenate([ARM_HOME, HAND_HOME]))
    poses = dict(zip(ROBOT.links, zip(positions, wxyz, strict=True), strict=True))
    corners = []
    for part in ROBOT.parts:
        position, quaternion = poses[part.link]
        corners.append(part.vertices @ rotation_of(quaternion).T + position)
        assert part.faces.max() < len(part.vertices)
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    assert -0.01 <= low[2] <= 0.01  # it stands on the table's plane
    assert 0.5 < high[0] < 0.9  # and reaches over the table with flat fingers
    assert 0.6 < high[2] < 1.0
