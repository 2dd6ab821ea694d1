"""A simulator's own segmentation as a tracker: the ground truth that others are measured against."""

from numpy.typing import ArrayLike

from rfs_reward.frame import Frame
from rfs_reward.tracker import Track, check_prompt

OBJECT = 2
"""Value of the object's pixels, as in `rfs_sim_bridge.pictures`."""


class SegmentationTracker:
    """Takes the object's visible pixels from `Frame.segmentation`, whatever it is prompted with."""

    name = "segmentation"

    def prompt(self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None) -> Track:
        """The object in this frame. PromptError for a prompt that no tracker could take."""
        check_prompt(frame, points, box)
        return self.track(frame)

    def track(self, frame: Frame) -> Track:
        """The object in this frame. ValueError when it comes from no simulator."""
        if frame.segmentation is None:
            raise ValueError("tracker 'segmentation' needs a simulator's frames")
        mask = frame.segmentation == OBJECT
        return Track(mask, float(mask.any()))

    def reset(self) -> None:
        """Nothing is kept."""
