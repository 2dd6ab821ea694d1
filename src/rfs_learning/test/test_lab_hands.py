"""Human hands in recordings: how they are found, what the LEAP hand makes of them and of their sessions."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from lab_files import HOME, standing, write
from rfs_description.robot import ARM_HOME, HAND_LOWER, HAND_UPPER
from rfs_learning.dataset import DemoDataset
from rfs_learning.dataset_command import main
from rfs_learning.expert import Expert
from rfs_learning.lab.demo_file import LabDemo
from rfs_learning.lab.hand_keypoints import find_hand, palm_frame
from rfs_learning.lab.leap_retargeting import LeapRetargeting
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from scipy.spatial.transform import Rotation
from synthetic_hands import as_openxr, hands

from rfs_description import kinematics

TIPS = [4, 8, 12, 16]
CLOSED = HAND_LOWER + (HAND_UPPER - HAND_LOWER) * np.array([0.6, 0.5, 0.5, 0.5] * 3 + [0.7, 0.4, 0.4, 0.5])


def closing(steps: int = 8) -> np.ndarray:
    """Joints (steps, 23) of a robot at home whose hand closes."""
    return np.concatenate([np.tile(ARM_HOME, (steps, 1)), np.linspace(np.zeros(16), CLOSED, steps)], axis=1)


def session(hand: np.ndarray, name: str = "obs/right_hand") -> LabDemo:
    return LabDemo("demo_0", np.zeros((len(hand), 7)), {name: hand}, {}, True, 0, "")


@pytest.mark.parametrize("form", ["openxr poses", "openxr flat", "openxr points", "mediapipe", "flat"])
def test_hands_are_found_in_every_form(form):
    points = hands(closing(), 0.7)
    poses = as_openxr(points)
    forms = {
        "openxr poses": poses,
        "openxr flat": poses.reshape(len(poses), -1),
        "openxr points": poses[..., :3],
        "mediapipe": points,
        "flat": points.reshape(len(points), -1),
    }
    found = find_hand(session(forms[form]))
    np.testing.assert_allclose(found, points, atol=1e-12)
    assert find_hand(session(points, "obs/left_hand")) is None
    assert find_hand(session(points, "obs/joint_pos")) is None


def test_frames_without_tracking_repeat_their_neighbor():
    points = hands(closing(), 0.7)
    gaps = points.copy()
    gaps[[0, 4]], gaps[5] = 0.0, np.nan
    np.testing.assert_array_equal(find_hand(session(gaps)), points[[1, 1, 2, 3, 3, 3, 6, 7]])
    gaps[:6] = 0.0
    with pytest.raises(ValueError, match="tracked in 2 of 8 frames only"):
        find_hand(session(gaps))


def test_what_is_no_right_hand_is_said():
    points = hands(closing(), 0.7)
    with pytest.raises(ValueError, match="is a left hand"):
        find_hand(session(points * [1, -1, 1]))
    with pytest.raises(ValueError, match="positions must be in m"):
        find_hand(session(1000 * points))


def test_the_palm_of_a_hand_is_that_of_the_robot():
    _, axes = palm_frame(hands(closing()))
    _, expected = kinematics.forward(ARM_HOME)
    np.testing.assert_allclose(axes, np.tile(expected, (len(axes), 1, 1)), atol=1e-9)


def test_a_hand_like_the_robots_gives_its_posture_wherever_it_is():
    """Tips are matched to millimeters, the palm too; turning and moving the hand turns and moves the palm."""
    pytest.importorskip("dex_retargeting", reason="optional: pip install -r requirements-retargeting.txt")
    joints = closing()
    points = hands(joints)
    turn, place = Rotation.from_euler("xyz", [0.4, -0.3, 1.0]), np.array([0.3, -0.2, 0.5])
    moved = turn.apply(points.reshape(-1, 3)).reshape(points.shape) + place
    fingers, palm, axes = LeapRetargeting().retarget(moved)
    reached = hands(np.concatenate([joints[:, :7], fingers], axis=1))
    assert np.linalg.norm(reached[:, TIPS] - points[:, TIPS], axis=2).max() < 0.006
    home, home_axes = kinematics.forward(ARM_HOME)
    assert np.linalg.norm(palm - (turn.apply(home) + place), axis=1).max() < 0.006
    np.testing.assert_allclose(axes, np.tile(turn.as_matrix() @ home_axes, (len(axes), 1, 1)), atol=1e-9)
    assert (fingers >= HAND_LOWER - 2e-3).all()
    assert (fingers <= HAND_UPPER + 2e-3).all()


def test_a_smaller_hand_closes_the_fingers_alike_and_pinches_in_the_same_place():
    pytest.importorskip("dex_retargeting", reason="optional: pip install -r requirements-retargeting.txt")
    points = hands(closing(), 0.7)
    fingers, palm, axes = LeapRetargeting().retarget(points)
    assert (np.diff(fingers[:, [0, 2, 4, 6]].sum(axis=1)) > 0).all()  # it closes all the way
    robot = hands(np.concatenate([np.tile(ARM_HOME, (len(fingers), 1)), fingers], axis=1))
    home, home_axes = kinematics.forward(ARM_HOME)
    local = (robot[:, [4, 8, 12]].mean(axis=1) - home) @ home_axes
    taken = palm + np.einsum("tij,tj->ti", axes, local)
    np.testing.assert_allclose(taken, points[:, [4, 8, 12]].mean(axis=1), atol=1e-3)


def grasped(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 23) and object poses (T, 7) of the scripted expert's grasp."""
    task = GraspTask(replace(TaskConfig.default(), control_rate=10.0), 1, [name], threads=1)
    task.reset([seed])
    expert = Expert(task)
    expert.reset([0], [seed])
    joints, poses = [], []
    while not task.success[0] and task.steps[0] < task.config.max_steps:
        joints.append(task.joint_positions[0].copy())
        poses.append(np.concatenate([part[0] for part in task.object_pose]))
        task.step(expert.act())
    assert task.success[0]
    return np.array(joints), np.array(poses)


