"""The dataset on disk: round trip, torn writes, the layout other loaders expect, errors."""

from dataclasses import replace

import numpy as np
import pytest
import zarr
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_policy.layout import DELTA_POSE

LAYOUT = replace(DELTA_POSE, cloud_points=16)


def episode(steps: int, seed: int) -> EpisodeData:
    rng = np.random.default_rng(seed)
    sizes = ((16, 3), (48,), (22,), (22,))
    arrays = [rng.normal(size=(steps, *size)).astype(np.float32) for size in sizes]
    return EpisodeData(*arrays, object="box", seed=seed, success=True)


def test_episodes_come_back(tmp_path):
    dataset = DemoDataset.create(tmp_path / "d.zarr", LAYOUT, {"a": 1})
    episodes = [episode(5, 0), episode(9, 1), episode(3, 2)]
    dataset.append(episodes[:2], [("box", 0, True), ("box", 7, False), ("box", 1, True)])
    dataset.append(episodes[2:])
    again = DemoDataset.open(tmp_path / "d.zarr")
    assert len(again) == 3
    assert again.steps == 17
    assert again.episode_ends.tolist() == [5, 14, 17]
    assert again.layout == LAYOUT
    assert again.config == {"a": 1}
    assert again.attempts == [("box", 0, True), ("box", 7, False), ("box", 1, True), ("box", 2, True)]
    for index, original in enumerate(episodes):
        loaded = again.episode(index)
        for name in ("point_cloud", "state", "action", "executed"):
            np.testing.assert_array_equal(getattr(loaded, name), getattr(original, name))
        assert (loaded.object, loaded.seed, loaded.success) == ("box", index, True)


@pytest.mark.parametrize("reopened", [True, False])
def test_torn_append_leaves_no_trace(tmp_path, reopened):
    """Whether another process goes on or the same one, after an error of the disk."""
    dataset = DemoDataset.create(tmp_path / "d.zarr", LAYOUT)
    dataset.append([episode(5, 0)])
    root = zarr.open_group(str(tmp_path / "d.zarr"), mode="a")
    root["data/action"].append(np.ones((4, 22), np.float32))
    root["meta/seed"].append(np.array([9]))
    root["meta/episode_ends"].resize(2)  # so far an append comes before it fills in the number
    continued = DemoDataset.open(tmp_path / "d.zarr", "a") if reopened else dataset
    assert (len(continued), continued.steps) == (1, 5)
    assert continued.attempts == [("box", 0, True)]  # kept, though the record of attempts never heard of it
    continued.append([episode(2, 1)])
    assert continued.array("seed")[:].tolist() == [0, 1]
    assert continued.array("action").shape == (7, 22)
    np.testing.assert_array_equal(continued.episode(1).action, episode(2, 1).action)


def test_every_data_array_has_as_many_rows_as_the_last_episode_end(tmp_path):
    """What the replay buffers of Diffusion Policy and its point-cloud successor assert."""
    dataset = DemoDataset.create(tmp_path / "d.zarr", LAYOUT)
    dataset.append([episode(5, 0), episode(6, 1)])
    root = zarr.open(str(tmp_path / "d.zarr"), mode="r")
    end = root["meta"]["episode_ends"][-1]
    assert all(array.shape[0] == end for array in root["data"].values())
    assert {"state", "action", "point_cloud"} <= set(root["data"].keys())


def test_errors_name_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no dataset at .*missing"):
        DemoDataset.open(tmp_path / "missing.zarr")
    (tmp_path / "other").mkdir()
    for mode in ("r", "a"):
        with pytest.raises(ValueError, match="not a demonstration dataset"):
            DemoDataset.open(tmp_path / "other", mode)
    assert not list((tmp_path / "other").iterdir())
    DemoDataset.create(tmp_path / "d.zarr", LAYOUT)
    with pytest.raises(FileExistsError, match="--resume"):
        DemoDataset.create(tmp_path / "d.zarr", LAYOUT)
    with pytest.raises(IndexError, match="episode 0 of a dataset with 0"):
        DemoDataset.open(tmp_path / "d.zarr").episode(0)
    with pytest.raises(KeyError, match="no array 'images'"):
        DemoDataset.open(tmp_path / "d.zarr").array("images")
