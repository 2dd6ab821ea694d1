import numpy as np
import pytest
from rfs_control.correction import Correction
from rfs_description.robot import BASE_FRAME

FIELDS = {
    "stamp": 1,
    "read": 2,
    "frame": BASE_FRAME,
    "active": True,
    "residual": [0.01] * 22,
    "problem": "",
}


def test_an_active_residual_is_read_in_float32() -> None:
    read = Correction.checked(**FIELDS)
    np.testing.assert_array_equal(read.residual, np.full(22, 0.01, dtype=np.float32))


@pytest.mark.parametrize("change", [{"active": False}, {"problem": "unplugged"}])
def test_a_residual_counts_only_while_the_operator_corrects(change: dict[str, object]) -> None:
    assert not Correction.checked(**(FIELDS | change)).residual.any()


def test_a_sign_of_life_needs_neither_residual_nor_frame() -> None:
    sign = Correction.checked(**(FIELDS | {"stamp": 0, "active": False, "residual": [], "frame": ""}))
    assert not sign.residual.any()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"residual": [0.0] * 21}, "21 numbers"),
        ({"residual": []}, "0 numbers"),
        ({"residual": [float("nan")] * 22}, "not finite"),
        ({"residual": [float("inf")] * 22, "active": False}, "not finite"),
        ({"frame": "camera"}, "camera"),
    ],
)
def test_a_wrong_correction_is_refused_by_name(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Correction.checked(**(FIELDS | change))
