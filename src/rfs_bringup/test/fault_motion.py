"""What an executor commanded, and whether a robot could follow it."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from rfs_control.command import Command
from rfs_control.interpolation import TICK, Interpolator
from rfs_control.inverse_kinematics import solve
from rfs_control.limits import Limits
from rfs_description.robot import (
    ARM_ACCELERATION_LIMITS,
    ARM_JERK_LIMITS,
    HAND_ACCELERATION_LIMITS,
    HAND_JERK_LIMITS,
    HAND_VELOCITY_LIMITS,
)
from scipy.spatial.transform import Rotation

from rfs_description import arm_velocity, rotations
from rfs_msgs.msg import ExecutedAction

PERIOD = 0.1
_ACCELERATION = np.concatenate([ARM_ACCELERATION_LIMITS, HAND_ACCELERATION_LIMITS])
_JERK = np.concatenate([ARM_JERK_LIMITS, HAND_JERK_LIMITS])
_ROUNDING = 1e-4


@dataclass
class Heard:
    """What came since the last engagement. Commands with their monotonic times, as a driver pairs them."""

    start: np.ndarray
    commands: list[tuple[float, Command]] = field(default_factory=list)
    executed: list[ExecutedAction] = field(default_factory=list)

    def sent(self) -> list[Command]:
        """All commands as they were reported, from where the engagement found the robot on."""
        latched = [i for i, tick in enumerate(self.executed) if not len(tick.executed)]
        assert len(latched) == 1, "engaged more than once"
        return [_command(tick) for tick in self.executed[latched[0] :]]


def _command(tick: ExecutedAction) -> Command:
    p, q = tick.target_pose.position, tick.target_pose.orientation
    rotation = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    return Command(np.array([[p.x, p.y, p.z]]), rotation[None], np.array([tick.target_joints]))


def _alike(one: Command, other: Command) -> bool:
    pairs = ((getattr(one, part), getattr(other, part)) for part in ("position", "rotation", "fingers"))
    return all(np.allclose(a, b, atol=1e-5) for a, b in pairs)


def assert_sound(heard: Heard) -> None:
    """The commands of an engagement never step further than the executor's limits, nor faster; what reached
    the driver, who may miss one when late, is among them; and the motion that a driver makes of what came, at
    the times at which it came, stays inside the FR3's limits."""
    limits, sent = Limits.load(period=PERIOD), heard.sent()
    reports = iter(sent)
    for _, command in heard.commands[:-1]:  # the newest may not have been reported yet
        assert any(_alike(command, other) for other in reports), "not reported, or not in this order"
    for old, new in itertools.pairwise(sent):
        turn = np.linalg.norm(rotations.to_vector(new.rotation @ old.rotation.swapaxes(1, 2)))
        assert np.linalg.norm(new.position - old.position) <= limits.translation_step + _ROUNDING
        assert turn <= limits.rotation_step + _ROUNDING
        assert np.abs(new.fingers - old.fingers).max() <= limits.finger_step + _ROUNDING
    assert_inside_limits(motion_of(heard))


def motion_of(heard: Heard) -> np.ndarray:
    """Joints (n, 23) at 1 kHz that a driver sends for these commands, rad."""
    motion, arm, samples = Interpolator(heard.start), heard.start[None, :7], [heard.start[None]]
    times = [at for at, _ in heard.commands]
    for at, following, (_, command) in zip(times, [*times[1:], times[-1] + 1.0], heard.commands, strict=True):
        arm, _ = solve(arm, command.position, command.rotation)
        motion.set_target(np.concatenate([arm[0], command.fingers[0]]))
        samples.append(motion.advance(round((following - at) / TICK)))
    return np.vstack(samples)


def assert_inside_limits(samples: np.ndarray) -> None:
    """Differences of samples (n, 23) at 1 kHz obey the FR3's limits."""
    motion = np.vstack([np.repeat(samples[:1], 3, axis=0), samples])
    velocity, acceleration, jerk = (np.diff(motion, k, axis=0) / TICK**k for k in (1, 2, 3))
    slowest, fastest = arm_velocity.limits(motion[1:, :7])
    assert np.all((velocity[:, :7] >= slowest - 0.02) & (velocity[:, :7] <= fastest + 0.02))
    assert np.all(np.abs(velocity[:, 7:]) <= HAND_VELOCITY_LIMITS + _ROUNDING)
    assert np.all(np.abs(acceleration) <= _ACCELERATION + _ROUNDING)
    assert np.all(np.abs(jerk) <= _JERK + _ROUNDING)
