import numpy as np
import pytest
from rfs_control.executor import Executor
from rfs_control.limits import Limit, Limits
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.tick import State, Tick
from rfs_description.robot import (
    ARM_HOME,
    ARM_JOINTS,
    BASE_FRAME,
    HAND_HOME,
    HAND_JOINTS,
    HAND_LOWER,
    JOINTS,
)
from rfs_policy.layout import DELTA_POSE

HOME = np.concatenate([ARM_HOME, HAND_HOME])
PERIOD = 0.1
T0 = 1_000_000_000
STEP = 100_000_000  # ns


def chunk(stamp: int, dx: float = 0.01, horizon: int = 2) -> PolicyChunk:
    """Actions that move the palm by dx, 2 dx, ... along x."""
    base = np.zeros((horizon, 22), dtype=np.float32)
    base[:, 0] = dx * np.arange(1, horizon + 1)
    return PolicyChunk(stamp, base, np.zeros_like(base))


def observe(executor: Executor, now: float) -> None:
    """Joint states of the present: stamps follow monotonic time."""
    executor.joints.update(JOINTS, HOME, T0 + round(now * 1e9), now)


def engaged(lockstep: bool, now: float = 0.0) -> Executor:
    executor = Executor(Limits.load(period=PERIOD), lockstep)
    executor.joints.update(JOINTS, HOME, T0, now)
    executor.engage(now)
    return executor


def palm_x(tick: Tick | None) -> float:
    assert tick is not None
    return float(tick.command.position[0, 0])


def test_engaging_latches_the_measured_pose_with_empty_arrays() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=True)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    tick = executor.engage(0.0)
    assert tick is not None
    np.testing.assert_allclose(tick.command.position, [[0.5, 0.0, 0.35]], atol=1e-6)
    assert tick.stamp == T0
    assert tick.action.size == tick.executed.size == 0


@pytest.mark.parametrize("lockstep", [False, True])
def test_engaging_again_does_not_set_a_moving_command_back_to_the_joints(lockstep: bool) -> None:
    executor = engaged(lockstep)
    moved = executor.follow(chunk(T0), 0.0, 0.0)
    executor.joints.update(JOINTS, HOME, T0 + STEP, 0.0)
    executor.engage(0.0)
    assert executor.state == State.AUTONOMOUS
    assert palm_x(executor.follow(chunk(T0 + STEP), 0.0, 0.1)) == pytest.approx(palm_x(moved) + 0.01)
    executor.disengage()
    assert palm_x(executor.engage(0.1)) == pytest.approx(0.5, abs=1e-6)


def test_engaging_in_another_episode_of_lockstep_latches_its_joints() -> None:
    executor = engaged(lockstep=True)
    executor.follow(chunk(T0), 0.0, 0.0)
    executor.joints.update(JOINTS, HOME, T0 + 100 * STEP, 0.0)
    tick = executor.engage(0.0)
    assert tick is not None
    assert (tick.stamp, tick.executed.size) == (T0 + 100 * STEP, 0)


def test_only_joints_measured_since_the_request_are_latched() -> None:
    """The last ones that are known may be of the scene before its reset."""
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    before = np.concatenate([ARM_HOME + 0.1, HAND_HOME])
    executor.joints.update(JOINTS, before, T0, 0.0)
    assert executor.engage(0.001, present=T0 + 2) is None
    executor.joints.update(JOINTS, before, T0 + 1, 0.002)
    assert executor.latch_newer(0.002) is None
    assert executor.follow(chunk(T0 + 1), 0.0, 0.002) is None
    assert executor.watch(T0 + STEP, 0.15) is None
    assert "waiting for joint states" in executor.reason
    assert not executor.hindered
    executor.joints.update(JOINTS, HOME, T0 + 2, 0.16)
    latched = executor.latch_newer(0.16)
    assert palm_x(latched) == pytest.approx(0.5, abs=1e-6)
    executor.joints.update(JOINTS, before, T0 + 3, 0.161)
    assert executor.latch_newer(0.161) is None
    assert palm_x(executor.follow(chunk(T0 + 4), 0.0, 0.17)) == pytest.approx(0.51, abs=1e-6)


