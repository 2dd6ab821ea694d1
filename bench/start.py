"""Time from typing ``./rfs launch grasp`` to the first command that moves the arm, in seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor

GOAL = 10.0
PATIENCE = 60.0
DOMAIN = "88"
REPEATS = 3


def run() -> list[dict]:
    """The median of a few starts, on a ROS domain of its own."""
    os.environ["ROS_DOMAIN_ID"] = DOMAIN
    seconds = sorted(_first_command_s() for _ in range(REPEATS))[REPEATS // 2]
    name = "start.first_command_s"
    return [{"name": name, "value": seconds, "unit": "s", "goal": f"< {GOAL:g}", "holds": seconds < GOAL}]


def _first_command_s() -> float:
    """Listens before it launches, so that nothing of the listener is in the measured time."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("start_benchmark", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    seen: list[float] = []
    node.create_subscription(PoseStamped, "/arm/target_pose", lambda _: seen.append(time.monotonic()), 10)
    with tempfile.TemporaryDirectory() as bags, tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = _launch(bags, log)
        try:
            while not seen:
                executor.spin_once(timeout_sec=0.2)
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    log.seek(0)
                    raise RuntimeError(f"no command in {PATIENCE:g} s:\n{log.read().decode()[-2000:]}")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            executor.shutdown()
            node.destroy_node()
            rclpy.shutdown(context=context)
    return seen[0] - began


def _launch(bags: str, log) -> subprocess.Popen:
    script = os.path.join(os.environ["RFS_ROOT"], "rfs")
    command = [script, "launch", "grasp", "sim:=mujoco", f"bags:={bags}"]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
