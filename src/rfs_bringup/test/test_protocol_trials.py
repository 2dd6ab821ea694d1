"""A protocol through the nodes in lockstep gives the episodes that one process gives."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")

from rfs_learning.evaluation_record import EvaluationRecord

from rfs_bringup import demo
from rfs_learning import evaluate_command

PROTOCOL = """
known: [bottle]
unknown: [egg]
known_trials: 2
unknown_trials: 2
region: {rows: 1, columns: 2}
"""


@pytest.mark.ros
def test_nodes_and_process_give_the_same_trials(tmp_path: Path) -> None:
    file, alone = tmp_path / "protocol.yaml", tmp_path / "process.json"
    file.write_text(PROTOCOL)
    words = ["--policy", "distilled", "--protocol", str(file), "--robot", "target", "--severity", "0.8"]
    assert evaluate_command.main([*words, "--json", str(alone)]) == 0
    assert demo.main([*words, "--output", str(tmp_path / "demo")]) == 0
    process = EvaluationRecord.read(alone)
    nodes = EvaluationRecord.read(next((tmp_path / "demo").glob("*/evaluation.json")))
    assert nodes.through == "ros, lockstep"
    assert (nodes.policy, nodes.task, nodes.protocol) == (process.policy, process.task, process.protocol)
    assert len(nodes.trials) == len(process.trials) == 4
    for one, other in zip(nodes.trials, process.trials, strict=True):
        for name in ("object", "seed", "success", "reason", "place", "lift"):
            assert getattr(one, name) == getattr(other, name), (one.object, one.seed, name)
        assert one.seconds == pytest.approx(other.seconds)
        assert one.rewards == pytest.approx(other.rewards, abs=2e-4)


def test_a_protocol_and_objects_contradict_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--protocol", "paper", "--object", "box", "--output", str(tmp_path)]
    assert demo.main(words) == 1
    assert "leave out --object" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
