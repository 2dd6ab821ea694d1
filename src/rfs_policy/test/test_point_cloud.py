"""Clouds are read whatever their field layout, and refused in words when they cannot be used."""

from types import SimpleNamespace

import numpy as np
import pytest
from rfs_policy.point_cloud import read_points

POINTS = np.array([[0.5, -0.1, 0.2], [0.6, 0.2, 0.05]], np.float32)


def message(points=POINTS, names="xyz", kind=7, frame="base", step=None, big=False, **changes):
    """What of a PointCloud2 is read; extra fields come first when `step` leaves room."""
    step = step or 4 * len(names)
    table = np.zeros((len(points), step), np.uint8)
    first = step - 4 * len(names)
    values = points[:, : len(names)].astype(">f4" if big else "<f4")
    table[:, first:] = np.ascontiguousarray(values).view(np.uint8).reshape(len(points), -1)
    fields = [SimpleNamespace(name=n, offset=first + 4 * i, datatype=kind) for i, n in enumerate(names)]
    content = {
        "header": SimpleNamespace(frame_id=frame),
        "width": len(points),
        "height": 1,
        "fields": fields,
        "point_step": step,
        "row_step": step * len(points),
        "is_bigendian": big,
        "data": table.tobytes(),
    }
    return SimpleNamespace(**(content | changes))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("step", [12, 16, 32])
def test_layouts(step, big):
    points = read_points(message(step=step, big=big), "base")
    np.testing.assert_array_equal(points, POINTS)
    assert points.dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame": "camera"}, "frame is 'camera', expected 'base'"),
        ({"width": 0}, "empty"),
        ({"points": POINTS * np.nan}, "NaN"),
        ({"names": "xy"}, "no field z"),
        ({"kind": 8}, "float32"),
        ({"data": b"short"}, "shorter"),
        ({"row_step": 999}, "padded"),
    ],
)
def test_bad_clouds(changes, words):
    with pytest.raises(ValueError, match=words):
        read_points(message(**changes), "base")
