import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_control.command import Command, compose
from rfs_control.inverse_kinematics import JOINT_MARGIN, solve
from rfs_control.limits import Limits

from rfs_description import kinematics, robot, rotations


def pose_errors(q: np.ndarray, position: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in m and angle in rad, (n,) each."""
    reached, turned = kinematics.forward(q)
    angle = np.linalg.norm(rotations.to_vector(rotation @ turned.swapaxes(1, 2)), axis=1)
    return np.linalg.norm(position - reached, axis=1), angle


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_converges_to_the_pose_of_random_joints(seed: int) -> None:
    rng = np.random.default_rng(seed)
    goal = robot.ARM_HOME + rng.uniform(-0.4, 0.4, (8, 7))
    position, rotation = kinematics.forward(goal)
    q, _ = solve(np.tile(robot.ARM_HOME, (8, 1)), position, rotation, iterations=60)
    distance, angle = pose_errors(q, position, rotation)
    assert distance.max() < 1e-3
    assert angle.max() < 2e-3


def test_two_iterations_follow_a_palm_that_moves_at_full_speed() -> None:
    limits = Limits.load(period=0.1)
    q = robot.ARM_HOME[None]
    command = Command.from_joints(np.concatenate([robot.ARM_HOME, robot.HAND_HOME])[None])
    action = np.zeros((1, 22))
    for step in range(40):
        phase = 2 * np.pi * step / 20
        action[0, :6] = 0.05 * np.cos(phase), 0.05 * np.sin(phase), 0.02 * np.cos(phase), 0.05, 0.0, 0.1
        action[0, 3:6] *= np.cos(phase / 2)
        command, _, _ = compose(command, action, limits)
        q, at_limit = solve(q, command.position, command.rotation)
        distance, angle = pose_errors(q, command.position, command.rotation)
        assert distance[0] < 2e-3
        assert angle[0] < 5e-3
        assert not at_limit[0]


def test_a_pose_out_of_reach_is_flagged_and_leaves_the_joints_within_limits() -> None:
    _, rotation = kinematics.forward(robot.ARM_HOME[None])
    q, at_limit = solve(robot.ARM_HOME[None], np.array([[0.1, 0.0, 0.0]]), rotation, iterations=100)
    assert at_limit[0]
    assert np.all(q >= robot.ARM_LOWER + JOINT_MARGIN)
    assert np.all(q <= robot.ARM_UPPER - JOINT_MARGIN)


def test_recovers_from_a_pose_out_of_reach() -> None:
    home_position, home_rotation = kinematics.forward(robot.ARM_HOME[None])
    q, _ = solve(robot.ARM_HOME[None], np.array([[1.5, 0.0, 0.3]]), home_rotation, iterations=30)
    q, _ = solve(q, home_position, home_rotation, iterations=200)
    distance, angle = pose_errors(q, home_position, home_rotation)
    assert distance[0] < 1e-3
    assert angle[0] < 1e-3


def test_null_space_returns_toward_home() -> None:
    """The elbow is free to swing; with the palm kept, it comes back to the home posture."""
    position, rotation = kinematics.forward(robot.ARM_HOME[None])
    start = robot.ARM_HOME + np.array([[0.3, 0.0, -0.3, 0.0, 0.2, 0.0, 0.0]])
    q, _ = solve(start, position, rotation, iterations=200)
    np.testing.assert_allclose(q[0], robot.ARM_HOME, atol=1e-3)


def test_a_robot_in_a_batch_moves_as_if_alone_bit_for_bit() -> None:
    rng = np.random.default_rng(3)
    start = robot.ARM_HOME + rng.uniform(-0.3, 0.3, (64, 7))
    position, rotation = kinematics.forward(robot.ARM_HOME + rng.uniform(-1.5, 1.5, (64, 7)))
    together, limits_together = solve(start, position, rotation)
    for i in range(64):
        alone, limit_alone = solve(start[i : i + 1], position[i : i + 1], rotation[i : i + 1])
        np.testing.assert_array_equal(together[i], alone[0])
        assert limits_together[i] == limit_alone[0]
