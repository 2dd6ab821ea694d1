"""Where corrections count, and where the hand is then."""

import numpy as np
import pytest
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.robot import ARM_HOME
from rfs_learning.grasps import find_grasp
from rfs_sim_bridge.fingertips import fingertips
from rfs_sim_bridge.objects import find_object

from rfs_description import kinematics


def reach(name: str) -> float:
    """m from the palm frame down to the lowest fingertip, before the hand closes around the object."""
    grasp = find_grasp(find_object(name))
    palm, rotation = kinematics.forward(ARM_HOME[None, :])
    tips = (fingertips(np.concatenate([ARM_HOME, grasp.fingers_open])[None])[0] - palm[0]) @ rotation[0]
    return float((tips[:, 2] * np.cos(grasp.tilt) + tips[:, 0] * np.sin(grasp.tilt)).max())


@pytest.mark.parametrize("name", ["small_box", "small_cylinder", "eraser", "small_ball"])
def test_fingertips_of_a_pinch_are_then_within_the_papers_ten_centimeters(name):
    assert ResidualBounds.load().palm_height - reach(name) == pytest.approx(0.10, abs=0.02)


@pytest.mark.parametrize("name", ["cylinder", "box", "sphere", "capsule", "bottle"])
def test_those_of_a_power_grasp_are_a_little_higher(name):
    assert 0.11 < ResidualBounds.load().palm_height - reach(name) < 0.15