def test_a_session_of_a_hand_becomes_a_grasp_of_the_robot(tmp_path, capsys):
    """The robot is another one, as in most of Isaac Lab's tasks for hands: only hand and object count."""
    pytest.importorskip("dex_retargeting", reason="optional: pip install -r requirements-retargeting.txt")
    joints, poses = grasped("mug", 12)
    hand = as_openxr(hands(joints, 0.75))
    steps = len(hand) - 1
    demo = {
        "actions": np.zeros((steps, 36)),
        "obs/right_hand": hand[:steps].reshape(steps, -1),
        "initial_state/rigid_object/object_mug/root_pose": poses[:1],
        "states/rigid_object/object_mug/root_pose": poses[1:],
    }
    away = demo | {"initial_state/rigid_object/object_mug/root_pose": poses[:1] + 5.0 * np.eye(7)[0]}
    file = write(tmp_path / "a.hdf5", {"demo_0": demo, "demo_1": away})
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 3
    assert "not on the table in front of the robot" in capsys.readouterr().out.replace("\n", " ")
    episode = DemoDataset.open(tmp_path / "d.zarr").episode(0)
    assert (episode.object, episode.success) == ("mug", True)
    reached, _ = kinematics.forward(episode.state[-1, :7].astype(np.float64))
    assert reached[2] > 0.2


def test_without_the_package_the_error_names_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dex_retargeting.retargeting_config", None)
    demo = standing() | {"actions": hands(np.tile(HOME, (3, 1)), 0.7).reshape(3, -1)}
    file = write(tmp_path / "a.hdf5", {"demo_0": demo})
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 1
    assert "pip install -r requirements-retargeting.txt" in capsys.readouterr().out.replace("\n", " ")
