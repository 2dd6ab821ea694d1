"""Fine-tuning imitates what succeeded, and co-training takes half of each batch from either side."""

import json

import numpy as np
import pytest
from offline_tiny import LAYOUT, tiny_base, tiny_dataset, tiny_episode
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.flow_data import ChunkData
from rfs_learning.folder_lock import locked
from rfs_learning.offline.finetune import FinetuneTraining, corrected_demonstrations, finetune_config, main
from rfs_learning.transitions import TransitionDataset
from rfs_policy.checkpoint import load_checkpoint


@pytest.fixture
def base(tmp_path):
    return tiny_base(tmp_path / "base")


@pytest.fixture
def dataset(tmp_path, base):
    return tiny_dataset(tmp_path / "d.zarr", base)


@pytest.fixture
def demos(tmp_path):
    made = DemoDataset.create(tmp_path / "demos.zarr", LAYOUT)
    zeros = (np.zeros((40, 16, 3)), np.zeros((40, 48)), np.zeros((40, 22)), np.zeros((40, 22)))
    made.append([EpisodeData(*(array.astype(np.float32) for array in zeros), "box", 0, True)] * 3)
    return tmp_path / "demos.zarr"


def test_what_is_imitated_is_what_was_done_where_it_succeeded(dataset):
    clouds, states, actions, ends = corrected_demonstrations(dataset, LAYOUT)
    kept = [row for row in dataset.rows() if row // 7 % 2]
    np.testing.assert_array_equal(actions, dataset.array("action")[:][kept])
    np.testing.assert_array_equal(states, dataset.array("state")[:][kept])
    assert clouds.dtype == np.float16
    assert ends.tolist() == [6, 12, 18, 24, 30]


def test_chunks_do_not_reach_over_what_is_missing(tmp_path, base):
    episode = tiny_episode(base, 0, success=True)
    episode.columns["transition"][2] = False
    dataset = TransitionDataset.create(tmp_path / "gap.zarr", LAYOUT)
    dataset.append([episode])
    assert corrected_demonstrations(dataset, LAYOUT)[3].tolist() == [2, 5]


def test_failures_alone_are_nothing_to_imitate(tmp_path, base):
    dataset = tiny_dataset(tmp_path / "failed.zarr", base, success=False)
    with pytest.raises(ValueError, match=r"no episode of .* succeeded"):
        corrected_demonstrations(dataset, LAYOUT)


def test_co_training_takes_half_of_each(dataset, demos, tmp_path):
    own = corrected_demonstrations(dataset, LAYOUT)
    data = ChunkData.from_arrays([own, _arrays(demos)])
    config = finetune_config(steps=4, seed=0)
    training = FinetuneTraining(data, len(own[0]), str(tmp_path / "base"), config, tmp_path / "run")
    drawn = training.draw()
    assert len(drawn) == config.batch
    assert (drawn < len(own[0])).sum() == config.batch // 2


def _arrays(path):
    stored = DemoDataset.open(path)
    columns = (stored.array(name)[:] for name in ("point_cloud", "state", "action"))
    return (*columns, stored.episode_ends)


@pytest.fixture
def command(dataset, tmp_path) -> list[str]:
    """A small run, up to its --output."""
    small = tmp_path / "small.yaml"
    small.write_text(
        "{steps: 6, batch: 8, draws: 2, points: 8, log_every: 2, save_every: 2, threads: 1, warmup: 1}"
    )
    places = {"--data": dataset.path, "--policy": tmp_path / "base", "--config": small}
    return [str(word) for place in places.items() for word in place]


@pytest.mark.parametrize("mixed", [False, True])
def test_command_line(command, demos, tmp_path, mixed, monkeypatch):
    output = tmp_path / "run"
    command += ["--with", str(demos)] if mixed else []
    assert main([*command, "--output", str(output)]) == 0
    tuned, before = load_checkpoint(output, LAYOUT), load_checkpoint(tmp_path / "base")
    assert tuned.id != before.id
    np.testing.assert_array_equal(tuned.tensors["action_std"], before.tensors["action_std"])
    record = json.loads((output / "config.json").read_text())
    assert (record["start"], record["corrected_steps"]) == (before.id, 30)
    parts, take_step, taken = tmp_path / "parts", FinetuneTraining.step, []

    def dying_once(training: FinetuneTraining) -> dict[str, float]:
        taken.append(training.state.step)
        if taken == [0, 1, 2, 3]:
            raise OSError("the power went")
        return take_step(training)

    monkeypatch.setattr(FinetuneTraining, "step", dying_once)
    assert main([*command, "--output", str(parts)]) == 1
    assert main([*command, "--output", str(parts), "--resume"]) == 0
    assert taken == [0, 1, 2, 3, 2, 3, 4, 5]
    resumed = load_checkpoint(parts)
    assert resumed.config["step"] == 6
    for name, tensor in tuned.tensors.items():
        np.testing.assert_array_equal(resumed.tensors[name], tensor)


def test_a_run_is_neither_replaced_nor_resumed_as_another_one(command, demos, base, tmp_path, capsys):
    command += ["--output", str(tmp_path / "run")]
    assert main(command) == 0
    good = load_checkpoint(tmp_path / "run").id
    other = tiny_dataset(tmp_path / "other.zarr", base, episodes=12)
    for changes, words in (
        ([], "holds a run already"),
        (["--resume", "--seed", "9"], "training.seed (9 instead of 0)"),
        (["--resume", "--data", str(other.path)], "data ("),
        (["--resume", "--with", str(demos)], "with ("),
        (["--resume", "--policy", str(tmp_path / "run")], "policy ("),
    ):
        assert main([*command, "--steps", "8", *changes]) == 1
        assert words in capsys.readouterr().err
    with locked(tmp_path / "run"):
        assert main([*command, "--resume"]) == 1
    assert "another run is at work in" in capsys.readouterr().err
    assert load_checkpoint(tmp_path / "run").id == good


def test_a_diverging_run_has_its_own_exit_code(command, tmp_path, capsys):
    """Its weights are finite after one step, and too large for a checkpoint."""
    wild = tmp_path / "wild.yaml"
    wild.write_text("{steps: 9, batch: 8, learning_rate: 1.0e+30, warmup: 0, threads: 1, save_every: 1}")
    assert main([*command, "--config", str(wild), "--output", str(tmp_path / "run")]) == 3
    told = capsys.readouterr().err
    assert told.startswith("rfs train finetune: weight ")
    assert "in half precision is no longer finite at step 1" in told
    assert not (tmp_path / "run/policy.safetensors").exists()


def test_command_line_says_what_is_wrong(dataset, tmp_path, capsys):
    output = ["--output", str(tmp_path / "run")]
    assert main(["--data", "nowhere.zarr", "--policy", str(tmp_path / "base"), *output]) == 1
    assert "nowhere.zarr" in capsys.readouterr().err
    assert main(["--data", str(dataset.path), *output]) == 1
    assert "does not match layout" in capsys.readouterr().err
