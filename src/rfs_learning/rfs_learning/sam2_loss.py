"""The losses that SAM2 is trained with: focal and dice on masks, IoU, and whether the object is seen."""

import torch
from torch import Tensor
from torch.nn import functional

from rfs_learning.sam2_tracking import Prediction


def tracking_loss(prediction: Prediction, masks: Tensor, focal_weight: float) -> Tensor:
    """Mean over clips of one frame's loss; masks (b, h, w) bool are the truth.

    Of several candidates only the best is corrected, the IoU of all is. A frame without the object corrects
    only the belief that it is there.
    """
    logits = functional.interpolate(
        prediction.masks, size=masks.shape[-2:], mode="bilinear", align_corners=False
    )
    truth = masks[:, None].expand_as(logits)
    error = focal_weight * focal(logits, truth.float()) + dice(logits, truth.float())
    wrong = (prediction.iou - iou(logits > 0, truth)).abs().mean(dim=1)
    seen = masks.flatten(1).any(dim=1).float()
    presence = functional.binary_cross_entropy_with_logits(prediction.presence, seen)
    return ((error.min(dim=1).values + wrong) * seen).sum() / seen.sum().clamp(min=1) + presence


def focal(logits: Tensor, truth: Tensor, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """(b, m) sigmoid focal loss, summed over pixels and divided by the object's (Lin et al. 2017).

    SAM2 takes the mean over all pixels. Our objects fill half a percent of the picture, and from random
    weights such a loss would first learn, and long believe, that there is nothing.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = torch.where(truth > 0, 1 - logits.sigmoid(), logits.sigmoid())
    weight = torch.where(truth > 0, alpha, 1 - alpha)
    area = truth.flatten(2).sum(dim=2).clamp(min=30)
    return (weight * wrong**gamma * cross_entropy).flatten(2).sum(dim=2) / area


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """(b, m) 1 - Dice coefficient of the soft masks."""
    soft, truth = logits.sigmoid().flatten(2), truth.flatten(2)
    return 1 - (2 * (soft * truth).sum(dim=2) + 1) / (soft.sum(dim=2) + truth.sum(dim=2) + 1)


def iou(masks: Tensor, truth: Tensor) -> Tensor:
    """(...) intersection over union of masks (..., h, w) bool; 1 where both are empty."""
    both, either = (masks & truth).flatten(-2).sum(-1), (masks | truth).flatten(-2).sum(-1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
