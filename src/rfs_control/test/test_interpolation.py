"""The 1 kHz motion stays inside the FR3's limits whatever targets come, by differences of its samples."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rfs_control.interpolation import TICK, Interpolator
from rfs_control.inverse_kinematics import JOINT_MARGIN
from rfs_description.robot import (
    ARM_ACCELERATION_LIMITS,
    ARM_HOME,
    ARM_JERK_LIMITS,
    ARM_LOWER,
    ARM_UPPER,
    HAND_ACCELERATION_LIMITS,
    HAND_HOME,
    HAND_JERK_LIMITS,
    HAND_LOWER,
    HAND_UPPER,
    HAND_VELOCITY_LIMITS,
)

from rfs_description import arm_velocity

HOME = np.concatenate([ARM_HOME, HAND_HOME])
LOWER, UPPER = np.concatenate([ARM_LOWER, HAND_LOWER]), np.concatenate([ARM_UPPER, HAND_UPPER])
ACCELERATION = np.concatenate([ARM_ACCELERATION_LIMITS, HAND_ACCELERATION_LIMITS])
JERK = np.concatenate([ARM_JERK_LIMITS, HAND_JERK_LIMITS])
SETTLED = 8000
"""ticks in which any motion has ended"""
# Differences of samples average the exact derivatives, so they obey the same limits up to rounding: positions
# of 1e-15 rad become 1e-5 rad/s^3.
ROUNDING = 1e-4


def assert_inside_limits(samples: np.ndarray) -> None:
    """Samples (n, 23) at 1 kHz, from a standstill."""
    motion = np.vstack([np.repeat(samples[:1], 3, axis=0), samples])
    velocity, acceleration, jerk = (np.diff(motion, k, axis=0) / TICK**k for k in (1, 2, 3))
    slowest, fastest = arm_velocity.limits(motion[1:, :7])
    # A mean of 1 ms is compared with the limit at its end: that differs by what the limit changes in 1 ms.
    assert np.all(velocity[:, :7] >= slowest - ROUNDING - 0.02)
    assert np.all(velocity[:, :7] <= fastest + ROUNDING + 0.02)
    assert np.all(np.abs(velocity[:, 7:]) <= HAND_VELOCITY_LIMITS + ROUNDING)
    assert np.all(np.abs(acceleration) <= ACCELERATION + ROUNDING)
    assert np.all(np.abs(jerk) <= JERK + ROUNDING)
    assert np.all((motion >= LOWER - ROUNDING) & (motion <= UPPER + ROUNDING))


def streams() -> st.SearchStrategy[list[tuple[int, int, float]]]:
    """(ticks until the target, seed of its direction, how far it lies: 1 is the whole range)."""
    gaps = st.one_of(st.just(100), st.integers(0, 5), st.integers(0, 400))
    sizes = st.one_of(st.floats(0.0, 0.05), st.floats(0.0, 2.0))
    return st.lists(st.tuples(gaps, st.integers(0, 2**32 - 1), sizes), min_size=1, max_size=12)


def targets_of(stream: list[tuple[int, int, float]], walk: bool) -> list[np.ndarray]:
    targets, at = [], HOME
    for _, seed, size in stream:
        direction = np.random.default_rng(seed).uniform(-1.0, 1.0, 23)
        at = (at if walk else HOME) + size * direction * (UPPER - LOWER)
        targets.append(at)
    return targets


# A target passed near the end of a finger's range; fingers at their ends that wait for other joints.
PASSED_NEAR_AN_END = [(3, 1553519299, 0.249), (100, 3805939494, 0.04)]
WAITING_AT_AN_END = [
    (100, 1488088125, 0.7032),
    (194, 669948360, 0.7888),
    (60, 60397024, 0.0226),
    (0, 2117969690, 0.5079),
    (351, 2845614398, 0.0087),
]


@settings(max_examples=30, deadline=None)
@example(PASSED_NEAR_AN_END, True)
@example(WAITING_AT_AN_END, True)
@given(streams(), st.booleans())
def test_any_stream_stays_inside_the_limits_and_comes_to_rest(stream: list, walk: bool) -> None:
    motion = Interpolator(HOME)
    samples = [HOME[None]]
    targets = targets_of(stream, walk)
    for (ticks, _, _), target in zip(stream, targets, strict=True):
        samples.append(motion.advance(ticks))
        motion.set_target(target)
    samples.append(motion.advance(SETTLED))
    everything = np.vstack(samples)
    assert_inside_limits(everything)
    margin = np.repeat([JOINT_MARGIN, 0.0], [7, 16])
    np.testing.assert_allclose(
        everything[-2:],
        np.broadcast_to(np.clip(targets[-1], LOWER + margin, UPPER - margin), (2, 23)),
        atol=1e-7,
    )
    assert all(share <= 1.0 for share in motion.peaks().values())


def test_a_steady_stream_is_followed_closely_and_the_last_target_hardly_passed() -> None:
    motion = Interpolator(HOME)
    speed = np.repeat([0.5, 1.0], [7, 16]) * 0.1
    samples = []
    for step in range(1, 8):
        motion.set_target(HOME + step * speed)
        samples.append(motion.advance(100))
    for step in (5, 6, 7):  # met after one period, but for what the start took
        np.testing.assert_allclose(samples[step - 1][-1], HOME + step * speed, atol=0.012)
    rest = motion.advance(1000)
    beyond = rest.max(axis=0) - (HOME + 7 * speed)
    assert beyond[:7].max() < 0.02
    assert beyond[7:].max() < 0.05
    np.testing.assert_allclose(rest[-1], HOME + 7 * speed, atol=1e-7)


def test_a_repeated_target_moves_nothing() -> None:
    motion = Interpolator(HOME)
    for _ in range(5):
        motion.set_target(HOME)
        np.testing.assert_allclose(motion.advance(100), np.broadcast_to(HOME, (100, 23)), atol=1e-12)
    assert max(motion.peaks().values()) < 1e-6


@pytest.mark.parametrize("wrong", [np.full(23, np.nan), np.full(23, np.inf), np.zeros(7)])
def test_what_is_no_target_is_refused_and_the_motion_goes_on(wrong: np.ndarray) -> None:
    motion, undisturbed = Interpolator(HOME), Interpolator(HOME)
    for interpolator in (motion, undisturbed):
        interpolator.set_target(HOME + 0.1)
        interpolator.advance(50)
    with pytest.raises(ValueError, match="joint targets must be"):
        motion.set_target(wrong)
    np.testing.assert_array_equal(motion.advance(200), undisturbed.advance(200))


def test_a_joint_found_beyond_its_range_comes_back() -> None:
    outside = HOME.copy()
    outside[3] = ARM_UPPER[3] - 0.5 * JOINT_MARGIN
    motion = Interpolator(outside)
    motion.set_target(outside)
    end = motion.advance(SETTLED)[-1]
    assert end[3] == pytest.approx(ARM_UPPER[3] - JOINT_MARGIN)


def test_reset_forgets_motion_and_peaks() -> None:
    motion = Interpolator(HOME)
    motion.set_target(HOME + 0.2)
    motion.advance(80)
    assert motion.peaks()["arm_acceleration_share"] > 0.5
    motion.reset(HOME)
    assert max(motion.peaks().values()) == 0.0
    np.testing.assert_array_equal(motion.advance(3), np.broadcast_to(HOME, (3, 23)))
