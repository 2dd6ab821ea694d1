"""Wilson's interval against published values and its defining properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_teleop.statistics import describe_rate, wilson_interval

COUNTS = st.integers(0, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_known_values():
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(COUNTS)
def test_contains_the_rate_and_stays_in_range(counts):
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low - 1e-12 <= successes / trials <= high + 1e-12


@given(COUNTS)
def test_failures_mirror_successes(counts):
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_ends_solve_the_score_equation(counts):
    successes, trials = counts
    rate, z = successes / trials, 1.959963984540054
    for end in wilson_interval(successes, trials):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(rate - end) == pytest.approx(z * math.sqrt(end * (1 - end) / trials), abs=1e-9)


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match="successes in"):
        wilson_interval(*counts)


def test_description():
    assert describe_rate(17, 20) == "17/20  85 % [64, 95]"
