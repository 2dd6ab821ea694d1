"""Cadence statistics against sequences with known answers."""

import math

import pytest
from rfs_policy.cadence import Cadence


def test_regular_ticks():
    cadence = Cadence(0.1)
    for k in range(100):
        cadence.tick(0.1 * k, duration=0.004)
    report = cadence.report(now=10.0)
    assert report.ticks == 100
    assert report.misses == 0
    assert report.rate_hz == pytest.approx(10.0)
    assert report.jitter_p99 == pytest.approx(0.0, abs=1e-9)
    assert report.duration_p99 == pytest.approx(0.004)
    assert report.age == pytest.approx(0.1)


def test_late_tick_is_a_miss():
    cadence = Cadence(0.1)
    for now in (0.0, 0.1, 0.2, 0.5, 0.6):
        cadence.tick(now)
    assert cadence.report(0.6).misses == 1


def test_loop_may_say_itself_whether_it_missed():
    cadence = Cadence(0.1)
    cadence.tick(0.0, missed=True)
    cadence.tick(5.0, missed=False)
    assert cadence.report(5.0).misses == 1


def test_pause_is_no_miss():
    cadence = Cadence(0.1)
    cadence.tick(0.0)
    cadence.restart()
    cadence.tick(60.0)
    assert cadence.report(60.0).misses == 0


def test_no_ticks_give_nan():
    assert math.isnan(Cadence(0.1).report(1.0).period_p50)
