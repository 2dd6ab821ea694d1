"""The scripted expert: it grasps, repeats itself for a seed, and recovers."""

from dataclasses import replace

import numpy as np
import pytest
from rfs_learning.expert import Expert, ExpertConfig, palm_down
from rfs_learning.grasps import find_grasp, pinch_posture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import catalog, object_names
from rfs_sim_bridge.task_config import TaskConfig


def run(task: GraspTask, seeds: np.ndarray, steps: int, config: ExpertConfig | None = None) -> Expert:
    task.reset(seeds)
    expert = Expert(task, config=config)
    expert.reset(np.arange(task.num_envs), seeds)
    for _ in range(steps):
        task.step(expert.act())
        if task.success.all():
            break
    return expert


@pytest.mark.parametrize("rate", [10.0, 20.0])
def test_grasps_the_training_objects(rate):
    names = object_names("train")
    task = GraspTask(replace(TaskConfig.default(), control_rate=rate), 2 * len(names), names)
    run(task, np.arange(2 * len(names)) + 900, int(6 * rate))
    assert task.success.mean() >= 0.85
    assert task.interpenetration()[task.success].max() <= 0.005


def test_same_seed_same_actions():
    sequences = []
    for count in (1, 3):
        task = GraspTask(num_envs=count, objects=["cylinder"])
        task.reset(np.arange(count))
        expert = Expert(task)
        expert.reset(np.arange(count), np.arange(count))
        sequence = []
        for _ in range(6):
            action = expert.act()
            sequence.append(action[0])
            task.step(action)
        sequences.append(np.array(sequence))
    np.testing.assert_array_equal(*sequences)


def test_without_noise_the_action_follows_from_what_is_seen():
    """Two expert objects that meet the same state act the same: there is no hidden clock."""
    config = ExpertConfig(noise=0.0)
    task = GraspTask(num_envs=2, objects=["box", "small_box"])
    veteran = run(task, np.array([1, 2]), 14, config)
    newcomer = Expert(task, config=config)
    np.testing.assert_array_equal(veteran.act(), newcomer.act())


def test_opens_again_when_the_object_is_elsewhere():
    task = GraspTask(num_envs=1, objects=["cylinder"])
    expert = run(task, np.array([3]), 17)
    assert expert.closure()[0] > 0.6
    task.engine.physics[0, 1 + 23 : 1 + 26] += [0.0, 0.2, 0.1]
    task.engine._read()
    before = expert.closure()[0]
    for _ in range(3):
        task.step(expert.act())
    assert expert.closure()[0] < before - 0.3


def test_every_object_has_a_grasp_within_the_fingers_range():
    from rfs_description.robot import HAND_LOWER, HAND_UPPER

    for spec in catalog().values():
        grasp = find_grasp(spec)
        for fingers in (grasp.fingers_open, grasp.fingers_closed):
            assert ((fingers >= HAND_LOWER) & (fingers <= HAND_UPPER)).all()


def test_narrower_pinch_closes_the_fingers():
    wide, narrow = pinch_posture(0.08)[0], pinch_posture(0.03)[0]
    assert narrow[0] > wide[0]
    assert narrow[14] > wide[14]


def test_palm_down_looks_down_and_points_to_its_yaw():
    yaw = np.array([0.3, -1.2])
    rotation = palm_down(np.array([0.0, 0.4]), yaw)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    assert (rotation[:, 2, 2] < -0.9).all()
    np.testing.assert_allclose(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]), yaw)
