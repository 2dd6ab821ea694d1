"""Trackers by name."""

import subprocess
import sys
from pathlib import Path

import pytest
from rfs_reward.trackers.registry import make_tracker
from sam2_rig import save_tiny_model


def test_known_trackers_are_made(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "tiny")
    assert make_tracker("rgbd").name == "rgbd"
    assert make_tracker("sam2", str(tmp_path / "tiny"), 96, "cpu").name == "sam2:tiny@96"


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown tracker 'sam3': one of rgbd, sam2"):
        make_tracker("sam3")


@pytest.mark.parametrize("options", [{"weights": "sam2.1-tiny"}, {"image_size": 256}])
def test_settings_of_sam2_are_not_ignored_by_another_tracker(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'rgbd' has no weights"):
        make_tracker("rgbd", **options)


def test_weights_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"'\./rfs weights sam2\.1-tiny' fetches it"):
        make_tracker("sam2", "sam2.1-tiny")
    with pytest.raises(FileNotFoundError, match=r"no weights at 'sam2-tiny': .* sam2\.1-tiny"):
        make_tracker("sam2", "sam2-tiny")


def test_the_light_tracker_does_not_bring_pytorch_along() -> None:
    code = (
        "import sys; from rfs_reward.trackers.registry import make_tracker; make_tracker('rgbd');"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
