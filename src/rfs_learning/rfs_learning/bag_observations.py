"""What the policy saw at each tick of a recorded episode, rebuilt with the policy's own code.

A `PolicyAction` names by their stamps the cloud, the joint states and the command that it observed. With one
publisher of joint states the rebuilt observation equals the live one bit for bit. With several, the state
holds for each joint the newest value that is not newer than the named stamp; the policy may not yet have
received one of these, which no recording tells.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_description.joint_states import JointStates
from rfs_description.robot import BASE_FRAME, JOINTS
from rfs_policy.command_state import read_command
from rfs_policy.layout import Layout
from rfs_policy.observation import observed_cloud, proprioception
from rfs_policy.point_cloud import read_points
from rfs_policy.stamps import nanoseconds
from rfs_teleop.bag_index import IndexedBag, RawMessage

POINTS, JOINT_STATES = "/camera/points", "/joint_states"


class MissingError(Exception):
    """An observation cannot be rebuilt; its text says what is missing in the bag, in a few words."""


@dataclass(frozen=True)
class Observed:
    """Stamps (ns) of the cloud, joint states and command observed, and when the policy's answer was sent."""

    stamp: int
    joint_stamp: int
    command_stamp: int
    sent: int


class RecordedStates:
    """The proprioceptive state at any tick of a bag.

    Args:
        bag: where the joint states' bytes come from.
        joints: messages of /joint_states as recorded.
        executed: decoded messages of /rfs/executed_action as recorded.
    """

    def __init__(self, bag: IndexedBag, joints: Sequence[RawMessage], executed: Iterable[Any]) -> None:
        self._bag, self._joints = bag, joints
        self._stamps = np.array([raw.stamp for raw in joints], np.int64)
        self._last = {stamp: index for index, stamp in enumerate(self._stamps.tolist())}
        self._commands: dict[int, list[Any]] = defaultdict(list)
        for message in executed:
            self._commands[nanoseconds(message.header.stamp)].append(message)

    def state(self, observed: Observed) -> NDArray[np.float32]:
        """(48,), see `layout.STATE_NAMES`.

        Raises:
            MissingError: the joint states or the command are not in the bag.
        """
        joints = self._positions(observed.joint_stamp)
        command = read_command(self._command(observed))
        return proprioception(joints, command.position, command.rotation, command.fingers)

    def newest_joints(self, stamp: int) -> int:
        """Stamp of the newest joint states not newer than `stamp`; 0 when there are none."""
        older = self._stamps[self._stamps <= stamp]
        return int(older.max()) if len(older) else 0

    def _positions(self, stamp: int) -> NDArray[np.float64]:
        """Positions (23,) when the message of `stamp` had come; earlier ones fill in what it lacks."""
        if stamp not in self._last:
            raise MissingError("no joint states")
        needed, known = [], set()
        for index in range(self._last[stamp], -1, -1):
            if self._stamps[index] <= stamp:
                needed.append(self._bag.decode(self._joints[index]))
                known.update(needed[-1].name)
            if known.issuperset(JOINTS):
                break
        states = JointStates(None)
        for message in reversed(needed):
            states.update(message.name, message.position, nanoseconds(message.header.stamp), 0.0)
        if np.isnan(states.positions).any():
            raise MissingError("no joint states")
        return states.positions

    def _command(self, observed: Observed) -> Any:
        """The newest of that stamp which the policy can have seen: not the answer to this observation."""
        seen = [
            message
            for message in self._commands.get(observed.command_stamp, ())
            if nanoseconds(message.sent_stamp) <= observed.sent
            and (observed.command_stamp != observed.stamp or not len(message.executed))
        ]
        if not seen:
            raise MissingError("no command")
        return seen[-1]


def read_clouds(
    bag: IndexedBag, wanted: Iterable[int], layout: Layout, near: int, tolerance: int
) -> tuple[dict[int, NDArray[np.float32]], int]:
    """Observed clouds (points, 3) by stamp (ns), and the stamp of the one nearest to `near`.

    That one is 0 when none lies within `tolerance` (ns) of `near`. Clouds are read one at a time; those in
    which the policy cannot have seen anything are left out.
    """
    wanted = set(wanted)
    clouds: dict[int, NDArray[np.float32]] = {}
    nearest: RawMessage | None = None
    for raw in bag.raw([POINTS]):
        stamp = raw.stamp
        if stamp in wanted and stamp not in clouds:
            _keep(clouds, bag, raw, layout)
        best = tolerance if nearest is None else abs(nearest.stamp - near)
        if abs(stamp - near) < best:
            nearest = raw
    if nearest is not None and nearest.stamp not in clouds:
        _keep(clouds, bag, nearest, layout)
    return clouds, nearest.stamp if nearest is not None and nearest.stamp in clouds else 0


def _keep(clouds: dict[int, NDArray[np.float32]], bag: IndexedBag, raw: RawMessage, layout: Layout) -> None:
    message = bag.decode(raw)
    try:
        points = read_points(message, BASE_FRAME)
        clouds[raw.stamp] = observed_cloud(points, layout.cloud_points, raw.stamp)
    except ValueError:  # the policy did not act on it either
        return
