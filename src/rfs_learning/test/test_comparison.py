"""`./rfs compare`: methods over datasets and seeds, each run a training and an evaluation as processes."""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from offline_tiny import tiny_base, tiny_dataset
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.folder_lock import locked
from rfs_learning.offline.compare_command import main
from rfs_learning.offline.comparison import PACKAGED, Comparison
from rfs_learning.offline.comparison_report import write_report
from rfs_learning.offline.comparison_runs import ComparisonRuns, Run
from rfs_learning.protocol import Job, Protocol
from rfs_learning.robot_choice import RobotChoice
from rfs_learning.rollout import Trial
from rfs_learning.run_identity import contents_id
from rfs_sim_bridge.robot_shift import RobotShift
from rfs_sim_bridge.task_config import TaskConfig

SMALL = {
    "title": "A small one",
    "protocol": "paper",
    "severity": 1.0,
    "against": "rfs",
    "methods": {
        "zero_shot": {"label": "zero-shot"},
        "rfs": {"label": "RFS", "train": "offline", "settings": {"steps": 12}},
        "finetune": {"label": "BC", "train": "finetune", "settings": {"steps": 6}},
    },
}


def small(**changes: object) -> Comparison:
    return Comparison.from_dict("small", SMALL | changes)


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_comparisons_have_methods_that_differ(name):
    comparison = Comparison.load(name)
    made = [(c.datasets, str(c.training(0))) for c in comparison.contenders]
    assert len(set(made)) == len(made) > 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"protocol": "nonsense"}, "nonsense"),
        ({"severity": -1.0}, "severity"),
        ({"against": "nobody"}, "nobody"),
        ({"extra": 1}, "extra"),
        ({"methods": {"rfs": {"label": "alone"}}}, "two methods"),
        ({"methods": SMALL["methods"] | {"../b": {"label": "b"}}}, "../b"),
        ({"methods": SMALL["methods"] | {"b": {}}}, "label"),
        ({"methods": SMALL["methods"] | {"b": {"label": "b", "train": "magic"}}}, "magic"),
        ({"methods": SMALL["methods"] | {"b": {"label": "b", "train": "offline", "with": "d"}}}, "finetune"),
        ({"methods": SMALL["methods"] | {"b": {"label": "b", "settings": {"steps": 1}}}}, "not trained"),
        (
            {
                "methods": SMALL["methods"]
                | {"b": {"label": "b", "train": "offline", "settings": {"speed": 1}}}
            },
            "speed",
        ),
    ],
)
def test_what_makes_no_sense_is_named(changes, named):
    with pytest.raises(ValueError, match=named):
        small(**changes)


def record(label: str, successes: int, seed: int = 0) -> EvaluationRecord:
    """Trials of the paper's protocol; the first ones succeed."""
    protocol, robot = Protocol.load("paper"), RobotChoice("target", 1.0)
    names = [*protocol.known * 20, *protocol.unknown * 10]
    trials = tuple(
        Trial(Job(name, i).object, i, i < successes, 3.0, 0.2, "" if i < successes else "weak grasp")
        for i, name in enumerate(names)
    )
    task = robot.of_task(TaskConfig.default())
    return EvaluationRecord(label, "p" * 64, "default", seed, task, robot, trials, protocol=protocol)


