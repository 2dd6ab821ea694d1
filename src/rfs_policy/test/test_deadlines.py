"""Deadlines stay on their grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_policy.deadlines import Deadlines


def test_quick_ticks_miss_nothing():
    deadlines = Deadlines(0.1, 5.0)
    for tick in range(1, 100):
        assert not deadlines.finish(deadlines.next + 0.03)
        assert deadlines.next == pytest.approx(5.0 + 0.1 * tick)


@given(st.floats(0.0, 3.0), st.floats(0.01, 0.5))
def test_next_deadline_is_ahead_and_on_the_grid(late, period):
    deadlines = Deadlines(period, 1.0)
    now = 1.0 + late
    missed = deadlines.finish(now)
    assert missed == (now > 1.0 + period)
    assert now - 1e-9 <= deadlines.next <= now + period + 1e-9 or not missed
    assert (deadlines.next - 1.0) / period == pytest.approx(round((deadlines.next - 1.0) / period), abs=1e-6)
