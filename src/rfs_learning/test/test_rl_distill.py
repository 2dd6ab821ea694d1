"""Distillation end to end with the scripted expert: rounds, resuming, report, errors."""

import json
import shutil
import signal
from dataclasses import replace
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
import yaml
from rfs_learning.dataset import DemoDataset
from rfs_learning.flow_training import FlowTraining
from rfs_learning.rl import distill_stages
from rfs_learning.rl.distill import distill, main
from rfs_learning.rl.distill_config import DistillConfig, EpisodeCounts
from rfs_learning.rl.distill_stages import Distillation
from rfs_learning.rl.distill_teachers import ScriptedTeacher
from rfs_policy.checkpoint import file_id, load_checkpoint
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig

NETWORK = {
    "point_widths": [16],
    "keypoints": 2,
    "context_dim": 16,
    "velocity_width": 32,
    "velocity_depth": 2,
    "time_features": 4,
}
TINY = {
    "objects": ["cylinder", "box"],
    "rollouts": 3,
    "environments": 2,
    "task": {"episode_seconds": 4.0, "timestep": 0.005, "cloud": {"camera_spread": 0.2}},
    "student": {"network": NETWORK, "steps": 4, "batch": 8, "draws": 2, "points": 16, "threads": 1},
    "rounds": 1,
    "round_rollouts": 2,
    "round_student": {"steps": 3},
    "round_episodes": {"training": 2, "heldout": 0},
    "final_episodes": {"training": 2, "heldout": 1},
}
TEACHER = ScriptedTeacher(0)


def tiny(**changes) -> DistillConfig:
    """A distillation of seconds: its student can not grasp anything, so that there is a second round."""
    packaged = files("rfs_learning").joinpath("config/distill.yaml").read_text()
    return DistillConfig.from_dict(yaml.safe_load(packaged) | TINY | changes)


