"""The collect stack's control nodes as processes, watched and disturbed from outside."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from fault_motion import PERIOD, Heard
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.stack import middleware_variables
from rfs_control.tick import MOVING
from rfs_policy.nodes.stamps import nanoseconds
from rfs_sim_bridge.targets import Targets
from sensor_msgs.msg import JointState, PointCloud2
from std_srvs.srv import SetBool

from rfs_bringup import processes
from rfs_msgs.msg import Correction, ExecutedAction, PolicyAction
from rfs_msgs.srv import ResetPolicy, ResetScene

PATIENCE = 20.0
SEED = 1_000_001
_COMMON = {"sim_time": "realtime", "rate": 1.0 / PERIOD}
_NODES = (
    NodeSpec("bridge", "rfs_sim_bridge", "bridge_node", _COMMON | {"images": False, "object": "box"}),
    NodeSpec("policy", "rfs_policy", "policy_node", _COMMON),
    NodeSpec("executor", "rfs_control", "executor_node", _COMMON | {"operator": True}),
    NodeSpec("correction", "rfs_teleop", "correction_node", {"device": "scripted", "sim_time": "realtime"}),
)


class FaultRig:
    """Starts the nodes on a ROS domain, and hears what the executor does and commands."""

    def __init__(self, domain: int) -> None:
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self._environment = environment | middleware_variables(environment)
        self._specs = {spec.name: spec for spec in _NODES}
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.heard, self._targets, self._paired = Heard(np.zeros(23)), Targets(), -1
        self.joints: JointState | None = None
        self.action: PolicyAction | None = None
        self.actions = 0
        best_effort = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        for kind, topic, on_message in (
            (PoseStamped, "/arm/target_pose", self._on_arm),
            (JointState, "/hand/target_joints", self._on_hand),
            (ExecutedAction, "/rfs/executed_action", lambda m: self.heard.executed.append(m)),
            (PolicyAction, "/rfs/policy_action", self._on_action),
            (JointState, "/joint_states", lambda m: setattr(self, "joints", m)),
        ):
            self.node.create_subscription(kind, topic, on_message, 50)
        self.publishers = {
            "/joint_states": self.node.create_publisher(JointState, "/joint_states", 10),
            "/camera/points": self.node.create_publisher(PointCloud2, "/camera/points", best_effort),
            "/rfs/policy_action": self.node.create_publisher(PolicyAction, "/rfs/policy_action", 10),
            "/rfs/correction": self.node.create_publisher(Correction, "/rfs/correction", 10),
        }
        self._clients = {
            name: self.node.create_client(kind, f"/rfs/{name}")
            for name, kind in (
                ("engage", SetBool),
                ("stop", SetBool),
                ("sim/reset", ResetScene),
                ("policy/reset", ResetPolicy),
            )
        }
        self.processes = {name: self._start(name) for name in self._specs}

    # ---- what comes ----
    def _on_arm(self, message: PoseStamped) -> None:
        p, q, header = message.pose.position, message.pose.orientation, message.header
        stamp = nanoseconds(header.stamp)
        self._targets.take_arm(stamp, header.frame_id, (p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
        self._pair()

    def _on_hand(self, message: JointState) -> None:
        self._targets.take_hand(nanoseconds(message.header.stamp), message.name, message.position)
        self._pair()

    def _pair(self) -> None:
        assert not self._targets.problem, self._targets.problem
        answer = self._targets.command()
        if answer is not None and answer[0] != self._paired:
            self._paired = answer[0]
            self.heard.commands.append((time.monotonic(), answer[1]))

    def _on_action(self, message: PolicyAction) -> None:
        self.action = message
        self.actions += 1

    def present(self) -> int:
        """Wall time, ns."""
        return self.node.get_clock().now().nanoseconds

    # ---- what happens ----
    def wait(self, done: Callable[[], object], what: str, do: Callable[[], None] = lambda: None) -> None:
        """Hear what comes until `done`; meanwhile `do` something again and again."""
        end = time.monotonic() + PATIENCE
        while not done():
            last = self.heard.executed[-1].reason if self.heard.executed else "nothing"
            assert time.monotonic() < end, f"waited for {what}; the executor says: {last}"
            do()
            self._executor.spin_once(timeout_sec=0.002)

    def call(self, name: str, request: Any) -> Any:
        """A service's answer, asked again where an answer found no listener yet."""
        client, futures = self._clients[name], []
        self.wait(client.service_is_ready, f"/rfs/{name}")
        while not any(future.done() for future in futures):
            futures.append(client.call_async(request))
            self._executor.spin_until_future_complete(futures[-1], PATIENCE / 5)
            assert len(futures) < 4, f"no answer of /rfs/{name}"
        return next(future.result() for future in futures if future.done())

    def engage(self) -> None:
        """Follow the policy from where the robot is; asked again while something is not there yet."""
        answer = self.call("engage", SetBool.Request(data=False))
        self.heard, self.actions = Heard(np.zeros(23)), 0
        while not answer.success or not self.heard.executed:
            self.wait(lambda: self.joints is not None, "joint states")
            self.heard.start = self._measured()
            answer = self.call("engage", SetBool.Request(data=True))
            if answer.success:
                self.wait(lambda: self.heard.executed, "the engagement")

    def _measured(self) -> np.ndarray:
        assert self.joints is not None
        return np.array(self.joints.position)

    def begin(self) -> None:
        """A new scene, in which the policy moves the robot."""
        self.call("stop", SetBool.Request(data=False))
        self.call("engage", SetBool.Request(data=False))
        scene = self.call("sim/reset", ResetScene.Request(seed=SEED, object="box"))
        assert scene.success, scene.message
        reset = nanoseconds(scene.stamp)
        self.wait(lambda: self.joints and nanoseconds(self.joints.header.stamp) > reset, "the new scene")
        assert self.call("policy/reset", ResetPolicy.Request(seed=SEED)).success
        self.engage()
        self.wait(self.moves(3), "motion")

    def moves(self, ticks: int) -> Callable[[], bool]:
        """Whether so many more ticks followed the policy, the last ones in a row."""
        since = len(self.heard.executed)
        return lambda: (
            len(self.heard.executed) >= since + ticks
            and all(tick.state in MOVING for tick in self.heard.executed[-ticks:])
        )

    def says(self, *words: str) -> Callable[[], bool]:
        """Whether the executor held since now for a reason with one of these words."""
        since = len(self.heard.executed)
        return lambda: any(
            word in tick.reason for tick in self.heard.executed[since:] for word in words if tick.reason
        )

    def _start(self, name: str) -> subprocess.Popen:
        line = processes.command(self._specs[name])
        return subprocess.Popen(
            line,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=processes.die_with_parent,
        )

    def kill(self, name: str) -> None:
        """SIGKILL, as after a crash."""
        self.processes[name].kill()
        self.processes[name].wait()

    def restart(self, name: str) -> None:
        """Start a killed node again."""
        self.processes[name] = self._start(name)

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT, say."""
        self.processes[name].send_signal(number)

    def close(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        # First: Fast DDS may crash at the end of a participant to which a killed process was just writing.
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        for process in self.processes.values():
            process.kill()
            process.wait()
