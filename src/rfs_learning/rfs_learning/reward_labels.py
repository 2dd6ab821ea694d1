"""Rewards of one recorded episode that were computed afterwards, and where they lie: beside its bag.

SESSION/BAG/                        the bag, never touched
SESSION/rewards/LABEL/config.json   how the rewards of this label were made: see `reward_run`
SESSION/rewards/LABEL/BAG.parquet   one row a frame: see `reward_label_file`
SESSION/rewards/LABEL/BAG.png       old against new; report.html shows all of them
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_teleop.bag_index import IndexedBag


class LabelError(ValueError):
    """Rewards beside a bag that are missing, damaged, or not those of this bag."""


@dataclass(frozen=True)
class BagIdentity:
    """Which recording it is: folders alone may have equal names. began: log time of its first message, ns."""

    session: str
    name: str
    began: int

    @classmethod
    def of(cls, bag: IndexedBag) -> "BagIdentity":
        """The identity of an open bag."""
        return cls(bag.contract.get("session", ""), bag.name, bag.began)

    def same(self, other: "BagIdentity") -> bool:
        """Whether it is one recording; its name is another one where the file is given, not the folder."""
        return (self.session, self.began) == (other.session, other.began)


@dataclass(frozen=True, eq=False)
class RewardLabels:
    """Rewards of n frames, in order of their stamps.

    stamp (n,) ns. centroid, palm (n, 3) m, base frame. palm_distance, lift (n,) m. terms, weights: (n,) by
    term. success (n,) bool. tracking (n,) uint8. confidence (n,) 0 to 1. age (n,) s. mask_pixels (n,), 0
    where no picture was looked at. problem: text by frame. outcome: what the bag says of its episode. run:
    tracker, weights, code and configuration, only JSON's types.
    """

    bag: BagIdentity
    outcome: str
    run: Mapping[str, Any]
    stamp: NDArray[np.int64]
    centroid: NDArray[np.float64]
    palm: NDArray[np.float64]
    palm_distance: NDArray[np.float64]
    lift: NDArray[np.float64]
    reward: NDArray[np.float64]
    terms: Mapping[str, NDArray[np.float64]]
    weights: Mapping[str, NDArray[np.float64]]
    success: NDArray[np.bool_]
    tracking: NDArray[np.uint8]
    confidence: NDArray[np.float64]
    age: NDArray[np.float64]
    mask_pixels: NDArray[np.int32]
    problem: tuple[str, ...]
    versions: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.stamp)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(n,) s since the first frame."""
        return ((self.stamp - self.stamp[:1]) * 1e-9).astype(np.float64)


def labels_folder(bag: Path, label: str) -> Path:
    """Where the rewards of a bag lie: beside its folder, also when its file was given.

    Raises:
        ValueError: a label that is no plain name.
    """
    check_label(label)
    return _whole(bag).parent / "rewards" / label


def labels_file(bag: Path, label: str) -> Path:
    """The file of a bag's rewards, whether it is there or not. ValueError as `labels_folder`."""
    bag = _whole(bag)
    return labels_folder(bag, label) / f"{bag.stem if bag.is_file() else bag.name}.parquet"


def check_label(label: str) -> None:
    """ValueError unless it is a name for a folder."""
    if not label or not all(c.isalnum() or c in "._-" for c in label) or label.startswith("."):
        raise ValueError(f"the label '{label}' is no plain name: use letters, digits, '.', '_' and '-'")


def _whole(bag: Path) -> Path:
    """The bag's folder where only its file was given; a file that lies alone is a bag by itself."""
    bag = bag.resolve()
    inside = bag.is_file() and (bag.parent / "metadata.yaml").is_file()
    return bag.parent if inside else bag
