"""What holds for the executor whatever the policy, the operator and the people around do, in any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rfs_control.correction import Correction
from rfs_control.executor import Executor
from rfs_control.limits import Limit, Limits
from rfs_control.operator_link import OperatorLink
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.residual_bounds import ResidualBounds
from rfs_control.tick import LATCHED, State, Tick
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS

HOME = np.concatenate([ARM_HOME, HAND_HOME])
PERIOD = 0.1
LIMITS = Limits.load(period=PERIOD)
BOUNDS = ResidualBounds(0.015, 0.05, palm_height=0.36)  # the palm's home is 0.35 m high: both cases come up
HUGE = float(np.float32(3e38))


def actions(largest: float) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, 22, elements=st.floats(-largest, largest, width=32))


NUMBERS = actions(0.0625) | actions(2.0) | actions(HUGE)


def chunk_of(stamp: int, base: np.ndarray, residual: np.ndarray) -> PolicyChunk:
    return PolicyChunk(stamp, np.stack([base, base]), np.stack([residual, residual]))


def in_lockstep() -> Executor:
    executor = Executor(LIMITS, lockstep=True, operator=OperatorLink(BOUNDS, None))
    executor.joints.update(JOINTS, HOME, 1, 0.0)
    executor.correct(Correction.checked(0, 0, "", False, [], ""), 0.0)
    executor.engage(0.0)
    return executor


def check_recorded(tick: Tick) -> None:
    """The paper's equation and the bounds, in the numbers that are recorded."""
    with np.errstate(over="ignore"):
        total = tick.base_action + tick.policy_residual + tick.human_residual
    np.testing.assert_array_equal(tick.action, total)
    human = tick.human_residual.astype(np.float64)
    assert np.linalg.norm(human[:3]) <= BOUNDS.translation
    assert np.abs(human[6:]).max() <= BOUNDS.finger
    assert not human[3:6].any()
    assert human.any() == (tick.state == State.CORRECTING)
    assert not (human.any() and tick.limits & Limit.HEIGHT)


def check_step(before: np.ndarray, tick: Tick) -> None:
    """No command is further from the last one than the limits of a step."""
    moved = np.linalg.norm(tick.command.position - before[:3])
    assert moved <= LIMITS.translation_step * (1 + 1e-6)
    assert np.abs(tick.command.fingers - before[3:]).max() <= LIMITS.finger_step + 1e-9


def numbers_of(tick: Tick) -> np.ndarray:
    return np.concatenate([tick.command.position[0], tick.command.fingers[0]])


@settings(deadline=None)
@given(base=actions(2.0), policy=actions(2.0), human=NUMBERS)
def test_what_is_recorded_is_the_sum_and_inside_the_bounds(
    base: np.ndarray, policy: np.ndarray, human: np.ndarray
) -> None:
    executor = in_lockstep()
    executor.follow(chunk_of(1, base, policy), 0.0, 0.0)
    tick = executor.correct(Correction(1, 2, human), 0.0)
    assert tick is not None
    check_recorded(tick)
    shortened = not np.array_equal(BOUNDS.bounded(human), human)
    assert bool(tick.limits & Limit.CORRECTION) == shortened


@settings(deadline=None)
@given(base=actions(2.0), policy=actions(2.0), active=st.booleans())
def test_without_a_residual_the_action_is_exactly_the_policys(
    base: np.ndarray, policy: np.ndarray, active: bool
) -> None:
    corrected, alone = in_lockstep(), Executor(LIMITS, lockstep=True)
    alone.joints.update(JOINTS, HOME, 1, 0.0)
    alone.engage(0.0)
    chunk = chunk_of(1, base, policy)
    corrected.follow(chunk, 0.0, 0.0)
    zero = Correction.checked(1, 2, "fr3_link0", active, [0.0] * 22, "")
    with_operator, without = corrected.correct(zero, 0.0), alone.follow(chunk, 0.0, 0.0)
    assert with_operator is not None
    assert without is not None
    for name in ("base_action", "policy_residual", "human_residual", "action", "executed"):
        assert getattr(with_operator, name).tobytes() == getattr(without, name).tobytes(), name
    assert with_operator.action.tobytes() == (base + policy).tobytes()
    assert with_operator.command.position.tobytes() == without.command.position.tobytes()
    assert with_operator.state == without.state == State.AUTONOMOUS


@pytest.mark.ros
@settings(max_examples=25, deadline=None)
@given(base=actions(2.0), policy=actions(2.0), human=NUMBERS)
def test_the_sum_is_still_exact_after_the_trip_through_a_message(
    base: np.ndarray, policy: np.ndarray, human: np.ndarray
) -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    messages = pytest.importorskip("rfs_control.nodes.messages")
    message_type = pytest.importorskip("rfs_msgs.msg").ExecutedAction
    executor = in_lockstep()
    executor.follow(chunk_of(1, base, policy), 0.0, 0.0)
    tick = executor.correct(Correction(1, 2, human), 0.0)
    assert tick is not None
    sent = serialization.serialize_message(messages.executed_action(tick, 3))
    recorded = serialization.deserialize_message(sent, message_type)
    arrays = {name: np.array(getattr(recorded, name)) for name in ("base_action", "policy_residual")}
    total = arrays["base_action"] + arrays["policy_residual"] + np.array(recorded.human_residual)
    assert total.dtype == np.float32
    np.testing.assert_array_equal(np.array(recorded.action), total)
    assert recorded.correction_stamp.nanosec == 2
    assert recorded.limits == int(tick.limits)


