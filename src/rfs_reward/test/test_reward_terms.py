"""Terms and settings of the reward from vision."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rfs_reward.reward_config import RewardConfig, TermConfig

from rfs_reward import grasp_reward

CONFIG = TermConfig()


@given(st.floats(0, 3), st.floats(-1, 3))
def test_each_term_lies_between_0_and_1(distance: float, lift: float) -> None:
    terms = grasp_reward.terms(distance, lift, CONFIG)
    assert all(0 <= value <= 1 for value in terms.values())
    total = grasp_reward.total(terms, grasp_reward.weights(CONFIG))
    assert 0 <= total <= CONFIG.closeness + CONFIG.lift


@given(st.floats(0, 1), st.floats(0.001, 0.5), st.floats(0, 0.2), st.floats(0.001, 0.04))
def test_nearer_and_higher_is_better(distance: float, less: float, lift: float, more: float) -> None:
    def reward(distance: float, lift: float) -> float:
        return grasp_reward.total(grasp_reward.terms(distance, lift, CONFIG), grasp_reward.weights(CONFIG))

    assert reward(max(distance - less, 0), lift) >= reward(distance, lift)
    assert reward(distance, lift + more) > reward(distance, lift)


def test_unknown_stays_unknown() -> None:
    terms = grasp_reward.terms(np.nan, np.nan, CONFIG)
    assert np.isnan(list(terms.values())).all()
    assert np.isnan(grasp_reward.total(terms, grasp_reward.weights(CONFIG)))


def test_the_packaged_file_holds_the_defaults(tmp_path: Path) -> None:
    assert RewardConfig.load() == RewardConfig()
    file = tmp_path / "reward.yaml"
    file.write_text(yaml.safe_dump(asdict(RewardConfig())))
    assert RewardConfig.load(file) == RewardConfig()


def test_entries_that_are_left_out_keep_their_defaults(tmp_path: Path) -> None:
    file = tmp_path / "reward.yaml"
    file.write_text("automatic: false\nsuccess: {lift: 0.1}\n")
    config = RewardConfig.load(file)
    assert (config.automatic, config.success.lift, config.success.hold_seconds) == (False, 0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rewards: {}", "unknown setting 'rewards'"),
        ("reward: {lift: -1}", r"reward.lift must be a number >= 0, got -1"),
        ("reward: {closeness_scale: 0}", "reward.closeness_scale must be a positive number"),
        ("success: {hold_seconds: soon}", "success.hold_seconds must be"),
        ("object: {lost_after: .nan}", "object.lost_after must be"),
        ("object: {table_height: 0.2}", "object.table_height must be within 0.03 m"),
        ("object: 3", "object must have the entries"),
        ("automatic: maybe", "automatic must be true or false"),
        ("- 1", "the file must have the entries"),
        ("a: [", "is not YAML"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "reward.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        RewardConfig.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no reward configuration at"):
        RewardConfig.load(tmp_path / "none.yaml")
