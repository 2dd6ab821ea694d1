"""Paired differences: what they are, and that pairs that agree narrow them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rfs_learning.paired_comparison import mcnemar, paired_difference
from scipy.stats import binom

from rfs_learning import paired_comparison

bits = arrays(bool, 12)


@given(bits, bits)
def test_mcnemar_is_the_binomial_test_of_the_episodes_that_differ(first, second):
    test = mcnemar(first, second)
    more, n = max(test.only_first, test.only_second), test.only_first + test.only_second
    assert test.only_first - test.only_second == first.sum() - second.sum()
    assert test.p == pytest.approx(min(1.0, 2 * binom.sf(more - 1, n, 0.5)) if n else 1.0)
    assert mcnemar(second, first).p == pytest.approx(test.p)


@settings(max_examples=20, deadline=None)
@given(arrays(np.float64, (2, 15), elements=st.sampled_from([0.0, 1.0])))
def test_difference_of_a_policy_from_itself(outcomes):
    difference = paired_difference(outcomes, outcomes)
    assert difference.mean == 0.0
    assert difference.low <= 0.0 <= difference.high


def test_one_run_against_itself_has_no_spread():
    outcomes = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    difference = paired_difference(outcomes, outcomes)
    assert (difference.low, difference.mean, difference.high) == (0.0, 0.0, 0.0)


def test_interval_is_that_of_the_mean_of_the_pairs():
    rng = np.random.default_rng(3)
    first, second = (rng.random((2, 1, 400)) < [[[0.8]], [[0.5]]]).astype(float)
    pairs = (first - second)[0]
    half = 1.96 * pairs.std() / np.sqrt(400)
    difference = paired_difference(first, second)
    assert difference.mean == pytest.approx(pairs.mean())
    assert (difference.low, difference.high) == pytest.approx(
        (pairs.mean() - half, pairs.mean() + half), abs=0.005
    )


def test_runs_that_disagree_widen_the_interval():
    episodes, base = np.arange(100) % 10, np.zeros((1, 100))
    alike = np.array([episodes < 5] * 3, float)
    unlike = np.array([episodes < 2, episodes < 5, episodes < 8], float)
    narrow, wide = paired_difference(alike, base), paired_difference(unlike, base)
    assert narrow.mean == wide.mean == pytest.approx(0.5)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_equal_methods_seldom_look_different(monkeypatch):
    """Three training seeds each, whose success spreads by 0.12, over 110 shared episodes."""
    monkeypatch.setattr(paired_comparison, "_DRAWS", 1500)  # enough to tell, and ten times as fast
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(200):
        rates = rng.normal(0.6, 0.12, (2, 3, 1)).clip(0.0, 1.0)
        first, second = (rng.random((2, 3, 110)) < rates).astype(float)
        found = paired_difference(first, second)
        wrong += not found.low <= 0.0 <= found.high
    assert wrong <= 12


def test_other_episodes_cannot_be_paired():
    with pytest.raises(ValueError, match="not the same episodes"):
        paired_difference(np.zeros((1, 3)), np.zeros((1, 4)))
    with pytest.raises(ValueError, match="not the same episodes"):
        mcnemar([True], [True, False])