def test_arm_and_hand_in_two_messages_must_both_be_measured_since_the_request() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    observe(executor, 0.0)
    executor.engage(0.05, present=T0 + STEP // 2)
    executor.joints.update(ARM_JOINTS, ARM_HOME, T0 + STEP, 0.1)
    assert executor.latch_newer(0.1) is None
    executor.joints.update(HAND_JOINTS, HAND_HOME, T0 + STEP, 0.1)
    assert executor.latch_newer(0.1) is not None


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_engaging_is_refused_when_the_joints_are_stamped_by_another_clock(seconds: int) -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    now = 10_000 * 10**9
    executor.joints.update(JOINTS, HOME, now - seconds * 10**9, 0.0)
    with pytest.raises(ValueError, match=r"3.6e\+03 s (ago|in the future); are the clocks in step"):
        executor.engage(0.0, present=now)


def test_joints_that_fall_silent_before_they_are_latched_are_told() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    observe(executor, 0.0)
    executor.engage(0.05, present=T0 + STEP // 2)
    assert executor.watch(T0 + 10 * STEP, 1.0) is None
    assert executor.reason.startswith("joint states: older")
    assert executor.hindered
    observe(executor, 1.1)
    assert executor.latch_newer(1.1) is not None


@pytest.mark.parametrize("end", [Executor.disengage, lambda e: e.stop("a test", T0, 0.0)])
def test_what_ends_an_engagement_ends_a_request_that_waits_for_joints(end) -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    observe(executor, 0.0)
    executor.engage(0.0, present=T0 + 1)
    end(executor)
    observe(executor, 0.01)
    assert executor.latch_newer(0.01) is None


@pytest.mark.parametrize("lockstep", [False, True])
def test_without_joint_states_engaging_is_refused_with_the_reason(lockstep: bool) -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep)
    with pytest.raises(ValueError, match="nothing received"):
        executor.engage(0.0)
    assert not executor.engaged


def test_stale_joint_states_refuse_engaging_in_realtime() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    with pytest.raises(ValueError, match="older than"):
        executor.engage(1.0)


def test_nothing_moves_before_engaging_or_after_disengaging() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=True)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    executor.engage(0.0)
    executor.disengage()
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    assert executor.reason == "not engaged"


def test_lockstep_answers_each_observation_once_and_repeats_the_same_when_asked_again() -> None:
    executor = engaged(lockstep=True)
    first = executor.follow(chunk(T0), 0.0, 0.0)
    assert palm_x(first) == pytest.approx(0.51, abs=1e-6)
    assert executor.follow(chunk(T0, dx=0.05), 0.0, 99.0) is first
    second = executor.follow(chunk(T0 + STEP), 0.0, 100.0)
    assert palm_x(second) == pytest.approx(0.52, abs=1e-6)
    assert executor.follow(chunk(T0), 0.0, 101.0) is None


def test_lockstep_ignores_actions_for_observations_before_engagement() -> None:
    executor = engaged(lockstep=True)
    assert executor.follow(chunk(T0 - STEP), 0.0, 0.0) is None
    assert executor.counts.ignored == 1


def test_action_is_base_plus_residual_and_what_limits_changed_is_told() -> None:
    executor = engaged(lockstep=True)
    moved = chunk(T0, dx=0.05)
    moved.residual[0, 0] = 0.05
    tick = executor.follow(moved, 0.0, 0.0)
    assert tick is not None
    np.testing.assert_array_equal(tick.action, tick.base_action + tick.policy_residual + tick.human_residual)
    assert tick.limits == Limit.TRANSLATION
    assert tick.executed[0] == pytest.approx(0.06)


