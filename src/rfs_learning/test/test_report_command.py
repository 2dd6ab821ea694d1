"""Evaluations as files, and the page about several of them."""

import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from rfs_learning.evaluate_command import main as evaluate
from rfs_learning.evaluate_command import method_name
from rfs_learning.evaluation_plots import cell_counts, reward_course
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.evaluation_strips import chosen_trials
from rfs_learning.method_results import MethodResults, compare, groups_of
from rfs_learning.protocol import Protocol
from rfs_learning.report_command import main as report
from rfs_learning.robot_choice import RobotChoice
from rfs_learning.rollout import Trial
from rfs_learning.table_region import TableRegion
from rfs_sim_bridge.task_config import TaskConfig

PROTOCOL = Protocol(("box",), ("mug",), 3, 2)
SHORT = "episode_seconds: 0.5\n"


def record(successes, **changes):
    """Three boxes and two mugs; successes says which ones succeeded."""
    names = ["box"] * 3 + ["mug"] * 2
    trials = [
        Trial(name, seed, won, 2.0, 0.1, "" if won else "weak grasp", (0.6, 0.16 - 0.08 * seed), (0.1, 0.5))
        for seed, (name, won) in enumerate(zip(names, successes, strict=True))
    ]
    values = {"name": "a", "policy": "p", "checkpoint": "default", "policy_seed": 0, "protocol": PROTOCOL}
    values |= {"task": TaskConfig.default(), "robot": RobotChoice(), "trials": tuple(trials)}
    return EvaluationRecord(**{**values, **changes})


def test_a_record_is_what_it_was_after_reading(tmp_path):
    robot = RobotChoice("target", 0.5)
    written = record([1, 0, 1, 0, 0], robot=robot, task=robot.of_task(TaskConfig.default()), modulation="m")
    written.write(tmp_path / "new" / "a.json")
    read = EvaluationRecord.read(tmp_path / "new" / "a.json")
    assert replace(read, trials=()) == replace(written, trials=())
    assert [trial.rewards for trial in read.trials] == [trial.rewards for trial in written.trials]
    assert [bool(t.success) for t in read.trials] == [True, False, True, False, False]
    rows = {row["object"]: row for row in json.loads((tmp_path / "new" / "a.json").read_text())["rows"]}
    assert (rows["known"]["successes"], rows["unknown"]["trials"], rows["all"]["successes"]) == (2, 2, 2)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "rfs-evaluation", "version": 99}'])
def test_a_file_that_is_no_evaluation_is_named(tmp_path, capsys, text):
    file = tmp_path / "a.json"
    file.write_text(text)
    assert report([str(file), "-o", str(tmp_path / "page.html")]) == 1
    assert "rfs evaluate --json" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_runs_of_one_method_are_averaged():
    method = MethodResults("a", (record([1, 1, 1, 0, 0]), record([1, 0, 0, 0, 1])))
    rate = method.rate(("box",))
    assert rate is not None
    assert rate.mean == pytest.approx((3 / 3 + 1 / 3) / 2)
    assert 0.0 <= rate.low < rate.mean < rate.high <= 1.0
    assert method.failures() == Counter({"weak grasp": 5})
    assert groups_of([method]) == {"known": ("box",), "unknown": ("mug",), "all": ("box", "mug")}


def test_methods_that_faced_the_same_episodes_are_paired():
    one, two = (MethodResults(n, (record(s),)) for n, s in (("a", [1, 1, 1, 1, 0]), ("b", [1, 0, 0, 0, 0])))
    difference = compare(one, two)
    assert difference is not None
    assert difference.paired
    assert difference.estimate.mean == pytest.approx(0.6)
    assert difference.test is not None
    assert (difference.test.only_first, difference.test.only_second) == (3, 0)


def test_methods_with_other_episodes_are_not():
    one = MethodResults("a", (record([1, 1, 1, 1, 0]),))
    other = tuple(replace(trial, seed=trial.seed + 100) for trial in one.records[0].trials)
    two = MethodResults("b", (replace(one.records[0], trials=other),))
    difference = compare(one, two)
    assert difference is not None
    assert not difference.paired
    assert difference.estimate.low < 0.0 < difference.estimate.high


def test_the_same_episodes_on_another_robot_are_not():
    target = RobotChoice("target", 1.0)
    one, other = record([1, 1, 1, 1, 0]), record([1, 0, 0, 0, 0], robot=target)
    other = replace(other, task=target.of_task(other.task))
    difference = compare(MethodResults("a", (one,)), MethodResults("b", (other,)))
    assert difference is not None
    assert not difference.paired


ON_TARGET = {
    "robot": RobotChoice("target", 1.0),
    "task": RobotChoice("target", 1.0).of_task(TaskConfig.default()),
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (ON_TARGET, "robot (target robot (severity 1) instead of training robot)"),
        ({"task": TaskConfig.from_dict({"episode_seconds": 5.0})}, "task.episode_seconds (5.0"),
        ({"protocol": None}, "protocol (none instead"),
        ({"modulation": "m"}, "modulation (some instead of none)"),
        ({}, "no two training seeds"),
    ],
)
def test_what_is_not_one_method_is_not_merged(tmp_path, capsys, changes, named):
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    record([1, 0, 1, 0, 0]).write(tmp_path / "a.json")
    record([1, 0, 1, 0, 0], **changes).write(tmp_path / "b.json")
    page = tmp_path / "page.html"
    assert report([*files, "-o", str(page), "--strips", "0"]) == 1
    assert named in capsys.readouterr().err
    assert not page.exists()
    assert report([files[0], f"other={files[1]}", "-o", str(page), "--strips", "0"]) == 0