class AnyOrder(RuleBasedStateMachine):
    """Everything that can happen to the executor, interleaved at will, each a few ms after the other."""

    @initialize(lockstep=st.booleans())
    def begin(self, lockstep: bool) -> None:
        operator = OperatorLink(BOUNDS, None if lockstep else 0.5)
        self.executor = Executor(LIMITS, lockstep, operator=operator)
        self.now, self.stamp = 0.0, 10**9
        self.latched: State | None = None
        self.commanded: np.ndarray | None = None
        self.told: Tick | None = None
        self.observe()
        self.live("")
        self.engage()

    def take(self, tick: Tick | None, latching: bool = False) -> None:
        """A tick goes out: it never jumps, except where it is latched anew from the measured joints."""
        if tick is None:
            return
        if self.commanded is not None and not latching:
            check_step(self.commanded, tick)
            if tick.state in LATCHED or tick.state == State.HOLDING:
                np.testing.assert_array_equal(numbers_of(tick), self.commanded)
            if tick.state == State.CORRECTING and tick is not self.told:  # lockstep may tell a tick again
                assert self.commanded[2] <= BOUNDS.palm_height
        if tick.action.size:
            check_recorded(tick)
        if self.latched is not None:
            assert tick.state == self.latched, "only the latched state itself is told"
        self.commanded, self.told = numbers_of(tick), tick

    @rule(ms=st.sampled_from([1, 5, 20, 60, 200, 700]))
    def wait(self, ms: int) -> None:
        self.now += ms / 1000
        self.stamp += ms * 1_000_000

    @rule()
    def observe(self) -> None:
        self.executor.joints.update(JOINTS, HOME, self.stamp, self.now)
        self.take(self.executor.latch_newer(self.now), latching=True)

    @rule(base=actions(2.0), residual=actions(0.0625), age=st.sampled_from([0.0, 0.05, 2.0]))
    def act(self, base: np.ndarray, residual: np.ndarray, age: float) -> None:
        self.stamp += 1
        self.take(self.executor.follow(chunk_of(self.stamp, base, residual), age, self.now))

    @rule(base=actions(2.0))
    def act_again(self, base: np.ndarray) -> None:
        self.take(self.executor.follow(chunk_of(self.stamp, base, base * 0), 0.0, self.now))

    @rule()
    def act_badly(self) -> None:
        self.stamp += 1
        self.take(self.executor.reject(self.stamp, "policy action: bad", self.now))

    @rule(residual=NUMBERS, back=st.sampled_from([0, 0, 0, 1, 5_000_000]))
    def correct(self, residual: np.ndarray, back: int) -> None:
        self.take(self.executor.correct(Correction(self.stamp - back, self.stamp, residual), self.now))

    @rule()
    def correct_badly(self) -> None:
        bad = Correction.unusable(self.stamp, self.stamp, "correction: bad")
        self.take(self.executor.correct(bad, self.now))

    @rule(problem=st.sampled_from(["", "", "unplugged"]))
    def live(self, problem: str) -> None:
        sign = Correction.checked(0, self.stamp, "", False, [], problem)
        self.take(self.executor.correct(sign, self.now))

    @rule()
    def watch(self) -> None:
        self.take(self.executor.watch(self.stamp, self.now))

    @rule()
    def engage(self) -> None:
        try:
            tick = self.executor.engage(self.now)
        except ValueError:
            return
        assert self.latched != State.STOPPED
        self.latched = None
        self.take(tick, latching=True)

    @rule()
    def disengage(self) -> None:
        self.executor.disengage()
        if self.latched == State.PAUSED:
            self.latched = None

    @rule()
    def stop(self) -> None:
        tick = self.executor.stop("stopped by a test", self.stamp, self.now)
        self.latched = State.STOPPED
        self.take(tick)

    @rule()
    def release(self) -> None:
        self.executor.release()
        if self.latched == State.STOPPED:
            assert not self.executor.engaged
            self.latched = None

    @rule()
    def pause(self) -> None:
        try:
            tick = self.executor.pause(self.stamp, self.now)
        except ValueError:
            return
        assert self.latched != State.STOPPED
        self.latched = State.PAUSED
        self.take(tick)

    @rule()
    def resume(self) -> None:
        try:
            self.executor.resume(self.now)
        except ValueError:
            return
        assert self.latched != State.STOPPED
        self.latched = None

    @invariant()
    def a_latched_state_stays(self) -> None:
        if self.latched is None:
            assert self.executor.state not in LATCHED
        else:
            assert self.executor.state == self.latched


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
