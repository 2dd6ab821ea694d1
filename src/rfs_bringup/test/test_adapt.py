"""`./rfs adapt`: the whole chain through the nodes, small; what it passes over, goes on with, and refuses."""

import json
from pathlib import Path

import pytest
from rfs_learning.evaluation_record import EvaluationRecord

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")

from rfs_bringup.adapt_record import AdaptRecord
from rfs_bringup.adapt_steps import NAMES
from rfs_policy.modulation_checkpoint import load_modulation
from rfs_teleop.bag_folders import find_bags

from rfs_bringup import adapt

PROTOCOL = "known: [box]\nunknown: [mug]\nknown_trials: 1\nunknown_trials: 1\nregion: {rows: 1, columns: 1}\n"
TRAINING = "hidden: [8]\ncritic_hidden: [8]\nbatch: 8\nwarmup: 2\nlog_every: 2\nsave_every: 2\n"
EPISODES, STEPS = 2, 6


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is typed, without the folder of the results."""
    folder = tmp_path_factory.mktemp("settings")
    (folder / "protocol.yaml").write_text(PROTOCOL)
    (folder / "training.yaml").write_text(TRAINING)
    files = ["--protocol", str(folder / "protocol.yaml"), "--config", str(folder / "training.yaml")]
    return [*files, "--episodes", str(EPISODES), "--steps", str(STEPS), "--severity", "0.5"]


@pytest.fixture(scope="module")
def output(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("adapt") / "run"
    assert adapt.main(["-o", str(folder), *words]) == 0
    return folder


def finished(folder: Path) -> dict[str, bool]:
    record = AdaptRecord(folder / "adapt.json")
    return {name: record.finished(name) for name in NAMES}


def changed_at(file: Path) -> int:
    return file.stat().st_mtime_ns


@pytest.mark.ros
def test_the_chain_leaves_every_result(output: Path) -> None:
    assert finished(output) == dict.fromkeys(NAMES, True)
    assert len(find_bags([output / "bags"])) == EPISODES
    modulation = load_modulation(output / "offline")
    zero_shot, adapted = (EvaluationRecord.read(output / f"{name}.json") for name in ("zero-shot", "adapted"))
    assert (zero_shot.modulation, adapted.modulation) == ("", modulation.id)
    assert zero_shot.task == adapted.task
    assert zero_shot.robot.severity == 0.5
    assert [t.seed for t in zero_shot.trials] == [t.seed for t in adapted.trials]
    page = (output / "report.html").read_text()
    assert "simulated target robot" in page
    assert "RFS" in page


@pytest.mark.ros
def test_what_is_finished_is_passed_over(
    output: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: changed_at(output / name) for name in ("offline", "zero-shot.json", "report.html")}
    assert adapt.main(["-o", str(output), *words]) == 0
    said = capsys.readouterr().out
    assert all(f"{name} was done before" in said for name in NAMES)
    assert before == {name: changed_at(output / name) for name in before}


@pytest.mark.ros
def test_other_settings_are_named_and_nothing_is_done(
    output: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt.main(["-o", str(output), *words, "--severity", "0.75"]) == 1
    said = capsys.readouterr().err
    assert "step 'collect'" in said
    assert "severity (0.75 instead of 0.5)" in said
    assert "--from collect" in said
    assert finished(output) == dict.fromkeys(NAMES, True)


@pytest.mark.ros
def test_from_a_step_on_with_other_settings_keeps_what_was_there(output: Path, words: list[str]) -> None:
    before = load_modulation(output / "offline").id
    bags = changed_at(output / "bags")
    assert adapt.main(["-o", str(output), *words, "--method", "dsrl", "--from", "train"]) == 0
    after = load_modulation(output / "offline")
    assert after.id != before
    assert not after.config.residual
    kept = [path for path in output.glob("offline.before-*") if load_modulation(path).id == before]
    assert len(kept) == 1
    assert changed_at(output / "bags") == bags
    assert EvaluationRecord.read(output / "adapted.json").modulation == after.id
    assert "DSRL" in (output / "report.html").read_text()


@pytest.mark.ros
def test_a_step_alone_outdates_what_needs_it(output: Path, words: list[str]) -> None:
    settings = ["--method", "dsrl"]
    assert adapt.main(["-o", str(output), *words, *settings, "--only", "zero-shot"]) == 0
    assert finished(output) == {**dict.fromkeys(NAMES, True), "report": False}
    assert adapt.main(["-o", str(output), *words, *settings]) == 0
    assert all(finished(output).values())


@pytest.mark.ros
def test_a_training_that_was_interrupted_goes_on(
    output: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    steps = words.index(str(STEPS))
    longer = [*words[:steps], str(STEPS + 4), *words[steps + 1 :], "--method", "dsrl"]
    file = output / "adapt.json"
    content = json.loads(file.read_text())
    content["steps"]["train"] |= {"finished": False}
    content["steps"]["train"]["settings"]["training"]["steps"] = STEPS + 4
    file.write_text(json.dumps(content))
    assert adapt.main(["-o", str(output), *longer]) == 0
    assert "--resume" in capsys.readouterr().out
    assert load_modulation(output / "offline").training["step"] == STEPS + 4


@pytest.mark.ros
def test_bags_of_ones_own(output: Path, words: list[str], tmp_path: Path) -> None:
    assert (
        adapt.main(["-o", str(tmp_path / "own"), *words, "--bags", str(output / "bags"), "--only", "build"])
        == 0
    )
    record = AdaptRecord(tmp_path / "own" / "adapt.json")
    assert record.finished("build")
    assert not record.known("collect")
    assert (tmp_path / "own" / "corrections.zarr").is_dir()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--objects", "cow"], "unknown object 'cow'"),
        (["--severity", "-1"], "severity -1"),
        (["--policy", "/nowhere"], "nowhere"),
        (["--protocol", "/nowhere.yaml"], "give 'paper'"),
        (["--bags", "/nowhere"], "does not exist"),
        (["--episodes", "0"], "at least 1"),
        (["--seed", "1000000"], "--seed 1000000 with 50 episodes reaches into the scenes"),
        (["--seed", "999990", "--episodes", "11"], "choose a smaller one"),
        (["--steps", "0"], "steps"),
        (["--only", "train"], "step 'build' is not done yet"),
        (["--from", "report"], "step 'collect' is not done yet"),
    ],
)
def test_what_cannot_run_is_said_and_leaves_nothing(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapt.main(["-o", str(tmp_path / "run"), *arguments]) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bags").mkdir()
    assert adapt.main(["-o", str(tmp_path)]) == 1
    assert "is in the way" in capsys.readouterr().err
    (tmp_path / "adapt.json").write_text("[]")
    assert adapt.main(["-o", str(tmp_path)]) == 1
    assert "adapt.json" in capsys.readouterr().err
