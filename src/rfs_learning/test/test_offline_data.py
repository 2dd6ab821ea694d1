"""What offline learning takes of a dataset, what it keeps out, and what it says about it."""

import numpy as np
import pytest
import torch
from offline_tiny import LAYOUT, tiny_base, tiny_config, tiny_dataset, tiny_episode
from rfs_learning.offline.offline_data import OfflineData, outcomes
from rfs_learning.transitions import TransitionDataset


@pytest.fixture
def base(tmp_path):
    return tiny_base(tmp_path / "base")


@pytest.fixture
def dataset(tmp_path, base):
    return tiny_dataset(tmp_path / "d.zarr", base)


def test_batches_are_the_dataset_s_transitions(dataset, base):
    config = tiny_config(encoder="own")
    data = OfflineData.load(dataset, base, config)
    index = torch.tensor([0, 7, 30, 5])
    batch, stored = data.batch(index), dataset.batch(dataset.rows()[index.numpy()])
    np.testing.assert_allclose(batch.now.cloud.numpy(), stored.cloud, atol=5e-4)
    np.testing.assert_allclose(batch.then.cloud.numpy(), stored.next_cloud, atol=5e-4)
    for name in ("base_action", "action", "noise"):
        np.testing.assert_array_equal(getattr(batch, name).numpy(), getattr(stored, name))
    np.testing.assert_array_equal(batch.then.state.numpy(), stored.next_state)
    np.testing.assert_allclose(batch.residual.numpy(), stored.action - stored.base_action, atol=1e-7)
    expected = base.encode(stored.next_cloud, stored.next_state)
    np.testing.assert_allclose(batch.then.context.numpy(), expected, atol=1e-5)


def test_the_following_action_is_that_of_the_next_transition(dataset, base):
    data = OfflineData.load(dataset, base, tiny_config())
    batch = data.batch(torch.arange(len(data)))
    ends = batch.follows == 0
    assert ends.sum() == 10
    torch.testing.assert_close(batch.next_action[:-1][~ends[:-1]], batch.action[1:][~ends[:-1]])


def test_success_goes_on_paying_its_reward(dataset, base):
    data = OfflineData.load(dataset, base, tiny_config(discount=0.9))
    reward = torch.from_numpy(dataset.array("reward")[:][dataset.rows()])
    done = data.done > 0
    torch.testing.assert_close(data.reward[done], reward[done])
    torch.testing.assert_close(data.reward[~done], 0.1 * reward[~done])
    assert data.outcome.min() >= reward.min()
    assert data.outcome.max() <= reward.max()


def test_outcomes_have_a_closed_form():
    reward, follows = np.array([1.0, 2.0, 3.0, 5.0]), np.array([True, True, False, False])
    expected = [0.1 * 1 + 0.09 * 2 + 0.81 * 3, 0.1 * 2 + 0.9 * 3, 3.0, 5.0]
    np.testing.assert_allclose(outcomes(reward, follows, 0.9), expected, rtol=1e-6)


def test_residuals_beyond_the_bounds_are_drawn_in(tmp_path, base):
    episode = tiny_episode(base, 0)
    episode.columns["action"][0, :3] += 0.1
    dataset = TransitionDataset.create(tmp_path / "wide.zarr", LAYOUT)
    dataset.append([episode])
    data = OfflineData.load(dataset, base, tiny_config())
    assert data.residual[0, :3].norm() == pytest.approx(0.015, rel=1e-4)
    torch.testing.assert_close(data.residual[1, :3], torch.full((3,), 0.005), atol=1e-6, rtol=0)


def test_noise_is_recovered_where_it_was_not_logged(tmp_path, base, dataset):
    logged = OfflineData.load(dataset, base, tiny_config())
    assert logged.told["noise"]["logged"] == len(logged)
    assert logged.told["noise"]["against_logged"]["noise_difference_median"] < 1e-2
    silent = [tiny_episode(base, seed) for seed in range(10)]
    for episode in silent:
        episode.columns["noise"][:] = np.nan
    without = TransitionDataset.create(tmp_path / "silent.zarr", LAYOUT)
    without.append(silent)
    data = OfflineData.load(without, base, tiny_config())
    assert data.told["noise"]["recovered"] == len(data) == len(logged)
    torch.testing.assert_close(data.noise, logged.noise, atol=2e-2, rtol=0)
    recovered = OfflineData.load(dataset, base, tiny_config(noise_source="recovered"))
    assert recovered.told["noise"]["logged"] == 0
    torch.testing.assert_close(recovered.noise, data.noise, atol=1e-4, rtol=0)


def test_what_cannot_be_recovered_is_kept_out_and_counted(tmp_path, base):
    episodes = [tiny_episode(base, seed) for seed in range(10)]
    for name in ("base_action", "base_chunk", "action"):
        episodes[3].columns[name][2] += 30.0
    episodes[4].columns["reward"][1] = np.nan
    episodes[5].columns["base_action"][1] = np.nan
    dataset = TransitionDataset.create(tmp_path / "d.zarr", LAYOUT)
    dataset.append(episodes)
    data = OfflineData.load(dataset, base, tiny_config())
    assert data.told["left_out"] == {"without reward": 1, "without base action": 1, "a0 not recovered": 1}
    assert len(data) == 60 - 3
    assert any("1 transitions left out: a0 not recovered" in note for note in data.notes)
    assert data.follows.sum() == 50 - 6, (
        "a transition that was kept out is followed by none, and follows none"
    )


def test_datasets_without_chunks_are_read(tmp_path, base, dataset):
    before = OfflineData.load(dataset, base, tiny_config())
    del dataset._root["data"]["base_chunk"]
    data = OfflineData.load(TransitionDataset.open(dataset.path), base, tiny_config())
    torch.testing.assert_close(data.noise, before.noise)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"episodes": 3}, "3 episodes are few"),
        ({"corrected": False}, "nothing was corrected"),
        ({"success": True}, "no episode failed"),
    ],
)
def test_what_is_missing_in_the_data_is_said(tmp_path, base, changes, words):
    data = OfflineData.load(tiny_dataset(tmp_path / "d.zarr", base, **changes), base, tiny_config())
    assert any(words in note for note in data.notes)
    assert len(data.notes) == 1


def test_data_of_another_base_are_refused_or_kept_out(tmp_path, base):
    foreign = tiny_dataset(tmp_path / "foreign.zarr", base, checkpoint="f" * 64)
    with pytest.raises(ValueError, match=r"recorded with base policy ffffffffffff.*--policy"):
        OfflineData.load(foreign, base, tiny_config())
    foreign.append([tiny_episode(base, 99)])
    data = OfflineData.load(foreign, base, tiny_config())
    assert data.told["left_out"] == {"of another base policy": 60}
    empty = TransitionDataset.create(tmp_path / "empty.zarr", LAYOUT)
    with pytest.raises(ValueError, match="no transition"):
        OfflineData.load(empty, base, tiny_config())


def test_validation_keeps_whole_episodes(dataset, base):
    data = OfflineData.load(dataset, base, tiny_config())
    train, held = data.split(0.2, seed=0)
    assert len(held) == 12
    assert not set(data.episode[train].tolist()) & set(data.episode[held].tolist())
