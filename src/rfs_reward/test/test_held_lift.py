"""Success: how long an object must be up, and what noise at the threshold does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_reward.reward_config import SuccessConfig
from rfs_reward.success import HeldLift

CONFIG = SuccessConfig(lift=0.20, tolerance=0.01, hold_seconds=0.5)
PERIOD = 100_000_000  # ns
LIFTS = st.floats(-0.05, 0.4) | st.just(float("nan"))


def watch(lifts: list[float], period: int = PERIOD) -> list[bool]:
    held = HeldLift(CONFIG)
    return [held.see(index * period, lift) for index, lift in enumerate(lifts)]


def test_five_frames_at_ten_hertz_are_half_a_second() -> None:
    assert watch([0.0, *[0.25] * 5]) == [False] * 5 + [True]
    assert not any(watch([0.0, *[0.25] * 4, 0.0, *[0.25] * 4]))


@pytest.mark.parametrize("rate", [5, 10, 30, 60])
def test_hold_time_counts_at_any_rate(rate: int) -> None:
    answers = watch([0.0, *[0.25] * rate], round(1e9 / rate))
    first = answers.index(True) / rate
    assert 0.5 - 1e-6 <= first < 0.5 + 1.1 / rate


@given(st.lists(st.floats(0.191, 0.215), min_size=5, max_size=30))
def test_noise_at_the_threshold_does_not_prevent_it(lifts: list[float]) -> None:
    assert watch([0.0, *lifts])[-1]


@given(st.lists(LIFTS, max_size=60))
def test_it_needs_the_hold_time_above_the_lower_bound_and_then_stays(lifts: list[float]) -> None:
    answers = watch(lifts)
    assert answers == sorted(answers)
    if True in answers:
        end = answers.index(True)
        assert all(lift >= 0.17 for lift in lifts[end - 4 : end + 1])
        assert max(lifts[end - 4 : end + 1]) >= 0.19


def test_what_is_not_known_ends_a_hold() -> None:
    assert not any(watch([0.0, *[0.25] * 4, np.nan, *[0.25] * 4]))


def test_a_gap_of_seconds_is_no_hold() -> None:
    held = HeldLift(CONFIG)
    assert not held.see(0, 0.25)
    assert not held.see(10**10, 0.25)
