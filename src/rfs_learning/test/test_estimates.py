"""Intervals that hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.estimates import (
    mean_difference,
    mean_estimate,
    newcombe_interval,
    over_tasks,
    rate_difference,
    rate_estimate,
)
from rfs_learning.rl.methods import METHODS
from rfs_teleop.statistics import wilson_interval
from scipy.stats import ttest_ind

counts = st.lists(st.integers(0, 100).map(lambda successes: (successes, 100)), min_size=1, max_size=4)


@settings(deadline=None)
@given(counts)
def test_interval_of_a_rate_holds_its_mean_and_never_knows_more_than_the_episodes_do(seeds) -> None:
    found = rate_estimate(seeds)
    low, high = wilson_interval(sum(s for s, _ in seeds) / len(seeds), 100)
    assert 0.0 <= found.low <= low + 1e-12
    assert high - 1e-12 <= found.high <= 1.0
    assert found.low <= found.mean <= found.high


def test_seeds_that_agree_by_chance_do_not_make_the_interval_vanish() -> None:
    found = rate_estimate([(0, 100)] * 3)
    assert found.low == 0.0
    assert found.high == wilson_interval(0, 100)[1]
    assert rate_difference([(0, 100)] * 3, [(0, 100)] * 3).high > 0.005


def test_seeds_that_disagree_widen_it_beyond_the_episodes() -> None:
    low, high = wilson_interval(50, 100)
    found = rate_estimate([(20, 100), (50, 100), (80, 100)])
    assert found.low < low - 0.1
    assert found.high > high + 0.1


def test_one_seed_has_the_interval_of_its_episodes() -> None:
    found = rate_estimate([(90, 100)])
    assert (found.low, found.high) == wilson_interval(90, 100)
    assert found.count == 1


def test_students_interval_holds_the_truth_in_95_of_100_experiments() -> None:
    rng = np.random.default_rng(0)
    found = [mean_estimate(rng.normal(0.6, 0.1, 3).tolist()) for _ in range(2000)]
    assert np.mean([each.low <= 0.6 <= each.high for each in found]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
def test_seeds_that_share_their_episodes_promise_no_more_than_they_hold(luck) -> None:
    """luck: share of the episodes whose end is that of their start, whatever the policy does."""
    rng, held = np.random.default_rng(2), []
    for _ in range(1000):
        starts, shared = rng.random(200) < 0.8, rng.random(200) < luck
        runs = [np.where(shared, starts, rng.random(200) < 0.8) for _ in range(3)]
        found = rate_estimate([(int(run.sum()), 200) for run in runs])
        held.append(found.low <= 0.8 <= found.high)
    assert np.mean(held) > 0.93


def test_rates_of_few_seeds_hold_the_truth_at_least_as_often() -> None:
    rng, held = np.random.default_rng(1), []
    for _ in range(1000):
        truth = np.clip(rng.normal(0.7, 0.05, 3), 0.0, 1.0)
        found = rate_estimate([(int(rng.binomial(200, p)), 200) for p in truth])
        held.append(found.low <= 0.7 <= found.high)
    assert np.mean(held) > 0.94


def test_one_value_has_no_interval() -> None:
    assert math.isnan(mean_estimate([0.5]).low)
    assert math.isnan(mean_difference([0.5], [0.4, 0.3]).high)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_differences_have_welchs_interval(first, second) -> None:
    found = mean_difference(first, second)
    if np.var(first) + np.var(second) < 1e-6:
        return
    expected = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_newcombes_interval_is_that_of_his_example() -> None:
    # Newcombe (1998), table II, example (a): 56/70 against 48/80, method 10.
    assert newcombe_interval((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@settings(deadline=None)
@given(counts, counts)
def test_a_difference_turns_its_sign_with_its_methods(first, second) -> None:
    one, other = rate_difference(first, second), rate_difference(second, first)
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low))
    assert one.low <= one.mean <= one.high


@pytest.mark.parametrize("name", ["residual_hand_arm", "relative"])
def test_overall_deviation_is_that_of_the_papers_table(name) -> None:
    """From its pinch and power columns follows its overall column, to its three digits."""
    method, half = METHODS[name], math.sqrt(1.5)  # three values with this deviation: mean -+ half std, mean
    tasks = []
    for mean, std in (method.pinch, method.power):
        rates = [mean - half * std, mean, mean + half * std]
        tasks.append([(round(rate * 1_000_000), 1_000_000) for rate in rates])
    found = over_tasks(tasks)
    assert (found.mean, found.std) == pytest.approx(method.overall, abs=1.1e-3)


def test_overall_lies_between_its_tasks() -> None:
    tasks = [[(90, 100), (94, 100)], [(40, 100), (60, 100)]]
    found, parts = over_tasks(tasks), [rate_estimate(task) for task in tasks]
    assert found.mean == pytest.approx(np.mean([part.mean for part in parts]))
    assert found.high - found.low < max(part.high - part.low for part in parts)
