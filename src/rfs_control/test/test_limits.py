from pathlib import Path

import numpy as np
import pytest
import yaml
from rfs_control.limits import Limit, Limits

GOOD = {
    "translation_speed": 0.5,
    "rotation_speed": 1.0,
    "finger_speed": 4.0,
    "workspace_lower": [0.2, -0.4, 0.0],
    "workspace_upper": [0.8, 0.4, 0.7],
}


def written(folder: Path, values: object) -> Path:
    path = folder / "limits.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_rates_are_multiplied_by_the_period(tmp_path: Path) -> None:
    limits = Limits.load(written(tmp_path, GOOD), period=0.05)
    assert limits.translation_step == pytest.approx(0.025)
    assert limits.rotation_step == pytest.approx(0.05)
    assert limits.finger_step == pytest.approx(0.2)


def test_shipped_limits_load_and_are_those_of_the_task() -> None:
    limits = Limits.load(period=0.1)
    assert limits.translation_step == pytest.approx(0.06)
    assert limits.rotation_step == pytest.approx(0.2)
    assert np.all(limits.finger_lower < limits.finger_upper)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"translation_speed": -1.0}, "translation_speed"),
        ({"rotation_speed": "fast"}, "rotation_speed"),
        ({"finger_speed": float("nan")}, "finger_speed"),
        ({"workspace_lower": [0.0, 0.0]}, "workspace_lower"),
        ({"workspace_lower": [0.9, 0.0, 0.0]}, "workspace_lower"),
        ({"torque": 1.0}, "torque"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Limits.load(written(tmp_path, GOOD | change))


def test_files_that_are_missing_or_not_yaml_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        Limits.load(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1")
    with pytest.raises(ValueError, match="not YAML"):
        Limits.load(broken)


@pytest.mark.ros
def test_bits_are_those_of_the_message() -> None:
    messages = pytest.importorskip("rfs_msgs.msg")
    for limit in Limit:
        assert getattr(messages.ExecutedAction, f"LIMIT_{limit.name}") == limit
    assert messages.ExecutedAction.LIMIT_NONE == 0
