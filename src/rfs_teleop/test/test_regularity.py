"""Holes in regular topics, jumps of clocks, and messages that the middleware lost."""

import struct

import pytest
from rfs_teleop.lost_messages import LossCounter
from rfs_teleop.regularity import EXECUTED, REGULAR, Regularity, is_engaged, stamp_of

TICK = 100_000_000
POINTS = "/camera/points"


def header(stamp: int, frame: bytes = b"fr3_link0\0") -> bytes:
    text = struct.pack("<I", len(frame)) + frame
    return b"\0\1\0\0" + struct.pack("<iI", *divmod(stamp, 10**9)) + text + b"\0" * (-len(text) % 4)


def executed(stamp: int, state: int, frame: bytes = b"fr3_link0\0") -> bytes:
    return header(stamp, frame) + b"\0" * 16 + bytes([state])


def episode(stamps: dict[str, list[int]], realtime: bool = True) -> Regularity:
    """Topics with these stamps, arriving at them; the others at 10 Hz for 3 s."""
    regularity = Regularity(realtime)
    for topic in REGULAR:
        for stamp in stamps.get(topic, [tick * TICK for tick in range(30)]):
            data = executed(stamp, 1) if topic == EXECUTED else header(stamp)
            regularity.take(topic, stamp, data)
    return regularity


def test_a_regular_episode_has_no_problems() -> None:
    assert episode({}).problems() == []


def test_a_hole_is_named_with_its_length_and_place() -> None:
    stamps = [tick * TICK for tick in range(30) if tick not in (10, 11)]
    assert episode({POINTS: stamps}).problems() == [
        "/camera/points had a gap of 0.30 s, 1.20 s after the robot was engaged"
    ]


def test_a_topic_that_ends_or_never_comes() -> None:
    assert "did not come in the last 1.9 s" in episode({POINTS: [t * TICK for t in range(11)]}).problems()[0]
    assert "did not come while" in episode({POINTS: []}).problems()[0]


def test_stamps_that_run_backwards() -> None:
    regularity = episode({})
    regularity.take("/joint_states", 29 * TICK, header(20 * TICK))
    assert "jumped back by 0.90 s" in regularity.problems()[0]


def test_a_clock_that_is_set_ahead() -> None:
    regularity = Regularity()
    for tick in range(30):
        regularity.take(EXECUTED, tick * TICK, executed(tick * TICK, 1))
        for topic in REGULAR[:3]:
            regularity.take(topic, tick * TICK, header(tick * TICK + (tick > 15) * 50 * TICK))
    assert all("jumped ahead by 5.00 s" in problem for problem in regularity.problems())


def test_nothing_is_asked_of_a_robot_that_was_not_engaged() -> None:
    regularity = Regularity()
    regularity.take(EXECUTED, 1, executed(1, 0))
    regularity.take(EXECUTED, 9 * 10**9, executed(9 * 10**9, 4))
    assert regularity.problems() == []


def test_a_stopped_executor_may_be_silent_until_it_is_engaged_again() -> None:
    regularity = episode({EXECUTED: [tick * TICK for tick in range(10)]})
    regularity.take(EXECUTED, 10 * TICK, executed(10 * TICK, 4))
    for tick in range(25, 30):
        regularity.take(EXECUTED, tick * TICK, executed(tick * TICK, 1))
    assert regularity.problems() == []


@pytest.mark.parametrize("frame", [b"\0", b"x\0", b"xyz\0", b"fr3_link0\0"])
def test_states_are_found_behind_any_frame_name(frame: bytes) -> None:
    assert [is_engaged(executed(5, state, frame)) for state in range(5)] == [False, True, True, False, False]
    assert stamp_of(executed(7, 1, frame)) == 7


def test_losses_are_counted_for_each_publisher() -> None:
    losses = LossCounter()
    for publisher, number in [(b"x", 7), (b"x", 8), (b"y", 100), (b"x", 11), (b"y", 101), (b"x", 1)]:
        losses.take("/a", publisher, number)
    assert losses.counts() == {"/a": 2}
    losses.report("/a", 5)
    losses.report("/b", 1)
    assert losses.counts() == {"/a": 5, "/b": 1}
    losses.reset()
    losses.take("/a", b"y", 104)
    assert losses.counts() == {"/a": 2}
