"""A transition dataset in LeRobot's dataset format v3.0: Parquet files, and JSON that describes them.

    data/chunk-000/file-000.parquet             one row a transition, files of about 100 MB
    meta/info.json, stats.json, tasks.parquet   features and sizes; statistics; "grasp the mug", ...
    meta/episodes/chunk-000/file-000.parquet    where an episode lies, its outcome, rewards, statistics

LeRobot takes the frames of an episode to be 1 / fps apart, so each unbroken chain of transitions becomes an
episode of its own; the measured stamps are kept beside. It has no type for point clouds, and its tools that
rewrite datasets fail on features of two dimensions: so a cloud is one list of points * 3 numbers (x, y, z of
the first point, then of the second), and the noise one of H * D.
"""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rfs_policy.layout import Layout
from rich.console import Console
from rich.progress import track

from rfs_learning.lerobot_stats import Stats, as_lists, combined, episode_stats
from rfs_learning.transitions import TransitionDataset

VERSION = "v3.0"
DATA_FILE = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_FILE = "meta/episodes/chunk-000/file-000.parquet"
_FILE_BYTES, _FILES_PER_CHUNK = 100 * 2**20, 1000
_COPIED = {
    "observation.point_cloud": "point_cloud",
    "observation.state": "state",
    "action": "executed",
    "next.reward": "reward",
    "next.done": "done",
    "next.success": "success",
    "complementary_info.is_intervention": "intervened",
    "complementary_info.base_action": "base_action",
    "complementary_info.policy_residual": "policy_residual",
    "complementary_info.human_residual": "human_residual",
    "complementary_info.noise": "noise",
    "complementary_info.stamp_ns": "stamp",
}
"""Feature by feature, the array that it is a copy of. `action` is what the robot was really told."""


def features(dataset: TransitionDataset) -> dict[str, dict[str, Any]]:
    """The features as info.json lists them: dtype, shape and names of the numbers."""
    described = {}
    for name, source in _COPIED.items():
        array = dataset.array(source)
        shape = [math.prod(array.shape[1:])]
        described[name] = {"dtype": array.dtype.name, "shape": shape, "names": _names(source, dataset.layout)}
    own = {"timestamp": "float32"} | dict.fromkeys(
        ("frame_index", "episode_index", "index", "task_index"), "int64"
    )
    described.update({name: {"dtype": kind, "shape": [1], "names": None} for name, kind in own.items()})
    return described


def _names(source: str, layout: Layout) -> list[str] | None:
    """LeRobot wants no slash in names of features, but takes any name of a number."""
    actions = ("executed", "base_action", "policy_residual", "human_residual")
    if source == "state":
        return list(layout.state_names)
    return list(layout.action_names) if source in actions else None


@dataclass
class _Output:
    """Files being written: rows go to `data` until a file is full; `episodes` and `tasks` come at the end."""

    folder: Path
    features: dict[str, dict[str, Any]]
    episodes: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    stats: list[dict[str, Stats]] = field(default_factory=list)
    frames: int = 0
    file: int = 0
    bytes: int = 0
    writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> tuple[int, int]:
        """Add an episode's rows; returns the number of the chunk and of the file that they went to."""
        if self.writer is not None and self.bytes + table.nbytes > _FILE_BYTES:
            self.close()
            self.file, self.bytes = self.file + 1, 0
        chunk, file = divmod(self.file, _FILES_PER_CHUNK)
        if self.writer is None:
            path = self.folder / DATA_FILE.format(chunk_index=chunk, file_index=file)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = pq.ParquetWriter(path, table.schema)
        self.writer.write_table(table)
        self.bytes += table.nbytes
        return chunk, file

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None


