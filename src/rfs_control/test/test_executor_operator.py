"""The executor with an operator: which residual is taken when, and what people can make it do."""

import numpy as np
import pytest
from rfs_control.correction import Correction
from rfs_control.executor import Executor
from rfs_control.limits import Limit, Limits
from rfs_control.operator_link import OperatorLink
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.residual_bounds import ResidualBounds
from rfs_control.tick import State, Tick
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS

HOME = np.concatenate([ARM_HOME, HAND_HOME])
PERIOD = 0.1
T0 = 1_000_000_000
STEP = 100_000_000  # ns
NEAR_TABLE = 0.5  # m: the palm's home is 0.35 m high, so that corrections count everywhere


def chunk(stamp: int, dx: float = 0.01) -> PolicyChunk:
    base = np.zeros((2, 22), dtype=np.float32)
    base[:, 0] = dx
    return PolicyChunk(stamp, base, np.zeros_like(base))


def correction(stamp: int, dy: float = 0.01, problem: str = "") -> Correction:
    residual = np.zeros(22, dtype=np.float32)
    residual[1] = dy
    return Correction(stamp, stamp + 7, residual, problem)


def alive(problem: str = "") -> Correction:
    return Correction.checked(0, 7, "", False, [], problem)


def engaged(lockstep: bool, palm_height: float = NEAR_TABLE) -> Executor:
    bounds = ResidualBounds(0.015, 0.05, palm_height)
    operator = OperatorLink(bounds, None if lockstep else 0.5)
    executor = Executor(Limits.load(period=PERIOD), lockstep, max_joint_state_age=10.0, operator=operator)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    executor.correct(alive(), 0.0)
    executor.engage(0.0)
    return executor


def tick_of(tick: Tick | None) -> Tick:
    assert tick is not None
    return tick


@pytest.mark.parametrize("lockstep", [False, True])
def test_the_correction_of_an_observation_is_added_to_its_action(lockstep: bool) -> None:
    executor = engaged(lockstep)
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    assert executor.waiting
    tick = tick_of(executor.correct(correction(T0), 0.001))
    assert (tick.stamp, tick.state, tick.correction_stamp) == (T0, State.CORRECTING, T0 + 7)
    assert tick.limits == Limit.NONE
    np.testing.assert_array_equal(tick.action, tick.base_action + tick.policy_residual + tick.human_residual)
    np.testing.assert_allclose(tick.executed[:3], [0.01, 0.01, 0.0], atol=1e-7)
    assert executor.counts.corrected == 1


def test_a_correction_that_comes_before_its_action_is_taken_too() -> None:
    executor = engaged(lockstep=True)
    assert executor.correct(correction(T0), 0.0) is None
    executor.correct(alive(), 0.0)
    assert tick_of(executor.follow(chunk(T0), 0.0, 0.0)).state == State.CORRECTING


def test_lockstep_waits_for_its_correction_however_long_and_repeats_its_answer() -> None:
    executor = engaged(lockstep=True)
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    assert executor.correct(correction(T0 - STEP), 50.0) is None
    assert executor.follow(chunk(T0), 0.0, 99.0) is None
    first = executor.correct(correction(T0), 100.0)
    assert executor.follow(chunk(T0, dx=0.05), 0.0, 101.0) is first
    assert executor.correct(correction(T0, dy=-0.01), 101.0) is None
    assert executor.follow(chunk(T0), 0.0, 102.0) is first


def test_realtime_goes_on_without_a_correction_after_20_ms() -> None:
    executor = engaged(lockstep=False)
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    assert executor.watch(T0, 0.019) is None
    tick = tick_of(executor.watch(T0, 0.02))
    assert (tick.state, tick.correction_stamp) == (State.AUTONOMOUS, 0)
    assert not tick.human_residual.any()
    assert executor.correct(correction(T0), 0.021) is None, "a correction that is too late moves nothing"


def test_a_flood_of_policy_actions_does_not_wait_for_ever() -> None:
    executor = engaged(lockstep=False)
    ticks = [executor.follow(chunk(T0 + i), 0.0, 0.1 + i / 1000) for i in range(22)]
    moved = [i for i, tick in enumerate(ticks) if tick]
    assert moved == [20]