@pytest.mark.parametrize("changes", [{"policy": "q"}, {"modulation": "n"}, {"policy_seed": 1}])
def test_seeds_of_one_method_are_one_row(tmp_path, changes):
    first = record([1, 0, 1, 0, 0], modulation="m")
    for name, one in {"a": first, "b": replace(first, **changes)}.items():
        one.write(tmp_path / f"{name}.json")
    files = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert report([*files, "-o", str(tmp_path / "page.html"), "--strips", "0"]) == 0
    assert "2 seeds" in (tmp_path / "page.html").read_text()


def test_a_method_without_a_name_is_called_by_its_run():
    assert method_name("default", None) == "default"
    assert method_name("default", "runs/a/modulation.safetensors") == "runs/a/modulation"
    assert method_name("default", "runs/b/offline/") == "runs/b/offline"


def test_cells_and_rewards():
    method = MethodResults("a", (record([1, 0, 1, 0, 0]),))
    won, tried = cell_counts(method, TableRegion())
    assert tried.sum() == 5
    assert won[1].tolist()[::-1] == [1, 0, 1, 0, 0]  # the first one stood to the robot's left
    times, mean, half = reward_course(method)
    np.testing.assert_allclose((times, mean, half), ([0.1, 0.2], [0.1, 0.5], [0.0, 0.0]), atol=1e-9)


def test_more_runs_of_the_same_episodes_do_not_narrow_the_reward():
    run = record([1, 0, 1, 0, 0])
    trials = tuple(replace(trial, rewards=(float(k),)) for k, trial in enumerate(run.trials))
    run = replace(run, trials=trials)
    _, _, one = reward_course(MethodResults("a", (run,)))
    _, _, three = reward_course(MethodResults("a", (run, run, run)))
    assert one[0] > 0.0
    np.testing.assert_allclose(three, one)


def test_an_episode_that_ended_keeps_its_last_reward():
    first = record([1, 0, 1, 0, 0]).trials[0]
    trials = (replace(first, rewards=(0.0, 1.0)), replace(first, rewards=(0.0, 0.0, 0.5)))
    _, mean, _ = reward_course(MethodResults("a", (record([1] * 5, trials=trials),)))
    assert mean.tolist() == [0.0, 0.5, 0.75]


def test_strips_show_different_failures():
    trials = [Trial("box", i, i == 0, 1.0, 0.0, r) for i, r in enumerate(["", "x", "x", "y"])]
    assert [trial.seed for trial in chosen_trials(trials, 2)] == [0, 1, 3]


def test_a_page_of_real_episodes_stands_alone(tmp_path):
    task, protocol = tmp_path / "task.yaml", tmp_path / "protocol.yaml"
    task.write_text(SHORT)
    protocol.write_text("known: [box]\nknown_trials: 1\nunknown: [mug]\nunknown_trials: 1\n")
    words = ["--task", str(task), "--protocol", str(protocol), "--robot", "target"]
    files = [tmp_path / f"{name}.json" for name in ("base", "adapted")]
    for file in files:
        assert evaluate([*words, "--json", str(file)]) == 0
    page = tmp_path / "page.html"
    assert report([f"zero-shot={files[0]}", f"RFS={files[1]}", "-o", str(page), "--strips", "1"]) == 0
    text = page.read_text()
    assert "simulated target robot" in text
    assert "nothing here was measured on hardware" in text
    for words in ("zero-shot", "RFS", "known", "unknown", "hand never closed", "0 : 0 episodes"):
        assert words in text
    assert set(re.findall(r'src="([^:]*):', text)) == {"data"}
    assert "http" not in text
    assert text.count("<img") == 4 + 2


def test_pictures_that_cannot_be_made_are_said(tmp_path):
    file = tmp_path / "a.json"
    record([1, 0, 1, 0, 0], policy="another").write(file)
    assert report([str(file), "-o", str(tmp_path / "page.html")]) == 0
    assert "No pictures: the checkpoints at default" in (tmp_path / "page.html").read_text()


def test_a_method_without_trials_has_an_empty_row(tmp_path):
    record([1, 0, 1, 0, 0]).write(tmp_path / "a.json")
    record([1] * 5, trials=()).write(tmp_path / "b.json")
    files = [str(tmp_path / "a.json"), f"nothing={tmp_path / 'b.json'}"]
    assert report([*files, "-o", str(tmp_path / "page.html"), "--strips", "0"]) == 0
    assert "<tr><td>nothing<td>0<td>" in (tmp_path / "page.html").read_text()


def test_protocol_and_objects_contradict_each_other(capsys):
    assert evaluate(["--protocol", "paper", "--objects", "box"]) == 1
    assert "leave out --objects" in capsys.readouterr().out
