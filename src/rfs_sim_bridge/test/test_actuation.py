"""Latency and lag between joint targets and motors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_sim_bridge.actuation import Actuation
from rfs_sim_bridge.robot_shift import RobotShift

STEP = 0.0025


def targets(envs: int, steps: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((envs, steps, 23))


def test_the_training_robots_targets_pass_unchanged():
    given_ = targets(2, 40)
    assert Actuation(2, STEP, RobotShift()).reach(given_) is given_


@given(delay=st.integers(0, 90), pieces=st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_latency_moves_targets_by_whole_steps_however_they_come(delay, pieces):
    actuation, start = Actuation(2, STEP, RobotShift(latency=delay * STEP)), targets(2, 1)
    actuation.latch(np.arange(2), start[:, 0])
    sent = targets(2, sum(pieces))
    reached = np.concatenate([actuation.reach(part) for part in np.split(sent, np.cumsum(pieces[:-1]), 1)], 1)
    expected = np.concatenate([np.repeat(start, delay, 1), sent], 1)[:, : sum(pieces)]
    np.testing.assert_array_equal(reached, expected)


@pytest.mark.parametrize("lag", [0.02, 0.1])
def test_fingers_follow_a_step_exponentially_and_the_arm_at_once(lag):
    actuation = Actuation(1, STEP, RobotShift(hand_lag=lag))
    actuation.latch(np.arange(1), np.zeros((1, 23)))
    reached = np.concatenate([actuation.reach(np.ones((1, 20, 23))) for _ in range(4)], 1)[0]
    after = STEP * np.arange(1, 81)
    np.testing.assert_allclose(reached[:, 7:], np.tile((1 - np.exp(-after / lag))[:, None], 16), rtol=1e-9)
    np.testing.assert_array_equal(reached[:, :7], 1.0)


def test_an_environment_that_begins_anew_forgets_what_was_under_way():
    actuation = Actuation(2, STEP, RobotShift(latency=0.05, hand_lag=0.1))
    actuation.latch(np.arange(2), np.zeros((2, 23)))
    actuation.reach(np.ones((2, 30, 23)))
    actuation.latch(np.array([1]), np.full((1, 23), 0.5))
    reached = actuation.reach(np.full((2, 10, 23), 0.5))
    np.testing.assert_array_equal(reached[1], 0.5)
    assert (reached[0, :, :7] == 1.0).all()
