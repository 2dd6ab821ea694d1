"""Targets from outside: valid ones become commands, others change nothing and are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_description.robot import BASE_FRAME, HAND_JOINTS
from rfs_sim_bridge.targets import Targets
from scipy.spatial.transform import Rotation

POSITION, QUATERNION = (0.5, 0.1, 0.3), (0.0, 1.0, 0.0, 0.0)
FINGERS = tuple(np.linspace(0.1, 0.4, 16))


def complete(stamp: int = 5) -> Targets:
    targets = Targets()
    targets.take_arm(stamp, BASE_FRAME, POSITION, QUATERNION)
    targets.take_hand(stamp, HAND_JOINTS, FINGERS)
    return targets


def test_targets_of_one_stamp_make_a_command() -> None:
    answer = complete(5).command()
    assert answer is not None
    stamp, command = answer
    assert stamp == 5
    np.testing.assert_array_equal(command.position, [POSITION])
    np.testing.assert_allclose(command.rotation[0], Rotation.from_quat(QUATERNION).as_matrix())
    np.testing.assert_array_equal(command.fingers, [FINGERS])


@given(st.permutations([("arm", 1), ("hand", 1), ("arm", 2), ("hand", 2)]))
def test_a_command_never_mixes_stamps(order: list[tuple[str, int]]) -> None:
    targets = Targets()
    for kind, stamp in order:
        if kind == "arm":
            targets.take_arm(stamp, BASE_FRAME, (stamp, 0, 0), QUATERNION)
        else:
            targets.take_hand(stamp, HAND_JOINTS, [stamp] * 16)
        answer = targets.command()
        if answer is not None:
            assert answer[0] == answer[1].position[0, 0] == answer[1].fingers[0, 0]


@pytest.mark.parametrize(
    ("frame", "position", "quaternion", "named"),
    [
        ("world", POSITION, QUATERNION, "frame 'world'"),
        (BASE_FRAME, (0.5, float("nan"), 0.3), QUATERNION, "NaN"),
        (BASE_FRAME, POSITION, (0.0, float("inf"), 0.0, 0.0), "NaN or infinite"),
        (BASE_FRAME, POSITION, (0.0, 0.0, 0.0, 0.0), "length 1"),
    ],
)
def test_bad_arm_targets_are_refused_and_named(
    frame: str, position: tuple[float, ...], quaternion: tuple[float, ...], named: str
) -> None:
    targets = complete(5)
    targets.take_arm(6, frame, position, quaternion)
    assert named in targets.problem
    assert targets.refused == 1
    answer = targets.command()
    assert answer is not None
    assert answer[0] == 5
    targets.take_arm(6, BASE_FRAME, POSITION, QUATERNION)
    assert targets.problem == ""


@pytest.mark.parametrize(
    ("names", "positions", "named"),
    [
        (HAND_JOINTS[:-1], FINGERS[:-1], f"lacks {HAND_JOINTS[-1]}"),
        (HAND_JOINTS[::-1], FINGERS, "another order"),
        (HAND_JOINTS, FINGERS[:-1], "15 positions for 16"),
        (HAND_JOINTS, (float("nan"), *FINGERS[1:]), "NaN"),
    ],
)
def test_bad_hand_targets_are_refused_and_named(
    names: tuple[str, ...], positions: tuple[float, ...], named: str
) -> None:
    targets = complete(5)
    targets.take_hand(6, names, positions)
    assert named in targets.problem
    answer = targets.command()
    assert answer is not None
    assert answer[0] == 5


def test_a_new_episode_forgets_targets() -> None:
    targets = complete(5)
    targets.clear()
    assert targets.command() is None
