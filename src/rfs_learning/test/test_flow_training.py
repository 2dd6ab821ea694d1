"""Training learns, resumes bit for bit, writes what it promises and refuses what does not fit."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.flow_config import FlowConfig
from rfs_learning.flow_data import ChunkData, augment, subset
from rfs_learning.flow_training import FlowTraining, learning_rate, main
from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.layout import DELTA_POSE
from rfs_policy.network import NetworkConfig
from rfs_policy.policy import FlowPolicy
from rich.progress import Progress, TextColumn

LAYOUT = replace(DELTA_POSE, cloud_points=16)
NETWORK = NetworkConfig(point_widths=(16,), keypoints=2, context_dim=16, velocity_width=32, velocity_depth=2)


def small(**changes) -> FlowConfig:
    """Settings for seconds instead of hours."""
    values = {"steps": 30, "batch": 16, "draws": 2, "points": 8, "warmup": 5, "log_every": 10}
    values |= {"save_every": 10, "threads": 1, "validation": 0.2, "network": NETWORK}
    return replace(FlowConfig.load(), **(values | changes))


def episode(rng: np.random.Generator, steps: int) -> EpisodeData:
    """The palm should move towards the middle of the points."""
    middle = rng.normal(size=(steps, 1, 3)) * 0.1 + [0.5, 0.0, 0.1]
    cloud = (middle + 0.02 * rng.normal(size=(steps, 16, 3))).astype(np.float32)
    state = np.zeros((steps, 48), np.float32)
    state[:, 23:26] = [0.5, 0.0, 0.3]
    state[:, [26, 30]] = 1.0
    action = np.zeros((steps, 22), np.float32)
    action[:, :3] = middle[:, 0] - state[:, 23:26]
    return EpisodeData(cloud, state, action, action, "box", 0, True)


@pytest.fixture
def demos(tmp_path):
    """A dataset of 12 short episodes."""
    dataset, rng = DemoDataset.create(tmp_path / "demos.zarr", LAYOUT), np.random.default_rng(0)
    dataset.append([episode(rng, 10 + i) for i in range(12)])
    return tmp_path / "demos.zarr"


@pytest.fixture
def data(demos):
    return ChunkData.load([demos], LAYOUT)


def run(training: FlowTraining, until: int | None = None) -> None:
    training.output.mkdir(parents=True, exist_ok=True)
    with Progress(TextColumn(""), disable=True) as progress:
        training.run(progress, until)


def test_chunks_stop_at_the_end_of_their_episode(data):
    last = int(data.last[0])
    chunk = data.chunks(torch.tensor([0, last]), 3)
    torch.testing.assert_close(chunk[0], data.actions[:3])
    torch.testing.assert_close(chunk[1], data.actions[last].expand(3, -1))
    assert data.episodes[last + 1] == data.episodes[last] + 1


def test_joined_datasets_keep_their_episodes_apart(demos, data):
    both = ChunkData.load([demos, demos], LAYOUT)
    assert len(both) == 2 * len(data)
    torch.testing.assert_close(both.last[len(data) :], data.last + len(data))
    assert int(both.episodes[-1]) == 2 * int(data.episodes[-1]) + 1


def test_validation_shares_no_episode_with_training(data):
    train, validation = data.split(0.25, seed=1)
    assert len(train) + len(validation) == len(data)
    assert not set(data.episodes[train].tolist()) & set(data.episodes[validation].tolist())


def test_augmentation_moves_clouds_rigidly(data):
    config = small(point_noise=0.0, cloud_rotation=0.001)
    cloud = data.clouds[:4].float()
    moved, _ = augment(cloud, data.states[:4], config, torch.Generator().manual_seed(0))
    assert (moved - cloud).abs().max() > 1e-4
    torch.testing.assert_close(torch.cdist(moved, moved), torch.cdist(cloud, cloud), atol=1e-4, rtol=1e-3)


def test_subset_takes_points_of_its_own_cloud(data):
    chosen = subset(data.clouds, torch.tensor([3, 5]), 8, torch.Generator().manual_seed(0))
    for row, index in zip(chosen, (3, 5), strict=True):
        assert {tuple(p) for p in row.tolist()} <= {tuple(p) for p in data.clouds[index].float().tolist()}


def test_loss_falls(data, tmp_path):
    config = small(steps=150, batch=64, draws=4, learning_rate=3e-3)
    training = FlowTraining(data, LAYOUT, config, tmp_path / "run")
    losses = [training.step()["loss"] for _ in range(150)]
    assert np.mean(losses[-20:]) < 0.75 * np.mean(losses[:10])


def test_resumed_run_equals_an_uninterrupted_one(data, tmp_path):
    whole = FlowTraining(data, LAYOUT, small(), tmp_path / "whole")
    run(whole)
    run(FlowTraining(data, LAYOUT, small(), tmp_path / "parts"), until=13)
    resumed = FlowTraining(data, LAYOUT, small(), tmp_path / "parts")
    resumed.state.restore(tmp_path / "parts")
    assert resumed.state.step == 13
    run(resumed)
    for name, value in whole.state.average.state_dict().items():
        assert torch.equal(value, resumed.state.average.state_dict()[name]), name
    assert load_checkpoint(tmp_path / "whole").id == load_checkpoint(tmp_path / "parts").id


def test_interrupt_saves_and_ends(data, tmp_path):
    training = FlowTraining(data, LAYOUT, small(), tmp_path / "run")
    take_step = training.step

    def interrupted_step() -> dict[str, float]:
        if training.state.step == 4:
            signal.raise_signal(signal.SIGINT)
        return take_step()

    training.step = interrupted_step
    run(training)
    resumed = FlowTraining(data, LAYOUT, small(), tmp_path / "run")
    resumed.state.restore(tmp_path / "run")
    assert resumed.state.step == 5


def test_learning_rate_warms_up_and_ends_at_zero():
    config = small(steps=100, warmup=10)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] < rates[5] < rates[10]
    assert max(rates) <= config.learning_rate
    assert rates[100] == pytest.approx(0.0)


def test_command_line_writes_run(demos, tmp_path, monkeypatch):
    monkeypatch.setattr("rfs_learning.flow_training.DELTA_POSE", LAYOUT)
    settings = tmp_path / "small.yaml"
    settings.write_text("{steps: 4, batch: 8, draws: 2, points: 8, log_every: 2, save_every: 2, threads: 1}")
    output = tmp_path / "run"
    command = ["--data", str(demos), "--output", str(output), "--config", str(settings)]
    assert main(command) == 0
    entries = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4]
    assert json.loads((output / "config.json").read_text())["training"]["steps"] == 4
    assert (output / "loss.png").stat().st_size > 1000
    assert FlowPolicy.load(output, LAYOUT).base.steps == 10
    (output / "metrics.jsonl").open("a").write('{"step": 5}\n{"torn')
    assert main([*command, "--resume", "--steps", "6"]) == 0
    entries = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4, 6]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere.zarr"], "nowhere.zarr"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--resume"], "nothing to resume"),
    ],
)
def test_command_line_says_what_is_wrong(demos, tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("rfs_learning.flow_training.DELTA_POSE", LAYOUT)
    assert main(["--data", str(demos), "--output", str(tmp_path / "run"), *arguments]) == 1
    assert words in capsys.readouterr().err


def test_demonstrations_of_another_rate_are_refused(tmp_path, capsys):
    DemoDataset.create(tmp_path / "fast.zarr", replace(DELTA_POSE, rate_hz=20.0))
    assert main(["--data", str(tmp_path / "fast.zarr"), "--output", str(tmp_path / "run")]) == 1
    assert "rate_hz: 10.0 against 20.0" in capsys.readouterr().err


def test_unknown_setting_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("learning_rat: 1.0")
    with pytest.raises(ValueError, match="learning_rat"):
        FlowConfig.load(tmp_path / "bad.yaml")
