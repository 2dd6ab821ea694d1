"""`./rfs dataset export --format isaaclab`: the layout, and that all of it comes back."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.dataset_command import main
from rfs_learning.demos import DemoConfig, collect
from rfs_policy.layout import DELTA_POSE, STATE_JOINTS
from rfs_policy.observation import WORKSPACE_BOX

PARTS = ("point_cloud", "state", "action", "executed")


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory) -> DemoDataset:
    """Two grasps of the scripted expert."""
    config = DemoConfig(count=2, objects=("cylinder", "small_box"), envs=2, threads=1)
    return collect(config, tmp_path_factory.mktemp("demos") / "d.zarr")


@pytest.fixture(scope="module")
def exported(demonstrated, tmp_path_factory):
    file = tmp_path_factory.mktemp("lab") / "d.hdf5"
    assert main(["export", str(demonstrated.path), "--format", "isaaclab", "-o", str(file)]) == 0
    return file


def require_equal(one: DemoDataset, other: DemoDataset) -> None:
    assert len(one) == len(other)
    for index in range(len(one)):
        a, b = one.episode(index), other.episode(index)
        for part in PARTS:
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
        assert (a.object, a.seed, a.success) == (b.object, b.seed, b.success)


def test_what_isaac_lab_needs_is_in_it(demonstrated, exported):
    with h5py.File(exported) as file:
        data = file["data"]
        environment = json.loads(data.attrs["env_args"])
        simulation = environment["sim_args"]
        assert simulation["dt"] * simulation["decimation"] == pytest.approx(0.1)
        assert data.attrs["total"] == demonstrated.steps
        for index in range(len(demonstrated)):
            demo, episode = data[f"demo_{index}"], demonstrated.episode(index)
            assert demo.attrs["num_samples"] == len(episode) == len(demo["actions"])
            assert demo.attrs["success"]
            np.testing.assert_array_equal(demo["actions"], episode.executed)
            joints = np.concatenate(
                [
                    demo["initial_state/articulation/robot/joint_position"],
                    demo["states/articulation/robot/joint_position"],
                ]
            )
            np.testing.assert_allclose(joints[:-1], episode.state[:, STATE_JOINTS], atol=0.01)
            body = f"rigid_object/object_{episode.object}"
            place = demo[f"states/{body}/root_pose"]
            assert place[-1, 2] - place[0, 2] > 0.1  # it was lifted
            assert demo[f"initial_state/{body}/root_velocity"].shape == (1, 6)


def test_all_of_it_comes_back(demonstrated, exported, tmp_path):
    assert main(["import", str(exported), "-o", str(tmp_path / "again.zarr")]) == 0
    again = DemoDataset.open(tmp_path / "again.zarr")
    require_equal(demonstrated, again)
    assert again.layout == demonstrated.layout
    assert again.config == demonstrated.config


def test_without_what_we_added_the_states_tell_the_same(demonstrated, exported, tmp_path):
    """As after Isaac Lab's tools have written the file anew: only actions and states are left."""
    file = tmp_path / "plain.hdf5"
    file.write_bytes(exported.read_bytes())
    with h5py.File(file, "r+") as opened:
        for demo in opened["data"].values():
            del demo["rfs"], demo["obs"]
    assert main(["import", str(file), "-o", str(tmp_path / "plain.zarr")]) == 0
    plain = DemoDataset.open(tmp_path / "plain.zarr")
    assert plain.layout == demonstrated.layout
    for index in range(len(plain)):
        derived, recorded = plain.episode(index), demonstrated.episode(index)
        np.testing.assert_array_equal(derived.action, recorded.executed)
        np.testing.assert_allclose(derived.executed, recorded.executed, atol=1e-6)
        np.testing.assert_allclose(derived.state, recorded.state, atol=0.01)
        for one, other in zip(derived.point_cloud[::15], recorded.point_cloud[::15], strict=True):
            assert chamfer(one, other) < 0.008  # other rays, and other errors of the cameras


def chamfer(one: np.ndarray, other: np.ndarray) -> float:
    """m: mean distance from points of one cloud to the nearest of the other."""
    return float(np.linalg.norm(one[::8, None] - other[None], axis=2).min(axis=1).mean())


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99), st.booleans())
def test_any_dataset_comes_back(tmp_path_factory, lengths, seed, success):
    """Also one that no task of ours made: then there are no states, and failures stay what they are."""
    folder, rng = tmp_path_factory.mktemp("any"), np.random.default_rng(seed)
    layout = replace(DELTA_POSE, cloud_points=16, rate_hz=20.0)
    dataset = DemoDataset.create(folder / "d.zarr", layout, {"a": [1, "b"]})
    sizes = ((16, 3), (48,), (22,), (22,))
    for number, length in enumerate(lengths):
        arrays = [rng.normal(size=(length, *size)).astype(np.float32) for size in sizes]
        dataset.append([EpisodeData(*arrays, object="mug", seed=number, success=success)])
    file, again = folder / "d.hdf5", folder / "again.zarr"
    assert main(["export", str(dataset.path), "--format", "isaaclab", "-o", str(file)]) == 0
    assert main(["import", str(file), "-o", str(again)]) == 0
    require_equal(dataset, DemoDataset.open(again))
    assert DemoDataset.open(again).layout == layout
    assert DemoDataset.open(again).config == {"a": [1, "b"]}


def test_recorded_clouds_are_brought_to_size(exported, tmp_path):
    """More points than the policy takes, some of them not finite, as a depth camera gives them."""
    file = tmp_path / "clouds.hdf5"
    file.write_bytes(exported.read_bytes())
    rng = np.random.default_rng(0)
    with h5py.File(file, "r+") as opened:
        for demo in opened["data"].values():
            clouds = rng.uniform(*WORKSPACE_BOX, (len(demo["actions"]), 3000, 3))
            clouds[:, ::7] = np.nan
            del demo["rfs"], demo["obs"]
            demo["obs/point_cloud"] = clouds
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 0
    cloud = DemoDataset.open(tmp_path / "d.zarr").episode(0).point_cloud
    assert cloud.shape[1:] == (1024, 3)
    assert np.isfinite(cloud).all()


def test_errors(demonstrated, exported, tmp_path, capsys):
    words = ["export", str(demonstrated.path), "--format", "isaaclab", "-o", str(exported)]
    assert main(words) == 1
    assert "exists; give another file" in capsys.readouterr().err
    DemoDataset.create(tmp_path / "empty.zarr")
    assert main(["export", str(tmp_path / "empty.zarr"), *words[2:5], str(tmp_path / "e.hdf5")]) == 1
    assert "has no episode" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.hdf5"))
