"""The whole grasp stack as processes over DDS: what trials leave behind, and what a failing node does."""

import itertools
import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from rfs_bringup.stack import STACKS  # noqa: E402
from rfs_policy.checkpoint import load_checkpoint  # noqa: E402
from rfs_policy.modulation_checkpoint import load_modulation, save_modulation  # noqa: E402
from rfs_policy.modulation_config import ModulationConfig  # noqa: E402
from rfs_policy.modulation_network import ModulationNetwork  # noqa: E402
from rfs_policy.policy import FlowPolicy  # noqa: E402
from rfs_policy.torch_base import TorchBase  # noqa: E402
from rfs_sim_bridge.grasp_task import GraspTask  # noqa: E402
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift  # noqa: E402
from rfs_sim_bridge.task_config import TaskConfig  # noqa: E402
from rfs_teleop.bag_reader import Bag  # noqa: E402

from rfs_bringup import arguments, processes  # noqa: E402

_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))
SEED = 1_000_000


class Run:
    """A run of the stack: exit status, lines of all nodes, rows of the results.

    In lockstep a trial may be over before a signal sent during it arrives; in realtime it takes seconds.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        sim_time: str = "lockstep",
        on_line: Callable[["Run", str, str], None] | None = None,
    ):
        self.lines: list[tuple[str, str]] = []
        self.pids: dict[str, int] = {}
        self._on_line = on_line or (lambda run, name, text: None)
        self.acted = False
        stack = STACKS["grasp"]
        words = (f"sim_time:={sim_time}", f"bags:={folder / 'bags'}", f"seed:={SEED}", *words)
        added = {
            "policy": {"seed": 0},
            "runner": {"results": str(folder / "results.json"), "live": True, "patience": 2.0},
        }
        nodes = [
            replace(node, parameters={**node.parameters, **added.get(node.name, {})})
            for node in stack.nodes(arguments.parse(stack.arguments, words))
        ]
        variables = os.environ | {"ROS_DOMAIN_ID": str(next(_DOMAINS))}
        self.status = processes.run(nodes, processes.Lines(self._line), variables)
        file = folder / "results.json"
        self.rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"] if file.exists() else []

    def _line(self, name: str, text: str) -> None:
        self.lines.append((name, text))
        if "started (pid=" in text:
            self.pids[text.split()[0]] = int(text.split("pid=")[1].rstrip(")"))
        self._on_line(self, name, text)

    def said(self, words: str) -> bool:
        return any(words in text for _, text in self.lines)


def signal_during_trial(node: str, number: signal.Signals, bags: Path) -> Callable[[Run, str, str], None]:
    """Send a signal to a node as soon as a trial runs and something is recorded."""

    def act(run: Run, name: str, text: str) -> None:
        running = name == "runner" and " running " in text and not run.acted
        if running and any(by_stamp(bag, "/joint_states") for bag in bags.iterdir()):
            run.acted = True
            os.kill(run.pids[node], number)

    return act


def by_stamp(bag: Path, topic: str) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for recorded in Bag(bag).messages([topic]):
        stamp = getattr(recorded.message, "observation_stamp", recorded.message.header.stamp)
        found[stamp.sec * 1_000_000_000 + stamp.nanosec] = recorded.message
    return found


def simulated(
    seed: int,
    name: str,
    steps: int,
    modulation: Path | None = None,
    shift: RobotShift = TRAINING_ROBOT,
) -> tuple[Sequence[np.ndarray], bool]:
    """The same episode without ROS: joint positions before each step and at the end, and success."""
    policy = FlowPolicy.load("default", runtime="onnx", modulation=modulation)
    task = GraspTask(replace(TaskConfig.default(), shift=shift), objects=[name])
    task.reset([seed])
    noise = np.random.default_rng([0, seed])
    joints = [task.joint_positions[0].copy()]
    for _ in range(steps):
        output = policy.act(task.clouds(), task.state(), policy.draw_noise(noise)[None])
        task.step(output.action[:, 0])
        joints.append(task.joint_positions[0].copy())
    return joints, bool(task.success[0])


@pytest.fixture
def modulation(tmp_path: Path) -> Path:
    """A modulation of the shipped policy, not trained: its heads have random weights."""
    base = TorchBase.from_checkpoint(load_checkpoint("default"))
    torch.manual_seed(0)
    network = ModulationNetwork.beside(base, ModulationConfig(noise_bound=0.5))
    for name, parameter in network.named_parameters():
        if "head" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    save_modulation(tmp_path / "modulation", network.checkpoint(base.id, {}))
    return tmp_path / "modulation"


def test_a_modulated_trial_is_the_simulators_episode_and_its_bag_names_both_policies(
    tmp_path: Path, modulation: Path
) -> None:
    run = Run(tmp_path, "trials:=1", f"modulation:={modulation}")
    assert run.status == 0, run.lines
    bag = Path(run.rows[0]["bag"])
    observed, acted = by_stamp(bag, "/joint_states"), by_stamp(bag, "/rfs/executed_action")
    start = min(stamp for stamp in acted if len(acted[stamp].action))
    stamps = [stamp for stamp in sorted(observed) if stamp >= start]
    joints, success = simulated(run.rows[0]["seed"], run.rows[0]["object"], len(stamps) - 1, modulation)
    np.testing.assert_array_equal([observed[stamp].position for stamp in stamps], joints)
    assert success == (run.rows[0]["outcome"] == "success")
    for stamp in stamps[:-1]:
        executed = acted[stamp]
        assert np.any(executed.policy_residual)
        np.testing.assert_array_equal(executed.action, executed.base_action + executed.policy_residual)
        assert np.linalg.norm(np.float64(executed.policy_residual[:3])) <= 0.015
    for message in by_stamp(bag, "/rfs/policy_action").values():
        assert message.modulation == load_modulation(modulation).id
        assert message.checkpoint == load_checkpoint("default").id
    contract = Bag(bag).contract
    assert (contract["checkpoint"], contract["modulation"]) == (message.checkpoint, message.modulation)


@pytest.mark.parametrize(
    ("words", "robot", "shift"),
    [
        (["trials:=2"], "sim", TRAINING_ROBOT),
        (["trials:=1", "robot:=target", "severity:=0.8"], "target 0.8", RobotShift.target(0.8)),
    ],
)
def test_trials_are_the_simulators_episodes_and_their_bags_are_complete(
    tmp_path: Path, words: list[str], robot: str, shift: RobotShift
) -> None:
    run = Run(tmp_path, *words)
    assert run.status == 0, run.lines
    assert f"trials:={run.rows[-1]['number']}" == words[0]
    for row in run.rows:
        assert row["received"] == row["written"] > 0
        bag = Path(row["bag"])
        contract = Bag(bag).contract
        assert contract["robot"] == robot
        assert RobotShift.from_dict(json.loads(contract.get("robot_shift", "{}"))) == shift
        observed, acted = by_stamp(bag, "/joint_states"), by_stamp(bag, "/rfs/executed_action")
        start = min(stamp for stamp in acted if len(acted[stamp].action))
        stamps = [stamp for stamp in sorted(observed) if stamp >= start]
        joints, success = simulated(row["seed"], row["object"], len(stamps) - 1, shift=shift)
        np.testing.assert_array_equal([observed[stamp].position for stamp in stamps], joints)
        assert success == (row["outcome"] == "success")
        for topic in ("/camera/points", "/rfs/reward", "/sim/object_pose", "/camera/color/image_raw"):
            assert set(stamps) <= set(by_stamp(bag, topic)), topic
        assert set(stamps[:-1]) <= set(acted)
        assert set(stamps[:-1]) <= set(by_stamp(bag, "/rfs/policy_action"))


def test_a_killed_node_stops_the_stack_and_the_bag_is_kept(tmp_path: Path) -> None:
    act = signal_during_trial("policy", signal.SIGKILL, tmp_path / "bags")
    run = Run(tmp_path, "trials:=50", sim_time="realtime", on_line=act)
    assert run.status != 0
    assert run.rows, run.lines
    assert run.rows[-1]["outcome"] == "broken"
    bag = Path(run.rows[-1]["bag"])
    assert (bag / "metadata.yaml").exists()
    assert by_stamp(bag, "/joint_states")
    assert Bag(bag).contract["outcome"] == "unknown"


def test_a_silent_node_is_named(tmp_path: Path) -> None:
    act = signal_during_trial("policy", signal.SIGSTOP, tmp_path / "bags")
    run = Run(tmp_path, "trials:=50", sim_time="realtime", on_line=act)
    assert run.status == 1
    assert run.rows[-1]["outcome"] == "broken"
    assert run.said("the policy node does not answer")


def test_a_dead_recorder_does_not_take_its_bag_along(tmp_path: Path) -> None:
    act = signal_during_trial("recorder", signal.SIGSTOP, tmp_path / "bags")
    run = Run(tmp_path, "trials:=50", sim_time="realtime", on_line=act)
    assert run.status == 1
    assert run.rows[-1]["outcome"] == "broken"
    assert run.said("the recorder node does not answer")
    assert by_stamp(Path(run.rows[-1]["bag"]), "/joint_states")
