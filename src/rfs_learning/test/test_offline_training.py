"""A run starts as the base, resumes bit for bit, ends in good order, and never saves what is not finite."""

import json
import signal

import numpy as np
import pytest
import torch
import yaml
from offline_tiny import tiny_base, tiny_config, tiny_dataset
from rfs_learning.diverged import DivergedError
from rfs_learning.flow_state import steps_done
from rfs_learning.folder_lock import locked
from rfs_learning.offline.offline_command import main
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.offline_training import ALGORITHMS, OfflineTraining
from rfs_learning.transitions import TransitionDataset
from rfs_policy.modulation_checkpoint import load_modulation, save_modulation
from rfs_policy.policy import FlowPolicy
from rich.progress import Progress, TextColumn


@pytest.fixture
def base(tmp_path):
    return tiny_base(tmp_path / "base")


@pytest.fixture
def data(tmp_path, base):
    return OfflineData.load(tiny_dataset(tmp_path / "d.zarr", base), base, tiny_config())


def training_of(data, base, output, resume=False, **changes) -> OfflineTraining:
    training = OfflineTraining(data, base, tiny_config(**changes), output)
    training.begin({"data": "the same"}, training.record, resume)
    return training


def run(training: OfflineTraining, until: int | None = None) -> OfflineTraining:
    with Progress(TextColumn(""), disable=True) as progress:
        training.run(progress, until)
    return training


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("until", [3, 7])
def test_resumed_run_equals_an_uninterrupted_one(data, base, tmp_path, algorithm, until):
    changes = {"algorithm": algorithm, "policy_delay": 2}
    whole = run(training_of(data, base, tmp_path / "whole", **changes))
    run(training_of(data, base, tmp_path / "parts", **changes), until)
    resumed = run(training_of(data, base, tmp_path / "parts", resume=True, **changes))
    assert resumed.state.step == whole.state.step == 12
    for name, value in whole.state.network.state_dict().items():
        assert torch.equal(value, resumed.state.network.state_dict()[name]), name
    assert load_modulation(tmp_path / "whole").id == load_modulation(tmp_path / "parts").id
    steps = [json.loads(line)["step"] for line in (tmp_path / "parts/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_it_begins_as_the_base_policy(data, base, tmp_path):
    training = training_of(data, base, tmp_path / "run")
    training.save()
    policy = FlowPolicy.load(tmp_path / "base", modulation=tmp_path / "run")
    row = data.row[:5]
    cloud = np.random.default_rng(0).normal(size=(5, 16, 3)).astype(np.float32)
    output = policy.act(cloud, data.seen.state[row].numpy())
    expected = FlowPolicy(policy.base).act(cloud, data.seen.state[row].numpy())
    np.testing.assert_array_equal(output.action, expected.action)


def test_what_is_saved_names_base_and_training(data, base, tmp_path):
    run(training_of(data, base, tmp_path / "run", algorithm="rebrac", method="dsrl"))
    stored = load_modulation(tmp_path / "run", base)
    assert stored.base_id == base.id
    assert stored.training["training"]["algorithm"] == "rebrac"
    assert stored.training["data"]["episodes"] == 10
    assert stored.training["step"] == 12
    assert (stored.config.latent, stored.config.residual) == (True, False)


def test_interrupt_saves_and_ends(data, base, tmp_path):
    training = training_of(data, base, tmp_path / "run")
    update = training.algorithm.update

    def interrupted(batch):
        if training.state.step == 4:
            signal.raise_signal(signal.SIGINT)
        return update(batch)

    training.algorithm.update = interrupted
    run(training)
    assert training_of(data, base, tmp_path / "run", resume=True).state.step == 5


@pytest.mark.parametrize(
    ("where", "words"),
    [("reward", "critic's loss"), ("noise", "modulation's loss|distance"), ("weight", "weight|loss")],
)
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(data, base, tmp_path, where, words):
    training = training_of(data, base, tmp_path / "run", algorithm="td3_bc", warmup=0, noise_bc=1.0)
    run(training, until=6)
    good = load_modulation(tmp_path / "run").id
    if where == "weight":
        with torch.no_grad():
            training.modulation_weight = next(training.algorithm.modulation.parameters()).fill_(torch.nan)
    else:
        getattr(data, where)[:] = torch.nan
    with pytest.raises(DivergedError, match=words):
        run(training)
    assert load_modulation(tmp_path / "run").id == good
    assert (
        training_of(
            data, base, tmp_path / "run", resume=True, algorithm="td3_bc", warmup=0, noise_bc=1.0
        ).state.step
        == 6
    )


def test_the_state_is_written_last(data, base, tmp_path, monkeypatch):
    """It tells how far the modulation has come: a comparison takes that of a state at its last step."""

    def filling(folder, checkpoint):
        if checkpoint.training["step"] == 12:
            raise OSError(28, "No space left on device")
        save_modulation(folder, checkpoint)

    monkeypatch.setattr("rfs_learning.offline.offline_training.save_modulation", filling)
    with pytest.raises(OSError, match="No space"):
        run(training_of(data, base, tmp_path / "run"))
    assert steps_done(tmp_path / "run") == load_modulation(tmp_path / "run").training["step"] == 6


def test_a_run_is_not_begun_over_another(data, base, tmp_path):
    run(training_of(data, base, tmp_path / "run"))
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    for changes in ({}, {"discount": 0.5}):
        with pytest.raises(ValueError, match="holds a run already: go on with --resume"):
            training_of(data, base, tmp_path / "run", **changes)
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_another_run_is_not_resumed(data, base, tmp_path):
    run(training_of(data, base, tmp_path / "run"))
    with pytest.raises(ValueError, match=r"training.discount \(0.5 instead of 0.97\)"):
        training_of(data, base, tmp_path / "run", resume=True, discount=0.5)
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        training_of(data, base, tmp_path / "nowhere", resume=True)
    assert training_of(data, base, tmp_path / "run", resume=True, steps=20).state.step == 12


@pytest.fixture
def settings(tmp_path):
    config = tiny_config()
    entries = {name: value for name, value in config.to_dict().items() if name not in ("method", "critic")}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(entries))
    return tmp_path / "small.yaml"


@pytest.fixture
def command(data, tmp_path, settings) -> list[str]:
    """A small run in tmp_path / "run"."""
    places = {"--data": "d.zarr", "--policy": "base", "--output": "run", "--config": settings.name}
    return [word for option, name in places.items() for word in (option, str(tmp_path / name))]


def test_other_data_of_the_same_size_is_another_run(command, tmp_path, capsys):
    assert main(command) == 0
    reward = TransitionDataset.open(tmp_path / "d.zarr", "a").array("reward")
    reward[:] = -reward[:]
    assert main([*command, "--resume", "--steps", "14"]) == 1
    assert "is another one: data (" in capsys.readouterr().err
    reward[:] = -reward[:]
    assert main([*command, "--resume", "--steps", "14"]) == 0


def test_a_folder_in_which_another_run_is_at_work_is_refused(command, tmp_path, capsys):
    with locked(tmp_path / "run"):
        assert main(command) == 1
    assert "another run is at work in" in capsys.readouterr().err
    assert main(command) == 0


def test_a_diverging_run_has_its_own_exit_code(command, tmp_path, capsys):
    reward = TransitionDataset.open(tmp_path / "d.zarr", "a").array("reward")
    reward[:] = 1e30
    assert main(command) == 3
    assert "is no longer finite at step" in capsys.readouterr().err
    assert not (tmp_path / "run/modulation.safetensors").exists()


def test_command_line(command, tmp_path, capsys):
    output = tmp_path / "run"
    command += ["--method", "rfs", "--critic", "separate", "--encoder", "own"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "60 transitions of 10 episodes, 5 failures" in said
    entries = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [4, 8, 12]
    assert {"loss", "q", "behavior", "validation_residual_error", "noise_at_bound"} <= set(entries[-1])
    assert json.loads((output / "config.json").read_text())["training"]["critic"] == "separate"
    assert main([*command, "--resume", "--steps", "14"]) == 0
    assert load_modulation(output).training["step"] == 14


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere.zarr"], "nowhere.zarr"),
        (["--policy", "nowhere"], "nowhere"),
        (["--policy", "default"], "does not match layout"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--method", "dsrl", "--critic", "residual"], "does not see a0"),
        (["--resume"], "nothing to resume"),
        (["--steps", "0"], "steps"),
    ],
)
def test_command_line_says_what_is_wrong(command, capsys, arguments, words):
    assert main([*command, *arguments]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"discont": 0.9}, "discont"),
        ({"discount": 1.0}, "discount must be a number from 0 to below 1"),
        ({"batch": "many"}, "batch"),
        ({"critic": "product"}, "critic must be one of sum"),
        ({"noise_bound": 0}, "noise_bound must be a number above 0"),
        ({"residual_bound": [0.1]}, "residual_bound has 1 numbers"),
        ({"critic_hidden": []}, "critic_hidden"),
        ({"critic_hidden": 256}, "critic_hidden must be whole numbers above 0, got 256"),
        ({"critic_hidden": [16.5]}, "critic_hidden must be whole numbers above 0"),
    ],
)
def test_wrong_settings_are_named(tmp_path, base, data, entries, words):
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(entries))
    with pytest.raises(ValueError, match=words):
        OfflineTraining(data, base, OfflineConfig.load(tmp_path / "bad.yaml"), tmp_path / "run")
