"""A dataset holds, bit for bit, what the policy node saw while the whole stack ran and was recorded."""

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from rfs_bringup.stack import STACKS  # noqa: E402
from rfs_learning.dataset_command import main  # noqa: E402
from rfs_learning.transitions import TransitionDataset  # noqa: E402
from rfs_policy.policy import FlowPolicy  # noqa: E402

from rfs_bringup import arguments, processes  # noqa: E402

_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))
WATCHED = Path(__file__).parent / "watched_policy.py"


def record(folder: Path, sim_time: str) -> None:
    """One trial: its bag below folder/bags, what the policy was shown below folder/shown."""
    stack, shown = STACKS["grasp"], folder / "shown"
    shown.mkdir()
    words = (f"sim_time:={sim_time}", f"bags:={folder / 'bags'}", "seed:=1000000", "trials:=1")
    nodes = stack.nodes(arguments.parse(stack.arguments, words))
    usual = processes.command(next(node for node in nodes if node.name == "policy"))
    start = usual.index("--ros-args")
    watched = [sys.executable, "-u", str(WATCHED), str(shown), *usual[start:]]
    lines: list[str] = []
    printer = processes.Lines(lambda name, text: lines.append(f"{name}: {text}"))
    variables = os.environ | {"ROS_DOMAIN_ID": str(next(_DOMAINS))}
    status = processes.run(nodes, printer, variables, {"policy": watched})
    assert status == 0, "\n".join(lines)


@pytest.mark.parametrize("sim_time", ["lockstep", "realtime"])
def test_rebuilt_observations_are_the_live_ones(tmp_path: Path, sim_time: str) -> None:
    record(tmp_path, sim_time)
    assert main(["build", str(tmp_path / "bags"), "-o", str(tmp_path / "d.zarr")]) == 0
    dataset = TransitionDataset.open(tmp_path / "d.zarr")
    decisions = [np.load(file) for file in (tmp_path / "shown").glob("*.npz")]
    shown = {decision["noise"].tobytes(): decision for decision in decisions}
    policy = FlowPolicy.load("default", runtime="onnx")
    rows = dataset.rows()
    assert len(rows) > 10
    for row in rows:
        batch = dataset.batch([row])
        live = shown[batch.noise[0].tobytes()]
        np.testing.assert_array_equal(batch.cloud[0], live["cloud"])
        np.testing.assert_array_equal(batch.state[0], live["state"])
        # The same runtime on the same machine gives the same action again, to the last bit.
        again = policy.act(batch.cloud, batch.state, batch.noise).base_action
        np.testing.assert_array_equal(again[0], live["base_action"])
        np.testing.assert_array_equal(again[:, 0], batch.base_action)
    stamps = dataset.array("stamp")[:]
    assert (np.diff(stamps) > 0).all()
