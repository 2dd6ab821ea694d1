"""SAM2 over a stream without end: one object, and a memory that does not grow."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

MAX_PROMPTS = 4
"""Prompted frames that are attended to unless the model says fewer; as many as in SAM2's training."""
SAME_OBJECT_IOU = 0.5
"""A new prompt's mask that overlaps the tracked one more than this shows the same object."""
NEEDLESS = ("pred_masks", "high_res_masks")
"""Stored by the model with each frame, read by nobody after it."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """logits: (s, s) float32, s image size / 4, above 0 on the object. score: of presence, a logit."""

    logits: Tensor
    score: float

    @property
    def seen(self) -> bool:
        """Whether any of the object is visible."""
        return self.score > 0 and bool((self.logits > 0).any())


class Sam2Session:
    """One object in a stream of pictures.

    `Sam2VideoInferenceSession` keeps each picture and its outputs for ever. The model attends to the prompted
    frames, to the features of the last `num_maskmem - 1` frames and to the object pointers of the last
    `max_object_pointers_in_encoder - 1`; all else is dropped here after each frame, which changes no output.
    """

    def __init__(self, model: Sam2VideoModel) -> None:
        self._model = model
        self._memory: Sam2VideoInferenceSession | None = None
        self._next = 0

    @property
    def started(self) -> bool:
        """Whether an object was prompted."""
        return self._memory is not None

    def prompt(self, pixels: Tensor, points: Tensor, labels: Tensor) -> Prediction:
        """Begin with the object at points (n, 2), x and y, of a picture (3, S, S); labels (n,) are SAM2's:
        1 lies on the object, 2 and 3 are corners of a box around it.

        The prompt alone says what the object is. What was tracked before stays in memory if it is the same
        object, and is forgotten if not. A prompt that shows nothing changes nothing.
        """
        fresh = self._new_memory()
        fresh.add_point_inputs(
            0, self._next, {"point_coords": points[None, None], "point_labels": labels[None, None]}
        )
        fresh.obj_with_new_inputs = [fresh.obj_idx_to_id(0)]
        found = self._run(fresh, pixels)
        if found.seen:
            if self._memory is not None and self._same_object(self._memory, fresh, pixels, found):
                limit = self._model.config.max_cond_frame_num
                _carry_over(self._memory, fresh, MAX_PROMPTS if limit < 1 else min(limit, MAX_PROMPTS))
            self._memory = fresh
            self._advance(fresh)
        return found

    def track(self, pixels: Tensor) -> Prediction:
        """The object in the next picture (3, S, S). ValueError before the first prompt."""
        if self._memory is None:
            raise ValueError("nothing to track: prompt the tracker first")
        found = self._run(self._memory, pixels)
        self._advance(self._memory)
        return found

    def reset(self) -> None:
        """Forget the object."""
        self._memory = None
        self._next = 0

    def held_bytes(self) -> int:
        """Size of all that is kept from frame to frame, bytes."""
        return sum(tensor.nbytes for tensor in _tensors(vars(self._memory))) if self._memory else 0

    def _new_memory(self) -> Sam2VideoInferenceSession:
        device, dtype = self._model.device, self._model.dtype
        memory = Sam2VideoInferenceSession(
            inference_device=device, inference_state_device=device, video_storage_device=device, dtype=dtype
        )
        memory.obj_id_to_idx(1)
        return memory

    def _run(self, memory: Sam2VideoInferenceSession, pixels: Tensor) -> Prediction:
        output = self._model(inference_session=memory, frame=pixels, frame_idx=self._next)
        return Prediction(output.pred_masks[0, 0].float(), float(output.object_score_logits))

    def _same_object(
        self,
        old: Sam2VideoInferenceSession,
        fresh: Sam2VideoInferenceSession,
        pixels: Tensor,
        found: Prediction,
    ) -> bool:
        """Whether the old memory sees in this picture what the prompt found in it."""
        old.cache = fresh.cache
        tracked = self._run(old, pixels)
        a, b = tracked.logits > 0, found.logits > 0
        return bool((a & b).sum() > SAME_OBJECT_IOU * (a | b).sum())

    def _advance(self, memory: Sam2VideoInferenceSession) -> None:
        """Go to the next frame, and drop what it will not attend to."""
        self._next += 1
        memory.processed_frames = None
        memory.cache.clear_all()
        memory.frames_tracked_per_obj[0].clear()
        memory.point_inputs_per_obj[0].clear()
        outputs = memory.output_dict_per_obj[0]
        for output in (*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()):
            for name in NEEDLESS:
                output.pop(name, None)
        self._age(outputs["non_cond_frame_outputs"])

    def _age(self, tracked: dict[int, dict[str, Tensor]]) -> None:
        """Drop old frames' features, and older ones' object pointers."""
        config = self._model.config
        for index in list(tracked):
            age = self._next - index
            if age >= config.num_maskmem:
                tracked[index].pop("maskmem_features", None)
                tracked[index].pop("maskmem_pos_enc", None)
            if age >= max(config.num_maskmem, config.max_object_pointers_in_encoder):
                del tracked[index]


def _carry_over(old: Sam2VideoInferenceSession, fresh: Sam2VideoInferenceSession, prompts: int) -> None:
    """Add the old memory to the fresh one: so many prompted frames in all, the newest, and tracked ones."""
    before, after = old.output_dict_per_obj[0], fresh.output_dict_per_obj[0]
    prompted = {**before["cond_frame_outputs"], **after["cond_frame_outputs"]}
    newest = sorted(prompted)[-prompts:]
    after["cond_frame_outputs"] = {index: prompted[index] for index in newest}
    this = newest[-1]
    tracked = before["non_cond_frame_outputs"].items()
    after["non_cond_frame_outputs"] = {index: output for index, output in tracked if index != this}


def _tensors(value: Any) -> list[Tensor]:
    """Every tensor within nested dictionaries, lists and the session's cache."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for part in value.values() for tensor in _tensors(part)]
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in _tensors(part)]
    return _tensors(vars(value)) if hasattr(value, "cache_vision_features") else []
