"""What the robot is told, tick by tick: the policy's action under the limits, or to hold. No ROS in here.

Stamps are ns (simulation time in lockstep, wall time in realtime), `now` is monotonic time in s.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from rfs_description.joint_states import JointStates

from rfs_control.command import Command, compose
from rfs_control.inverse_kinematics import solve
from rfs_control.limits import Limit, Limits
from rfs_control.policy_chunk import PolicyChunk


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, dtype=np.float32)


class State(IntEnum):
    """STATE_* of `rfs_msgs/ExecutedAction`."""

    HOLDING = 0
    AUTONOMOUS = 1
    CORRECTING = 2
    PAUSED = 3
    STOPPED = 4


@dataclass(frozen=True)
class Tick:
    """One command, as it is sent and published. `stamp`: observation it answers; arrays (22,) or empty."""

    stamp: int
    state: State
    reason: str
    command: Command
    limits: Limit = Limit.NONE
    chunk_index: int = 0
    base_action: NDArray[np.float32] = field(default_factory=_nothing)
    policy_residual: NDArray[np.float32] = field(default_factory=_nothing)
    human_residual: NDArray[np.float32] = field(default_factory=_nothing)
    action: NDArray[np.float32] = field(default_factory=_nothing)
    executed: NDArray[np.float32] = field(default_factory=_nothing)


@dataclass
class Counts:
    """Since the start: executed actions (late: from later in a chunk), holds, ignored policy actions."""

    executed: int = 0
    late: int = 0
    held: int = 0
    ignored: int = 0


class Executor:
    """Turns policy actions into commands, and decides when to hold.

    In realtime a late policy is bridged by the rest of its chunk, one action a period, from half a period
    after the due time; then the executor holds. In lockstep nothing depends on wall time: every observation's
    action is answered once, and the same again when it is asked for again.

    Args:
        limits: bounds of each step; their period is the control period.
        lockstep: simulated time advances only with commands.
        max_joint_state_age: in realtime, s.
        max_observation_age: in realtime, age of the observation when its action arrives, s.
    """

    def __init__(
        self,
        limits: Limits,
        lockstep: bool,
        max_joint_state_age: float = 0.2,
        max_observation_age: float = 0.5,
    ) -> None:
        self.limits = limits
        self.lockstep = lockstep
        self.max_observation_age = max_observation_age
        self.joints = JointStates(None if lockstep else max_joint_state_age)
        self.counts = Counts()
        self.state = State.HOLDING
        self.reason = "not engaged"
        self._command: Command | None = None
        self._arm = np.zeros((1, 7))
        self._answered = -1
        self._last: Tick | None = None
        self._last_motion = -np.inf
        self._due = np.inf
        self._chunk: PolicyChunk | None = None
        self._next_index = 0

    @property
    def engaged(self) -> bool:
        """Whether the policy is followed."""
        return self._command is not None

    def engage(self, now: float) -> Tick:
        """Latch the command from the measured joints; the policy's actions are executed from here on.

        Raises:
            ValueError: the joint states cannot be used, and why.
        """
        problem = self.joints.problem(now)
        if problem:
            raise ValueError(problem)
        self._command = Command.from_joints(self.joints.positions[None])
        self._arm = self.joints.positions[None, :7].copy()
        self._answered = self.joints.stamp - 1
        self._last, self._chunk, self._due = None, None, now + self.limits.period
        self._set(State.HOLDING, "no policy action")
        return Tick(self.joints.stamp, self.state, self.reason, self._command)

    def latch_newer(self, now: float) -> Tick | None:
        """Latch again when joint states arrive in lockstep before the first action.

        The service call may overtake the first observation of an episode; the policy waits for that stamp.
        """
        untouched = self.engaged and self.lockstep and self._last is None
        return None if not untouched or self.joints.problem(now) else self.engage(now)

    def disengage(self) -> None:
        """Hold; the last command stands."""
        self._command = None
        self._set(State.HOLDING, "not engaged")

    def reject(self, stamp: int, reason: str, now: float) -> Tick | None:
        """A policy action that cannot be used: hold for this observation."""
        return self._answer(stamp, None, reason, now)

    def follow(self, chunk: PolicyChunk, observation_age: float, now: float) -> Tick | None:
        """The policy's newest chunk: command its first action, or None when it is not to be answered."""
        too_old = not self.lockstep and observation_age > self.max_observation_age
        reason = f"policy action: observation older than {self.max_observation_age} s" if too_old else ""
        return self._answer(chunk.stamp, chunk, reason, now)

    def watch(self, stamp: int, now: float) -> Tick | None:
        """Realtime's watchdog: the tick for a policy action that is late, or None. `stamp` is the present."""
        if self._command is None or self.lockstep:
            return None
        problem = self.joints.problem(now)
        if problem:
            self._set(State.HOLDING, problem)
        if now < self._due + 0.5 * self.limits.period:
            return None
        self._due += self.limits.period
        if problem or self._chunk is None or self._next_index >= len(self._chunk.base):
            return self._hold(stamp, problem or self._why_late())
        self.counts.late += 1
        return self._move(self._chunk, self._next_index, now)

    def _answer(self, stamp: int, chunk: PolicyChunk | None, reason: str, now: float) -> Tick | None:
        if self._command is None or stamp < self._answered or (stamp == self._answered and not self.lockstep):
            self.counts.ignored += 1
            return None
        if stamp == self._answered:
            return self._last
        self._answered = stamp
        reason = reason or self.joints.problem(now)
        self._due = now + self.limits.period
        if chunk is None or reason:
            self._chunk = None
            return self._hold(stamp, reason)
        if not self.lockstep and now - self._last_motion < 0.5 * self.limits.period:
            # A later action of the last chunk has just been taken in its place; two would be too fast.
            self._chunk, self._next_index = chunk, 1
            self.counts.ignored += 1
            return None
        return self._move(chunk, 0, now)

    def _move(self, chunk: PolicyChunk, index: int, now: float) -> Tick:
        assert self._command is not None
        self._chunk, self._next_index, self._last_motion = chunk, index + 1, now
        action = chunk.base[index] + chunk.residual[index]
        self._command, executed, flags = compose(self._command, action[None], self.limits)
        self._arm, at_limit = solve(self._arm, self._command.position, self._command.rotation)
        self._set(State.AUTONOMOUS, "")
        self.counts.executed += 1
        tick = Tick(
            stamp=chunk.stamp + round(index * self.limits.period * 1e9),
            state=self.state,
            reason="",
            command=self._command,
            limits=Limit(int(flags[0])) | (Limit.ARM_JOINT if at_limit[0] else Limit.NONE),
            chunk_index=index,
            base_action=chunk.base[index],
            policy_residual=chunk.residual[index],
            human_residual=np.zeros_like(action),
            action=action,
            executed=executed[0].astype(np.float32),
        )
        self._last = tick
        return tick

    def _hold(self, stamp: int, reason: str) -> Tick:
        assert self._command is not None
        self._set(State.HOLDING, reason)
        self.counts.held += 1
        still = np.concatenate([np.zeros(6), self._command.fingers[0]]).astype(np.float32)
        self._last = Tick(stamp, self.state, reason, self._command, executed=still)
        return self._last

    def _why_late(self) -> str:
        return "no policy action" if self._chunk is None else "policy is late and its chunk is used up"

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
