"""The grasp stack with Isaac Lab behind the bridge, as processes of two interpreters over DDS."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab_environment import require_isaaclab

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros
require_isaaclab()

from rfs_bringup.stack import STACKS  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402

from rfs_bringup import arguments, processes  # noqa: E402

DOMAIN = os.environ["RFS_TEST_DOMAINS"].split(",")[0]


class Run:
    """Two trials; in the second the bridge is killed. Lines of all nodes, rows of the results."""

    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        self._bridge = 0
        stack, results = STACKS["grasp"], folder / "results.json"
        words = ("sim:=isaaclab", "sim_time:=lockstep", "trials:=2", "object:=cylinder", "seed:=1000000")
        added: dict[str, dict[str, Any]] = {
            "policy": {"seed": 0},
            "runner": {"results": str(results), "live": True},
        }
        nodes = [
            replace(node, parameters={**node.parameters, **added.get(node.name, {})})
            for node in stack.nodes(arguments.parse(stack.arguments, [*words, f"bags:={folder / 'bags'}"]))
        ]
        variables = os.environ | {"ROS_DOMAIN_ID": DOMAIN}
        self.status = processes.run(nodes, processes.Lines(self._line), variables)
        self.rows: list[dict[str, Any]] = json.loads(results.read_text())["rows"] if results.exists() else []

    def _line(self, name: str, text: str) -> None:
        self.lines.append(f"{name}: {text}")
        if text.startswith("bridge started (pid="):
            self._bridge = int(text.split("pid=")[1].rstrip(")"))
        if name == "runner" and text.startswith("trial  2/2") and " running " in text and self._bridge:
            os.kill(self._bridge, signal.SIGKILL)
            self._bridge = 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("stack"))


def test_a_trial_runs_and_its_bag_is_complete(run: Run) -> None:
    assert run.rows, run.lines
    first = run.rows[0]
    assert first["outcome"] in ("success", "failure"), run.lines
    assert first["received"] == first["written"] > 0
    topics = {recorded.topic for recorded in Bag(Path(first["bag"])).messages()}
    wanted = {"/joint_states", "/camera/points", "/rfs/reward", "/sim/object_pose", "/camera/color/image_raw"}
    assert wanted <= topics


def test_the_bridge_says_that_it_takes_time(run: Run) -> None:
    assert any("starting Isaac Lab" in line for line in run.lines)


def test_a_bridge_that_dies_amid_a_trial_stops_the_stack_and_the_bag_is_kept(run: Run) -> None:
    assert run.status != 0
    assert run.rows[-1]["outcome"] == "broken"
    assert (Path(run.rows[-1]["bag"]) / "metadata.yaml").exists()
    ended = {line.split()[1] for line in run.lines if " stopped (rc=" in line}
    assert {"bridge", "policy", "executor", "recorder", "runner"} <= ended
