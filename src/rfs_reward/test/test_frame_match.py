"""Picture, depth and joints of one moment are found whatever order they come in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_description.robot import JOINTS
from rfs_reward.frame_match import FrameMatcher, Match

MS = 1_000_000
START = 10_000_000 * MS
STILL = np.zeros(23)


def realtime() -> FrameMatcher:
    return FrameMatcher.for_time(lockstep=False)


def lockstep() -> FrameMatcher:
    return FrameMatcher.for_time(lockstep=True)


def show(matcher: FrameMatcher, stamp: int, now: float = 0.0, joints: np.ndarray = STILL) -> Match | None:
    """All of one moment; contents are the stamps."""
    matcher.take_joints(JOINTS, joints, stamp, now)
    matcher.take_color(stamp, stamp, now)
    matcher.take_depth(stamp, stamp, now)
    return matcher.newest(now)


@settings(deadline=None)
@given(st.permutations(range(3)))
def test_a_set_is_complete_whatever_comes_last(order: list[int]) -> None:
    matcher = lockstep()
    takes = [
        lambda: matcher.take_joints(JOINTS, STILL, START, 0.0),
        lambda: matcher.take_color(START, "color", 0.0),
        lambda: matcher.take_depth(START, "depth", 0.0),
    ]
    for index in order[:-1]:
        takes[index]()
        assert matcher.newest(0.0) is None
    takes[order[-1]]()
    match = matcher.newest(0.0)
    assert match is not None
    assert (match.stamp, match.color, match.depth) == (START, "color", "depth")
    assert matcher.newest(0.0) is None, "given twice"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.data())
def test_only_newer_sets_of_one_moment_are_given(moments: list[int], data: st.DataObject) -> None:
    """Whatever is late, lost or out of order, within a second."""
    matcher, given_stamps = realtime(), []
    for moment in moments:
        stamp = START + 20 * moment * MS
        skew = data.draw(st.integers(-30, 30)) * MS
        matcher.take_joints(JOINTS, STILL, stamp, 0.0)
        if data.draw(st.booleans()):
            matcher.take_color(stamp, stamp, 0.0)
        if data.draw(st.booleans()):
            matcher.take_depth(stamp + skew, stamp + skew, 0.0)
        match = matcher.newest(0.0)
        if match is not None:
            assert abs(match.depth - match.color) <= 20 * MS
            assert match.color == match.stamp
            given_stamps.append(match.stamp)
    assert given_stamps == sorted(given_stamps)


@settings(deadline=None)
@given(st.floats(0.0, 1.0))
def test_joints_are_those_of_the_pictures_time(part: float) -> None:
    matcher, stamp = realtime(), START + round(10 * part) * MS
    matcher.take_joints(JOINTS, STILL, START, 0.0)
    matcher.take_color(stamp, "color", 0.0)
    matcher.take_depth(stamp, "depth", 0.0)
    assert (matcher.newest(0.0) is None) == (stamp > START)
    matcher = realtime()
    matcher.take_joints(JOINTS, STILL, START, 0.0)
    matcher.take_joints(JOINTS, STILL + 0.01, START + 10 * MS, 0.0)
    matcher.take_color(stamp, "color", 0.0)
    matcher.take_depth(stamp, "depth", 0.0)
    match = matcher.newest(0.0)
    assert match is not None
    np.testing.assert_allclose(match.joints, 0.01 * (stamp - START) / (10 * MS), atol=1e-12)


def test_arm_and_hand_may_come_one_after_the_other() -> None:
    matcher = realtime()
    for step in range(3):
        at = START + 10 * step * MS
        matcher.take_joints(JOINTS[:7], STILL[:7] + step, at, 0.0)
        matcher.take_joints(JOINTS[7:], STILL[7:] + step, at - MS, 0.0)
    matcher.take_color(START + 10 * MS, "color", 0.0)
    matcher.take_depth(START + 10 * MS, "depth", 0.0)
    match = matcher.newest(0.0)
    assert match is not None
    np.testing.assert_allclose(match.joints, 1.0)


def test_of_a_pile_the_newest_is_given_and_the_rest_is_forgotten() -> None:
    matcher = realtime()
    for step in range(5):
        stamp = START + 33 * step * MS
        matcher.take_joints(JOINTS, STILL, stamp, 0.0)
        matcher.take_color(stamp, step, 0.0)
        matcher.take_depth(stamp, step, 0.0)
    match = matcher.newest(0.0)
    assert match is not None
    assert match.color == 4
    assert matcher.newest(0.0) is None


def test_what_is_repeated_is_given_again() -> None:
    matcher = lockstep()
    first, second = show(matcher, START), show(matcher, START)
    assert first is not None
    assert second is not None
    assert first.stamp == second.stamp


def test_nearer_depth_is_waited_for() -> None:
    matcher = realtime()
    for stamp in (START, START + 40 * MS):
        matcher.take_joints(JOINTS, STILL, stamp, 0.0)
    matcher.take_depth(START, "before", 0.0)
    matcher.take_color(START + 15 * MS, "color", 0.0)
    assert matcher.newest(0.0) is None
    matcher.take_depth(START + 20 * MS, "after", 0.0)
    match = matcher.newest(0.0)
    assert match is not None
    assert match.depth == "after"


@pytest.mark.parametrize("offset", [-3600_000 * MS, -5_000 * MS, 10**9 * 1000 * MS])
def test_a_camera_that_starts_again_in_another_epoch_is_followed(offset: int) -> None:
    matcher = realtime()
    assert show(matcher, START, 0.0) is not None
    first, second = show(matcher, START + offset, 1.0), show(matcher, START + offset + 100 * MS, 1.1)
    assert first is not None
    assert second is not None
    assert (first.stamp, first.restarted) == (START + offset, offset < 0)
    assert (second.stamp, second.restarted) == (START + offset + 100 * MS, False)


def test_memory_is_bounded() -> None:
    matcher = realtime()
    for step in range(1500):
        matcher.take_joints(JOINTS, STILL, START + step * 10 * MS, 0.0)
        matcher.take_color(START + step * 10 * MS, step, 0.0)
    kept = len(list(matcher._color.newest_first())) + len(matcher._joints._samples)
    assert kept <= 1100


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("color", "no picture comes"),
        ("depth", "no depth comes"),
        ("joints", "nothing received for all joints"),
        ("stale joints", "older than 0.25 s"),
        ("same time", "picture and depth are not of the same time"),
        ("joint time", "are their clocks synchronized"),
        ("", ""),
    ],
)
def test_what_is_missing_is_named(without: str, says: str) -> None:
    matcher = realtime()
    for step in range(20):
        now, stamp = 10 + 0.1 * step, START + 100 * step * MS
        if without != "color":
            matcher.take_color(stamp, step, now)
        if without != "depth":
            shift = 50 * MS if without == "same time" else 0
            matcher.take_depth(stamp + shift, step, now)
        if without != "joints" and not (without == "stale joints" and step > 0):
            shift = 10**10 * MS if without == "joint time" else 0
            matcher.take_joints(JOINTS, STILL, stamp + shift, now)
        matcher.newest(now)
    problem = matcher.problem(12.0)
    assert says in problem
    assert bool(problem) == bool(without)
    matcher.excuse(11.9)
    assert matcher.problem(12.0) == ""
