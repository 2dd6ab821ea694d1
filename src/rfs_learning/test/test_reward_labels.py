"""Rewards beside a bag: what is written is read again, and what belongs elsewhere is not taken."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rfs_learning.reward_label_file import read_label_file, write_labels
from rfs_learning.reward_labels import BagIdentity, LabelError, RewardLabels, labels_file, labels_folder
from rfs_teleop.bag_folders import find_bags

_NUMBERS = st.floats(width=64)
_STAMPS = st.integers(-(2**62), 2**62)


@st.composite
def labels(draw: st.DrawFn) -> RewardLabels:
    count = draw(st.integers(1, 5))

    def column(dtype: type, *shape: int):
        elements = _NUMBERS if dtype is np.float64 else None
        return draw(arrays.arrays(dtype, (count, *shape), elements=elements))

    names = draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=3))
    return RewardLabels(
        bag=BagIdentity(draw(st.text()), draw(st.text()), draw(st.integers(0, 2**62))),
        outcome=draw(st.text()),
        run={"tracker": draw(st.text()), "config": {"a": draw(st.floats(allow_nan=False))}},
        stamp=np.array(sorted(draw(st.sets(_STAMPS, min_size=count, max_size=count))), np.int64),
        centroid=column(np.float64, 3),
        palm=column(np.float64, 3),
        palm_distance=column(np.float64),
        lift=column(np.float64),
        reward=column(np.float64),
        terms={name: column(np.float64) for name in names},
        weights={name: column(np.float64) for name in names},
        success=column(np.bool_),
        tracking=column(np.uint8),
        confidence=column(np.float64),
        age=column(np.float64),
        mask_pixels=column(np.int32),
        problem=tuple(draw(st.text(st.characters(codec="utf-8"))) for _ in range(count)),
        versions={"numpy": "1"},
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(written=labels())
def test_nothing_is_lost_on_disk(written: RewardLabels, tmp_path: Path) -> None:
    write_labels(written, tmp_path / "rewards.parquet")
    read = read_label_file(tmp_path / "rewards.parquet")
    for field in fields(RewardLabels):
        before, after = getattr(written, field.name), getattr(read, field.name)
        assert type(before) is type(after), field.name
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
        np.testing.assert_equal(after, before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good one of three frames."""
    unknown, count = np.full(3, np.nan), np.zeros(3, np.int32)
    labels = RewardLabels(
        bag=BagIdentity("s", "a", 1),
        outcome="success",
        run={"tracker": "rgbd"},
        stamp=np.array([1, 2, 3]),
        centroid=np.zeros((3, 3)),
        palm=np.zeros((3, 3)),
        **dict.fromkeys(("palm_distance", "lift", "reward", "confidence", "age"), unknown),
        terms={"lift": unknown},
        weights={"lift": unknown},
        success=np.zeros(3, bool),
        tracking=count.astype(np.uint8),
        mask_pixels=count,
        problem=("", "", ""),
        versions={},
    )
    write_labels(labels, tmp_path / "rewards.parquet")
    return tmp_path / "rewards.parquet"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"stamp": pa.array([3, 2, 1])}, "stamps do not ascend"),
        ({"stamp": pa.array([1, None, 3])}, "1 gaps"),
        ({"reward": pa.array(["a", "b", "c"])}, "reward is string"),
        ({"centroid": pa.array([1.0, 2.0, 3.0])}, "centroid is double"),
        ({"term.new": pa.array([1.0, 2.0, 3.0])}, "terms and weights"),
        ({"problem": None}, "problem"),
        ({f"c{index}": pa.array([0, 0, 0]) for index in range(100)}, "columns are not those of frames"),
        ({"run": []}, "holds no rewards"),
        ({"run": {"tracker": 3}}, "other types"),
        ({"run": {}}, "'tracker' is missing"),
        ({"bag": {"session": "s", "name": "a", "began": "x"}}, "other types"),
        ({"format": 2}, "format 2"),
    ],
)
def test_foreign_content_is_refused(file: Path, changed: dict[str, Any], problem: str) -> None:
    """Each thing that the rest relies on, changed in an otherwise good file."""
    read_label_file(file)
    table = pq.read_table(file)
    about = json.loads(table.schema.metadata[b"rfs_reward_labels"])
    columns = {name: table[name] for name in table.column_names}
    for name, value in changed.items():
        (about if name in about else columns)[name] = value
    columns = {name: column for name, column in columns.items() if column is not None}
    pq.write_table(pa.table(columns, metadata={"rfs_reward_labels": json.dumps(about)}), file)
    with pytest.raises(LabelError, match=problem):
        read_label_file(file)


def test_no_file_claims_more_memory_than_an_episode_needs(tmp_path: Path) -> None:
    pq.write_table(pa.table({"stamp": np.zeros(2_000_000, np.int8)}), tmp_path / "many.parquet")
    with pytest.raises(LabelError, match="2000000 rows"):
        read_label_file(tmp_path / "many.parquet")


def test_files_that_hold_no_rewards_say_so(tmp_path: Path) -> None:
    file = tmp_path / "rewards.parquet"
    file.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(LabelError, match="remove it and relabel"):
        read_label_file(file)
    pq.write_table(pa.table({"stamp": [1]}), file)
    with pytest.raises(LabelError, match="remove it and relabel"):
        read_label_file(file)
    with pytest.raises(FileNotFoundError):
        read_label_file(tmp_path / "nothing.parquet")


def test_rewards_lie_beside_the_bag_and_are_no_bag(tmp_path: Path) -> None:
    bag = tmp_path / "session" / "episode"
    bag.mkdir(parents=True)
    (bag / "metadata.yaml").touch()
    (bag / "episode_0.mcap").touch()
    beside = tmp_path / "session" / "rewards" / "rgbd" / "episode.parquet"
    assert labels_file(bag, "rgbd") == labels_file(bag / "episode_0.mcap", "rgbd") == beside
    alone = tmp_path / "files" / "alone.mcap"
    alone.parent.mkdir()
    alone.touch()
    assert labels_file(alone, "rgbd") == tmp_path / "files" / "rewards" / "rgbd" / "alone.parquet"
    beside.parent.mkdir(parents=True)
    beside.touch()
    (beside.parent / "config.json").touch()
    assert find_bags([tmp_path / "session"]) == [bag]


@pytest.mark.parametrize("label", ["", "..", ".hidden", "a/b", "a b", "/etc"])
def test_labels_are_plain_names(label: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no plain name"):
        labels_folder(tmp_path, label)