def test_lockstep_holds_on_a_bad_action_but_lets_time_go_on() -> None:
    """The tick is commanded with the pose unchanged, so that the simulator and the episode go on."""
    executor = engaged(lockstep=True)
    executor.follow(chunk(T0), 0.0, 0.0)
    held = executor.reject(T0 + STEP, "policy action: broken", 0.0)
    assert held is not None
    assert (held.state, held.reason, held.stamp) == (State.HOLDING, "policy action: broken", T0 + STEP)
    assert palm_x(held) == pytest.approx(0.51, abs=1e-6)
    np.testing.assert_array_equal(held.executed[:6], 0.0)
    resumed = executor.follow(chunk(T0 + 2 * STEP), 0.0, 0.0)
    assert palm_x(resumed) == pytest.approx(0.52, abs=1e-6)
    assert executor.reason == ""


def test_a_late_policy_is_bridged_by_its_chunk_and_then_holds() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, now=0.0)
    ticks = {}
    for step in range(1, 45):
        now = step / 100 + 0.001
        observe(executor, now)
        tick = executor.watch(T0 + step * STEP // 10, now)
        if tick:
            ticks[step] = tick
    assert list(ticks) == [15, 25, 35]
    bridged, held, _ = ticks.values()
    assert (bridged.chunk_index, bridged.stamp) == (1, T0 + STEP)
    assert palm_x(bridged) == pytest.approx(0.53, abs=1e-6)
    assert held.state == State.HOLDING
    assert "late" in held.reason
    assert palm_x(held) == palm_x(bridged)


def test_an_action_that_comes_just_after_its_replacement_is_not_executed_on_top() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, now=0.0)
    assert executor.watch(T0, now=0.151) is not None
    assert executor.follow(chunk(T0 + STEP), 0.0, now=0.16) is None
    observe(executor, 0.2)
    following = executor.follow(chunk(T0 + 2 * STEP), 0.0, now=0.21)
    assert palm_x(following) == pytest.approx(0.54, abs=1e-6)


def test_a_flood_of_actions_moves_the_robot_no_faster_than_its_rate() -> None:
    executor, moves = engaged(lockstep=False), 0
    for number in range(500):
        now = 0.002 * number
        executor.joints.update(JOINTS, HOME, T0 + number, now)
        moves += executor.follow(chunk(T0 + number, dx=0.001), 0.0, now) is not None
        moves += executor.watch(T0 + number, now) is not None
    assert 10 <= moves <= 11  # one may come early


def test_an_old_observation_and_a_repeated_one_do_not_move_the_robot_in_realtime() -> None:
    executor = engaged(lockstep=False)
    old = executor.follow(chunk(T0), observation_age=0.6, now=0.0)
    assert old is not None
    assert old.state == State.HOLDING
    assert "observation older" in old.reason
    assert executor.follow(chunk(T0), observation_age=0.0, now=0.1) is None


def test_stale_joint_states_hold_until_they_come_back() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, now=0.0)
    executor.watch(T0, now=0.25)
    assert executor.state == State.HOLDING
    assert "joint states: older" in executor.reason
    held = executor.follow(chunk(T0 + STEP), 0.0, now=0.26)
    assert palm_x(held) == pytest.approx(0.51, abs=1e-6)
    observe(executor, 0.3)
    resumed = executor.follow(chunk(T0 + 2 * STEP), 0.0, now=0.31)
    assert palm_x(resumed) == pytest.approx(0.52, abs=1e-6)


def test_an_executor_that_was_held_up_does_not_make_up_for_it() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0, horizon=8), 0.0, now=0.0)
    moved = []
    for step in range(90, 131):  # nothing ran from 0 to 0.9 s
        now = step / 100
        observe(executor, now)
        if executor.watch(T0 + round(now * 1e9), now):
            moved.append(step)
    assert executor.state == State.AUTONOMOUS
    assert len(moved) <= 5  # one may come early
    assert min(np.diff(moved)) >= 5


def test_after_joint_states_were_lost_nothing_of_an_old_chunk_is_executed() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, now=0.17)
    for now in np.arange(0.18, 1.0, 0.01):
        executor.watch(T0, now)
    observe(executor, 60.0)
    back = [executor.watch(T0, now) for now in np.arange(60.0, 60.15, 0.01)]
    assert executor.counts.executed == 1
    assert {tick.reason for tick in back if tick} == {"no policy action"}


