"""A recorded episode made up tick by tick, with real messages: what a recorder would have kept of it."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from rfs_description.robot import ARM_HOME, BASE_FRAME, HAND_HOME, JOINTS
from rfs_policy.nodes.stamps import time_message
from rfs_teleop.bag import BagWriter
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.definitions import definition
from sensor_msgs.msg import JointState, PointCloud2, PointField

from rfs_msgs.msg import ExecutedAction, GraspReward, PolicyAction

PERIOD = 100_000_000
START = 10**12
CHECKPOINT = "c" * 64
_HOME = dict(zip(JOINTS, (*ARM_HOME, *HAND_HOME), strict=True))
_TYPES = {
    "/joint_states": JointState,
    "/camera/points": PointCloud2,
    "/rfs/policy_action": PolicyAction,
    "/rfs/executed_action": ExecutedAction,
    "/rfs/reward": GraspReward,
}


def type_name(message_type: type) -> str:
    """`package/msg/Name`."""
    return f"{message_type.__module__.split('.')[0]}/msg/{message_type.__name__}"


_definition = cache(definition)


@dataclass
class Recording:
    """Messages in the order of their recording. Numbers are drawn from `seed`, so that no two are equal.

    types: the bag's topics.
    """

    seed: int = 0
    messages: list[tuple[str, object]] = field(default_factory=list)
    types: dict[str, type] = field(default_factory=lambda: dict(_TYPES))

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def add(self, topic: str, message) -> None:
        self.messages.append((topic, message))

    def cloud(self, stamp: int, count: int = 1024) -> PointCloud2:
        points = self.rng.uniform([0.3, -0.4, 0.01], [0.8, 0.4, 0.3], (count, 3)).astype(np.float32)
        message = PointCloud2(height=1, width=count, point_step=12, row_step=12 * count)
        message.header.stamp, message.header.frame_id = time_message(stamp), BASE_FRAME
        message.fields = [
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate("xyz")
        ]
        message.data = points.tobytes()
        self.add("/camera/points", message)
        return message

    def joints(self, stamp: int, names=JOINTS) -> JointState:
        home = [_HOME[name] for name in names]
        position = (home + self.rng.uniform(-1e-3, 1e-3, len(names))).tolist()
        # No empty array at the end: `serialize_message` would leave stray bytes there, which no wire has.
        message = JointState(name=list(names), position=position, velocity=position, effort=position)
        message.header.stamp = time_message(stamp)
        self.add("/joint_states", message)
        return message

    def action(self, stamp: int, command: int, joints: int | None = None) -> PolicyAction:
        message = PolicyAction(layout="delta_pose_22", checkpoint=CHECKPOINT, horizon=2, action_dim=22)
        message.header.stamp = time_message(stamp + 5_000_000)
        message.observation_stamp, message.command_stamp = time_message(stamp), time_message(command)
        message.joint_stamp = time_message(stamp if joints is None else joints)
        for name in ("noise", "base_action"):
            setattr(message, name, self.rng.normal(size=44).astype(np.float32).tolist())
        message.residual = [0.0] * 44
        self.add("/rfs/policy_action", message)
        return message

    def executed(self, stamp: int, state: int = 1, index: int = 0, human: float = 0.0) -> ExecutedAction:
        """state 0 without an index is an engagement; states below 1 and above 2 hold."""
        message = ExecutedAction(state=state, chunk_index=index)
        message.header.stamp, message.sent_stamp = time_message(stamp), time_message(stamp + 1)
        if state in (1, 2):
            base = self.rng.normal(size=22).astype(np.float32)
            residual = np.full(22, human, np.float32)
            message.base_action, message.human_residual = base.tolist(), residual.tolist()
            message.policy_residual = [0.0] * 22
            message.action = (base + residual).tolist()
        message.executed = self.rng.normal(size=22).astype(np.float32).tolist()
        pose = message.target_pose
        pose.position.x, pose.position.y, pose.position.z = self.rng.uniform(0, 1, 3).tolist()
        quaternion = self.rng.normal(size=4)
        o = pose.orientation
        o.x, o.y, o.z, o.w = (quaternion / np.linalg.norm(quaternion)).tolist()
        message.target_joints = self.rng.uniform(-1, 1, 16)
        self.add("/rfs/executed_action", message)
        return message

    def engaged(self, stamp: int) -> None:
        self.executed(stamp, state=0).executed = []

    def reward(self, stamp: int, success: bool = False) -> GraspReward:
        message = GraspReward(reward=float(self.rng.normal()), success=success)
        message.header.stamp = time_message(stamp)
        self.add("/rfs/reward", message)
        return message

    def tick(self, stamp: int, command: int, state: int = 1, human: float = 0.0, success: bool = False):
        """Everything of one ordinary tick."""
        self.reward(stamp, success)
        self.joints(stamp)
        self.cloud(stamp)
        self.action(stamp, command)
        self.executed(stamp, state, human=human)

    def write(self, folder: Path, began: int = START, **contract: str) -> Path:
        """A finished bag."""
        contract = {"object": "mug", "seed": "7", "rate_hz": "10.0", "sim_time": "realtime", **contract}
        result = {"outcome": contract.pop("outcome", "failure"), "checkpoint": CHECKPOINT}
        topics = [Topic(name, type_name(kind)) for name, kind in self.types.items()]
        definitions = {topic.type: _definition(topic.type) for topic in topics}
        bag = BagWriter(folder, topics, definitions, contract)
        for number, (topic, message) in enumerate(self.messages):
            bag.write(topic, serialize_message(message), began + number)
        bag.close(result)
        return folder


def ordinary(ticks: int, seed: int = 0, corrected: int = 0, success: bool = False) -> Recording:
    """An episode of `ticks` ticks without any trouble; the first `corrected` ones are corrected."""
    recording = Recording(seed)
    recording.engaged(START)
    for number in range(ticks):
        stamp, last = START + number * PERIOD, number == ticks - 1
        human = 0.01 if number < corrected else 0.0
        command = stamp - PERIOD if number else START
        recording.tick(stamp, command, 2 if human else 1, human, success and last)
    return recording
