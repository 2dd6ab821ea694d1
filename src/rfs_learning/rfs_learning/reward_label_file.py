"""A label's Parquet file of one bag: a row a frame.

    stamp (int64, ns)  centroid, palm (3 doubles, m)  palm_distance, lift (m)  reward  term.NAME  weight.NAME
    success (bool)  tracking (TRACKING_* of GraspReward)  confidence  age (s)  mask_pixels  problem (text)

What is not known is NaN. The file's metadata names bag, outcome, way of making and versions, as JSON.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rfs_policy.checkpoint import write_atomically
from rfs_teleop.bag_index import IndexedBag

from rfs_learning.reward_labels import BagIdentity, LabelError, RewardLabels, labels_file

FORMAT = 1
_KEY = b"rfs_reward_labels"
_NUMBERS = {
    "stamp": pa.int64(),
    "palm_distance": pa.float64(),
    "lift": pa.float64(),
    "reward": pa.float64(),
    "success": pa.bool_(),
    "tracking": pa.uint8(),
    "confidence": pa.float64(),
    "age": pa.float64(),
    "mask_pixels": pa.int32(),
}
_POINT = pa.list_(pa.float64(), 3)
_POINTS = ("centroid", "palm")
_PARTS = ("term", "weight")
_MOST_ROWS, _MOST_COLUMNS = 1_000_000, 100  # a day at 10 Hz; a file of some kB could claim to hold far more


def write_labels(labels: RewardLabels, path: Path) -> None:
    """Write the file, complete or not at all."""
    columns = {name: pa.array(getattr(labels, name), kind) for name, kind in _NUMBERS.items()}
    for name in _POINTS:
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(getattr(labels, name).reshape(-1)), 3)
    for kind, parts in zip(_PARTS, (labels.terms, labels.weights), strict=True):
        columns |= {f"{kind}.{name}": pa.array(values) for name, values in parts.items()}
    columns["problem"] = pa.array(labels.problem, pa.string())
    about = {"format": FORMAT, "bag": vars(labels.bag), "outcome": labels.outcome}
    about |= {"run": labels.run, "versions": labels.versions}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about, sort_keys=True)})
    content = BytesIO()
    pq.write_table(table, content)
    write_atomically(path, content.getvalue())


def read_label_file(path: Path) -> RewardLabels:
    """What `write_labels` wrote.

    Raises:
        FileNotFoundError: nothing is there.
        LabelError: it is no such file, or a damaged one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        with pq.ParquetFile(path) as file:
            _check_size(file.metadata)
            return _labels(file.read())
    except (pa.ArrowException, ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise LabelError(f"{path} holds no rewards ({cause}): remove it and relabel the bag") from error


def _check_size(metadata: pq.FileMetaData) -> None:
    if not 0 < metadata.num_rows <= _MOST_ROWS or metadata.num_columns > _MOST_COLUMNS:
        raise ValueError(
            f"{metadata.num_rows} rows of {metadata.num_columns} columns are not those of frames"
        )


def _labels(table: pa.Table) -> RewardLabels:
    about = json.loads((table.schema.metadata or {})[_KEY])
    _check_about(about)
    numbers = {name: _column(table, name, kind).to_numpy() for name, kind in _NUMBERS.items()}
    if (np.diff(numbers["stamp"]) <= 0).any():
        raise ValueError("its stamps do not ascend")
    points = {
        name: _column(table, name, _POINT).combine_chunks().flatten().to_numpy().reshape(-1, 3)
        for name in _POINTS
    }
    terms, weights = (_parts(table, f"{kind}.") for kind in _PARTS)
    if terms.keys() != weights.keys():
        raise ValueError("its terms and weights do not belong together")
    return RewardLabels(
        bag=BagIdentity(**about["bag"]),
        outcome=about["outcome"],
        run=about["run"],
        versions=about["versions"],
        problem=tuple(_column(table, "problem", pa.string()).to_pylist()),
        terms=terms,
        weights=weights,
        **numbers,
        **points,
    )


def _parts(table: pa.Table, kind: str) -> dict[str, NDArray[np.float64]]:
    return {
        name.removeprefix(kind): _column(table, name, pa.float64()).to_numpy()
        for name in table.column_names
        if name.startswith(kind)
    }


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    column = table[name]
    if column.type != kind or column.null_count:
        raise ValueError(f"{name} is {column.type} with {column.null_count} gaps, not {kind}")
    return column


def _check_about(about: Any) -> None:
    """The types that the rest relies on."""
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']}, this version reads {FORMAT}")
    bag, run = about["bag"], about["run"]
    texts = about["outcome"], run["tracker"], bag["session"], bag["name"]
    typed = all(isinstance(text, str) for text in texts) and isinstance(bag["began"], int)
    if not typed or not isinstance(run, Mapping) or not isinstance(about["versions"], Mapping):
        raise ValueError("what it says of itself has other types")


def read_labels(bag: IndexedBag, path: Path, label: str) -> RewardLabels:
    """The rewards of an open bag, which lies at `path`.

    Raises:
        LabelError: there are none of this label, they are damaged, or they are another bag's.
    """
    file = labels_file(path, label)
    try:
        labels = read_label_file(file)
    except FileNotFoundError:
        way_out = f"'./rfs reward relabel {path} --label {label}' makes them"
        raise LabelError(f"it has no rewards '{label}' beside it: {way_out}") from None
    if not labels.bag.same(BagIdentity.of(bag)):
        raise LabelError(
            f"{file} holds the rewards of another recording, {labels.bag.name}: relabel this bag"
        )
    return labels