def export(dataset: TransitionDataset, output: Path, console: Console) -> str:
    """Write the dataset to a new folder, completely or not at all; returns a line that says what is in it.

    Raises:
        FileExistsError: something is there already.
        ValueError: the dataset is empty, or its rate is not a whole number of Hz.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists; give another folder")
    if not len(dataset) or not float(dataset.layout.rate_hz).is_integer():
        raise ValueError(f"{dataset.path} has no episode, or a rate that is no whole number of Hz")
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    written = _Output(partial, features(dataset))
    try:
        for index in track(range(len(dataset)), "episodes", console=console):
            for rows in _chains(dataset, index):
                _add(written, dataset, index, rows)
        written.close()
        _write_meta(written, int(dataset.layout.rate_hz))
        partial.rename(output)
    finally:
        written.close()
        shutil.rmtree(partial, ignore_errors=True)
    return f"{len(written.episodes)} unbroken chains of {len(dataset)} episodes, {written.frames} frames"


def _chains(dataset: TransitionDataset, index: int) -> Iterator[slice]:
    """Rows of each unbroken run of transitions in an episode."""
    span = dataset.span(index)
    begins = np.concatenate([[False], dataset.array("transition")[span], [False]])
    edges = np.flatnonzero(begins[1:] != begins[:-1]) + span.start
    return (slice(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True))


def _add(output: _Output, dataset: TransitionDataset, index: int, rows: slice) -> None:
    length, name = rows.stop - rows.start, str(dataset.array("object")[index])
    task = f"grasp the {name.replace('_', ' ') or 'object'}"
    number = output.tasks.setdefault(task, len(output.tasks))
    columns = {feature: dataset.array(source)[rows] for feature, source in _COPIED.items()}
    frames = np.arange(length)
    columns["timestamp"] = (frames / dataset.layout.rate_hz).astype(np.float32)
    columns["frame_index"], columns["index"] = frames, output.frames + frames
    columns["episode_index"] = np.full(length, len(output.episodes))
    columns["task_index"] = np.full(length, number)
    chunk, file = output.write(pa.table({key: _as_arrow(columns[key]) for key in output.features}))
    stats = {key: episode_stats(columns[key]) for key in output.features}
    output.stats.append(stats)
    output.episodes.append(
        {
            "episode_index": len(output.episodes),
            "tasks": [task],
            "length": length,
            "dataset_from_index": output.frames,
            "dataset_to_index": output.frames + length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            **{name: str(dataset.array(name)[index]) for name in ("bag", "session", "operator", "outcome")},
            "reward_source": dataset.reward_source(index),
            "reward_label": dataset.rewards.get("label", ""),
            **{f"stats/{key}/{part}": v for key, s in stats.items() for part, v in s.items()},
        }
    )
    output.frames += length


def _as_arrow(values: NDArray) -> pa.Array:
    """Rows as scalars, or as lists of fixed size."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, math.prod(values.shape[1:]))


def _write_meta(output: _Output, fps: int) -> None:
    meta = output.folder / "meta"
    (output.folder / EPISODES_FILE).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(output.episodes), output.folder / EPISODES_FILE)
    pq.write_table(_tasks_table(list(output.tasks)), meta / "tasks.parquet")
    stats = {key: combined([part[key] for part in output.stats]) for key in output.features}
    (meta / "stats.json").write_text(json.dumps(as_lists(stats), indent=1) + "\n")
    info = {
        "codebase_version": VERSION,
        "robot_type": "fr3_leap",
        "total_episodes": len(output.episodes),
        "total_frames": output.frames,
        "total_tasks": len(output.tasks),
        "chunks_size": _FILES_PER_CHUNK,
        "data_files_size_in_mb": _FILE_BYTES // 2**20,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{len(output.episodes)}"},
        "data_path": DATA_FILE,
        "video_path": None,
        "features": output.features,
    }
    (meta / "info.json").write_text(json.dumps(info, indent=1) + "\n")


def _tasks_table(tasks: Sequence[str]) -> pa.Table:
    """Number by task; LeRobot reads it with pandas, with the task as index, which the metadata declares."""
    index = "__index_level_0__"
    columns = [(None, index, "unicode", "object"), ("task_index", "task_index", "int64", "int64")]
    described = [
        {"name": name, "field_name": key, "pandas_type": kind, "numpy_type": stored, "metadata": None}
        for name, key, kind, stored in columns
    ]
    pandas = {"index_columns": [index], "column_indexes": [], "columns": described, "pandas_version": "2.3.0"}
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), index: pa.array(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})
