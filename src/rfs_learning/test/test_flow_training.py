"""Training learns, resumes bit for bit, writes what it promises and refuses what does not fit."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.diverged import DivergedError
from rfs_learning.flow_config import FlowConfig
from rfs_learning.flow_data import ChunkData, augment, subset
from rfs_learning.flow_state import steps_done
from rfs_learning.flow_training import FlowTraining, learning_rate, main, save_checkpoint
from rfs_learning.folder_lock import locked
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


def test_what_an_interrupted_append_left_is_not_learned_from(demos, data):
    root = zarr.open_group(str(demos), mode="a")
    root["data/action"].append(np.ones((4, 22), np.float32))
    root["data/point_cloud"].append(np.ones((2, 16, 3), np.float32))
    both = ChunkData.load([demos, demos], LAYOUT)
    assert len(both) == len(both.actions) == len(both.clouds) == 2 * len(data)
    torch.testing.assert_close(both.actions[len(data) :], data.actions)
    torch.testing.assert_close(both.clouds[len(data) :], data.clouds)


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


def test_the_state_is_written_last(data, tmp_path, monkeypatch):
    """It tells how far the checkpoint has come."""

    def filling(folder, checkpoint):
        if checkpoint.config["step"] == 20:
            raise OSError(28, "No space left on device")
        save_checkpoint(folder, checkpoint)

    monkeypatch.setattr("rfs_learning.flow_training.save_checkpoint", filling)
    with pytest.raises(OSError, match="No space"):
        run(FlowTraining(data, LAYOUT, small(), tmp_path / "run"))
    assert steps_done(tmp_path / "run") == 10


@pytest.mark.parametrize("what", ["loss", "weight"])
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(data, tmp_path, what):
    training = FlowTraining(data, LAYOUT, small(), tmp_path / "run")
    run(training, until=10)
    good = load_checkpoint(tmp_path / "run").id
    if what == "loss":
        data.actions[:] = torch.nan
    else:
        training.state.average.action_std.fill_(torch.nan)
    with pytest.raises(DivergedError, match=f"{what}.* is no longer finite at step"):
        run(training)
    assert load_checkpoint(tmp_path / "run").id == good
    assert steps_done(tmp_path / "run") == 10


def test_learning_rate_warms_up_and_ends_at_zero():
    config = small(steps=100, warmup=10)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] < rates[5] < rates[10]
    assert max(rates) <= config.learning_rate
    assert rates[100] == pytest.approx(0.0)


@pytest.fixture
def command(demos, tmp_path, monkeypatch) -> list[str]:
    """A small run in tmp_path / "run"."""
    monkeypatch.setattr("rfs_learning.flow_training.DELTA_POSE", LAYOUT)
    sizes = "{point_widths: [16], keypoints: 2, context_dim: 16, velocity_width: 32, velocity_depth: 2, "
    settings = "steps: 4, batch: 8, draws: 2, points: 8, log_every: 2, save_every: 2, threads: 1"
    file = tmp_path / "small.yaml"
    file.write_text(f"{{{settings}, network: {sizes}time_features: 16}}}}")
    return ["--data", str(demos), "--output", str(tmp_path / "run"), "--config", str(file)]


def test_command_line_writes_run(command, tmp_path):
    output = tmp_path / "run"
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


def test_a_run_is_not_begun_over_another(command, tmp_path, capsys):
    assert main(command) == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    assert main([*command, "--seed", "9"]) == 1
    assert "holds a run already: go on with --resume, or choose another --output" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("saved", [False, True])
def test_a_run_that_died_before_its_first_state_begins_again(command, monkeypatch, capsys, saved):
    def dying(*_):
        raise OSError(28, "No space left on device")

    where = "TrainingState.save" if saved else "save_checkpoint"
    with monkeypatch.context() as patch:
        patch.setattr(f"rfs_learning.flow_training.{where}", dying)
        assert main(command) == 1
    if saved:
        assert main([*command, "--seed", "9"]) == 1, "there is a checkpoint of another run"
    assert main(command) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--seed", "9"], "training.seed (9 instead of 0)"),
        (["--batch", "4"], "training.batch (4 instead of 8)"),
        (["--data", "OTHER"], "data ("),
        (["--start", "RUN"], "--start begins a run and --resume goes on with one"),
    ],
)
def test_another_run_is_not_resumed(command, tmp_path, capsys, changes, words):
    assert main(command) == 0
    good = load_checkpoint(tmp_path / "run").id
    other = DemoDataset.create(tmp_path / "other.zarr", LAYOUT)
    other.append([episode(np.random.default_rng(1), 10 + i) for i in range(12)])
    places = {"OTHER": str(tmp_path / "other.zarr"), "RUN": str(tmp_path / "run")}
    changes = [places.get(word, word) for word in changes]
    assert main([*command, "--steps", "6", "--resume", *changes]) == 1
    assert words in capsys.readouterr().err
    assert load_checkpoint(tmp_path / "run").id == good
    (tmp_path / "run/run.json").unlink()
    assert main([*command, "--steps", "6", "--resume"]) == 1
    assert "run.json' is missing" in capsys.readouterr().err


def test_a_diverging_run_has_its_own_exit_code(command, tmp_path, capsys):
    (tmp_path / "wild.yaml").write_text("{learning_rate: 1.0e+30, warmup: 0, steps: 20, log_every: 5}")
    assert main([*command, "--config", str(tmp_path / "wild.yaml"), "--batch", "8"]) == 3
    assert "is no longer finite at step" in capsys.readouterr().err
    assert not (tmp_path / "run/policy.safetensors").exists()


def test_a_folder_in_which_another_run_is_at_work_is_refused(command, tmp_path, capsys):
    with locked(tmp_path / "run"):
        assert main(command) == 1
    assert "another run is at work in" in capsys.readouterr().err
    assert main(command) == 0


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


def test_an_empty_dataset_is_named(tmp_path, capsys):
    DemoDataset.create(tmp_path / "empty.zarr")
    assert main(["--data", str(tmp_path / "empty.zarr"), "--output", str(tmp_path / "run")]) == 1
    assert "empty.zarr' has no episode yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rat: 1.0", "learning_rat"),
        *((f"{name}: 0", f"{name} must be a whole number from 1 on, got 0") for name in ("steps", "batch")),
        *((f"{name}: 0", f"{name} must be a whole number from 1 on") for name in ("draws", "push_steps")),
        *((f"{name}: 0", f"{name} must be a whole number from 1 on") for name in ("points", "threads")),
        *((f"{name}: 0", f"{name} must be a whole number from 1 on") for name in ("log_every", "save_every")),
        ("batch: -1", "batch must be a whole number from 1 on, got -1"),
        ("seed: -1", "seed must be a whole number from 0 on"),
        ("validation: 1.0", "validation must be a number from 0 to below 1"),
        ("learning_rate: 0.0", "learning_rate must be a number above 0"),
        ("learning_rate: .inf", "learning_rate must be a number above 0"),
        ("point_noise: -0.1", "point_noise must be a number from 0 on"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ValueError, match=words):
        FlowConfig.load(tmp_path / "bad.yaml")


def test_a_validation_that_leaves_nothing_to_train_on_is_named(data, tmp_path):
    with pytest.raises(ValueError, match="no episode is left to train on: lower 'validation'"):
        FlowTraining(data, LAYOUT, small(validation=0.97), tmp_path / "run")
