"""The grasp task: reproducible episodes, stepping, success, errors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_control.command import Command
from rfs_control.limits import Limit, Limits
from rfs_description.robot import ARM_LOWER, ARM_UPPER
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig

OBJECTS = ["cylinder", "mug", "bottle", "small_box", "plush_bear", "egg"]


def actions(step: int, seeds: np.ndarray) -> np.ndarray:
    """Restless actions that bring hand and object into contact; a function of episode and step alone."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng([int(seed), step])
        row = rng.uniform(-1, 1, 22) * np.repeat([0.03, 0.1, 1.0], [3, 3, 16])
        row[2] -= 0.02
        rows.append(row)
    return np.array(rows)


def play(seeds: list[int], objects: list[str], threads: int, steps: int = 12, warm: bool = False) -> dict:
    """Everything an episode shows, per environment; `warm` plays other episodes in the task before."""
    task = GraspTask(num_envs=len(seeds), objects=objects, threads=threads)
    if warm:
        task.reset([s + 500 for s in seeds])
        for k in range(3):
            task.step(actions(k, np.array(seeds)))
            task.clouds()
    task.reset(seeds, objects)
    shown: dict[str, list] = {"cloud": [], "state": [], "privileged": [], "reward": []}
    for k in range(steps):
        shown["cloud"].append(task.clouds())
        shown["state"].append(task.state())
        shown["privileged"].append(task.privileged())
        shown["reward"].append(task.step(actions(k, np.array(seeds))).reward)
    return {name: np.stack(values, 1) for name, values in shown.items()}


@pytest.fixture(scope="module")
def reference() -> dict:
    return play(list(range(6)), OBJECTS, threads=2)


@pytest.mark.parametrize(("threads", "warm"), [(1, False), (3, True)])
def test_episode_is_the_same_for_any_number_of_threads_and_history(reference, threads, warm):
    again = play(list(range(6)), OBJECTS, threads=threads, warm=warm)
    for name, values in reference.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


@pytest.mark.parametrize("env", [0, 1, 4])
def test_episode_is_the_same_alone(reference, env):
    alone = play([env], [OBJECTS[env]], threads=1)
    for name, values in reference.items():
        np.testing.assert_array_equal(alone[name][0], values[env], err_msg=name)


def test_reset_of_some_environments_leaves_the_others(reference):
    task = GraspTask(num_envs=3, objects=OBJECTS[:3])
    task.reset([0, 1, 2], OBJECTS[:3])
    for k in range(4):
        task.step(actions(k, np.arange(3)))
    task.reset([1], [OBJECTS[1]], env_ids=[1])
    np.testing.assert_array_equal(task.state()[1], reference["state"][1, 0])
    np.testing.assert_array_equal(task.state()[0], reference["state"][0, 4])
    np.testing.assert_array_equal(task.clouds()[0], reference["cloud"][0, 4])
    assert task.time[1] == 0 < task.time[0]


def test_seeds_and_objects_differ(reference):
    clouds = reference["cloud"][:, 0]
    assert all((clouds[i] != clouds[j]).any() for i in range(6) for j in range(i))


def test_cloud_is_repeatable_within_a_step_and_changes_between_steps():
    task = GraspTask(num_envs=2)
    first, second = task.clouds(), task.clouds()
    np.testing.assert_array_equal(first, second)
    task.step(np.zeros((2, 22)) + np.repeat([0, 0.3], [6, 16]))
    assert (task.clouds() != first).any()


def test_shapes_and_names():
    task = GraspTask(num_envs=3)
    assert task.state().shape == (3, 48)
    assert task.privileged().shape == (3, len(PRIVILEGED_NAMES))
    assert task.clouds().shape == (3, 1024, 3)
    assert task.clouds().dtype == np.float32
    result = task.step(np.zeros((3, 22)))
    assert result.reward.shape == result.done.shape == result.flags.shape == (3,)
    assert result.executed.shape == (3, 22)


def test_starts_within_the_configured_ranges():
    task = GraspTask(num_envs=64, objects=object_names())
    task.reset(np.arange(64) + 10)
    position, _ = task.object_pose
    low_x, high_x = task.config.reset.object_x
    assert position[:, 0].min() >= low_x
    assert position[:, 0].max() <= high_x
    assert np.abs(position[:, 1]).max() <= 0.25
    assert np.std(position[:, 1]) > 0.1
    arm = task.joint_positions[:, :7]
    assert ((arm > ARM_LOWER) & (arm < ARM_UPPER)).all()
    assert (arm.std(axis=0) > 0.02).all()


def test_objects_rest_where_they_start():
    names = object_names()
    task = GraspTask(num_envs=len(names), objects=names)
    before = task.object_pose[0].copy()
    for _ in range(5):
        task.apply(task.command)
    moved = np.linalg.norm(task.object_pose[0] - before, axis=1)
    assert dict(zip(names, moved > 0.01, strict=True)) == dict.fromkeys(names, False)
    assert np.abs(task.lift).max() < 0.01


def test_commanded_palm_is_reached():
    quiet = TaskConfig.from_dict({"disturbance": {"arm_torque": 0.0, "hand_torque": 0.0}})
    task = GraspTask(quiet, num_envs=4)
    from rfs_description import kinematics

    action = np.zeros((4, 22))
    action[:, 1] = 0.03
    for _ in range(5):
        task.step(action)
    task.step(np.zeros((4, 22)))
    palm, _ = kinematics.forward(task.joint_positions[:, :7])
    assert np.abs(palm - task.command.position).max() < 0.008


