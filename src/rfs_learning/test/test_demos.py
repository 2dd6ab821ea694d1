"""Collecting demonstrations: sizes, labels, resuming, errors."""

import json

import numpy as np
import pytest
from rfs_learning.collection import Collector, Quota
from rfs_learning.dataset import DemoDataset
from rfs_learning.demos import DemoConfig, collect, main, success_rows
from rfs_learning.expert import ExpertConfig
from rfs_learning.perturbation import Perturbation, PerturbationConfig
from rfs_learning.replay import writing

from rfs_learning import demos

QUICK = {"objects": ("cylinder", "small_box"), "envs": 4}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DemoDataset:
    return collect(DemoConfig(count=4, **QUICK), tmp_path_factory.mktemp("demos") / "demos.zarr")


def test_dataset_has_the_replay_layout(dataset):
    assert len(dataset) == 4
    steps = dataset.steps
    assert dataset.episode_ends[-1] == steps
    assert dataset.array("point_cloud").shape == (steps, 1024, 3)
    assert dataset.array("state").shape == (steps, 48)
    assert dataset.array("action").shape == dataset.array("executed").shape == (steps, 22)
    assert {str(o) for o in dataset.array("object")[:]} == set(QUICK["objects"])
    assert all(dataset.episode(i).success for i in range(4))
    for name in ("point_cloud", "state", "action"):
        assert dataset.array(name).dtype == np.float32
        assert np.isfinite(dataset.array(name)[:]).all()


def test_episode_is_an_episode_of_the_task(dataset):
    """The first row is the task's start for that seed, the last commanded fingers are what was executed."""
    from rfs_sim_bridge.grasp_task import GraspTask

    episode = dataset.episode(0)
    task = GraspTask(num_envs=1, objects=[episode.object])
    task.reset([episode.seed])
    np.testing.assert_array_equal(task.state()[0], episode.state[0])
    np.testing.assert_array_equal(task.clouds()[0], episode.point_cloud[0])
    np.testing.assert_allclose(episode.state[1:, 32:], episode.executed[:-1, 6:], atol=1e-6)
    moved = episode.state[1:, 23:26] - episode.state[:-1, 23:26]
    np.testing.assert_allclose(moved, episode.executed[:-1, :3], atol=1e-6)


def test_settings_are_beside_the_data(dataset):
    settings = json.loads(dataset.path.with_suffix(".json").read_text())
    assert settings["demos"]["count"] == 4
    assert settings["task"]["control_rate"] == 10.0
    assert dataset.config == settings
    assert dataset.layout.rate_hz == 10.0


def test_interrupted_collection_continues(tmp_path):
    path = tmp_path / "demos.zarr"
    collect(DemoConfig(count=2, **QUICK), path)
    first = DemoDataset.open(path).episode(0)
    whole = collect(DemoConfig(count=4, **QUICK), path, resume=True)
    assert len(whole) == 4
    pairs = [(str(o), int(s)) for o, s in zip(whole.array("object")[:], whole.array("seed")[:], strict=True)]
    assert len(set(pairs)) == 4
    np.testing.assert_array_equal(whole.episode(0).action, first.action)


def test_stopped_collection_keeps_its_episodes(tmp_path, monkeypatch):
    class Stopped(Collector):
        def episodes(self, quota):
            for count, episode in enumerate(super().episodes(quota)):
                yield episode
                if count == 1:
                    raise KeyboardInterrupt

    monkeypatch.setattr(demos, "Collector", Stopped)
    path = tmp_path / "demos.zarr"
    with pytest.raises(KeyboardInterrupt):
        collect(DemoConfig(count=4, **QUICK), path)
    assert len(DemoDataset.open(path)) == 2


def test_other_rate_cannot_continue_a_dataset(dataset):
    with pytest.raises(ValueError, match="rate_hz"):
        collect(DemoConfig(count=6, rate=20.0, **QUICK), dataset.path, resume=True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 7}, r"seed \(7 instead of 0\)"),
        ({"objects": ("mug",)}, "objects"),
        ({"expert": ExpertConfig(noise=0.5)}, "expert.noise"),
        ({"perturb": False}, "perturb"),
    ],
)
def test_other_settings_cannot_continue_a_dataset(dataset, changes, named):
    with pytest.raises(ValueError, match=f"was begun with other settings: {named}"):
        collect(DemoConfig(count=6, **{**QUICK, **changes}), dataset.path, resume=True)
    assert len(DemoDataset.open(dataset.path)) == 4


def test_perturbation_changes_what_is_executed_not_the_label():
    perturbation = Perturbation(2, 0.1, PerturbationConfig(chance=1.0))
    perturbation.reset([0, 1], [3, 4])
    labels = np.zeros((2, 22))
    executed = np.stack([perturbation.apply(labels, np.zeros(2)) for _ in range(20)])
    assert (labels == 0).all()
    assert np.abs(executed).max() > 0.005
    assert np.abs(executed[..., :3]).max() < 0.03


def test_quota_stops_when_enough_succeeded_and_gives_up_in_the_end():
    quota = Quota(["box"], 2)
    first, second = quota.next(), quota.next()
    assert first == ("box", 0)
    assert second == ("box", 1)
    assert quota.next() is None
    quota.report("box", True)
    quota.report("box", False)
    assert quota.next() == ("box", 2)
    tries = 0
    while quota.next():
        quota.report("box", False)
        tries += 1
    assert tries < 30


def test_success_rows():
    rows = success_rows([("box", 0, True), ("box", 1, False), ("mug", 0, True)])
    assert [(r["object"], r["successes"], r["trials"]) for r in rows] == [("box", 1, 2), ("mug", 1, 1)]
    assert rows[0]["low"] < 0.5 < rows[0]["high"]


def test_command_line_reports_and_writes_json(tmp_path, capsys):
    out, report = tmp_path / "d.zarr", tmp_path / "r.json"
    arguments = ["--count", "1", "--objects", "capsule", "--output", str(out), "--json", str(report)]
    assert main(arguments) == 0
    summary = json.loads(report.read_text())
    assert summary["episodes"] == 1
    assert summary["objects"][0]["object"] == "capsule"
    assert "capsule" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "exists" in capsys.readouterr().out


def test_two_collections_do_not_write_one_dataset(tmp_path, capsys):
    output = tmp_path / "d.zarr"
    with writing(output):
        assert main(["--count", "1", "--objects", "capsule", "--output", str(output), "--resume"]) == 2
    assert "another process is writing" in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objects", "banana"], "unknown object 'banana'"),
        (["--rate", "15"], "10 or 20 Hz"),
        (["--count", "0"], "at least 1"),
        (["--seed", "1000000"], "seeds from 1000000 on are for evaluation"),
        (["--seed", "999000", "--count", "200"], "it must be 0 to 998392"),
        (["--seed", "-1"], "seed -1"),
    ],
)
def test_bad_arguments_are_named(tmp_path, capsys, arguments, message):
    assert main([*arguments, "--output", str(tmp_path / "d.zarr")]) == 2
    assert message in " ".join(capsys.readouterr().out.split())
