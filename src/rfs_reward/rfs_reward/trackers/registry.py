"""Trackers by name; each is imported when it is asked for, since SAM2 brings PyTorch along."""

from collections.abc import Callable

from rfs_reward.tracker import Tracker


def make_tracker(name: str, weights: str = "", image_size: int = 0, device: str = "auto") -> Tracker:
    """A new tracker: rgbd, or sam2 with weights (folder or name), image size (pixels, 0: its own) and device.

    Raises:
        ValueError: an unknown name, weights for a tracker that has none, or what `Sam2Tracker` cannot take.
        FileNotFoundError: weights that are not there.
    """
    if name not in TRACKERS:
        raise ValueError(f"unknown tracker '{name}': one of {', '.join(sorted(TRACKERS))}")
    return TRACKERS[name](weights, image_size, device)


def _rgbd(weights: str, image_size: int, device: str) -> Tracker:
    from rfs_reward.trackers.rgbd import RgbdTracker

    if weights or image_size:
        raise ValueError("tracker 'rgbd' has no weights and no image size: leave them out, or take 'sam2'")
    return RgbdTracker()


def _sam2(weights: str, image_size: int, device: str) -> Tracker:
    from rfs_reward.trackers.sam2 import Sam2Tracker

    return Sam2Tracker(weights, image_size, device)


TRACKERS: dict[str, Callable[[str, int, str], Tracker]] = {"rgbd": _rgbd, "sam2": _sam2}
