"""Failure modes, on courses whose hand and object move as the mode says."""

import numpy as np
import pytest
from rfs_control.inverse_kinematics import solve
from rfs_description.robot import ARM_HOME
from rfs_learning.episode_course import EpisodeCourse
from rfs_learning.expert import palm_down
from rfs_learning.failure_modes import failure_mode
from rfs_learning.grasps import find_grasp
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import SuccessConfig

from rfs_learning import failure_modes as modes

PLACE = np.array([0.55, 0.05])
OPEN, CLOSED = 0.0, 1.0


def course(name, hand, *, lift=(), aside=0.0, pushed=0.0):
    """An episode whose rows are (height of the palm over its place for the grasp, closure of the hand).

    lift: of the object in the last rows. aside: m, the palm's error along y. pushed: m, how far the object
    goes along y from row to row, once the hand is closed.
    """
    spec = find_object(name)
    grasp = find_grasp(spec)
    rotation = palm_down(np.array([grasp.tilt]), np.array([0.0]))
    center = np.array([*PLACE, spec.rest_height])
    joints, arm = [], ARM_HOME[None]
    for height, closure in hand:
        palm = center - rotation[0] @ grasp.offset + [0.0, aside, height]
        for _ in range(30):
            arm, _ = solve(arm, palm[None], rotation)
        fingers = grasp.fingers_open + closure * (grasp.fingers_closed - grasp.fingers_open)
        joints.append(np.concatenate([arm[0], fingers]))
    positions = np.tile(center, (len(hand), 1))
    if lift:
        positions[-len(lift) :, 2] += lift
    positions[:, 1] += pushed * np.cumsum([closure == CLOSED for _, closure in hand])
    quaternions = np.tile(spec.rest_quaternion, (len(hand), 1))
    return EpisodeCourse(name, np.array(joints), positions, quaternions, np.zeros(len(hand) - 1), 0.1)


APPROACH = [(height, OPEN) for height in (0.16, 0.12, 0.08, 0.04, 0.0, 0.0)]
CLOSE = [(0.0, closure) for closure in (0.25, 0.5, 0.75, CLOSED, CLOSED)]
RISE = [(height, CLOSED) for height in (0.04, 0.08, 0.12, 0.16)]


def mode(found, **success):
    return failure_mode(found, SuccessConfig(**success))


@pytest.mark.parametrize("name", ["cylinder", "sphere", "bottle", "small_box", "plush_bear", "mug"])
def test_object_that_slips_out_of_a_hand_at_the_right_place(name):
    assert mode(course(name, APPROACH + CLOSE + RISE)) == modes.WEAK_GRASP


@pytest.mark.parametrize("name", ["cylinder", "bottle", "small_box"])
@pytest.mark.parametrize("aside", [-0.06, 0.06])
def test_hand_that_closes_beside_the_object(name, aside):
    assert mode(course(name, APPROACH + CLOSE + RISE, aside=aside)) == modes.WRONG_PLACE


@pytest.mark.parametrize("name", ["cylinder", "bottle", "small_box"])
def test_hand_that_closes_over_the_object(name):
    hand = [(height + 0.07, closure) for height, closure in APPROACH + CLOSE + RISE]
    assert mode(course(name, hand)) == modes.EARLY_CLOSURE


@pytest.mark.parametrize("name", ["cylinder", "bottle"])
def test_hand_that_closes_on_its_way_down(name):
    down = [(0.16, 0.25), (0.12, 0.5), (0.08, 0.75), (0.06, CLOSED), (0.03, CLOSED), (0.0, CLOSED)]
    assert mode(course(name, down + RISE)) == modes.EARLY_CLOSURE


def test_object_that_the_fingers_push_away_was_at_the_right_place():
    assert mode(course("bottle", APPROACH + CLOSE + RISE, pushed=0.03)) == modes.WEAK_GRASP


def test_first_attempt_counts():
    second = [(height, OPEN) for height in (0.12, 0.06, 0.0)] + CLOSE + RISE
    missed = course("bottle", APPROACH + CLOSE + RISE, aside=0.06)
    right = course("bottle", second)
    both = EpisodeCourse(
        "bottle",
        np.concatenate([missed.joints, right.joints]),
        np.concatenate([missed.positions, right.positions]),
        np.concatenate([missed.quaternions, right.quaternions]),
        np.zeros(len(missed.joints) + len(right.joints) - 1),
        0.1,
    )
    assert mode(both) == modes.WRONG_PLACE


def test_dropped_object_was_held_weakly():
    lift = (0.04, 0.08, 0.12, 0.0)
    assert mode(course("bottle", APPROACH + CLOSE + RISE, lift=lift)) == modes.WEAK_GRASP


def test_object_on_its_way_up_needs_more_time():
    assert mode(course("bottle", APPROACH + CLOSE + RISE, lift=(0.03, 0.07, 0.11, 0.15))) == modes.TIME_OVER


@pytest.mark.parametrize(("depth", "expected"), [(1.0, modes.NOT_STILL), (-1.0, modes.INFEASIBLE)])
def test_object_that_is_up_but_no_success(depth, expected):
    found = course("bottle", APPROACH + CLOSE + RISE, lift=(0.1, 0.2, 0.25, 0.25))
    assert mode(found, max_interpenetration=depth) == expected


def test_hand_that_stays_open():
    assert mode(course("bottle", APPROACH + APPROACH[::-1])) == modes.NOT_CLOSED