def test_the_report_compares_with_the_method_that_is_named(tmp_path):
    for name, counts in {"zero_shot": (50, 52, 51), "rfs": (90, 95, 91)}.items():
        for seed, successes in enumerate(counts):
            record(name, successes, seed).write(tmp_path / name / f"{seed}.json")
    text = write_report(small(), tmp_path).read_text()
    assert text.startswith("# A small one")
    assert "| RFS | 3 |" in text
    assert "| BC | 0 | - | - | - |" in text
    ahead = next(
        line for line in text.split("What RFS is ahead")[1].splitlines() if line.startswith("| zero")
    )
    assert ahead.count("**") == 4, "unknown objects and all; the known ones always succeed"
    assert "| +0 [+0, +0] |" in ahead
    assert "+37" in ahead
    assert (tmp_path / "success.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_finished_is_a_page_as_well(tmp_path):
    assert "Nothing is finished yet" in write_report(small(), tmp_path).read_text()


# ---- runs ----
TRAIN = "rfs_learning.offline.offline_command"
FAKE = """
import json, os, signal, sys
from pathlib import Path
words = sys.argv[1:]
given = dict(zip(words[::2], words[1::2]))
out = Path(given["--json"])
out.parent.mkdir(parents=True, exist_ok=True)
with (Path(__file__).parent / "evaluated").open("a") as told:
    told.write(json.dumps(given) + "\\n")
if (Path(__file__).parent / "wait").exists():
    with (Path(__file__).parent / "begun").open("w") as begun:
        print(os.getpid(), file=begun, flush=True)
        signal.pause()
if (Path(__file__).parent / "fail").exists():
    sys.exit("no luck")
out.write_text((Path(__file__).parent / "record.json").read_text())
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Trainings are real, of a tiny policy; an evaluation writes a record that is there already."""
    base = tiny_base(tmp_path / "base")
    tiny_dataset(tmp_path / "data.zarr", base)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "fake_evaluation.py").write_text(FAKE)
    record("RFS", 60).write(tmp_path / "fake" / "record.json")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "fake"), *sys.path]))
    return tmp_path


TINY = {"steps": 12, "warmup": 4, "batch": 16, "hidden": [16], "critic_hidden": [16, 16]}
METHODS = {
    "zero_shot": {"label": "zero-shot"},
    "rfs": {"label": "RFS", "train": "offline", "settings": TINY},
}


def work(place: Path, **methods: object) -> tuple[ComparisonRuns, list[Run]]:
    comparison = small(methods=METHODS | methods)
    modules = {"offline": TRAIN, "evaluate": "fake_evaluation"}
    data = {"corrections": place / "data.zarr"}
    policy, output, results = str(place / "base"), place / "runs", place / "results"
    runs = [Run(contender, seed) for contender in comparison.contenders for seed in (0, 1)]
    return ComparisonRuns(comparison, data, policy, output, results, modules), runs


def evaluated(place: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (place / "fake" / "evaluated").read_text().splitlines()]


def test_every_run_is_trained_with_its_seed_and_evaluated_once(place):
    told: list[str] = []
    for _ in range(2):
        runner, runs = work(place)
        whole, failed = runner.run(runner.waiting(runs), 2, lambda run, what: told.append(f"{run}: {what}"))
        assert (whole, failed) == (True, {})
    assert sorted(told) == [
        f"{name}, seed {seed}: 60 of 110 episodes" for name in ("rfs", "zero_shot") for seed in (0, 1)
    ]
    modulations = {given["--policy-seed"]: given.get("--modulation") for given in evaluated(place)[2:]}
    weights = [Path(str(path), "modulation.safetensors").read_bytes() for path in modulations.values()]
    assert len(set(weights)) == 2
    config = json.loads((place / "runs" / "rfs" / "1" / "config.json").read_text())
    assert config["training"]["seed"] == 1


def test_other_settings_or_other_data_are_named_and_nothing_is_mixed(place):
    runner, runs = work(place)
    runner.run(runs[-1:], 1, lambda run, what: None)
    changed, runs = work(place, rfs={"label": "RFS", "train": "offline", "settings": TINY | {"batch": 8}})
    with pytest.raises(ValueError, match=r"'rfs' was begun with other settings: training.batch \(8"):
        changed.waiting(runs)
    tiny_dataset(place / "more.zarr", tiny_base(place / "base"), episodes=3)
    (place / "data.zarr").rename(place / "before.zarr")
    (place / "more.zarr").rename(place / "data.zarr")
    other, runs = work(place)
    with pytest.raises(ValueError, match=r"data\.corrections"):
        other.waiting(runs)


