"""What the small SAM2's training makes smaller: the loss over a batch of clips, prompted and then tracked."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Sam2VideoModel

from rfs_learning.sam2_batch import Batch
from rfs_learning.sam2_config import Sam2Config
from rfs_learning.sam2_loss import iou, tracking_loss
from rfs_learning.sam2_network import resized
from rfs_learning.sam2_tracking import ClipTracker, Prediction, Truth, normalize


class Sam2Objective:
    """Of a network. The first steps see only the object's surroundings, in pictures half as wide and high,
    through a model of that size with the same parameters.
    """

    def __init__(self, network: Sam2VideoModel, config: Sam2Config) -> None:
        self._config = config
        self._far = self._near = network, config.image_size
        if config.near:
            small = replace(config, image_size=config.image_size // 2, near=0)
            self._near = resized(network, small), small.image_size

    def near(self, step: int) -> bool:
        """Whether a step sees only the object's surroundings."""
        return step < self._config.near

    def image_size(self, step: int) -> int:
        """Side of the square pictures of a step, pixels."""
        return self._of(step)[1]

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean loss over the frames, and IoU with the truth over those that show the object."""
        network, size = self._of(step)
        tracker = ClipTracker(network)
        features = tracker.encode(normalize(batch.pictures, size))
        told = torch.rand(len(batch.masks), generator=generator) < self._teacher(step)
        losses, overlaps = [], []
        for time in range(self._config.frames):
            present, masks = features.of(batch.order[:, time]), batch.masks[:, time]
            truth = Truth(_resized(masks, size), told)
            prediction = (
                tracker.track(present, truth) if time else tracker.prompt(present, batch.prompt, truth)
            )
            losses.append(tracking_loss(prediction, masks, self._focal_weight(step)))
            overlaps.append(_overlap(prediction, masks))
        return {
            "loss": torch.stack(losses).mean(),
            "prompted_iou": overlaps[0].nanmean(),
            "tracked_iou": torch.stack(overlaps[1:]).nanmean(),
        }

    def _of(self, step: int) -> tuple[Sam2VideoModel, int]:
        return self._near if self.near(step) else self._far

    def _teacher(self, step: int) -> float:
        """Share of clips whose memory is told the truth."""
        return max(0.0, 1.0 - step / max(1, self._config.teacher))

    def _focal_weight(self, step: int) -> float:
        early = step < self._config.early_steps
        return self._config.early_focal_weight if early else self._config.focal_weight


def _resized(masks: Tensor, size: int) -> Tensor:
    """Masks (b, h, w) bool as (b, size, size)."""
    return functional.interpolate(masks[:, None].float(), size=(size, size), mode="bilinear")[:, 0] > 0.5


@torch.no_grad()
def _overlap(prediction: Prediction, masks: Tensor) -> Tensor:
    """(b,) IoU, NaN where the object is not seen."""
    logits = functional.interpolate(prediction.mask()[:, None], size=masks.shape[-2:], mode="bilinear")
    seen = masks.flatten(1).any(dim=1)
    return torch.where(seen, iou(logits[:, 0] > 0, masks), torch.nan)
