"""Fine-tuning imitates what succeeded, and co-training takes half of each batch from either side."""

import json

import numpy as np
import pytest
import torch
from offline_tiny import LAYOUT, tiny_base, tiny_dataset, tiny_episode
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.flow_data import ChunkData
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


@pytest.mark.parametrize("mixed", [False, True])
def test_command_line(dataset, demos, tmp_path, base, mixed):
    small = tmp_path / "small.yaml"
    small.write_text(
        "{steps: 6, batch: 8, draws: 2, points: 8, log_every: 2, save_every: 2, threads: 1, warmup: 1}"
    )
    output = tmp_path / "run"
    command = ["--data", str(dataset.path), "--policy", str(tmp_path / "base"), "--output", str(output)]
    command += ["--config", str(small), *(["--with", str(demos)] if mixed else [])]
    assert main(command) == 0
    tuned, before = load_checkpoint(output, LAYOUT), load_checkpoint(tmp_path / "base")
    assert tuned.id != before.id
    np.testing.assert_array_equal(tuned.tensors["action_std"], before.tensors["action_std"])
    record = json.loads((output / "config.json").read_text())
    assert (record["start"], record["corrected_steps"]) == (before.id, 30)
    whole = {name: torch.from_numpy(t.copy()) for name, t in tuned.tensors.items()}
    assert main([*command[: -2 if mixed else None], "--output", str(tmp_path / "parts"), "--steps", "6"]) == 0
    assert main([*command, "--resume"]) == 0
    assert all(torch.equal(whole[n], torch.from_numpy(t)) for n, t in load_checkpoint(output).tensors.items())


def test_command_line_says_what_is_wrong(dataset, tmp_path, capsys):
    assert main(["--data", "nowhere.zarr", "--policy", str(tmp_path / "base")]) == 1
    assert "nowhere.zarr" in capsys.readouterr().err
    assert main(["--data", str(dataset.path)]) == 1
    assert "does not match layout" in capsys.readouterr().err
