"""From a SpaceMouse's HID report to the command that carries it.

Through the real decoder, correction node and executor, with a policy that acts at 10 Hz.
"""

from __future__ import annotations

import array
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

DOMAIN = "88"
PERIOD = 0.1  # s, of the policy's ticks
BOUND = 20.0  # ms beside the wait for the next tick
LOW_ARM = [0.0, 0.22, 0.0, -2.62, 0.0, 2.84, 0.0]  # palm 8 cm over the table: corrections count
DEAD_BAND, TRANSLATION, FULL = 0.10, 0.015, 350
PATIENCE = 20.0


def run(duration: float = 120.0) -> list[dict]:
    """Figures over `duration` s of reports that come at random times within the ticks.

    Raises:
        RuntimeError: a node did not start, or no report came through.
    """
    os.environ |= {"ROS_DOMAIN_ID": DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as log:
        cap = [sys.executable, str(Path(__file__).with_name("_cap.py")), str(reading)]
        executor = [sys.executable, "-m", "rfs_control.nodes.executor_node"]
        executor += ["--ros-args", "-p", "operator:=true"]
        processes = [
            subprocess.Popen(cap, pass_fds=[reading], stdout=log, stderr=log),
            subprocess.Popen(executor, stdout=log, stderr=log),
        ]
        try:
            return figures(*measure(duration, writing))
        except RuntimeError as error:
            log.seek(0)
            raise RuntimeError(f"{error}:\n{log.read().decode()[-2000:]}") from error
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)
            os.close(reading)
            os.close(writing)


def figures(latencies: list[float], beside: list[float], reports: int) -> list[dict]:
    """Of latencies and of what remains of them without the wait for the next tick, s."""
    if not latencies:
        raise RuntimeError("no report came through")
    total, own = np.array(latencies) * 1e3, np.array(beside) * 1e3
    p99, own_p99 = np.percentile(total, 99), np.percentile(own, 99)
    lost = reports - len(latencies)
    count = f"{len(total)} reports at 10 Hz, {lost} overtaken by a newer one"
    return [
        {
            "name": "correction.device_to_command_p99_ms",
            "value": round(float(p99), 2),
            "unit": "ms",
            "goal": f"< {BOUND + PERIOD * 1e3:g}",
            "holds": bool(p99 < BOUND + PERIOD * 1e3),
            "note": f"p50 {np.median(total):.1f} ms, {count}",
        },
        {
            "name": "correction.beside_tick_p99_ms",
            "value": round(float(own_p99), 2),
            "unit": "ms",
            "goal": f"< {BOUND:g}",
            "holds": bool(own_p99 < BOUND),
            "note": f"from the policy's next action to the command; p50 {np.median(own):.1f} ms",
        },
    ]


def measure(duration: float, cap: int) -> tuple[list[float], list[float], int]:
    """Latencies, their part beside the wait for the tick (both s), and how many reports were sent."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rfs_policy.nodes.run import stay_prompt, take_precedence

    rclpy.init()
    source = make_source()
    executor = SingleThreadedExecutor()
    executor.add_node(source)
    ended = threading.Event()
    try:
        source.engage(executor)
        stay_prompt()
        threads = [
            threading.Thread(target=source.play_policy, args=(ended,)),
            threading.Thread(target=move, args=(cap, source.sent, ended)),
        ]
        take_precedence()
        for thread in threads:
            thread.start()
        end = time.monotonic() + duration
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        ended.set()
        for thread in threads:
            thread.join()
        return *source.latencies(), len(source.sent)
    finally:
        ended.set()
        source.destroy_node()
        rclpy.try_shutdown()


def move(cap: int, sent: list[tuple[float, float]], ended: threading.Event) -> None:
    """Push the cap forward and back by amounts that tell the reports apart, at random times."""
    rng, sign = random.Random(0), 1
    while not ended.wait(0.15 + rng.random() * PERIOD):
        raw = sign * rng.randrange(FULL // 3, FULL)
        sign = -sign
        report = b"\1" + struct.pack("<3h", 0, -raw, 0)
        sent.append((time.monotonic(), residual_of(raw)))
        os.write(cap, report)


def residual_of(raw: int) -> float:
    """Palm translation that the executor takes from a forward deflection, m."""
    return TRANSLATION * float(np.sign(raw)) * (abs(raw) / FULL - DEAD_BAND) / (1 - DEAD_BAND)


def make_source():
    """The node that plays robot and policy and sees the commands (made here: ROS is imported late)."""
    from geometry_msgs.msg import PoseStamped
    from rclpy.node import Node
    from rfs_description.robot import JOINTS
    from rfs_policy.nodes.stamps import nanoseconds, time_message
    from sensor_msgs.msg import JointState
    from std_srvs.srv import SetBool

    from rfs_msgs.msg import ExecutedAction, PolicyAction

    class Source(Node):
        def __init__(self) -> None:
            super().__init__("source")
            self.sent: list[tuple[float, float]] = []
            self.acted: list[tuple[int, float]] = []
            self.commanded: dict[int, float] = {}
            self.residuals: dict[int, float] = {}
            self._joints = self.create_publisher(JointState, "/joint_states", 10)
            self._actions = self.create_publisher(PolicyAction, "/rfs/policy_action", 10)
            self._engage = self.create_client(SetBool, "/rfs/engage")
            self.create_subscription(PoseStamped, "/arm/target_pose", self._on_pose, 10)
            self.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, 10)
            self.create_timer(0.02, self._publish_joints)

        def engage(self, executor) -> None:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                executor.spin_once(timeout_sec=0.1)
                if self._engage.service_is_ready():
                    answer = self._engage.call_async(SetBool.Request(data=True))
                    executor.spin_until_future_complete(answer, timeout_sec=2.0)
                    if answer.done() and answer.result().success:
                        return
            raise RuntimeError("the executor could not be engaged")

        def play_policy(self, ended: threading.Event) -> None:
            fingers = [0.0] * 16
            message = PolicyAction(layout="delta_pose_22", horizon=1, action_dim=22)
            message.header.frame_id = "fr3_link0"
            message.base_action = array.array("f", [0.0] * 6 + fingers)
            message.residual = array.array("f", [0.0] * 22)
            due = time.monotonic()
            while not ended.wait(max(0.0, due - time.monotonic())):
                stamp = self.get_clock().now().nanoseconds
                message.observation_stamp = time_message(stamp)
                self.acted.append((stamp, time.monotonic()))
                self._actions.publish(message)
                due += PERIOD

        def latencies(self) -> tuple[list[float], list[float]]:
            found, beside = [], []
            ticks = [(at, stamp) for stamp, at in self.acted if stamp in self.residuals]
            for at, residual in self.sent:
                later = ((t, s) for t, s in ticks if s in self.commanded and self.commanded[s] > at)
                hit = next(((t, s) for t, s in later if abs(self.residuals[s] - residual) < 1e-6), None)
                if hit is not None:
                    found.append(self.commanded[hit[1]] - at)
                    beside.append(self.commanded[hit[1]] - max(hit[0], at))
            return found, beside

        def _publish_joints(self) -> None:
            message = JointState(name=JOINTS, position=[*LOW_ARM, *[0.0] * 16])
            message.header.stamp = self.get_clock().now().to_msg()
            self._joints.publish(message)

        def _on_pose(self, message: PoseStamped) -> None:
            self.commanded[nanoseconds(message.header.stamp)] = time.monotonic()

        def _on_executed(self, message: ExecutedAction) -> None:
            if len(message.human_residual):
                self.residuals[nanoseconds(message.header.stamp)] = float(message.human_residual[0])

    return Source()
