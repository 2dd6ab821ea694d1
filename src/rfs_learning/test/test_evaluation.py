"""Evaluation: outcomes do not depend on what runs beside them, tables add up, errors are told."""

import json

import numpy as np
import pytest
from rfs_learning.evaluate_command import main
from rfs_learning.evaluation import evaluate, objects_of
from rfs_learning.evaluation_table import rows_of
from rfs_learning.rollout import Trial
from rfs_policy.layout import DELTA_POSE
from rfs_policy.modulation import Array
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.task_config import TaskConfig

SHORT = TaskConfig.from_dict({"episode_seconds": 0.5})


class NoiseFollower:
    """A base policy whose palm follows its noise, so that every draw shows in the outcome."""

    layout, id, steps = DELTA_POSE, "noise follower", 1

    def encode(self, cloud: Array, state: Array) -> Array:
        return state

    def push(self, context: Array, noise: Array) -> Array:
        action = np.zeros_like(noise)
        action[..., :6] = 0.05 * noise[..., :6]
        action[..., 6:] = context[:, None, -16:]
        return action


def test_trials_do_not_depend_on_their_neighbors():
    policy = FlowPolicy(NoiseFollower())
    together = evaluate(policy, ["box", "sphere"], [11, 12, 13, 14], SHORT)
    alone = evaluate(policy, ["sphere"], [14], SHORT)
    assert together[3] == alone[0]
    assert together == evaluate(policy, ["box", "sphere"], [11, 12, 13, 14], SHORT)
    assert [trial.object for trial in together] == ["box", "sphere", "box", "sphere"]


def test_trial_ends_at_its_time():
    trial = evaluate(FlowPolicy(NoiseFollower()), ["box"], [5], SHORT)[0]
    assert trial.seconds == pytest.approx(0.5)
    assert (trial.success, trial.reason) == (False, "hand never closed")


def test_rate_must_be_the_tasks():
    with pytest.raises(ValueError, match="acts at 10 Hz"):
        evaluate(FlowPolicy(NoiseFollower()), ["box"], [5], TaskConfig.from_dict({"control_rate": 20.0}))


def test_rows_add_up():
    trials = [
        Trial("box", 1, True, 2.0, 0.25),
        Trial("box", 2, False, 8.0, 0.1, "weak grasp"),
        Trial("can", 3, True, 4.0, 0.25),
    ]
    rows = {row["object"]: row for row in rows_of(trials)}
    assert list(rows) == ["box", "can", "all"]
    assert (rows["all"]["trials"], rows["all"]["successes"]) == (3, 2)
    assert rows["all"]["mean_seconds"] == pytest.approx(3.0)
    assert rows["box"]["failures"] == {"weak grasp": 1}
    assert rows["box"]["low"] < 0.5 < rows["box"]["high"]


def test_splits_are_expanded():
    assert "mug" in objects_of(["heldout"])
    assert objects_of(["train", "mug"])[-1] == "mug"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--policy", "/nowhere"], "no checkpoint"), (["--objects", "unicorn"], "unicorn")],
)
def test_command_line_says_what_is_wrong(capsys, arguments, words):
    assert main(["--episodes", "1", *arguments]) == 1
    assert words in capsys.readouterr().out


def test_an_evaluation_that_cannot_be_written_is_shown_all_the_same(tmp_path, capsys):
    task, blocked = tmp_path / "task.yaml", tmp_path / "blocked"
    task.write_text("episode_seconds: 0.2")
    blocked.touch()
    words = ["--episodes", "1", "--objects", "box", "--task", str(task), "--json", str(blocked / "a.json")]
    assert main(words) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "0/1" in said
    assert "this evaluation could not be written" in said
    assert "give another --json" in said


def test_command_line_writes_figures(tmp_path):
    task = tmp_path / "task.yaml"
    task.write_text("episode_seconds: 0.2")
    output = tmp_path / "figures.json"
    assert main(["--episodes", "2", "--objects", "box", "--task", str(task), "--json", str(output)]) == 0
    figures = json.loads(output.read_text())
    assert [row["object"] for row in figures["rows"]] == ["box", "all"]
    assert [trial["seed"] for trial in figures["trials"]] == [1_000_000, 1_000_001]
