"""Rewards beside a bag: what is written is read again, and what belongs elsewhere is not taken."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rfs_learning.reward_labels import BagIdentity, LabelError, RewardLabels, labels_file, labels_folder
from rfs_teleop.bag_folders import find_bags

_NUMBERS = st.floats(width=64)


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
        stamp=column(np.int64),
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(written=labels())
def test_nothing_is_lost_on_disk(written: RewardLabels, tmp_path: Path) -> None:
    written.write(tmp_path / "rewards.parquet")
    read = RewardLabels.read(tmp_path / "rewards.parquet")
    for field in fields(RewardLabels):
        before, after = getattr(written, field.name), getattr(read, field.name)
        assert type(before) is type(after), field.name
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
        np.testing.assert_equal(after, before)


def test_files_that_hold_no_rewards_say_so(tmp_path: Path) -> None:
    file = tmp_path / "rewards.parquet"
    file.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(LabelError, match="remove it and relabel"):
        RewardLabels.read(file)
    with pytest.raises(FileNotFoundError):
        RewardLabels.read(tmp_path / "nothing.parquet")


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
