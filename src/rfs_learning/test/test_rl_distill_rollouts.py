"""Teachers label, students drive: who acts where, with which noise, and what is kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rfs_learning.collection import Collector, Quota
from rfs_learning.rl.distill_config import DistillConfig
from rfs_learning.rl.distill_rollouts import StudentDriver, teacher_rollouts
from rfs_learning.rl.distill_teachers import ScriptedTeacher, Teacher, TeacherLabeler, Teachers
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console

SHORT = TaskConfig.from_dict({"episode_seconds": 0.5, "timestep": 0.005})


class Pointing:
    """A policy that moves the palm by where the object is, scaled; its second action is nonsense."""

    def __init__(self, scale: float):
        self.scale, self.seen = scale, 0

    def act(self, observation, noise=None, generator=None):
        assert noise is None
        assert generator is None
        self.seen += len(observation)
        chunk = torch.full((len(observation), 2, 22), 9.0)
        chunk[:, 0] = 0.0
        where = PRIVILEGED_NAMES.index("object/x")
        chunk[:, 0, :3] = self.scale * observation[:, where : where + 3]
        return chunk


def teacher(scale: float, *objects: str, **learned: float) -> Teacher:
    return Teacher(Pointing(scale), replace(SHORT, **learned), objects, {"file": f"{scale:g}.safetensors"})


def test_each_object_is_taught_by_the_first_teacher_who_knows_it():
    power, pinch = teacher(1.0, "box", "sphere"), teacher(2.0, "small_box", "box")
    task = GraspTask(SHORT, 4, ["box", "small_box", "sphere", "box"])
    source = Teachers([power, pinch], ["box", "small_box", "sphere"], SHORT)
    label = source.labeler(task).act()
    np.testing.assert_allclose(label[:, :3], task.object_pose[0] * [[1], [2], [1], [1]], atol=1e-6)
    assert (label[:, 3:] == 0).all()
    assert (power.policy.seen, pinch.policy.seen) == (3, 1)


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ([teacher(1.0, "box", control_rate=20.0)], "1.safetensors' acts at 20 Hz, the student at 10 Hz"),
        ([teacher(1.0, "box", speed=0.5)], "with `speed: 0.5`, the rollouts have `task.speed: 1`: train it"),
        ([teacher(1.0, "sphere"), teacher(2.0, "can")], "no teacher knows the object 'box'.*can, sphere"),
    ],
)
def test_unfit_teachers_are_named(teachers, message):
    with pytest.raises(ValueError, match=message):
        Teachers(teachers, ["box"], SHORT)


class NoiseFollower:
    """A base policy whose action is its noise and the first number of its state."""

    layout, id, steps = DELTA_POSE, "noise follower", 1

    def encode(self, cloud, state):
        return state

    def push(self, context, noise):
        return noise + context[:, None, :1]


def test_student_draws_the_noise_of_its_episode():
    """As the evaluation does: one generator an episode, from [0, seed], one draw a step."""
    driver = StudentDriver(FlowPolicy(NoiseFollower()), 3)
    driver.reset(np.array([0, 1, 2]), [5, 6, 7])
    clouds, states = np.zeros((3, 8, 3), np.float32), np.zeros((3, 48), np.float32)
    first, label = driver.drive(clouds, states, np.ones((3, 22))), np.ones((3, 22))
    driver.reset(np.array([1]), [5])
    second = driver.drive(clouds, states, label)
    rng = np.random.default_rng([0, 5])
    expected = [rng.standard_normal((2, 22), dtype=np.float32)[0] for _ in range(2)]
    np.testing.assert_allclose(first[0], expected[0])
    np.testing.assert_allclose(second[0], expected[1])
    np.testing.assert_allclose(second[1], expected[0])


class Hurling:
    """Drives nowhere; throws the object of environment 0 off the table after two steps."""

    def __init__(self, task: GraspTask):
        self.task, self.steps = task, 0

    def reset(self, env_ids, seeds):
        self.steps = 0

    def drive(self, clouds, states, label):
        self.steps += 1
        if self.steps == 2:
            self.task.engine.physics[0, 1 + 23 : 1 + 26] = [3.0, 0.0, 0.5]
        return np.concatenate([np.zeros((len(label), 6)), states[:, 32:]], axis=1)


def test_labels_of_a_slowed_task_are_no_faster_than_it_lets_the_teacher_move():
    task = GraspTask(replace(SHORT, speed=0.35), 1, ["box"], threads=1)
    labeler = ScriptedTeacher(0).labeler(task)
    episode = next(Collector(task, labeler, keep_failures=True).episodes(Quota(["box"], 1)))
    np.testing.assert_allclose(episode.action, episode.executed, atol=1e-6)
    fastest = np.linalg.norm(episode.action[:, :3], axis=1).max()
    assert fastest == pytest.approx(task.limits.translation_step, rel=1e-3)


def test_what_was_lifted_is_to_be_held_where_it_is():
    """A teacher that would drag the palm away is not asked about what comes after its success."""
    task = GraspTask(TaskConfig.from_dict({"timestep": 0.005}), 2, ["box"])
    labeler = Teachers([teacher(1.0, "box")], ["box"], task.config).labeler(task)
    task.reset([0, 1])
    expert = ScriptedTeacher(0).labeler(task)
    expert.reset(np.arange(2), [0, 1])
    while not task.success.all():
        assert labeler.act()[~task.success, 0].all()
        assert (task.steps < task.config.max_steps).all()
        task.step(expert.act())
    palm = task.command.position
    for _ in range(30):
        task.step(labeler.act())
    np.testing.assert_array_equal(task.command.position, palm)
    assert (task.lift > 0.2).all()
    task.reset([2], env_ids=[0])
    labeler.reset(np.array([0]), [2])
    assert labeler.act()[:, 0].astype(bool).tolist() == [True, False]


def test_episodes_go_on_after_success_for_as_long_as_they_should(tmp_path):
    def steps(seconds: float) -> int:
        once = replace(DistillConfig.load(), objects=("box",), rollouts=1, hold_seconds=seconds)
        return teacher_rollouts(once, ScriptedTeacher(0), tmp_path / f"{seconds}.zarr", Console()).steps

    assert steps(1.2) == steps(0.0) + 12


@pytest.mark.parametrize("keep", [True, False])
def test_failures_are_kept_until_the_object_is_lost(keep):
    task = GraspTask(SHORT, 2, ["box", "sphere"], threads=1)
    labeler = TeacherLabeler(task, [teacher(1.0, "box", "sphere")], {"box": 0, "sphere": 0})
    collector = Collector(task, labeler, Hurling(task), keep_failures=keep)
    lengths = {}
    for episode in collector.episodes(Quota(["box", "sphere"], 2)):
        lengths.setdefault(episode.object, len(episode))
        assert collector.keeps(episode) == keep
        if not keep:
            break
    if keep:
        assert lengths == {"box": 2, "sphere": SHORT.max_steps}
        return
    assert lengths == {"box": SHORT.max_steps}