def test_another_protocol_under_the_same_name_is_named(place, monkeypatch):
    runner, runs = work(place)
    runner.run(runs[:1], 1, lambda run, what: None)
    file = place / "results" / "zero_shot" / "settings.json"
    paper, robot = Protocol.load("paper"), RobotShift.target(1.0)
    monkeypatch.setattr(Protocol, "load", lambda name: replace(paper, known_trials=30))
    with pytest.raises(ValueError, match=r"protocol_entries.known_trials \(30 instead of 20\)"):
        work(place)[0].waiting(runs)
    monkeypatch.undo()
    monkeypatch.setattr(RobotShift, "target", lambda severity: replace(robot, hand_gain=0.125))
    with pytest.raises(ValueError, match=r"robot_shift.hand_gain \(0.125"):
        work(place)[0].waiting(runs)
    settings = json.loads(file.read_text())
    for folder in ("results", "runs"):  # as the first comparisons left it
        first = {name: settings[name] for name in settings if name not in ("protocol_entries", "robot_shift")}
        (place / folder / "zero_shot" / "settings.json").write_text(json.dumps(first))
    assert work(place)[0].waiting(runs) == runs[1:]


def test_a_run_that_fails_leaves_the_others_alone_and_is_tried_again(place):
    (place / "fake" / "fail").touch()
    runner, runs = work(place)
    _, failed = runner.run(runs, 2, lambda run, what: None)
    assert len(failed) == 4
    assert all("'evaluate' ended with exit code 1" in problem for problem in failed.values())
    (place / "fake" / "fail").unlink()
    runner, runs = work(place)
    assert runner.run(runner.waiting(runs), 2, lambda run, what: None) == (True, {})


def test_a_dataset_that_a_method_needs_must_be_named(place):
    runner, runs = work(place, other={"label": "o", "train": "offline", "data": "ten", "settings": TINY})
    with pytest.raises(ValueError, match=r"'other' learns from 'ten': give --data ten=FOLDER"):
        runner.waiting(runs)
    with pytest.raises(FileNotFoundError, match="no dataset at"):
        contents_id(place / "nothing.zarr")


DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_comparison import work
runner, runs = work(Path(sys.argv[2]))
print(runner.run(runner.waiting(runs), 1, lambda run, what: print(run, what)))
"""


def test_ctrl_c_ends_what_runs_and_the_same_call_goes_on(place):
    os.mkfifo(place / "fake" / "begun")
    (place / "fake" / "wait").touch()
    command = [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with (place / "fake" / "begun").open() as begun:
        begun.readline()  # an evaluation has begun, and waits
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert output.splitlines()[-1] == "(False, {})"
    (place / "fake" / "wait").unlink()
    runner, runs = work(place)
    assert len(runner.waiting(runs)) == 4
    assert runner.run(runner.waiting(runs), 2, lambda run, what: None) == (True, {})


def test_what_runs_ends_with_the_process_that_started_it(place):
    os.mkfifo(place / "fake" / "begun")
    (place / "fake" / "wait").touch()
    command = [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(place)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with (place / "fake" / "begun").open() as begun:
        evaluation = int(begun.readline())
        process.kill()
        process.wait()
        ended, _, _ = select.select([begun], [], [], 20.0)  # its end of the pipe is closed
    if not ended:
        os.kill(evaluation, signal.SIGKILL)
    assert ended


def test_two_comparisons_do_not_work_in_one_folder(place, capsys):
    output, results = place / "runs", place / "results"
    words = ["figure6", "--methods", "zero_shot", "--policy", str(place / "base")]
    with locked(output):
        assert main([*words, "--output", str(output), "--results", str(results)]) == 1
    assert f"another comparison is at work in '{output}'" in capsys.readouterr().err
    assert not results.exists()


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["figure6", "--report"]) == 0
    assert main(["figure7"]) == 1
    assert main(["figure6", "--data", "corrections"]) == 1
    assert main(["figure6", "--methods", "nobody"]) == 1
    told = capsys.readouterr().err
    assert "no comparison 'figure7'" in told
    assert "NAME=FOLDER" in told
    assert "unknown method 'nobody'" in told