def test_period_in_slices_ends_near_the_whole_period():
    whole, sliced = GraspTask(num_envs=1), GraspTask(num_envs=1)
    command = Command(
        whole.command.position + np.array([0.02, 0, 0]), whole.command.rotation, whole.command.fingers
    )
    whole.apply(command)
    sliced.track(command)
    for _ in range(10):
        sliced.advance(4)
    sliced.finish_step()
    np.testing.assert_allclose(sliced.joint_positions, whole.joint_positions, atol=1e-3)
    assert sliced.time[0] == pytest.approx(whole.time[0])
    assert sliced.steps[0] == 1


def test_episode_ends_after_its_time():
    task = GraspTask(TaskConfig.from_dict({"episode_seconds": 0.3}), num_envs=2)
    outcomes = [task.step(np.zeros((2, 22))).done.tolist() for _ in range(3)]
    assert outcomes == [[False, False], [False, False], [True, True]]


def test_success_needs_height_and_time():
    """An object without gravity's help: put high above the table and held there by resetting it each step."""
    task = GraspTask(num_envs=1, objects=["box"])
    held = []
    for _ in range(6):
        task.engine.physics[0, 1 + 25] = task._rest[0, 2] + 0.35
        task.engine.physics[0, 1 + task.engine._nq + 23 :] = 0
        task.track(task.command)
        task.advance(4)
        task.finish_step()
        held.append(bool(task.success[0]))
    assert held == [False] * 4 + [True] * 2


def test_blown_up_physics_ends_the_episode_without_success(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warning to a file where it runs
    task = GraspTask(num_envs=2, objects=["box"])
    task.engine.physics[0, 1 + task.engine._nq + 23] = 1e12
    result = task.step(np.zeros((2, 22)))
    assert result.done.tolist() == [True, False]
    assert not result.success.any()
    task.reset([5], env_ids=[0])
    assert not task.step(np.zeros((2, 22))).done.any()


def test_twenty_hertz_has_half_the_period():
    task = GraspTask(replace(TaskConfig.default(), control_rate=20.0), num_envs=1)
    task.step(np.zeros((1, 22)))
    assert task.time[0] == pytest.approx(0.05)
    assert task.limits.period == pytest.approx(0.05)


@settings(max_examples=10, deadline=None)
@given(speed=st.floats(0.05, 1.0), seed=st.integers(0, 1000))
def test_a_slowed_robot_is_commanded_no_faster_and_says_what_was_cut(speed, seed):
    task = GraspTask(replace(TaskConfig.default(), speed=speed), num_envs=1, objects=["cylinder"])
    task.reset([seed])
    before, full = task.command, Limits.load(period=task.config.period)
    far = np.full((1, 22), 2.0)
    foretold = task.limited(far)
    assert task.command is before
    executed, flags = task.begin_step(far)
    np.testing.assert_array_equal(foretold, executed)
    assert np.linalg.norm(executed[0, :3]) == pytest.approx(speed * full.translation_step)
    assert np.linalg.norm(executed[0, 3:6]) == pytest.approx(speed * full.rotation_step)
    moved = np.abs(task.command.fingers - before.fingers)
    assert moved.max() == pytest.approx(speed * full.finger_step)
    assert flags[0] & Limit.TRANSLATION


def test_unknown_object_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown object 'banana'.*cylinder.*plush_bear"):
        GraspTask(num_envs=1, objects=["banana"])


def test_seed_count_must_match():
    with pytest.raises(ValueError, match="2 environments need 2 seeds, got 3"):
        GraspTask(num_envs=2).reset([1, 2, 3])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"timestep": 0.003}, "does not divide"),
        ({"pace": 1}, "unknown setting 'task.pace'"),
        ({"speed": 0.0}, "speed must be more than 0 and at most 1, got 0.0"),
        ({"speed": 1.2}, "speed must be more than 0 and at most 1, got 1.2"),
        ({"reset": {"object_z": 1}}, "unknown setting 'task.reset.object_z'"),
        ({"cloud": {"cameras": []}}, "at least one camera"),
        ({"cloud": {"rays": 9000}}, "cloud.rays must be 1 to 8192"),
        ({"camera": {"depth_noise": "low"}}, "camera.depth_noise must be a number, got 'low'"),
        ({"camera": {"holes": float("nan")}}, "camera.holes must be a number"),
        ({"camera": None}, "task.camera must have the entries depth_noise"),
        ({"cloud": {"points": 1.5}}, "cloud.points must be a whole number, got 1.5"),
        ({"cloud": {"cameras": [[1, 2]]}}, "cloud.cameras must be a list, each entry 3 numbers"),
        ({"reset": {"object_x": 0.5}}, "reset.object_x must be 2 numbers, got 0.5"),
        ({"disturbance": {"interval": [2, "x"]}}, "disturbance.interval must be 2 whole numbers"),
        ({"success": {"lift": True}}, "success.lift must be a number, got True"),
        ({"episode_seconds": "long"}, "episode_seconds must be a number, got 'long'"),
        ({"control_rate": 0}, "control_rate must be more than 0"),
    ],
)
def test_bad_settings_are_named(entries, message):
    with pytest.raises(ValueError, match=message):
        TaskConfig.from_dict(entries)


def test_a_file_of_settings_may_be_short_but_not_broken(tmp_path):
    file = tmp_path / "task.yaml"
    for text in ("", "control_rate: 20.0"):
        file.write_text(text)
        assert TaskConfig.load(file).control_rate == (20.0 if text else 10.0)
    for text, message in (("camera: {", "task.yaml is not YAML"), ("camera: noisy", "task.camera must have")):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            TaskConfig.load(file)


def test_settings_survive_a_round_trip():
    config = replace(TaskConfig.default(), control_rate=20.0, speed=0.5)
    assert TaskConfig.from_dict(config.to_dict()) == config
    assert TaskConfig.default() == TaskConfig()
