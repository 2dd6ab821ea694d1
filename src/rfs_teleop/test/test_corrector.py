"""Residuals: never out of bounds, nothing from nothing, the same again for the same observation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.robot import HAND_CLOSING
from rfs_teleop.correction import Corrector
from rfs_teleop.devices.config import TARGETS, AxisUse, DeviceConfig
from rfs_teleop.devices.device import AXES, Reading, shaped

BOUNDS = ResidualBounds.load()
AXIS_VALUES = st.lists(st.floats(-1, 1), min_size=6, max_size=6).map(np.array)
USES = st.dictionaries(
    st.sampled_from(TARGETS), st.builds(AxisUse, st.sampled_from(AXES), st.floats(-10, 10)), min_size=1
)


def of(device: str = "spacemouse") -> Corrector:
    return Corrector(DeviceConfig.load(device).residual, BOUNDS)


@given(USES, AXIS_VALUES)
def test_bounds_hold_for_any_mapping_and_any_input(uses, axes):
    residual = Corrector(uses, BOUNDS).residual(axes)
    assert residual.dtype == np.float32
    assert np.linalg.norm(residual[:3].astype(np.float64)) <= BOUNDS.translation
    assert np.abs(residual[6:]).max() <= BOUNDS.finger
    assert not residual[3:6].any()


@given(USES)
def test_zero_input_is_exactly_no_residual(uses):
    assert not Corrector(uses, BOUNDS).residual(np.zeros(6)).any()


def test_full_deflection_is_the_bound():
    residual = of().residual(np.array([1.0, 0, -1.0, 0, 0, 0]))
    np.testing.assert_allclose(residual[:3], [0.015, 0, 0])
    np.testing.assert_allclose(residual[6:], 0.05 * HAND_CLOSING)  # pressed down: all fingers close
    assert np.linalg.norm(of().residual(np.array([1.0, 1, 0, 0, 0, 0]))[:3]) == pytest.approx(0.015, rel=1e-4)


def test_the_height_is_not_on_the_spacemouse_but_on_the_keyboard():
    up = np.array([0, 0, 1.0, 0, 0, 0])
    assert not of().residual(up)[:3].any()
    np.testing.assert_allclose(of("keyboard").residual(up)[:3], [0, 0, 0.015])


@given(AXIS_VALUES, AXIS_VALUES)
def test_the_same_observation_gets_the_same_answer(first, second):
    corrector = of()
    answer = corrector.answer(7, Reading(first, time=1.0), 1.0)
    assert corrector.answer(7, Reading(second, time=1.1), 1.1) is answer
    assert answer.active == bool(answer.residual.any())
    fresh = corrector.answer(8, Reading(second, time=1.1), 1.1)
    np.testing.assert_array_equal(fresh.residual, corrector.residual(second))


def test_a_device_that_is_not_read_corrects_nothing():
    pushed = np.array([1.0, 0, 0, 0, 0, 0])
    unplugged = of().answer(1, Reading(pushed, time=1.0, problem="unplugged"), 1.0)
    silent = of().answer(1, Reading(pushed, time=1.0), 2.0)
    for answer, problem in ((unplugged, "unplugged"), (silent, "not read for 0.5 s")):
        assert problem in answer.problem
        assert not answer.active
        assert not answer.residual.any()
    alive = of().alive(Reading(pushed, time=1.0), 1.0)
    assert (alive.observation, alive.active, alive.problem) == (0, False, "")


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6), st.floats(0, 0.9))
def test_shaped_axes(values, dead_band):
    axes = shaped(np.array(values), dead_band)
    assert np.abs(axes).max() <= 1.0
    assert not axes[np.abs(values) <= dead_band].any()
    assert (np.sign(axes) * np.sign(values) >= 0).all()
    assert (np.abs(axes)[np.abs(values) >= 1] == pytest.approx(1.0)) or not (np.abs(values) >= 1).any()
