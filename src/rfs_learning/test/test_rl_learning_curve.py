"""Figures of learning curves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.rl.learning_curve import area, steps_to

CURVE = [(0, 0.2), (100, 0.6), (200, 1.0), (300, 0.7)]


def test_steps_to_a_rate_lie_straight_between_points() -> None:
    assert steps_to(CURVE, 0.8) == 150
    assert steps_to(CURVE, 0.1) == 0
    assert steps_to(CURVE[:2], 0.8) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0.05, 1))
def test_a_rate_is_reached_when_and_only_when_a_point_reaches_it(rates, wanted) -> None:
    curve = [(1000 * n, rate) for n, rate in enumerate(rates)]
    found = steps_to(curve, wanted)
    first = next((n for n, rate in enumerate(rates) if rate >= wanted), None)
    assert (found is None) == (first is None)
    if found is not None and first is not None:
        assert 1000 * max(first - 1, 0) <= found <= 1000 * first


def test_area_is_the_mean_over_the_curve() -> None:
    assert area([(0, 0.0), (50, 1.0)]) == 0.5
    assert area([(0, 0.3), (10, 0.3), (90, 0.3)]) == pytest.approx(0.3)
    assert area(CURVE) == pytest.approx((0.4 + 0.8 + 0.85) / 3)
