"""The course of one recorded episode, as arrays: what pictures and plots of a report need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.snapshot import Snapshot
from rfs_teleop.bag_reader import Bag, Recorded

Array = NDArray[np.float64]

_TOPICS = ("/joint_states", "/sim/object_pose", "/rfs/reward", "/rfs/policy_action", "/rfs/executed_action")
_LIFTED = 0.01  # m of lift at which the grasp is taken to hold


@dataclass(frozen=True)
class EpisodeTrace:
    """An episode from its first to its last observation; times in s since the first one.

    time, reward, lift (n,): the reward's course, lift in m, NaN where nobody knew the object.
    joint_time (m,), joints (m, 23) rad. object_time (k,), object_pose (k, 7): m, quaternion xyzw. periods
    (p,): s between policy actions, and latencies (q,): s from observation to command, both in wall time.
    """

    contract: dict[str, str]
    time: Array
    reward: Array
    lift: Array
    joint_time: Array
    joints: Array
    object_time: Array
    object_pose: Array
    periods: Array
    latencies: Array

    def snapshot(self, seconds: float) -> Snapshot:
        """The pose of robot and object at a time."""
        joints = self.joints[_nearest(self.joint_time, seconds)]
        pose = self.object_pose[_nearest(self.object_time, seconds)]
        return Snapshot(self.contract["object"], joints, pose[:3], pose[3:])

    def moments(self) -> dict[str, float]:
        """Times of the three pictures that tell the story: start, grasp, lift (or end, if it never lifts)."""
        end = float(self.time[-1])
        lifted = np.nonzero(self.lift > _LIFTED)[0]
        if not len(lifted):
            return {"start": 0.0, "middle": 0.5 * end, "end": end}
        grasp = float(self.time[max(0, lifted[0] - 1)])
        return {"start": 0.0, "grasp": grasp, "lift": float(self.time[int(np.nanargmax(self.lift))])}


def read_trace(bag: Path) -> EpisodeTrace:
    """The trace of a bag.

    Raises:
        FileNotFoundError: no bag there.
        ValueError: it holds no engaged episode, or one that nobody judged.
    """
    source = Bag(bag)
    by_topic: dict[str, dict[int, Recorded]] = {topic: {} for topic in _TOPICS}
    for recorded in source.messages(_TOPICS):
        if len(getattr(recorded.message, "action", "any")):  # an empty one tells of engagement only
            by_topic[recorded.topic].setdefault(_stamp(recorded.message), recorded)
    executed = by_topic["/rfs/executed_action"]
    if not executed or not by_topic["/joint_states"]:
        raise ValueError(f"the bag {bag} holds no episode in which the robot moved")
    start = min(executed)
    during = {
        topic: [r for stamp, r in sorted(messages.items()) if stamp >= start]
        for topic, messages in by_topic.items()
    }
    reward = [r.message for r in during["/rfs/reward"]]
    if not reward:
        raise ValueError(f"the bag {bag} holds no reward from when the robot moved")
    poses = [r.message for r in during["/sim/object_pose"]]
    return EpisodeTrace(
        contract=source.contract,
        time=_times(reward, start),
        reward=np.array([m.reward for m in reward], np.float64),
        lift=np.array([m.lift for m in reward], np.float64),
        joint_time=_times([r.message for r in during["/joint_states"]], start),
        joints=np.array([r.message.position for r in during["/joint_states"]], np.float64),
        object_time=_times(poses, start),
        object_pose=np.array([_pose(m.pose) for m in poses], np.float64).reshape(-1, 7),
        periods=np.diff(np.array([r.log_time for r in during["/rfs/policy_action"]])) * 1e-9,
        latencies=_latencies(source.contract.get("sim_time", ""), by_topic["/joint_states"], executed),
    )


def _latencies(sim_time: str, observed: dict[int, Recorded], executed: dict[int, Recorded]) -> Array:
    """In realtime the executor's own clock tells; in lockstep, when both messages reached the recorder."""
    if sim_time == "lockstep":
        pairs = [(observed[s].log_time, r.log_time) for s, r in executed.items() if s in observed]
    else:
        pairs = [(s, _nanoseconds(r.message.sent_stamp)) for s, r in executed.items()]
    return np.array([after - before for before, after in pairs], np.float64) * 1e-9


def _stamp(message: Any) -> int:
    return _nanoseconds(getattr(message, "observation_stamp", message.header.stamp))


def _nanoseconds(stamp: Any) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def _times(messages: Sequence[Any], start: int) -> Array:
    return np.array([_stamp(message) - start for message in messages], np.float64) * 1e-9


def _pose(pose: Any) -> list[float]:
    p, q = pose.position, pose.orientation
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]


def _nearest(times: Array, seconds: float) -> int:
    return int(np.argmin(np.abs(times - seconds)))
