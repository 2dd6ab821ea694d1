"""What people make the robot do: engage, pause, stop, and back. No ROS in here.

Stamps are ns (simulation time in lockstep, wall time in realtime), `now` is monotonic time in s.
"""

from rfs_policy.measured_joints import MeasuredJoints

from rfs_control.limits import Limits
from rfs_control.motion import Motion
from rfs_control.operator_link import OperatorLink
from rfs_control.pace import Pace
from rfs_control.pending import Pending
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.tick import MOVING, Counts, State, Tick

_CORRECTION_WAIT = 0.02
_STOPPED = "stopped: release the stop first (/rfs/stop with false)"
_TO_BE_LATCHED = "engaging: waiting for joint states that are measured after the request"


class Engagement:
    """Whether the policy is followed, and what follows for whatever is under way.

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
        self.joints = MeasuredJoints(None if lockstep else max_joint_state_age)
        self.operator = operator
        self.correction_wait = min(_CORRECTION_WAIT, 0.5 * limits.period)
        self.policy_problem = ""
        """What the policy says of itself; names the cause when it falls silent."""
        self._motion = Motion(limits, operator)
        self._answered = -1
        self._latch_from: int | None = None
        self._pending = Pending(operator, None if lockstep else self.correction_wait)
        self._pace = Pace(limits.period)
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
    def hindered(self) -> bool:
        """Whether it should follow the policy and does not, except while joints are being latched."""
        asked = self._latch_from is not None and self.reason != _TO_BE_LATCHED
        return self.state == State.HOLDING and (self.engaged or asked)

    @property
    def waiting(self) -> bool:
        """Whether a policy action waits for its correction."""
        return self._pending.chunk is not None

    def engage(self, now: float, present: int = 0) -> Tick | None:
        """Latch the command from the measured joints; the policy's actions are executed from here on.

        In realtime only joints that were measured after the request (`present`) are latched, since those
        before may be of a scene that was reset in between; where none are known yet, `latch_newer` latches.

        Asked again, nothing changes while the robot moves: its command is ahead of the joints, and must not
        jump back to them.

        Raises:
            ValueError: stopped, the joint states cannot be used, or the operator is missing; and why.
        """
        problem = _STOPPED if self.state == State.STOPPED else self._problem(now) or self._why_apart(present)
        if problem:
            raise ValueError(problem)
        if self.state in MOVING and not self._new_episode():
            return self._motion.last if self.lockstep else None
        if self.lockstep or self.joints.oldest >= present:
            return self._latch(now)
        self.disengage()
        self._motion.set(State.HOLDING, _TO_BE_LATCHED)
        self._latch_from = present
        return None

    def latch_newer(self, now: float) -> Tick | None:
        """Latch when joint states arrive: in realtime the first since the request, in lockstep all before
        the first action.

        In lockstep the service call may overtake the first observation of an episode; the policy waits for
        that stamp.
        """
        untouched = self._motion.following and self._motion.last is None and not self.waiting
        asked = self._latch_from is not None and self.joints.oldest >= self._latch_from
        wanted = untouched if self.lockstep else asked
        return self._latch(now) if wanted and not self.joints.problem(now) else None

    def disengage(self) -> None:
        """Hold; the last command stands. A latched stop stays."""
        self._latch_from = None
        if self.state != State.STOPPED:
            self._pending.drop()
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
            self._pace.expect(now)
            self._motion.set(State.HOLDING, "no policy action")

    def _stand(self, state: State, reason: str, stamp: int, now: float) -> Tick | None:
        """Enter a state that only a person ends; in lockstep time stands still with it."""
        motion = self._motion
        self._pending.drop()
        self._chunk = self._latch_from = None
        self._pace.expect(now, periods=0.5)  # the watchdog tells it again each period from now
        motion.set(state, reason)
        latest = self.joints.stamp if motion.last is None else motion.last.stamp
        return None if motion.setpoint is None else motion.unmoved(latest if self.lockstep else stamp)

    def _latch(self, now: float) -> Tick:
        self._answered = self.joints.stamp - 1
        self._pending.drop()
        self._chunk = self._latch_from = None
        self._pace.expect(now)
        return self._motion.latch(self.joints)

    def _new_episode(self) -> bool:
        """Whether time has jumped, in lockstep, since the last action."""
        passed = self.joints.stamp - (self._motion.last.stamp if self._motion.last else 0)
        return self.lockstep and passed > 1.5e9 * self.limits.period

    def _why_apart(self, present: int) -> str:
        """Why what is measured after the request cannot be told from what was measured before."""
        seconds, most = 1e-9 * (present - self.joints.oldest), self.joints.max_age
        if not present or most is None or abs(seconds) <= most:
            return ""
        side = "ago" if seconds > 0 else "in the future"
        return f"joint states: stamped {abs(seconds):.3g} s {side}; are the clocks in step?"

    def _problem(self, now: float) -> str:
        """Why the robot must not move, whatever the policy says."""
        return self.joints.problem(now) or ("" if self.operator is None else self.operator.problem(now))
