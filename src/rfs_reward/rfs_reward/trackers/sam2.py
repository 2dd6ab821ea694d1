"""SAM2.1 (Segment Anything 2.1, hiera-tiny to large) as a tracker.

Why SAM2.1: prompted with a click or a box, it tracks objects that it never saw; the paper's reward uses SAM2,
and 2.1 is the release trained on longer clips, for occlusions. Why through `transformers`: it is maintained,
reads safetensors, takes one picture at a time, and needs no torchvision here. The `sam2` package reads a
whole video before it begins, and its checkpoints are pickles.

Threads: PyTorch takes as many as it was told to, by default one a core. That holds for the whole process,
so it is not set here: the reward node's parameter `threads` does it, by default one.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from rfs_reward.frame import Frame
from rfs_reward.tracker import PromptError, Track, check_prompt
from rfs_reward.trackers.sam2_model import load_model, side
from rfs_reward.trackers.sam2_session import Prediction, Sam2Session
from rfs_reward.weights import find_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures in training (ImageNet's), RGB, 0 to 1."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ON_OBJECT, BOX_CORNERS = 1, (2, 3)
"""Labels of SAM2's prompt encoder."""


class Sam2Tracker:
    """Tracks with SAM2.1 in bounded memory, one picture at a time.

    The mask is empty when the model says that the object is not seen. The confidence is its probability that
    the object is seen, times the overlap (IoU) with the truth that its pixels' probabilities let one expect.
    That followed the true overlap better than SAM's stability score or the model's own prediction of it did.
    """

    def __init__(
        self, weights: str = "", image_size: int = 0, device: str = "auto", dtype: str = "auto"
    ) -> None:
        """weights: a folder, or a name of `./rfs weights`; empty: the small model shipped with this package.

        image_size: side of the square that pictures are scaled to, a multiple of 32; 0: the model's own.
        device: auto, cpu or cuda. dtype: auto (float32 on the CPU, bfloat16 on CUDA), float32 or bfloat16.

        Raises:
            FileNotFoundError: weights that are not there. ValueError: all else that does not fit.
        """
        place = _device(device)
        folder = find_weights(weights)
        self._model = load_model(folder, image_size, place, _dtype(dtype, place))
        self._size = side(self._model.config)
        self._session = Sam2Session(self._model)
        self._mean = torch.tensor(MEAN, device=place)[:, None, None]
        self._std = torch.tensor(STD, device=place)[:, None, None]
        self.name = f"sam2:{folder.name}" + (f"@{self._size}" if image_size else "")

    def prompt(self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None) -> Track:
        """Begin with the object at points or in a box, which tells more. PromptError as in `Tracker`."""
        check_prompt(frame, points, box)
        where, labels = _prompt_points(points, box)
        height, width = frame.color.shape[:2]
        scaled = torch.from_numpy(where / [width, height] * self._size).float()
        place = self._model.device
        found = self._session.prompt(self._pixels(frame.color), scaled.to(place), labels.to(place))
        if not found.seen:
            raise PromptError(
                f"{self.name} sees no object there: prompt with a box around it, or nearer its middle"
            )
        return _read(found, (height, width))

    def track(self, frame: Frame) -> Track:
        """The object in the next frame. ValueError before the first prompt."""
        return _read(self._session.track(self._pixels(frame.color)), frame.color.shape[:2])

    def reset(self) -> None:
        """Forget the object."""
        self._session.reset()

    def held_bytes(self) -> int:
        """Size of what is kept between frames, bytes."""
        return self._session.held_bytes()

    def _pixels(self, color: NDArray[np.uint8]) -> Tensor:
        """Color (h, w, 3) as the model takes it: (3, S, S), scaled, normalized."""
        picture = (
            torch.from_numpy(np.ascontiguousarray(color)).to(self._model.device).permute(2, 0, 1) / 255.0
        )
        size = (self._size, self._size)
        square = interpolate(picture[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
        return ((square - self._mean) / self._std).to(self._model.dtype)


def _prompt_points(points: ArrayLike | None, box: ArrayLike | None) -> tuple[NDArray[np.float64], Tensor]:
    """Pixels (n, 2) and their labels (n,)."""
    if box is not None:
        return np.asarray(box, np.float64).reshape(2, 2), torch.tensor(BOX_CORNERS, dtype=torch.int32)
    pixels = np.asarray(points, np.float64)
    return pixels, torch.full((len(pixels),), ON_OBJECT, dtype=torch.int32)


def _read(found: Prediction, shape: tuple[int, ...]) -> Track:
    """The prediction at a frame's size (h, w)."""
    if not found.seen:
        return Track(np.zeros(shape, bool), 0.0)
    logits = interpolate(found.logits[None, None], shape, mode="bilinear", align_corners=False)[0, 0]
    presence = 1 / (1 + np.exp(-found.score))
    return Track((logits > 0).cpu().numpy(), float(presence * _expected_overlap(found.logits)))


def _expected_overlap(logits: Tensor) -> Tensor:
    """Expected intersection of mask and truth over their expected union, each pixel being the object's with
    the probability that its logit says."""
    probability, mask = logits.sigmoid(), logits > 0
    return probability[mask].sum() / (mask.sum() + probability[~mask].sum())


def _device(name: str) -> torch.device:
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if kind.split(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"unknown device '{name}': auto, cpu or cuda")
    if kind.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device 'cuda' is not available here: take auto or cpu, or a PyTorch built for CUDA")
    return torch.device(kind)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    kind = ("bfloat16" if device.type == "cuda" else "float32") if name == "auto" else name
    if kind not in DTYPES:
        raise ValueError(f"unknown dtype '{name}': auto, {' or '.join(DTYPES)}")
    return DTYPES[kind]
