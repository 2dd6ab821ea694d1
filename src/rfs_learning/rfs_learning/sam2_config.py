"""Settings of the small SAM2's training, from YAML (`config/sam2.yaml` documents each)."""

import os
from dataclasses import asdict, dataclass, fields
from typing import Any

from rfs_learning.entries import own_entries, packaged_entries


@dataclass(frozen=True)
class Sam2Config:
    """One training run; see `config/sam2.yaml`."""

    image_size: int
    embed_dims: tuple[int, ...]
    blocks: tuple[int, ...]
    hidden_size: int
    memory_layers: int
    memories: int
    episodes: int
    first_seed: int
    frames: int
    max_stride: int
    wide_camera: float
    repaint: float
    distractor: float
    absent: float
    occluder: float
    noise: float
    steps: int
    batch: int
    learning_rate: float
    warmup: int
    decay: float
    weight_decay: float
    gradient_clip: float
    ema: float
    teacher: int
    near: int
    focal_weight: float
    early_focal_weight: float
    early_steps: int
    seed: int
    threads: int
    log_every: int
    save_every: int

    def __post_init__(self) -> None:
        for name in ("embed_dims", "blocks"):
            object.__setattr__(self, name, _stages(name, getattr(self, name)))
        if self.blocks[2] < 2:
            raise ValueError("the third of blocks has to be at least 2: its last one sees the whole picture")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, float) and not isinstance(value, (int, field.type)):
                raise ValueError(f"{field.name} is '{value}': it has to be a number ({field.type.__name__})")
            if field.type in (int, float) and value < 0:
                raise ValueError(f"{field.name} is {value}: it cannot be negative")
        multiple = 64 if self.near else 32
        if self.image_size % multiple:
            raise ValueError(f"image_size is {self.image_size}: it has to be a multiple of {multiple}")
        if self.hidden_size % 64 or self.hidden_size < 128:
            raise ValueError(f"hidden_size is {self.hidden_size}: it has to be 128 or another multiple of 64")
        if min(self.frames, self.memories) < 2:
            raise ValueError("frames and memories have to be at least 2: one prompted and one tracked")
        for name in ("episodes", "batch", "steps", "max_stride", "threads", "log_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} has to be at least 1")

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, **overrides: Any) -> "Sam2Config":
        """The packaged defaults, then the entries of a YAML file, then `overrides` that are not None.

        Raises:
            FileNotFoundError, ValueError: no such file, an entry that does not exist or cannot be.
        """
        values = packaged_entries("sam2") | own_entries(path)
        values |= {key: value for key, value in overrides.items() if value is not None}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown training settings: {', '.join(sorted(unknown))}; see config/sam2.yaml")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the run's record."""
        return asdict(self)


def _stages(name: str, value: Any) -> tuple[int, ...]:
    """ValueError unless it is a number for each of the four stages."""
    whole = isinstance(value, (list, tuple)) and all(type(number) is int for number in value)
    if not whole or len(value) != 4 or min(value) < 1:
        raise ValueError(f"{name} takes four positive whole numbers, one for each stage")
    return tuple(value)
