"""A group of joints on a jerk-limited trajectory (ruckig), planned anew from its present motion at will.

Ruckig plans with one velocity limit for a whole trajectory, but those of an FR3 shrink towards the ends of
its joints. So a plan takes the limits near the present position; where it would exceed those further on, it
is made anew every 10 ms, and the limits that it then takes fall slower than the joints can brake.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import ruckig
from numpy.typing import NDArray

Array = NDArray[np.float64]
VelocityLimits = Callable[[Array], tuple[Array, Array]]

_SLOWEST = 0.05  # rad/s: what remains of a velocity limit for joints that start beyond their range
_ROUNDING = 1e-9  # rad, s
_AHEAD = 0.02  # s that a plan's velocity limits look ahead
_HORIZON = np.linspace(0.01, 0.1, 10)  # s, when a plan is checked, and until when it is trusted


@dataclass(frozen=True)
class MotionLimits:
    """Bounds of n joints: range (n,), rad; velocity limits, from (..., n) rad to the lowest and the highest
    (..., n), rad/s, which along a motion at them change slower than the acceleration allows; acceleration
    (n,), rad/s^2; jerk (n,), rad/s^3.

    `overshoot`: how far a joint that passes its target may need to stop, rad.
    """

    lower: Array
    upper: Array
    velocity: VelocityLimits
    acceleration: Array
    jerk: Array
    overshoot: float


class JointGroup:
    """Joints that start together and arrive together where that keeps them in their range.

    `state` is position, velocity and acceleration, each a list of n numbers.
    """

    def __init__(self, limits: MotionLimits, positions: Array) -> None:
        self._limits, self._joints = limits, len(limits.lower)
        self._planner = ruckig.Ruckig(self._joints)
        self._brake = _input(limits)
        self._brake.control_interface = ruckig.ControlInterface.Velocity
        self._input = _input(limits)
        self.reset(positions)

    def reset(self, positions: Array) -> None:
        """Stand still at these positions (n,), rad."""
        still = [0.0] * self._joints
        self.state: tuple[list[float], list[float], list[float]] = (positions.tolist(), still, still)
        self._plan = _Plan(ruckig.Trajectory(self._joints), 0.0)
        self.aim(positions, np.zeros(self._joints), 0.0)

    def aim(self, target: Array, feed: Array, duration: float) -> None:
        """Go to a target (n,), rad, in `duration` (s) or as soon as possible later; pass it at up to `feed`
        (n,), rad/s, and return if nothing else is said until then."""
        self.target = np.clip(target, self._limits.lower, self._limits.upper)
        self._feed, self._left = self._bounded(feed), duration
        self._go_on()

    def advance(self, seconds: float) -> tuple[list[float], list[float], list[float]]:
        """The state after some more time."""
        if self._clock + seconds > self._plan.valid + _ROUNDING:
            self._left -= self._clock
            self._go_on()
        self._clock += seconds
        self.state = self._plan.trajectory.at_time(min(self._clock, self._plan.trajectory.duration))
        return self.state

    def _bounded(self, feed: Array) -> Array:
        """Velocity at the target from which the joint stops within the overshoot and its range."""
        beyond = np.where(feed > 0, self._limits.upper - self.target, self.target - self._limits.lower)
        room = np.maximum(np.minimum(0.5 * beyond, self._limits.overshoot), 0.0)
        # From v to rest takes v^2 / 2a, and at most v a / 2j more while the acceleration comes and goes.
        ramp = self._limits.acceleration**2 / (2 * self._limits.jerk)
        fastest = np.sqrt(ramp**2 + 2 * self._limits.acceleration * room) - ramp
        return np.clip(feed, -fastest, fastest)

    def _go_on(self) -> None:
        """Plan from here: past the target while there is time left, else to rest on it."""
        plan = self._to_target(self._feed, self._left) if self._left > _AHEAD else None
        if plan is None or not self._stays_within_reach(plan):
            plan = self._to_rest()
        if plan is not None:
            self._plan, self._clock = plan, 0.0

    def _to_rest(self) -> "_Plan | None":
        """A plan to rest on the target as soon as possible; without a solution, one that brakes.

        A joint that waits for the others may leave its range meanwhile; then each goes on its own.
        """
        still = np.zeros(self._joints)
        plan = self._to_target(still, None)
        if plan is None or not self._stays_inside(plan, self._limits.lower, self._limits.upper):
            self._input.synchronization = ruckig.Synchronization.No
            plan = self._to_target(still, None) or plan
            self._input.synchronization = ruckig.Synchronization.Time
        return plan or self._calculate(self._brake, True)

    def _to_target(self, feed: Array, duration: float | None) -> "_Plan | None":
        """A plan to the target, if there is one."""
        slowest, fastest = self._velocity_limits()
        question = self._input
        question.min_velocity, question.max_velocity = slowest.tolist(), fastest.tolist()
        question.target_position = self.target.tolist()
        question.target_velocity = np.clip(feed, 0.9 * slowest, 0.9 * fastest).tolist()
        question.minimum_duration = duration
        return self._calculate(question, bool(np.any(feed)))

    def _velocity_limits(self) -> tuple[Array, Array]:
        """What the limits leave a moment ahead, (n,) each; never none."""
        position, velocity = np.array(self.state[0]), np.array(self.state[1])
        slowest, fastest = self._limits.velocity(position + _AHEAD * velocity)
        return np.minimum(slowest, -_SLOWEST), np.maximum(fastest, _SLOWEST)

    def _calculate(self, question: ruckig.InputParameter, passes: bool) -> "_Plan | None":
        question.current_position, question.current_velocity, question.current_acceleration = self.state
        trajectory = ruckig.Trajectory(self._joints)
        try:
            result = self._planner.calculate(question, trajectory)
        except ruckig.RuckigError:  # a question that it refuses
            return None
        if result not in (ruckig.Result.Working, ruckig.Result.Finished):
            return None
        return _Plan(trajectory, self._validity(trajectory, passes))

    def _validity(self, trajectory: ruckig.Trajectory, passes: bool) -> float:
        """For how long to follow a trajectory, s: until it has passed the target, or as far as it was checked
        against the velocity limits where it leads, or one step if it exceeds those."""
        end = trajectory.duration
        samples = [trajectory.at_time(min(moment, end)) for moment in _HORIZON]
        slowest, fastest = self._limits.velocity(np.array([position for position, _, _ in samples]))
        velocity = np.array([velocity for _, velocity, _ in samples])
        if np.any((velocity < slowest - _ROUNDING) | (velocity > fastest + _ROUNDING)):
            return float(_HORIZON[0])
        rests = np.inf if end <= _HORIZON[-1] else float(_HORIZON[-1])
        return min(end, rests) if passes else rests

    def _stays_within_reach(self, plan: "_Plan") -> bool:
        """Whether no joint leaves its range, or takes a long way round because it has time."""
        limits, position, velocity = self._limits, np.array(self.state[0]), np.array(self.state[1])
        stop = position + velocity * np.abs(velocity) / limits.acceleration  # twice the way: jerk takes time
        low = np.maximum(np.minimum(self.target - limits.overshoot, stop), limits.lower)
        high = np.minimum(np.maximum(self.target + limits.overshoot, stop), limits.upper)
        return self._stays_inside(plan, low, high)

    def _stays_inside(self, plan: "_Plan", low: Array, high: Array) -> bool:
        """Whether the joints stay between two positions (n,), rad, or between where they are and those."""
        position = np.array(self.state[0])
        low, high = np.minimum(low, position) - _ROUNDING, np.maximum(high, position) + _ROUNDING
        extrema = plan.trajectory.position_extrema
        return all(a <= way.min and way.max <= b for a, b, way in zip(low, high, extrema, strict=True))


@dataclass
class _Plan:
    """A trajectory, to be followed for `valid` s."""

    trajectory: ruckig.Trajectory
    valid: float


def _input(limits: MotionLimits) -> ruckig.InputParameter:
    question = ruckig.InputParameter(len(limits.lower))
    question.max_acceleration = limits.acceleration.tolist()
    question.max_jerk = limits.jerk.tolist()
    question.max_velocity = [1.0] * len(limits.lower)
    return question