DEGREES = np.degrees(HOME)
RAW_ZERO = np.concatenate([ARM_HOME, HAND_HOME + np.pi])
"""LEAP's motors count from half a turn."""


@pytest.mark.parametrize(
    ("positions", "named"),
    [
        (DEGREES, r"fr3_joint2 is at -20.9 rad, outside its range from -1.78 to 1.78 rad"),
        (RAW_ZERO, r"leap_if_mcp is at 3.14 rad, outside its range from -0.314 to 2.23 rad"),
    ],
)
def test_joint_states_that_are_no_radians_are_not_latched(positions: np.ndarray, named: str) -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    executor.joints.update(JOINTS, positions, T0, 0.0)
    with pytest.raises(ValueError, match=named):
        executor.engage(0.0)
    executor.joints.update(JOINTS, positions + 0.001, T0 + 1, 0.0)
    with pytest.raises(ValueError, match=named):  # the same text, as the cause is the same
        executor.engage(0.0)
    executor.joints.update(JOINTS, HOME, T0 + 2, 0.0)
    assert executor.engage(0.0) is not None


def test_a_hand_out_of_range_is_not_forgotten_when_the_arm_is_heard() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    observe(executor, 0.0)
    executor.joints.update(HAND_JOINTS, RAW_ZERO[7:], T0 + 1, 0.0)
    executor.joints.update(ARM_JOINTS, ARM_HOME, T0 + 2, 0.0)
    with pytest.raises(ValueError, match=r"leap_if_mcp is at 3\.14 rad"):
        executor.engage(0.0)


def test_joints_a_little_beyond_their_range_are_taken() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    executor.joints.update(JOINTS, np.concatenate([ARM_HOME, HAND_LOWER - 0.09]), T0, 0.0)
    assert executor.engage(0.0) is not None


def test_joint_states_of_one_stamp_over_and_over_hold_the_robot() -> None:
    executor = engaged(lockstep=False)
    for now in np.arange(0.01, 0.3, 0.01):
        executor.joints.update(JOINTS, HOME, T0, now)
    held = executor.follow(chunk(T0), 0.0, 0.3)
    assert held is not None
    assert held.state == State.HOLDING
    assert "no new stamp for 0.2 s" in held.reason
    observe(executor, 0.31)
    assert executor.joints.problem(0.31) == ""


def test_engaging_without_a_policy_says_so_every_period() -> None:
    executor = engaged(lockstep=False)
    observe(executor, 0.15)
    tick = executor.watch(T0, now=0.151)
    assert tick is not None
    assert tick.reason == "no policy action"
    assert executor.watch(T0, now=0.161) is None


def test_the_reason_does_not_change_while_its_cause_stays() -> None:
    executor = engaged(lockstep=False)
    reasons = set()
    for step in range(30, 60):
        executor.watch(T0, now=step / 100)
        reasons.add(executor.reason)
    assert len(reasons) == 1


FIELDS = {
    "stamp": T0,
    "layout": DELTA_POSE.name,
    "frame": BASE_FRAME,
    "shape": (2, 22),
    "base": [0.0] * 44,
    "residual": [0.0] * 44,
}


def test_a_chunk_is_read_row_by_row() -> None:
    read = PolicyChunk.checked(**(FIELDS | {"base": list(range(44))}))
    assert read.base[1, 0] == 22.0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"layout": "arm_joints_23"}, "arm_joints_23"),
        ({"frame": "camera"}, "camera"),
        ({"shape": (2, 23)}, "23 numbers"),
        ({"shape": (0, 22)}, "0 actions"),
        ({"base": [0.0] * 43}, "base_action has 43"),
        ({"residual": [float("nan")] * 44}, "residual has a number that is not finite"),
        ({"base": [float("inf")] * 44}, "base_action has a number that is not finite"),
    ],
)
def test_a_wrong_policy_action_is_refused_by_name(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PolicyChunk.checked(**(FIELDS | change))
