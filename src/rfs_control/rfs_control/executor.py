"""What the robot is told, tick by tick: policy and operator under the limits, or to hold. No ROS in here.

Stamps are ns (simulation time in lockstep, wall time in realtime), `now` is monotonic time in s.
"""

from rfs_control.correction import Correction
from rfs_control.engagement import Engagement
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.tick import State, Tick


class Executor(Engagement):
    """Turns policy actions and corrections into commands, and decides when to hold.

    In realtime a late policy is bridged by the rest of its chunk, one action a period, from half a period
    after the due time; then the executor holds. In lockstep nothing depends on wall time: every observation's
    action is answered once, and the same again when it is asked for again.

    With an operator each policy action waits for the correction of its observation: in realtime for
    `correction_wait` s, then it goes without; in lockstep until it comes. Actions from later in a chunk
    answer no observation and are never corrected.
    """

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
        if self.lockstep:
            return None
        if self._motion.setpoint is None:
            if self._latch_from is not None and (problem := self.joints.problem(now)):
                self._motion.set(State.HOLDING, problem)
            return None
        if self.waiting:
            return self._act(now)
        problem = self._problem(now) if self._motion.following else ""
        if problem:
            self._motion.set(State.HOLDING, problem)
            self._chunk = None  # its later actions are for where the robot was then
        if not self._pace.missed(now):
            return None
        if not self._motion.following:
            return self._motion.unmoved(stamp)
        if problem or self._chunk is None or self._next_index >= len(self._chunk.base):
            return self._motion.hold(stamp, problem or self._why_late())
        if self._pace.too_early(now):
            return None
        self.counts.late += 1
        return self._move(self._chunk, self._next_index, None, now)

    # ---- ticks ----
    def _answer(self, stamp: int, chunk: PolicyChunk | None, reason: str, now: float) -> Tick | None:
        waiting = self._pending.chunk
        newest = self._answered if waiting is None else waiting.stamp
        if not self._motion.following or stamp < newest or (stamp == newest and not self.lockstep):
            self.counts.ignored += 1
            return None
        if stamp == newest:
            return None if waiting else self._motion.last
        reason = reason or self.joints.problem(now)
        self._pace.expect(now)
        if chunk is None or reason:
            return self._give_up(stamp, reason)
        if not self.lockstep and self._pace.too_early(now):
            # A later action of the last chunk has just been taken in its place, or somebody floods.
            self._answered, self._chunk, self._next_index = stamp, chunk, 1
            self.counts.ignored += 1
            return None
        self._pending.put(chunk, now)
        return self._act(now)

    def _act(self, now: float) -> Tick | None:
        """Execute the policy action that waits, if its correction is there or did not come in time."""
        taken = self._pending.take(now)
        if taken is None:
            return None
        chunk, correction = taken
        problem = self.joints.problem(now)
        if self.operator is not None:
            problem = problem or self.operator.problem_with(correction, now)
        if problem:
            return self._give_up(chunk.stamp, problem)
        self._answered = chunk.stamp
        return self._move(chunk, 0, correction, now)

    def _move(self, chunk: PolicyChunk, index: int, correction: Correction | None, now: float) -> Tick:
        self._chunk, self._next_index = chunk, index + 1
        self._pace.moved(now)
        return self._motion.move(chunk, index, correction)

    def _give_up(self, stamp: int, reason: str) -> Tick:
        """Hold for an observation whose action is not executed."""
        self._pending.drop()
        self._answered, self._chunk = stamp, None
        return self._motion.hold(stamp, reason)

    def _why_late(self) -> str:
        if self.policy_problem:
            return f"policy: {self.policy_problem}"
        return "no policy action" if self._chunk is None else "policy is late and its chunk is used up"
