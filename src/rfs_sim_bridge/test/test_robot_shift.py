"""The target robot: what differs from the training robot, by how much, and that episodes stay episodes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_sim_bridge.camera_noise import noisy_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.mujoco_engine import _structure
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.pictures import OBJECT, Camera
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift
from rfs_sim_bridge.task_config import CameraConfig, TaskConfig

from rfs_sim_bridge import scene

OBJECTS = ["cylinder", "mug", "plush_bear"]
EXACT = {"depth_noise": 0.0, "extrinsics_translation": 0.0, "extrinsics_rotation": 0.0}
# Of the version before there were other robots: joints 1, 3, 9, 20 (rad), object (m), mean of the cloud (m)
# after 15 steps of `play`.
BEFORE = {
    "cylinder": (
        [0.7593328902713223, -1.9564930757269272, 0.1573844699968035, 1.0231044052454206],
        [0.47006721818926617, 0.06625696134975048, 0.05996362464581385],
        [0.5868361335597001, 0.019860746216750158, 0.09783641656849795],
    ),
    "mug": (
        [0.7985422383309968, -1.9252291627136542, 0.15368756762590818, 0.7060681533324386],
        [0.6454972549548798, 0.2414758342547695, 0.04496362539643016],
        [0.6604150364873931, 0.11584255775323982, 0.060567024306692474],
    ),
    "plush_bear": (
        [0.7527250005785695, -2.0160240110425915, 0.15725046761223405, 0.9846250223653806],
        [0.5006294558116932, -0.21304999921281467, 0.060595851091163874],
        [0.583707240934018, -0.11525849765255991, 0.07747032960560318],
    ),
}


def play(task: GraspTask, steps: int = 15) -> None:
    """Down and forward with closing fingers, in all environments."""
    for step in range(steps):
        action = np.zeros((task.num_envs, 22))
        action[:, 0], action[:, 2] = 0.01, -0.03
        action[:, 6:] = np.linspace(0.0, 1.0, 16) * (step / 12)
        task.step(action)


def task_with(shift: RobotShift, objects: list[str], **entries) -> GraspTask:
    return GraspTask(replace(TaskConfig.from_dict(entries), shift=shift), len(objects), objects)


def shown(task: GraspTask) -> list[np.ndarray]:
    return [task.joint_positions.copy(), *task.object_pose, task.clouds(), task.state()]


def test_episodes_of_the_training_robot_are_those_of_before():
    task = GraspTask(num_envs=3, objects=OBJECTS)
    task.reset([3, 4, 5])
    play(task)
    for env, name in enumerate(OBJECTS):
        now = (task.joint_positions[env, [1, 3, 9, 20]], task.object_pose[0][env])
        now += (task.clouds()[env].astype(float).mean(0),)
        for new, old in zip(now, BEFORE[name], strict=True):
            np.testing.assert_allclose(new, old, rtol=1e-9)


def test_severity_zero_is_the_training_robot_bit_for_bit():
    assert RobotShift.target(0.0) == TRAINING_ROBOT == TaskConfig.default().shift
    tasks = [task_with(shift, OBJECTS) for shift in (TRAINING_ROBOT, RobotShift.target(0.0))]
    for task in tasks:
        task.reset([3, 4, 5])
        play(task)
    for one, other in zip(*map(shown, tasks), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_episode_of_the_target_robot_does_not_depend_on_its_neighbors():
    together = task_with(RobotShift.target(), OBJECTS)
    together.reset([30, 40, 50])
    play(together, 3)
    together.reset([3, 4, 5])
    alone = task_with(RobotShift.target(), OBJECTS[1:2])
    alone.reset([4])
    for task in (together, alone):
        play(task)
    for many, one in zip(shown(together), shown(alone), strict=True):
        np.testing.assert_array_equal(many[1], one[0])


def test_a_severity_scales_every_entry():
    half, full, double = (RobotShift.target(s) for s in (0.5, 1.0, 2.0))
    assert full == RobotShift.from_dict(full.to_dict())
    assert 0.05 <= full.latency <= 0.1
    assert 0.01 <= full.camera_translation <= 0.02
    for name, value in full.to_dict().items():
        low, high = getattr(half, name), getattr(double, name)
        if name == "seed":
            assert low == value == high
        elif getattr(TRAINING_ROBOT, name):  # a factor
            np.testing.assert_allclose([low**2, high**0.5], value)
        elif name != "object_softness":
            np.testing.assert_allclose([2 * low, high / 2], value)
    assert RobotShift.target(50.0).object_softness == 1.0


def test_motors_and_contacts_change_and_the_models_structure_does_not():
    shift = RobotShift.target()
    for name in OBJECTS:
        usual, shifted = scene.compiled_scene(name, 0.0025), scene.compiled_scene(name, 0.0025, shift)
        assert _structure(usual) == _structure(shifted)
        gain = shifted.actuator_gainprm[:, 0] / usual.actuator_gainprm[:, 0]
        np.testing.assert_allclose(gain, np.repeat([1.0, shift.hand_gain], [7, 16]))
        np.testing.assert_array_equal(shifted.actuator_biasprm[:, 1], -shifted.actuator_gainprm[:, 0])
        force = shifted.actuator_forcerange[7:] / usual.actuator_forcerange[7:]
        np.testing.assert_allclose(force, shift.hand_force)
        spec, other = find_object(name), shift.of_object(find_object(name))
        assert other.primitives == spec.primitives
        np.testing.assert_allclose(other.mass / spec.mass, shift.object_mass)
        body = shifted.body(scene.OBJECT_BODY).id
        soft = shifted.geom_solref[shifted.geom_bodyid == body][0, 0]
        usual_soft = usual.geom_solref[usual.geom_bodyid == body][0, 0]
        assert soft > usual_soft or spec.softness == 1.0


def test_the_calibration_error_is_the_same_in_all_episodes_and_shows_in_the_cloud():
    shift = RobotShift(camera_translation=0.02, seed=3)
    seen = []
    for robot in (TRAINING_ROBOT, shift):
        task = task_with(robot, ["sphere", "sphere"], cloud=EXACT)
        task.reset([1, 2])
        near = [cloud[cloud[:, 2] < 0.12].astype(float) for cloud in task.clouds()]
        seen.append(np.array([points.mean(0) for points in near]))
    moved = seen[1] - seen[0]
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 0.02, atol=1e-3)
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-3)


def test_pictures_show_the_same_error_as_the_cloud():
    shift = RobotShift(camera_translation=0.02, camera_rotation=0.03, seed=3)
    task = task_with(shift, ["sphere"], cloud=EXACT)
    config, camera = CameraConfig(0, 0, 0, 0, 0, 0, 0), Camera()
    picture = noisy_picture(
        task.snapshot(),
        camera,
        replace(task.exposure(), config=config, translation=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0)),
    )
    here = (picture.segmentation == OBJECT).ravel()
    points = camera.rays[here] * picture.depth.ravel()[here, None] + camera.position
    cloud = task.clouds()[0].astype(float)
    ball = cloud[np.linalg.norm(cloud - points.mean(0), axis=1) < 0.08]
    centers = [_center(seen) for seen in (points, ball)]
    np.testing.assert_allclose(centers[0], centers[1], atol=5e-4)
    assert np.linalg.norm(centers[0] - task.object_pose[0][0]) > 0.01


def _center(points: np.ndarray) -> np.ndarray:
    """Of the sphere through points (n, 3)."""
    system = np.hstack([2 * points, np.ones((len(points), 1))])
    return np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0][:3]


@given(st.integers(0, 1000), st.floats(0.0, 0.05), st.floats(0.0, 0.3))
def test_true_and_calibrated_cameras_are_each_others_inverse(seed, translation, rotation):
    shift = RobotShift(camera_translation=translation, camera_rotation=rotation, seed=seed)
    true = np.array([1.1, 0.4, 0.7])
    off, turn = shift.camera_errors(true)
    back, other = shift.true_cameras(true + off)
    np.testing.assert_allclose(off + back, 0.0, atol=1e-12)
    np.testing.assert_array_equal(turn, -other)


def test_files_without_a_shift_say_nothing_of_one_and_others_survive():
    assert "shift" not in TaskConfig.default().to_dict()
    config = replace(TaskConfig.default(), shift=RobotShift.target(0.7))
    assert TaskConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"latency": -0.1}, r"shift\.latency must be 0 or more, not -0\.1"),
        ({"hand_gain": 0}, r"shift\.hand_gain is a factor: more than 0, not 0"),
        ({"object_softness": 1.5}, r"shift\.object_softness must be 0 to 1"),
        ({"seed": 1.5}, r"shift\.seed must be a whole number"),
        ({"lag": 1.0}, r"unknown setting 'task\.shift\.lag'; known: hand_gain"),
        ({"hand_lag": "much"}, r"shift\.hand_lag must be a number, got 'much'"),
    ],
)
def test_bad_entries_are_named(entries, message):
    with pytest.raises(ValueError, match=message):
        TaskConfig.from_dict({"shift": entries})


@pytest.mark.parametrize("severity", [-1.0, float("inf"), float("nan")])
def test_a_severity_that_makes_no_sense_is_refused(severity):
    with pytest.raises(ValueError, match="1 is the default"):
        RobotShift.target(severity)