def test_an_action_from_later_in_a_chunk_is_not_corrected() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, 0.0)
    executor.correct(correction(T0), 0.0)
    bridged = tick_of(executor.watch(T0, 0.151))
    assert (bridged.chunk_index, bridged.state, bridged.correction_stamp) == (1, State.AUTONOMOUS, 0)
    assert not bridged.human_residual.any()


def test_a_residual_is_shortened_to_its_bounds_and_says_so() -> None:
    executor = engaged(lockstep=True)
    executor.follow(chunk(T0), 0.0, 0.0)
    tick = tick_of(executor.correct(correction(T0, dy=0.5), 0.0))
    assert tick.limits == Limit.CORRECTION
    assert tick.human_residual[1] == pytest.approx(0.015, abs=1e-6)


def test_high_above_the_table_a_residual_is_not_taken_and_says_so() -> None:
    executor = engaged(lockstep=True, palm_height=0.1)
    executor.follow(chunk(T0), 0.0, 0.0)
    tick = tick_of(executor.correct(correction(T0), 0.0))
    assert (tick.state, tick.limits) == (State.AUTONOMOUS, Limit.HEIGHT)
    assert tick.action.tobytes() == tick.base_action.tobytes()
    executor.follow(chunk(T0 + STEP), 0.0, 0.0)
    assert tick_of(executor.correct(correction(T0 + STEP, dy=0.0), 0.0)).limits == Limit.NONE


def test_a_refused_correction_holds_by_name_until_a_good_one_comes() -> None:
    executor = engaged(lockstep=True)
    executor.follow(chunk(T0), 0.0, 0.0)
    held = tick_of(executor.correct(Correction.unusable(T0, 0, "correction: bad"), 0.0))
    assert (held.state, held.reason) == (State.HOLDING, "operator: correction: bad")
    assert executor.counts.refused == 1
    executor.follow(chunk(T0 + STEP), 0.0, 0.0)
    assert tick_of(executor.correct(correction(T0 + STEP), 0.0)).state == State.CORRECTING


@pytest.mark.parametrize(
    ("sign", "after", "named"),
    [(None, 0.6, "no correction for 0.5 s"), (alive("spacemouse: unplugged"), 0.01, "spacemouse: unplugged")],
)
def test_without_an_operator_the_robot_holds_and_goes_on_by_itself(
    sign: Correction | None, after: float, named: str
) -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, 0.0)
    before = tick_of(executor.correct(correction(T0), 0.0)).command
    if sign is not None:
        executor.correct(sign, after)
    executor.watch(T0, after)
    assert executor.state == State.HOLDING
    assert executor.reason.startswith("operator: ")
    assert named in executor.reason
    executor.follow(chunk(T0 + 6 * STEP), 0.0, after + 0.1)
    held = tick_of(executor.watch(T0, after + 0.13))
    assert held.command is before
    executor.correct(alive(), after + 0.14)
    executor.follow(chunk(T0 + 8 * STEP), 0.0, after + 0.2)
    assert tick_of(executor.correct(correction(T0 + 8 * STEP), after + 0.2)).state == State.CORRECTING


def test_engaging_needs_the_operator() -> None:
    for lockstep in (False, True):
        operator = OperatorLink(ResidualBounds.load(), None if lockstep else 0.5)
        executor = Executor(Limits.load(period=PERIOD), lockstep, operator=operator)
        executor.joints.update(JOINTS, HOME, T0, 0.0)
        with pytest.raises(ValueError, match="operator: no correction received"):
            executor.engage(0.0)


