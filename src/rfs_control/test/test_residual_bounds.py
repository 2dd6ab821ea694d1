from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rfs_control.residual_bounds import ResidualBounds

BOUNDS = ResidualBounds.load()
GOOD = {"translation": 0.015, "finger": 0.05, "palm_height": 0.1}
ANY_RESIDUAL = hnp.arrays(
    np.float32, 22, elements=st.floats(allow_nan=False, allow_infinity=False, width=32)
) | hnp.arrays(np.float32, 22, elements=st.floats(-0.0625, 0.0625, width=32))


def test_shipped_residuals_are_those_of_the_paper() -> None:
    assert (BOUNDS.translation, BOUNDS.finger) == (0.015, 0.05)


@settings(deadline=None)
@given(residual=ANY_RESIDUAL)
def test_bounds_hold_for_every_residual_and_bounding_again_changes_nothing(residual: np.ndarray) -> None:
    bounded = BOUNDS.bounded(residual)
    exact = bounded.astype(np.float64)
    assert bounded.dtype == np.float32
    assert np.linalg.norm(exact[:3]) <= BOUNDS.translation
    assert np.abs(exact[6:]).max() <= BOUNDS.finger
    assert not bounded[3:6].any()
    assert BOUNDS.bounded(bounded).tobytes() == bounded.tobytes()


@settings(deadline=None)
@given(translation=hnp.arrays(np.float32, 3, elements=st.floats(0.015625, 1048576, width=32)))
def test_a_translation_that_is_too_long_keeps_its_direction(translation: np.ndarray) -> None:
    residual = np.zeros(22, dtype=np.float32)
    residual[:3] = translation * [1, -1, 1]
    exact = residual[:3].astype(np.float64)
    wanted = exact * (BOUNDS.translation / np.linalg.norm(exact))
    np.testing.assert_allclose(BOUNDS.bounded(residual)[:3], wanted, atol=1e-7)


def test_a_residual_inside_its_bounds_is_not_changed() -> None:
    residual = np.zeros(22, dtype=np.float32)
    residual[:3], residual[6:] = [0.01, -0.01, 0.002], np.linspace(-0.05, 0.0499, 16)
    residual[6] = -0.0499
    assert BOUNDS.bounded(residual).tobytes() == residual.tobytes()


@pytest.mark.parametrize("bad", [np.zeros(23), np.full(22, np.nan), np.full(22, np.inf)])
def test_what_is_not_a_residual_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="residual"):
        BOUNDS.bounded(bad)


def test_corrections_count_near_the_table_only() -> None:
    assert BOUNDS.allows(BOUNDS.palm_height)
    assert BOUNDS.allows(-0.02)
    assert not BOUNDS.allows(BOUNDS.palm_height + 1e-4)
    assert not BOUNDS.allows(float("nan"))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (GOOD | {"translation": -1.0}, "translation"),
        (GOOD | {"finger": "wide"}, "finger"),
        (GOOD | {"rotation": 0.1}, "rotation"),
        ({"translation": 0.015, "finger": 0.05}, "palm_height"),
        ([1, 2], "list"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, values: object, named: str) -> None:
    path = tmp_path / "residual.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match=named):
        ResidualBounds.load(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        ResidualBounds.load("nowhere.yaml")
