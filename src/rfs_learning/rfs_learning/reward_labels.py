"""Rewards of one recorded episode that were computed afterwards: one Parquet file beside its bag.

    SESSION/BAG/                        the bag, never touched
    SESSION/rewards/LABEL/config.json   how the rewards of this label were made: tracker, weights, terms
    SESSION/rewards/LABEL/BAG.parquet   one row a frame, as below; written to another name and renamed
    SESSION/rewards/LABEL/BAG.png       old against new; report.html shows all of them

    stamp (int64, ns)  centroid, palm (3 doubles, m)  palm_distance, lift (m)  reward  term.NAME  weight.NAME
    success (bool)  tracking (TRACKING_* of GraspReward)  confidence  age (s)  mask_pixels  problem (text)

What is not known is NaN. The file's metadata names bag, tracker, weights' hash, configuration and versions.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rfs_teleop.bag_index import IndexedBag

FORMAT = 1
_KEY = b"rfs_reward_labels"
_NUMBERS = {
    "palm_distance": np.float64,
    "lift": np.float64,
    "reward": np.float64,
    "success": np.bool_,
    "tracking": np.uint8,
    "confidence": np.float64,
    "age": np.float64,
    "mask_pixels": np.int32,
}
_POINTS = ("centroid", "palm")


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
    tracker and configuration, only JSON's types.
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

    def write(self, path: Path) -> None:
        """Write the file, complete or not at all."""
        columns: dict[str, pa.Array] = {"stamp": pa.array(self.stamp)}
        for name in _POINTS:
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(getattr(self, name).reshape(-1)), 3)
        columns |= {name: pa.array(getattr(self, name)) for name in _NUMBERS}
        for kind, parts in (("term", self.terms), ("weight", self.weights)):
            columns |= {f"{kind}.{name}": pa.array(values) for name, values in parts.items()}
        columns["problem"] = pa.array(self.problem, pa.string())
        names = {"bag": vars(self.bag), "outcome": self.outcome}
        about = {"format": FORMAT, **names, "run": self.run, "versions": self.versions}
        table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about, sort_keys=True)})
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        pq.write_table(table, temporary)
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "RewardLabels":
        """What `write` wrote.

        Raises:
            FileNotFoundError: nothing is there.
            LabelError: it is no such file, or a damaged one.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        try:
            return cls._from_table(pq.read_table(path))
        except (pa.ArrowException, ValueError, KeyError, TypeError, OSError) as error:
            raise LabelError(f"{path} holds no rewards ({error}): remove it and relabel the bag") from error

    @classmethod
    def _from_table(cls, table: pa.Table) -> "RewardLabels":
        about = json.loads((table.schema.metadata or {})[_KEY])
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, this version reads {FORMAT}")
        columns = {name: table[name].to_numpy().astype(kind) for name, kind in _NUMBERS.items()}
        points = {name: table[name].combine_chunks().flatten().to_numpy().reshape(-1, 3) for name in _POINTS}
        terms, weights = (
            {
                name.removeprefix(kind): table[name].to_numpy()
                for name in table.column_names
                if name.startswith(kind)
            }
            for kind in ("term.", "weight.")
        )
        return cls(
            bag=BagIdentity(**about["bag"]),
            outcome=about["outcome"],
            run=about["run"],
            versions=about["versions"],
            stamp=table["stamp"].to_numpy(),
            problem=tuple(table["problem"].to_pylist()),
            terms=terms,
            weights=weights,
            **columns,
            **points,
        )


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


def read_labels(bag: IndexedBag, path: Path, label: str) -> RewardLabels:
    """The rewards of an open bag, which lies at `path`.

    Raises:
        LabelError: there are none of this label, they are damaged, or they are another bag's.
    """
    file = labels_file(path, label)
    try:
        labels = RewardLabels.read(file)
    except FileNotFoundError:
        way_out = f"'./rfs reward relabel {path} --label {label}' makes them"
        raise LabelError(f"it has no rewards '{label}' beside it: {way_out}") from None
    if not labels.bag.same(BagIdentity.of(bag)):
        raise LabelError(
            f"{file} holds the rewards of another recording, {labels.bag.name}: relabel this bag"
        )
    return labels


def check_label(label: str) -> None:
    """ValueError unless it is a name for a folder."""
    if not label or not all(c.isalnum() or c in "._-" for c in label) or label.startswith("."):
        raise ValueError(f"the label '{label}' is no plain name: use letters, digits, '.', '_' and '-'")


def _whole(bag: Path) -> Path:
    """The bag's folder where only its file was given; a file that lies alone is a bag by itself."""
    bag = bag.resolve()
    inside = bag.is_file() and (bag.parent / "metadata.yaml").is_file()
    return bag.parent if inside else bag
