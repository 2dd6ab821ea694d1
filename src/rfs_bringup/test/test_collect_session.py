"""A session of the whole collect stack over DDS: what the operator may do, what a killed session leaves."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402

from rfs_msgs.msg import ExecutedAction, SessionStatus  # noqa: E402
from rfs_msgs.srv import OperatorCommand  # noqa: E402

PATIENCE = 60.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))
ARGUMENTS = ("device:=scripted", "sim_time:=lockstep", "viewer:=false", "session:=s", "seed:=1000000")


class Rig:
    """The stack as `./rfs launch collect` starts it, and an operator beside it."""

    def __init__(self, bags: Path, *words: str) -> None:
        domain = next(_DOMAINS)
        command = [sys.executable, "-m", "rfs_bringup.forward", "launch", "rfs_bringup.launching", "collect"]
        self.process = subprocess.Popen(
            [*command, *ARGUMENTS, f"bags:={bags}", *words],
            env=os.environ | {"ROS_DOMAIN_ID": str(domain)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("operator", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.status = SessionStatus()
        self.executed = ExecutedAction()
        self.node.create_subscription(SessionStatus, "/rfs/session", self._on_status, LATCHED)
        self.node.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, 10)
        self.client = self.node.create_client(OperatorCommand, "/rfs/session/command")

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def _on_status(self, message: SessionStatus) -> None:
        self.status = message

    def _on_executed(self, message: ExecutedAction) -> None:
        self.executed = message

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, (self.status, self.lines[-20:])
            self.executor.spin_once(timeout_sec=0.1)

    def wait_for(self, state: int, episode: int) -> None:
        self.wait(lambda: (self.status.state, self.status.episode) == (state, episode))

    def give(self, command: int) -> str:
        """The refusal, empty when it was taken."""
        self.wait(self.client.service_is_ready)
        future = self.client.call_async(OperatorCommand.Request(command=command, source="test"))
        self.wait(future.done)
        response = future.result()
        assert response.success == (not response.message)
        return response.message

    def said(self, words: str) -> bool:
        return any(words in text for text in self.lines)

    def pid(self, node: str) -> int:
        return int(re.search(rf"{node} started \(pid=(\d+)\)", "".join(self.lines)).group(1))  # type: ignore[union-attr]

    def close(self) -> int:
        """The stack's exit status, once it has ended by itself."""
        self.wait(lambda: self.process.poll() is not None)
        self._reader.join(PATIENCE)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
        return self.process.returncode


def rows(bags: Path) -> list[tuple[str, str]]:
    data = json.loads((bags / "s" / "session.json").read_text())
    return [(row["id"].split("-")[2], row["outcome"]) for row in data["episodes"]]


def test_a_session_survives_its_node_and_does_what_the_operator_wants(tmp_path: Path) -> None:
    killed_in_the_second_episode(tmp_path)
    rig = Rig(tmp_path, "episodes:=3", "object:=box")
    try:
        operate(rig)
        assert rig.close() == 0
    finally:
        if rig.process.poll() is None:
            rig.process.terminate()
    assert rig.said("goes on with episode 2")
    assert rows(tmp_path) == [("001", "success"), ("002", "unknown"), ("002", "success"), ("003", "failure")]
    bags = sorted(path for path in (tmp_path / "s").glob("*") if path.is_dir())
    assert [Bag(bag).contract["outcome"] for bag in bags] == [outcome for _, outcome in rows(tmp_path)]
    assert all(Bag(bag).contract["session"] == "s" for bag in bags)
    assert (tmp_path / "s" / "report.html").read_text().count("<polyline") == 4


def killed_in_the_second_episode(bags: Path) -> None:
    rig = Rig(bags, "episodes:=3", "object:=box")
    try:
        rig.wait_for(SessionStatus.STATE_RUNNING, episode=1)
        assert rig.give(OperatorCommand.Request.SUCCESS) == ""
        rig.wait_for(SessionStatus.STATE_RUNNING, episode=2)
        rig.wait(lambda: rig.said("episode 1/3  box  success"))
        os.kill(rig.pid("session"), signal.SIGKILL)
        assert rig.close() == 128 + signal.SIGKILL
    finally:
        if rig.process.poll() is None:
            rig.process.terminate()


def operate(rig: Rig) -> None:
    """Pause, stop and release within an episode, discard one, mark the last."""
    rig.wait_for(SessionStatus.STATE_RUNNING, episode=2)
    assert rig.give(OperatorCommand.Request.PAUSE) == ""
    rig.wait(lambda: rig.executed.state == ExecutedAction.STATE_PAUSED)
    assert rig.give(OperatorCommand.Request.PAUSE) == "the episode is paused already"
    assert "is no command" in rig.give(77)
    assert rig.give(OperatorCommand.Request.STOP) == ""
    rig.wait_for(SessionStatus.STATE_STOPPED, episode=2)
    rig.wait(lambda: rig.executed.state == ExecutedAction.STATE_STOPPED)
    assert "release the stop first" in rig.give(OperatorCommand.Request.RESUME)
    assert rig.give(OperatorCommand.Request.RELEASE) == ""
    rig.wait_for(SessionStatus.STATE_PAUSED, episode=2)
    assert rig.give(OperatorCommand.Request.DISCARD) == ""
    rig.wait(lambda: rig.status.discarded == 1)
    rig.wait_for(SessionStatus.STATE_RUNNING, episode=2)
    rig.wait_for(SessionStatus.STATE_RUNNING, episode=3)
    assert rig.give(OperatorCommand.Request.FAILURE) == ""
    rig.wait(lambda: rig.status.state == SessionStatus.STATE_FINISHED)
    assert (rig.status.successes, rig.status.failures) == (2, 1)