@pytest.fixture(scope="module", autouse=True)
def brief_evaluations():
    """Students that fail do so in one second."""
    with pytest.MonkeyPatch.context() as patch:
        brief = partial(distill_stages.evaluate, config=TaskConfig.from_dict({"episode_seconds": 1.0}))
        patch.setattr(distill_stages, "evaluate", brief)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder and report of one uninterrupted run."""
    folder = tmp_path_factory.mktemp("distill") / "run"
    return folder, distill(tiny(), TEACHER, folder, resume=False)


def test_result_is_a_policy_of_the_stack(run):
    folder, report = run
    policy = FlowPolicy.load(folder, DELTA_POSE, runtime="onnx")
    assert policy.id == report["policy"] == file_id(folder / "policy.safetensors")


def test_report_tells_every_round_and_says_that_the_goal_was_missed(run):
    folder, report = run
    assert report == json.loads((folder / "report.json").read_text())
    assert [entry["driver"] for entry in report["rounds"]] == ["teachers", "student"]
    assert [entry["episodes"] for entry in report["rounds"]] == [3, 2]
    assert [entry["student"]["step"] for entry in report["rounds"]] == [4, 3]
    assert [row["object"] for row in report["training"]] == ["cylinder", "box", "all"]
    assert report["heldout"][-1]["trials"] == 1
    assert (report["reached"], report["goal"]) == (False, 0.95)
    assert report["config"]["teachers"] == TEACHER.records


def test_teachers_rollouts_are_successes(run):
    dataset = DemoDataset.open(run[0] / "round_0" / "rollouts.zarr")
    assert dataset.array("success")[:].all()
    assert {str(name) for name in dataset.array("object")[:]} == {"cylinder", "box"}


def test_rollouts_are_seen_as_the_settings_say(run):
    """Their clouds are those of the randomized cameras, not of the packaged ones."""
    episode = DemoDataset.open(run[0] / "round_0" / "rollouts.zarr").episode(0)
    clouds = []
    for config in (tiny().task, replace(tiny().task, cloud=TaskConfig.default().cloud)):
        task = GraspTask(config, 1, [episode.object])
        task.reset([episode.seed])
        clouds.append(task.clouds()[0])
    np.testing.assert_array_equal(episode.point_cloud[0], clouds[0])
    assert np.abs(episode.point_cloud[0] - clouds[1]).max() > 0.005


def test_student_drives_its_round_and_failures_are_kept(run):
    dataset = DemoDataset.open(run[0] / "round_1" / "rollouts.zarr")
    assert not dataset.array("success")[:].any()
    executed, label = dataset.array("executed")[:], dataset.array("action")[:]
    assert np.abs(executed - label)[:, 6:].max() > 0.05
    assert not {int(s) for s in dataset.array("seed")[:]} & {
        int(s) for s in DemoDataset.open(run[0] / "round_0" / "rollouts.zarr").array("seed")[:]
    }


def test_round_goes_on_from_the_last_student_with_all_rollouts(run):
    """A training from scratch would fit its normalization to its own data."""
    folder, _ = run
    first, second = (load_checkpoint(folder / f"round_{n}" / "student").tensors for n in (0, 1))
    for name in ("state_mean", "state_std", "action_mean", "action_std"):
        np.testing.assert_array_equal(first[name], second[name])
    record = json.loads((folder / "round_1" / "student" / "config.json").read_text())
    assert record["data"] == [str(folder / f"round_{n}" / "rollouts.zarr") for n in (0, 1)]


def test_goal_reached_ends_the_rounds(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "run")
    report = distill(tiny(goal=0.0), TEACHER, tmp_path / "run", resume=True)
    assert len(report["rounds"]) == 1
    assert report["reached"]


def test_run_stopped_anywhere_goes_on_to_the_same_policy(run, tmp_path, monkeypatch):
    output, evaluate, step = tmp_path / "run", distill_stages.evaluate, FlowTraining.step

    def stopped(*_args, **_options):
        raise KeyboardInterrupt

    def stopped_step(training: FlowTraining) -> float:
        signal.raise_signal(signal.SIGINT)
        return step(training)

    monkeypatch.setattr(FlowTraining, "step", stopped_step)
    with pytest.raises(KeyboardInterrupt):  # after one step of training
        distill(tiny(), TEACHER, output, resume=False)
    monkeypatch.setattr(FlowTraining, "step", step)
    monkeypatch.setattr(distill_stages, "evaluate", stopped)
    with pytest.raises(KeyboardInterrupt):  # before the first evaluation
        distill(tiny(), TEACHER, output, resume=True)
    monkeypatch.setattr(distill_stages, "evaluate", evaluate)
    assert distill(tiny(), TEACHER, output, resume=True)["policy"] == run[1]["policy"]


def test_students_of_all_objects_have_none_held_out(run, monkeypatch):
    """No names would stand for the training objects."""
    folder, _ = run
    asked = []
    monkeypatch.setattr(distill_stages, "print_table", lambda *_: None)
    monkeypatch.setattr(distill_stages, "object_names", lambda _: ["cylinder"])
    monkeypatch.setattr(distill_stages, "evaluate", lambda _, names, *__, **___: asked.append(names) or [])
    stages = Distillation(tiny(), TEACHER, folder)
    found = stages._evaluate(folder / "policy.safetensors", EpisodeCounts(1, 1), 0, folder / "other.json")
    assert asked == [("cylinder", "box")]
    assert found.heldout == []


def test_finished_run_is_passed_over(run, monkeypatch):
    folder, report = run
    for name in ("teacher_rollouts", "student_rollouts", "train", "evaluate"):
        monkeypatch.setattr(distill_stages, name, lambda *_args, **_options: pytest.fail("done again"))
    assert distill(tiny(), TEACHER, folder, resume=True) == report


@pytest.mark.parametrize(
    ("settings", "resume", "message"),
    [
        (tiny(), False, "--resume"),
        (tiny(seed=7), True, "another 'seed'"),
        (tiny(student=TINY["student"] | {"steps": 5}), True, "another 'student'"),
    ],
)
def test_other_settings_do_not_mix_with_a_run(run, settings, resume, message):
    with pytest.raises((ValueError, OSError), match=message):
        distill(settings, TEACHER, run[0], resume)


def test_other_teacher_does_not_mix_with_a_run(run):
    with pytest.raises(ValueError, match="another 'teachers'"):
        distill(tiny(), ScriptedTeacher(3), run[0], resume=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rolouts": 5}, "unknown entry 'rolouts'"),
        ({"objects": ["banana"]}, "unknown object 'banana'"),
        ({"task": {"control_rate": 20.0}}, "acts at 10 Hz"),
        ({"rollouts": 0}, "'rollouts' must be at least 1"),
        ({"hold_seconds": -0.1}, "hold_seconds must be 0 or more seconds, got -0.1"),
        ({"hold_seconds": float("inf")}, "hold_seconds must be 0 or more seconds, got inf"),
        ({"seed": 900_000}, "seeds of evaluations"),
        ({"round_episodes": {"trainning": 1}}, "unknown entry 'trainning'"),
        ({"round_episodes": 5}, "round_episodes must be a mapping"),
        ({"objects": 5}, "objects must be a list of names"),
        ({"student": 4}, "student must be a mapping"),
        ({"student": {"network": {"keypoints": 2}}}, "network has no entry"),
        ({"student": {"batch": "many"}}, "batch must be a whole number"),
        ({"rollouts": "many"}, "rollouts must be a whole number"),
        ({"rounds": 1.5}, "rounds must be a whole number"),
        ({"goal": "high"}, "goal must be a number"),
        ({"goal": 95}, "goal is a share"),
        ({"perturb": 1}, "perturb must be true or false"),
        (["rollouts"], "must be a mapping of settings"),
        ({"round_student": {"stepps": 1}}, "stepps"),
    ],
)
def test_bad_settings_are_named(tmp_path, capsys, settings, message):
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(settings))
    assert main(["--teacher", "expert", "--config", str(file), "--output", str(tmp_path / "run")]) == 2
    assert message in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "run").exists()


def test_what_is_no_yaml_and_a_run_of_another_command_are_named(tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text("rollouts: [")
    config = ["--config", str(tmp_path / "bad.yaml")]
    assert main(["--teacher", "expert", *config, "--output", str(tmp_path / "run")]) == 2
    assert "is not YAML" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "config.json").write_text("{}")
    assert main(["--teacher", "expert", "--resume", "--output", str(tmp_path)]) == 2
    assert "holds a run of another command" in " ".join(capsys.readouterr().out.split())


def test_missing_run_and_missing_teacher_are_named(tmp_path, capsys):
    assert main(["--teacher", "expert", "--resume", "--output", str(tmp_path / "run")]) == 2
    assert "nothing to resume" in " ".join(capsys.readouterr().out.split())
    assert main(["--teacher", str(tmp_path / "no"), "--output", str(tmp_path / "run")]) == 2
    assert "no policy at" in " ".join(capsys.readouterr().out.split())


def test_a_settings_file_changes_what_it_names_and_nothing_beside_it(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("student: {batch: 32}\nround_student: {warmup: 7}\n")
    mine, usual = DistillConfig.load(str(file)), DistillConfig.load()
    assert (mine.student.batch, mine.round_student.batch, mine.round_student.warmup) == (32, 32, 7)
    assert mine.round_student.steps == usual.round_student.steps
    assert mine.task == usual.task
