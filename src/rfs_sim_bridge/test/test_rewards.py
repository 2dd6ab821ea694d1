"""Reward terms: bounds, and each stage is worth more than the one before it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_object

from rfs_description import kinematics
from rfs_sim_bridge import rewards

meters = st.floats(-1, 1, allow_nan=False)


@given(st.lists(meters, min_size=3, max_size=3), st.lists(meters, min_size=3, max_size=3))
@settings(max_examples=50, deadline=None)
def test_proximity_is_bounded_and_falls_with_distance(palm, target):
    a, b = np.array([palm]), np.array([target])
    near, far = rewards.palm_proximity(a, b)[0], rewards.palm_proximity(a, b + 2 * (b - a))[0]
    assert 0 <= far <= near <= 1
    tips = np.repeat(a[:, None], 4, axis=1)
    assert 0 <= rewards.finger_proximity(tips, b, np.ones((1, 4)))[0] <= 1


def stage(palm_distance: float, contacts: list[int], lift: float, margin: float = 1.0) -> float:
    touching = np.array([contacts], bool)
    position = np.zeros((1, 3))
    tips = np.full((1, 4, 3), palm_distance / np.sqrt(3))
    terms = {
        "palm_proximity": rewards.palm_proximity(tips[:, 0], position),
        "finger_proximity": rewards.finger_proximity(tips, position, np.ones((1, 4))),
        "touch": rewards.touch(touching),
        "hold": rewards.hold(touching),
        "lift": rewards.lift_progress(np.array([lift]), touching),
        "lifted": np.array([float(lift >= 0.2)]),
        "excessive_lift": rewards.excessive_lift(np.array([lift])),
        "joint_limits": rewards.joint_limits(np.array([margin])),
    }
    return float(rewards.total(terms)[0])


def test_stages_are_ordered():
    far, near = stage(0.5, [0] * 5, 0), stage(0.05, [0] * 5, 0)
    held, lifting, lifted = stage(0.05, [1] * 5, 0), stage(0.05, [1] * 5, 0.1), stage(0.05, [1] * 5, 0.25)
    assert far < near < held < lifting < lifted


def test_unsafe_behavior_costs():
    assert stage(0.05, [1] * 5, 0.5) < stage(0.05, [1] * 5, 0.3)
    assert stage(0.05, [1] * 5, 0.3, margin=0.0) < stage(0.05, [1] * 5, 0.3, margin=0.5)


def test_lifting_without_touching_earns_nothing():
    assert rewards.lift_progress(np.array([0.3]), np.zeros((1, 5), bool))[0] == 0


def test_a_pinch_draws_the_gap_between_the_fingertips_to_the_object_and_not_the_palm():
    names = ("sphere", "small_box")
    task = GraspTask(num_envs=2, objects=names)
    task.reset([0, 0])
    palm, rotation = kinematics.forward(task.joint_positions[:, :7])
    for env, name in enumerate(names):
        spot = palm[env] + rotation[env] @ rewards.GRASP_SPOTS[find_object(name).grasp]
        task.engine.state.object_position[env] = spot
    assert task.reward_terms()["palm_proximity"] == pytest.approx([1.0, 1.0], abs=1e-6)
    task.engine.state.object_position[:] = palm
    at_palm = task.reward_terms()["palm_proximity"]
    assert at_palm[0] == pytest.approx(1.0)
    assert at_palm[1] < 0.6


def test_a_ring_finger_takes_no_part_in_a_pinch():
    tips, origin = np.full((1, 4, 3), 0.05), np.zeros((1, 3))
    away = tips.copy()
    away[:, 2] += 0.5
    pinch, power = (np.array([rewards.GRASP_FINGERS[grasp]]) for grasp in ("pinch", "power"))
    assert rewards.finger_proximity(away, origin, pinch) == rewards.finger_proximity(tips, origin, pinch)
    assert rewards.finger_proximity(away, origin, power) < rewards.finger_proximity(tips, origin, power)


def test_task_terms_have_the_weights_names():
    assert set(GraspTask(num_envs=1).reward_terms()) == set(rewards.WEIGHTS)
