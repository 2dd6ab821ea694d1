"""What the robot is told, tick by tick: policy and operator under the limits, or to hold. No ROS in here.

Stamps are ns (simulation time in lockstep, wall time in realtime), `now` is monotonic time in s.
"""

from dataclasses import dataclass

import numpy as np
from rfs_description.joint_states import JointStates

from rfs_control.correction import Correction
from rfs_control.limits import Limits
from rfs_control.motion import Motion
from rfs_control.operator_link import OperatorLink
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.tick import Counts, State, Tick

_CORRECTION_WAIT = 0.02
_STOPPED = "stopped: release the stop first (/rfs/stop with false)"


@dataclass(frozen=True)
class _Waiting:
    """A policy action that waits for its correction since monotonic time `since`."""

    chunk: PolicyChunk
    since: float


class Executor:
    """Turns policy actions and corrections into commands, and decides when to hold.

    In realtime a late policy is bridged by the rest of its chunk, one action a period, from half a period
    after the due time; then the executor holds. In lockstep nothing depends on wall time: every observation's
    action is answered once, and the same again when it is asked for again.

    With an operator each policy action waits for the correction of its observation: in realtime for
    `correction_wait` s, then it goes without; in lockstep until it comes. Actions from later in a chunk
    answer no observation and are never corrected.

    Args:
        limits: bounds of each step; their period is the control period.
        lockstep: simulated time advances only with commands.
        max_joint_state_age: in realtime, s.
        max_observation_age: in realtime, age of the observation when its action arrives, s.
        operator: who corrects and must be there; None: nobody.
    """

    def __init__(
        self,
        limits: Limits,
        lockstep: bool,
        max_joint_state_age: float = 0.2,
        max_observation_age: float = 0.5,
        operator: OperatorLink | None = None,
    ) -> None:
        self.limits = limits
        self.lockstep = lockstep
        self.max_observation_age = max_observation_age
        self.joints = JointStates(None if lockstep else max_joint_state_age)
        self.operator = operator
        self.correction_wait = min(_CORRECTION_WAIT, 0.5 * limits.period)
        self.policy_problem = ""
        """What the policy says of itself; names the cause when it falls silent."""
        self._motion = Motion(limits, operator)
        self._answered = -1
        self._waiting: _Waiting | None = None
        self._next_motion = -np.inf  # when the next one is due after those so far, if all keep the rate
        self._due = np.inf
        self._chunk: PolicyChunk | None = None
        self._next_index = 0

    @property
    def state(self) -> State:
        """What the robot does."""
        return self._motion.state

    @property
    def reason(self) -> str:
        """Why the command stands; empty while it does not."""
        return self._motion.reason

    @property
    def counts(self) -> Counts:
        """What happened so far."""
        return self._motion.counts

    @property
    def engaged(self) -> bool:
        """Whether the policy is followed, apart from pauses."""
        return self._motion.setpoint is not None and self.state != State.STOPPED

    @property
    def waiting(self) -> bool:
        """Whether a policy action waits for its correction."""
        return self._waiting is not None

    # ---- what people want ----
    def engage(self, now: float) -> Tick:
        """Latch the command from the measured joints; the policy's actions are executed from here on.

        Raises:
            ValueError: stopped, the joint states cannot be used, or the operator is missing; and why.
        """
        problem = _STOPPED if self.state == State.STOPPED else self._problem(now)
        if problem:
            raise ValueError(problem)
        return self._latch(now)

    def latch_newer(self, now: float) -> Tick | None:
        """Latch again when joint states arrive in lockstep before the first action.

        The service call may overtake the first observation of an episode; the policy waits for that stamp.
        """
        untouched = self._motion.following and self._motion.last is None and not self.waiting
        return self._latch(now) if self.lockstep and untouched and not self.joints.problem(now) else None

    def disengage(self) -> None:
        """Hold; the last command stands. A latched stop stays."""
        if self.state != State.STOPPED:
            self._waiting = None
            self._motion.let_go()

    def stop(self, reason: str, stamp: int, now: float) -> Tick | None:
        """Latch the stop, engaged or not; the tick that says so. `stamp` is the present."""
        return None if self.state == State.STOPPED else self._stand(State.STOPPED, reason, stamp, now)

    def release(self) -> None:
        """End a latched stop; only engaging moves the robot again."""
        if self.state == State.STOPPED:
            self._motion.let_go()

    def pause(self, stamp: int, now: float) -> Tick | None:
        """Let the command stand until `resume`; the tick that says so. `stamp` is the present.

        Raises:
            ValueError: nothing is executed that could be paused.
        """
        if self.state == State.STOPPED:
            raise ValueError(_STOPPED)
        if not self.engaged:
            raise ValueError("not engaged: there is nothing to pause")
        return None if self.state == State.PAUSED else self._stand(State.PAUSED, "paused", stamp, now)

    def resume(self, now: float) -> None:
        """Go on after a pause, from the command that stood.

        Raises:
            ValueError: stopped.
        """
        if self.state == State.STOPPED:
            raise ValueError(_STOPPED)
        if self.state == State.PAUSED:
            self._due = now + self.limits.period
            self._motion.set(State.HOLDING, "no policy action")

    # ---- what comes in ----
    def reject(self, stamp: int, reason: str, now: float) -> Tick | None:
        """A policy action that cannot be used: hold for this observation."""
        return self._answer(stamp, None, reason, now)

    def follow(self, chunk: PolicyChunk, observation_age: float, now: float) -> Tick | None:
        """The policy's newest chunk: command its first action, or None when there is no answer (yet)."""
        too_old = not self.lockstep and observation_age > self.max_observation_age
        reason = f"policy action: observation older than {self.max_observation_age} s" if too_old else ""
        return self._answer(chunk.stamp, chunk, reason, now)

    def correct(self, correction: Correction, now: float) -> Tick | None:
        """The operator's newest correction: command the action that waited for it."""
        if self.operator is None:
            return None
        self.counts.refused += correction.refused
        self.operator.take(correction, now)
        return self._act(now)

    def watch(self, stamp: int, now: float) -> Tick | None:
        """Realtime's watchdog: the tick for what did not come in time, or None. `stamp` is the present."""
        if self._motion.setpoint is None or self.lockstep:
            return None
        if self._waiting is not None:
            return self._act(now)
        problem = self._problem(now) if self._motion.following else ""
        if problem:
            self._motion.set(State.HOLDING, problem)
        if now < self._due + 0.5 * self.limits.period:
            return None
        self._due += self.limits.period
        if not self._motion.following:
            return self._motion.unmoved(stamp)
        if problem or self._chunk is None or self._next_index >= len(self._chunk.base):
            return self._motion.hold(stamp, problem or self._why_late())
        self.counts.late += 1
        return self._move(self._chunk, self._next_index, None, now)

    # ---- ticks ----
    def _answer(self, stamp: int, chunk: PolicyChunk | None, reason: str, now: float) -> Tick | None:
        newest = self._answered if self._waiting is None else self._waiting.chunk.stamp
        if not self._motion.following or stamp < newest or (stamp == newest and not self.lockstep):
            self.counts.ignored += 1
            return None
        if stamp == newest:
            return None if self.waiting else self._motion.last
        reason = reason or self.joints.problem(now)
        self._due = now + self.limits.period
        if chunk is None or reason:
            return self._give_up(stamp, reason)
        if not self.lockstep and now < self._next_motion - 0.5 * self.limits.period:
            # A later action of the last chunk has just been taken in its place, or somebody floods: each step
            # is as long as a period allows, so more of them would be too fast.
            self._answered, self._chunk, self._next_index = stamp, chunk, 1
            self.counts.ignored += 1
            return None
        # One that takes the place of another has no more time, or a flood would wait for ever.
        self._waiting = _Waiting(chunk, now if self._waiting is None else self._waiting.since)
        return self._act(now)

    def _act(self, now: float) -> Tick | None:
        """Execute the policy action that waits, if its correction is there or did not come in time."""
        if self._waiting is None:
            return None
        chunk, since = self._waiting.chunk, self._waiting.since
        correction, problem = None, self.joints.problem(now)
        if self.operator is not None:
            correction = self.operator.answer(chunk.stamp)
            if correction is None and (self.lockstep or now - since < self.correction_wait):
                return None
            problem = problem or self.operator.problem_with(correction, now)
        if problem:
            return self._give_up(chunk.stamp, problem)
        self._waiting, self._answered = None, chunk.stamp
        return self._move(chunk, 0, correction, now)

    def _move(self, chunk: PolicyChunk, index: int, correction: Correction | None, now: float) -> Tick:
        self._chunk, self._next_index = chunk, index + 1
        self._next_motion = max(self._next_motion, now) + self.limits.period
        return self._motion.move(chunk, index, correction)

    def _give_up(self, stamp: int, reason: str) -> Tick:
        """Hold for an observation whose action is not executed."""
        self._waiting, self._answered, self._chunk = None, stamp, None
        return self._motion.hold(stamp, reason)

    def _stand(self, state: State, reason: str, stamp: int, now: float) -> Tick | None:
        """Enter a state that only a person ends; in lockstep time stands still with it."""
        motion = self._motion
        self._waiting = self._chunk = None
        self._due = now + 0.5 * self.limits.period  # the watchdog tells it again each period from now
        motion.set(state, reason)
        latest = self.joints.stamp if motion.last is None else motion.last.stamp
        return None if motion.setpoint is None else motion.unmoved(latest if self.lockstep else stamp)

    def _latch(self, now: float) -> Tick:
        self._answered = self.joints.stamp - 1
        self._waiting = self._chunk = None
        self._due = now + self.limits.period
        return self._motion.latch(self.joints)

    def _problem(self, now: float) -> str:
        """Why the robot must not move, whatever the policy says."""
        return self.joints.problem(now) or ("" if self.operator is None else self.operator.problem(now))

    def _why_late(self) -> str:
        if self.policy_problem:
            return f"policy: {self.policy_problem}"
        return "no policy action" if self._chunk is None else "policy is late and its chunk is used up"
