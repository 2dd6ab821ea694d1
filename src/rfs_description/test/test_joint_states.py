import numpy as np
import pytest
from rfs_description.joint_states import JointStates
from rfs_description.robot import ARM_JOINTS, HAND_JOINTS, JOINTS

POSITIONS = np.linspace(-1.0, 1.0, len(JOINTS))


def test_positions_are_matched_by_name_whatever_the_order_and_further_joints() -> None:
    joints = JointStates(max_age=0.2)
    order = np.random.default_rng(0).permutation(len(JOINTS))
    names = ["gripper", *(JOINTS[i] for i in order)]
    joints.update(names, [9.0, *POSITIONS[order]], stamp=5, now=1.0)
    assert joints.problem(1.0) == ""
    np.testing.assert_array_equal(joints.positions, POSITIONS)
    assert joints.stamp == 5


def test_arm_and_hand_drivers_may_publish_apart() -> None:
    joints = JointStates(max_age=0.2)
    joints.update(ARM_JOINTS, POSITIONS[:7], stamp=1, now=1.0)
    assert "leap_if_mcp" in joints.problem(1.0)
    joints.update(HAND_JOINTS, POSITIONS[7:], stamp=2, now=1.1)
    assert joints.problem(1.1) == ""
    assert "fr3_joint1" in joints.problem(1.25)


def test_lockstep_wants_every_joint_in_the_newest_message_and_knows_no_age() -> None:
    joints = JointStates(max_age=None)
    joints.update(JOINTS, POSITIONS, stamp=1, now=1.0)
    assert joints.problem(1e9) == ""
    joints.update(JOINTS[:-1], POSITIONS[:-1], stamp=2, now=1.1)
    assert "lacks leap_th_ipl" in joints.problem(1.1)


@pytest.mark.parametrize(
    ("names", "positions", "named"),
    [
        (JOINTS, POSITIONS[:-1], "23 names but 22 positions"),
        (JOINTS, np.where(np.arange(23) == 3, np.nan, POSITIONS), "not finite for fr3_joint4"),
        ((*JOINTS[:-1], JOINTS[0]), POSITIONS, "named twice"),
    ],
)
def test_a_malformed_message_is_a_problem_until_the_next_good_one(
    names: tuple[str, ...], positions: np.ndarray, named: str
) -> None:
    joints = JointStates(max_age=0.2)
    joints.update(JOINTS, POSITIONS, stamp=1, now=1.0)
    joints.update(names, positions, stamp=2, now=1.0)
    assert named in joints.problem(1.0)
    np.testing.assert_array_equal(joints.positions, POSITIONS)
    joints.update(JOINTS, POSITIONS, stamp=3, now=1.0)
    assert joints.problem(1.0) == ""


def test_nothing_received_is_told() -> None:
    assert "nothing received for all joints" in JointStates(max_age=0.2).problem(0.0)


def test_two_sources_that_contradict_each_other_are_told_until_one_is_left() -> None:
    joints = JointStates(max_age=0.2)
    for tick in range(20):
        other = POSITIONS + (1.0 if tick % 2 and tick < 10 else 0.0)
        joints.update(JOINTS, other, stamp=10_000_000 * tick, now=0.01 * tick)
        assert ("jump to and fro" in joints.problem(0.01 * tick)) == (tick >= 3)
    assert "jump to and fro" in joints.problem(0.3)
    joints.update(JOINTS, POSITIONS, stamp=700_000_000, now=0.7)
    assert joints.problem(0.7) == ""


def test_a_scene_that_is_reset_is_no_second_source() -> None:
    joints = JointStates(max_age=0.2)
    for tick in range(20):
        joints.update(JOINTS, POSITIONS + (tick > 10), stamp=10_000_000 * tick, now=0.01 * tick)
        assert joints.problem(0.01 * tick) == ""


def test_fast_but_possible_motion_is_no_jump() -> None:
    joints = JointStates(max_age=0.2)
    for tick in range(20):
        joints.update(JOINTS, POSITIONS + 0.04 * tick, stamp=10_000_000 * tick, now=0.01 * tick)
        assert joints.problem(0.01 * tick) == ""


def test_older_messages_are_not_taken_until_nothing_newer_comes() -> None:
    joints = JointStates(max_age=0.2)
    joints.update(JOINTS, POSITIONS, stamp=5_000_000_000, now=1.0)
    joints.update(JOINTS, POSITIONS + 0.01, stamp=1, now=1.1)
    assert "older than the one before" in joints.problem(1.1)
    np.testing.assert_array_equal(joints.positions, POSITIONS)
    joints.update(JOINTS, POSITIONS + 0.01, stamp=100_000_000, now=1.6)  # the clock was set back
    assert joints.problem(1.6) == ""
    np.testing.assert_array_equal(joints.positions, POSITIONS + 0.01)
