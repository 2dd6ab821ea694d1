"""Velocity limits of the FR3 over its joints' ranges."""

import numpy as np
from rfs_description.robot import ARM_HOME, ARM_LOWER, ARM_UPPER, ARM_VELOCITY_LIMITS

from rfs_description import arm_velocity


def test_limits_are_frankas() -> None:
    """The formula of "Limits for Franka Research 3", written out for joints 2 and 6."""
    lowest, highest = arm_velocity.limits(ARM_HOME)
    assert highest[1] == min(2.62, -0.20 + np.sqrt(5.17 * (1.79180 - ARM_HOME[1])))
    np.testing.assert_allclose(lowest[5], max(-4.18, 0.35 - np.sqrt(11.0 * (ARM_HOME[5] - 0.54092))))
    assert highest[0] == ARM_VELOCITY_LIMITS[0]


def test_limits_shrink_to_nothing_beyond_the_ends() -> None:
    for end, outwards in ((ARM_UPPER, 1), (ARM_LOWER, 0)):
        way = end + (0.1 if outwards else -0.1)
        assert np.all(np.abs(arm_velocity.limits(end)[outwards]) < 0.2)
        np.testing.assert_array_equal(arm_velocity.limits(way)[outwards], 0.0)
        np.testing.assert_array_equal(np.abs(arm_velocity.limits(way)[1 - outwards]), ARM_VELOCITY_LIMITS)


def test_limits_are_batched() -> None:
    lowest, highest = arm_velocity.limits(np.tile(ARM_HOME, (4, 1)))
    assert lowest.shape == highest.shape == (4, 7)
    assert np.all(lowest < 0)
    assert np.all(highest > 0)
