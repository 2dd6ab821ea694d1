"""SAM2's tracking for whole batches of clips, with gradients, one object a clip.

It computes what `Sam2VideoModel.forward` does in a streaming session.

The session of transformers takes one object and one frame at a time without gradients. This file alone uses
the model's private methods (of transformers 5.23.0); a test compares its masks with the session's.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoVisionEncoderOutput

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HIDDEN = -1024.0  # logit of every pixel where the object is not seen, as in transformers


@dataclass(frozen=True, eq=False)
class Features:
    """Image features of n frames: three levels (cells, n, channels), and the coarsest level's positions."""

    levels: list[Tensor]
    positions: Tensor

    def of(self, index: Tensor) -> "Features":
        """Those of the frames index (b,)."""
        return Features([level[:, index] for level in self.levels], self.positions[:, index])


@dataclass(frozen=True, eq=False)
class Prompt:
    """points (b, 1, n, 2) in pixels of the model's square picture; labels (b, 1, n): 1 inside, 2 and 3
    corners."""

    points: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """Of one frame, m candidates: mask logits (b, m, g, g), their IoU (b, m), the logit of the object being
    there (b,), and the candidate chosen (b,).
    """

    masks: Tensor
    iou: Tensor
    presence: Tensor
    chosen: Tensor

    def mask(self) -> Tensor:
        """(b, g, g) logits of the chosen candidate."""
        return self.masks[torch.arange(len(self.masks)), self.chosen]


@dataclass(frozen=True, eq=False)
class Truth:
    """What the memory is told instead of the predictions: masks (b, s, s) bool at the model's picture size,
    and which clips (b,) bool are told.
    """

    masks: Tensor
    told: Tensor


@dataclass(eq=False)
class _Memory:
    """Entries as the session stores them, and how many frames ago the prompted one was."""

    prompted: dict[str, Any] | None = None
    age: int = 0
    tracked: list[dict[str, Any]] = field(default_factory=list)


def normalize(pictures: Tensor, size: int) -> Tensor:
    """(n, h, w, 3) uint8 to the (n, 3, size, size) that the model takes: stretched, normalized."""
    pixels = pictures.permute(0, 3, 1, 2).float() / 255
    pixels = functional.interpolate(pixels, size=(size, size), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (_MEAN, _STD))
    return (pixels - mean) / std


class ClipTracker:
    """Follows one object in each of b clips, frame by frame."""

    def __init__(self, model: Sam2VideoModel) -> None:
        self.model = model
        self._memory = _Memory()

    def encode(self, pixels: Tensor) -> Features:
        """Image features of frames (n, 3, s, s) as `normalize` makes them."""
        output = cast(Sam2VideoVisionEncoderOutput, self.model.get_image_features(pixels))
        levels, positions = output.fpn_hidden_states, output.fpn_position_encoding
        assert levels is not None
        assert positions is not None
        return Features(list(levels), positions[-1])

    def prompt(self, features: Features, prompt: Prompt, truth: Truth | None = None) -> Prediction:
        """Begin with the prompted objects in these frames (b), forgetting all before."""
        self._memory = _Memory()
        conditioned = features.levels[-1] + self.model.no_memory_embedding
        several = prompt.labels.shape[2] <= self.model.config.multimask_max_pt_num
        prediction, token = self._decode(features, conditioned, prompt, several)
        self._memory.prompted = self._remember(features, prediction, token, True, truth)
        return prediction

    def track(self, features: Features, truth: Truth | None = None) -> Prediction:
        """The objects in the next frames (b)."""
        batch = features.levels[-1].shape[1]
        nothing = Prompt(torch.zeros(batch, 1, 1, 2), -torch.ones(batch, 1, 1, dtype=torch.int32))
        prediction, token = self._decode(features, self._condition(features), nothing, False)
        self._memory.tracked.append(self._remember(features, prediction, token, False, truth))
        del self._memory.tracked[: -self.model.config.num_maskmem]
        return prediction

    def _condition(self, features: Features) -> Tensor:
        """(cells, b, channels) of the coarsest level after attention to the memory."""
        model, current = self.model, features.levels[-1]
        assert self._memory.prompted is not None, "prompt first"
        recent = list(reversed(self._memory.tracked))
        offsets = list(enumerate(recent, start=1))
        kept = [(o, entry) for o, entry in reversed(offsets) if o < model.num_maskmem]
        memories, positions = model._build_memory_attention_inputs(
            [(0, self._memory.prompted), *kept], current.device
        )
        limit = model.config.max_object_pointers_in_encoder
        pointed = [(o, entry) for o, entry in offsets if o < limit]
        pointers, pointer_positions = model._process_object_pointers(
            [self._memory.age, *(o for o, _ in pointed)],
            [self._memory.prompted["object_pointer"], *(entry["object_pointer"] for _, entry in pointed)],
            limit,
            current.shape[1],
            model.hidden_dim,
            current.device,
        )
        fused = model.memory_attention(
            current_vision_features=current,
            current_vision_position_embeddings=features.positions,
            memory=torch.cat([*memories, pointers]).to(current.dtype),
            memory_posision_embeddings=torch.cat([*positions, pointer_positions]),
            num_object_pointer_tokens=len(pointers),
        )
        return fused.reshape(current.shape[1], -1, model.hidden_dim).transpose(0, 1)

    def _decode(
        self, features: Features, coarse: Tensor, prompt: Prompt, several: bool
    ) -> tuple[Prediction, Tensor]:
        """Prediction and the chosen mask's output token (b, channels)."""
        model, batch = self.model, coarse.shape[1]
        maps = [
            level.permute(1, 2, 0).reshape(batch, -1, *size)
            for level, size in zip([*features.levels[:-1], coarse], model.backbone_feature_sizes, strict=True)
        ]
        sparse, dense = model.prompt_encoder(prompt.points, prompt.labels, None, None)
        masks, iou, tokens, presence = model.mask_decoder(
            image_embeddings=maps[-1],
            image_positional_embeddings=model.get_image_wide_positional_embeddings().repeat(batch, 1, 1, 1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
            high_resolution_features=maps[:-1],
        )
        chosen = iou[:, 0].argmax(dim=-1)
        prediction = Prediction(masks[:, 0], iou[:, 0], presence[:, 0, 0], chosen)
        return prediction, tokens[torch.arange(batch), 0, chosen]

    def _remember(
        self, features: Features, prediction: Prediction, token: Tensor, prompted: bool, truth: Truth | None
    ) -> dict[str, Any]:
        """An entry of the memory bank, as the session stores it."""
        model = self.model
        present = prediction.presence[:, None] > 0
        logits = prediction.mask()
        logits = torch.where(present[..., None], logits, _HIDDEN)
        size = [4 * cells for cells in model.backbone_feature_sizes[0]]
        logits = functional.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)
        if truth is not None:
            told = truth.told[:, None]
            present = torch.where(told, truth.masks.flatten(1).any(dim=1, keepdim=True), present)
            sure = torch.where(truth.masks, 10.0, -10.0)[:, None]
            logits = torch.where(told[..., None, None], sure, logits)
        memory, positions = model._encode_new_memory(
            current_vision_feats=features.levels[-1],
            pred_masks_high_res=logits,
            object_score_logits=present.float()[..., None] - 0.5,
            is_mask_from_pts=prompted,
        )
        seen = present.float()
        pointer = seen * model.object_pointer_proj(token) + (1 - seen) * model.no_object_pointer
        self._memory.age += 1
        return {"maskmem_features": memory, "maskmem_pos_enc": positions, "object_pointer": pointer}
