"""Datasets with rewards from beside the bags: which ones they take, what they refuse, what they drop."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from recorded_episode import PERIOD, START, Recording, ordinary  # noqa: E402
from rfs_learning.dataset_command import main  # noqa: E402
from rfs_learning.reward_label_file import write_labels  # noqa: E402
from rfs_learning.reward_labels import BagIdentity, RewardLabels, labels_file  # noqa: E402
from rfs_learning.transitions import TransitionDataset  # noqa: E402
from rfs_teleop.bag_index import IndexedBag  # noqa: E402

TICKS = 6


def label(path: Path, name: str = "x", tracker: str = "rgbd", **changed: object) -> RewardLabels:
    """Write rewards 10, 11, ... for the ticks of a bag, with changes, beside it."""
    with IndexedBag(path) as bag:
        identity = BagIdentity.of(bag)
    numbers = np.arange(TICKS, dtype=np.float64)
    labels = RewardLabels(
        bag=identity,
        outcome="failure",
        run={"tracker": tracker},
        stamp=START + PERIOD * np.arange(TICKS, dtype=np.int64),
        centroid=np.zeros((TICKS, 3)),
        palm=np.zeros((TICKS, 3)),
        palm_distance=numbers,
        lift=numbers,
        reward=10 + numbers,
        terms={"lift": numbers},
        weights={"lift": numbers},
        success=np.zeros(TICKS, bool),
        tracking=np.zeros(TICKS, np.uint8),
        confidence=np.ones(TICKS),
        age=np.zeros(TICKS),
        mask_pixels=np.zeros(TICKS, np.int32),
        problem=("",) * TICKS,
        versions={},
    )
    labels = replace(labels, **changed)
    write_labels(labels, labels_file(path, name))
    return labels


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    recording = ordinary(TICKS)
    for topic, message in recording.messages:
        if topic == "/rfs/reward":
            message.source = "simulator"
    return recording.write(tmp_path / "s" / "a", session="s", outcome="unknown")


def build(bags: Path, output: Path, *words: str) -> int:
    return main(["build", str(bags), "-o", str(output), *words])


def test_labels_take_the_place_of_recorded_rewards(bag, tmp_path, capsys) -> None:
    success = np.arange(TICKS) >= 4
    labels = label(bag, success=success)
    assert build(bag, tmp_path / "old.zarr") == 0
    assert build(bag, tmp_path / "new.zarr", "--rewards", "x") == 0
    old, new = (TransitionDataset.open(tmp_path / name) for name in ("old.zarr", "new.zarr"))
    assert new.array("reward")[:][new.rows()].tolist() == [11, 12, 13, 14]
    assert new.batch(new.rows()).done.tolist() == [False, False, False, True]
    assert new.dropped() == {"after success": 1}
    assert len(old.rows()) == TICKS - 1
    assert not old.array("done")[:].any()
    for name in ("point_cloud", "state", "stamp"):
        np.testing.assert_array_equal(new.array(name)[:], old.array(name)[: new.steps])
    for name in ("executed", "noise"):
        np.testing.assert_array_equal(new.array(name)[:][:4], old.array(name)[:][:4])
    assert new.rewards == {"label": "x", "run": labels.run}
    assert old.rewards == {}
    assert (old.reward_source(0), new.reward_source(0)) == ("simulator", "rgbd")
    capsys.readouterr()
    assert main(["info", str(new.path), "--json", str(tmp_path / "info.json")]) == 0
    assert "label 'x' (rgbd)" in capsys.readouterr().out.replace("\n", " ")
    rewards = json.loads((tmp_path / "info.json").read_text())["rewards"]
    assert rewards == {"label": "x", "run": labels.run, "sources": {"rgbd": 1}}
    assert main(["info", str(old.path)]) == 0
    assert "recorded (simulator)" in capsys.readouterr().out.replace("\n", " ")
    exported = tmp_path / "lerobot"
    assert main(["export", str(new.path), "--format", "lerobot", "-o", str(exported)]) == 0
    (episode,) = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert (episode["reward_source"], episode["reward_label"]) == ("rgbd", "x")


def test_unknown_rewards_give_no_transition(bag, tmp_path) -> None:
    reward = np.array([10, 11, np.nan, 13, 14, np.nan])
    label(bag, reward=reward)
    assert build(bag, tmp_path / "d.zarr", "--rewards", "x") == 0
    dataset = TransitionDataset.open(tmp_path / "d.zarr")
    assert dataset.array("reward")[:][dataset.rows()].tolist() == [11, 13, 14]
    assert dataset.dropped() == {"object lost": 2}
    # A row that leads to an unknown reward is still where the transition before it ends.
    stamps = dataset.array("stamp")[:]
    assert (stamps[dataset.rows() + 1] - stamps[dataset.rows()] == PERIOD).all()


def test_unknown_rewards_that_were_recorded_count_in_the_same_way(tmp_path) -> None:
    recording = ordinary(TICKS)
    rewards = [message for topic, message in recording.messages if topic == "/rfs/reward"]
    rewards[2].reward = float("nan")
    recording.write(tmp_path / "a")
    assert build(tmp_path / "a", tmp_path / "d.zarr") == 0
    dataset = TransitionDataset.open(tmp_path / "d.zarr")
    assert dataset.dropped() == {"object lost": 1}
    assert np.isfinite(dataset.array("reward")[:]).all()


def test_bags_without_these_rewards_are_skipped_with_the_way_out(bag, tmp_path, capsys) -> None:
    label(bag)
    other = ordinary(TICKS, 1).write(tmp_path / "s" / "b", began=START + 5, session="s")
    assert build(bag.parent, tmp_path / "d.zarr", "--rewards", "x") == 3
    said = capsys.readouterr().out
    assert f"skipped {other}: it has no rewards 'x' beside it" in said
    assert f"./rfs reward relabel {other} --label x" in said
    # The rewards of another recording under this bag's name.
    labels_file(bag, "x").rename(labels_file(other, "x"))
    assert build(other, tmp_path / "e.zarr", "--rewards", "x") == 1
    assert "the rewards of another recording, a: relabel" in capsys.readouterr().out
    labels_file(other, "x").write_bytes(b"no")
    assert build(other, tmp_path / "e.zarr", "--rewards", "x") == 1
    assert "holds no rewards" in capsys.readouterr().out
    assert build(other, tmp_path / "e.zarr", "--rewards", "../x") == 1
    assert "no plain name" in capsys.readouterr().err


def test_a_dataset_never_mixes_rewards(bag, tmp_path, capsys) -> None:
    label(bag)
    label(bag, "y")
    assert build(bag, tmp_path / "d.zarr", "--rewards", "x") == 0
    for words, told in (([], "not recorded rewards"), (["--rewards", "y"], "not the rewards 'y'")):
        assert build(bag, tmp_path / "d.zarr", *words) == 1
        assert f"has the rewards 'x', {told}: give another output" in capsys.readouterr().err
    other = ordinary(TICKS, 1).write(tmp_path / "t" / "b", began=START + 5, session="t")
    label(other, tracker="sam2")
    assert build(other, tmp_path / "d.zarr", "--rewards", "x") == 3
    assert "its rewards 'x' were made in another way" in capsys.readouterr().out
    assert len(TransitionDataset.open(tmp_path / "d.zarr")) == 1


def test_labels_need_no_recorded_reward(tmp_path) -> None:
    recording = Recording(types={k: v for k, v in ordinary(0).types.items() if k != "/rfs/reward"})
    recording.messages = [pair for pair in ordinary(TICKS).messages if pair[0] != "/rfs/reward"]
    bag = recording.write(tmp_path / "s" / "a")
    assert build(bag, tmp_path / "d.zarr") == 1
    label(bag)
    assert build(bag, tmp_path / "d.zarr", "--rewards", "x") == 0
