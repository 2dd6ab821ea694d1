"""Clips and prompts as the tensors of one training step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfs_learning.sam2_clips import Clip, PromptKind, draw_prompt
from rfs_learning.sam2_tracking import Prompt

_KINDS: tuple[PromptKind, ...] = ("point", "points", "box")


@dataclass(frozen=True, eq=False)
class Batch:
    """Every clip twice: from its first frame on and from its last one back, with the same pictures.

    pictures (n, h, w, 3) uint8; order (b, t) which picture is the t-th frame of each; masks (b, t, h, w)
    bool.
    """

    pictures: Tensor
    order: Tensor
    masks: Tensor
    prompt: Prompt


def make_batch(clips: Sequence[Clip], image_size: int, rng: np.random.Generator) -> Batch:
    """A step's tensors; all clips are prompted in one way, drawn here."""
    length = len(clips[0].frames)
    orders = [_order(clip, backwards) for backwards in (False, True) for clip in clips]
    first = [length * (index % len(clips)) for index in range(2 * len(clips))]
    masks = np.stack([clips[i % len(clips)].masks[order] for i, order in enumerate(orders)])
    return Batch(
        torch.from_numpy(np.concatenate([clip.frames for clip in clips])),
        torch.from_numpy(np.stack([start + order for start, order in zip(first, orders, strict=True)])),
        torch.from_numpy(masks),
        _prompt(masks[:, 0], image_size, rng),
    )


def _order(clip: Clip, backwards: bool) -> NDArray[np.int64]:
    """Frames of a clip; backwards from the last one that shows the object, then those before and after."""
    steps = np.arange(len(clip.masks))
    if not backwards:
        return steps
    start = int(np.flatnonzero(clip.masks.any(axis=(1, 2)))[-1])
    return np.concatenate([steps[start::-1], steps[start + 1 :]])


def _prompt(masks: NDArray[np.bool_], image_size: int, rng: np.random.Generator) -> Prompt:
    kind = _KINDS[rng.choice(3, p=[0.45, 0.1, 0.45])]
    drawn = [draw_prompt(mask, kind, rng) for mask in masks]
    return prompt_tensors(
        np.stack([points for points, _ in drawn]),
        np.stack([labels for _, labels in drawn]),
        masks.shape[-2:],
        image_size,
    )


def prompt_tensors(
    points: NDArray[np.float64], labels: NDArray[np.int64], shape: tuple[int, ...], image_size: int
) -> Prompt:
    """Points (b, n, 2) in a picture of shape (h, w), stretched to the model's picture; labels (b, n)."""
    scale = image_size / np.array([shape[1], shape[0]])
    pixels = (points + 0.5) * scale - 0.5
    return Prompt(
        torch.from_numpy(pixels).float()[:, None], torch.from_numpy(labels.astype(np.int32))[:, None]
    )