@pytest.mark.parametrize("lockstep", [False, True])
def test_a_stop_latches_until_released_and_only_engaging_moves_again(lockstep: bool) -> None:
    executor = engaged(lockstep)
    executor.follow(chunk(T0), 0.0, 0.0)
    moved = tick_of(executor.correct(correction(T0), 0.0))
    stopped = tick_of(executor.stop("stopped by a test", T0 + STEP, 0.1))
    assert (stopped.state, stopped.reason) == (State.STOPPED, "stopped by a test")
    assert stopped.command is moved.command
    executor.disengage()
    for refused in (
        lambda: executor.engage(0.2),
        lambda: executor.pause(T0, 0.2),
        lambda: executor.resume(0.2),
    ):
        with pytest.raises(ValueError, match="release"):
            refused()
    assert executor.follow(chunk(T0 + 2 * STEP), 0.0, 0.2) is None
    assert executor.state == State.STOPPED
    executor.release()
    assert (executor.state, executor.reason, executor.engaged) == (State.HOLDING, "not engaged", False)
    assert executor.follow(chunk(T0 + 3 * STEP), 0.0, 0.3) is None
    executor.engage(0.3)
    assert executor.state == State.HOLDING


def test_a_stop_latches_without_being_engaged() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    assert executor.stop("stopped by a test", T0, 0.0) is None
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    with pytest.raises(ValueError, match="release"):
        executor.engage(0.0)


def test_a_pause_stands_and_goes_on_from_where_it_stood() -> None:
    executor = engaged(lockstep=False)
    executor.follow(chunk(T0), 0.0, 0.0)
    moved = tick_of(executor.correct(correction(T0), 0.0))
    executor.follow(chunk(T0 + STEP), 0.0, 0.1)
    paused = tick_of(executor.pause(T0 + STEP, 0.11))
    assert (paused.state, paused.reason, paused.stamp) == (State.PAUSED, "paused", T0 + STEP)
    assert executor.correct(correction(T0 + STEP), 0.111) is None, "what was under way is dropped"
    executor.follow(chunk(T0 + 2 * STEP), 0.0, 0.2)
    executor.correct(alive(), 0.2)
    told = [step for step in range(12, 45) if executor.watch(T0, step / 100 + 0.001)]
    assert told == [21, 31, 41]
    executor.resume(0.45)
    executor.correct(alive(), 0.5)
    executor.follow(chunk(T0 + 5 * STEP), 0.0, 0.5)
    resumed = tick_of(executor.correct(correction(T0 + 5 * STEP), 0.5))
    step = resumed.command.position - moved.command.position
    np.testing.assert_allclose(step, [[0.01, 0.01, 0.0]], atol=1e-7)


def test_a_pause_in_lockstep_answers_nothing_and_its_observation_is_answered_afterwards() -> None:
    executor = engaged(lockstep=True)
    executor.follow(chunk(T0), 0.0, 0.0)
    moved = tick_of(executor.correct(correction(T0), 0.0))
    executor.follow(chunk(T0 + STEP), 0.0, 0.0)
    assert tick_of(executor.pause(0, 0.0)).stamp == moved.stamp
    assert executor.correct(correction(T0 + STEP), 0.0) is None
    assert executor.follow(chunk(T0), 0.0, 0.0) is None
    executor.resume(0.0)
    assert tick_of(executor.follow(chunk(T0 + STEP), 0.0, 0.0)).stamp == T0 + STEP


def test_only_what_is_engaged_can_be_paused() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=True)
    with pytest.raises(ValueError, match="nothing to pause"):
        executor.pause(0, 0.0)
    executor.resume(0.0)
    assert executor.reason == "not engaged"


def test_a_late_policy_is_explained_in_its_own_words() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=False)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    executor.engage(0.0)
    executor.policy_problem = "points: older than 0.25 s; is the camera still running?"
    assert tick_of(executor.watch(T0, 0.151)).reason == f"policy: {executor.policy_problem}"


def test_without_an_operator_in_the_stack_corrections_are_ignored() -> None:
    executor = Executor(Limits.load(period=PERIOD), lockstep=True)
    executor.joints.update(JOINTS, HOME, T0, 0.0)
    executor.engage(0.0)
    executor.correct(correction(T0), 0.0)
    tick = tick_of(executor.follow(chunk(T0), 0.0, 0.0))
    assert (tick.state, tick.correction_stamp) == (State.AUTONOMOUS, 0)
    assert not tick.human_residual.any()
