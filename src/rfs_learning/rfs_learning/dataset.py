"""Demonstrations on disk, a `replay.Replay`:

    data/point_cloud (T, points, 3) float32   data/state (T, 48) float32   data/action (T, 22) float32
    data/executed (T, 22) float32             meta/episode_ends (E,) int64
    meta/seed (E,) int64                      meta/object (E,) str         meta/success (E,) bool

`action` is the label (what the demonstrator meant), `executed` what the robot was sent after perturbation
and limits. Attributes of the group hold the action layout, the run's settings and every attempted episode.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_policy.layout import DELTA_POSE, Layout

from rfs_learning.replay import Column, Replay

_COLUMNS = ("point_cloud", "state", "action", "executed")


@dataclass(frozen=True)
class EpisodeData:
    """One episode of T steps: point_cloud (T, points, 3), state (T, 48), action and executed (T, 22)."""

    point_cloud: NDArray[np.float32]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    executed: NDArray[np.float32]
    object: str
    seed: int
    success: bool

    def __len__(self) -> int:
        return len(self.action)


class DemoDataset(Replay):
    """A dataset on disk. `create` starts one, `open` reads or continues one."""

    KIND = "demonstration dataset"
    MADE_BY = "'./rfs demos --output PATH'"

    @classmethod
    def create(
        cls, path: str | Path, layout: Layout = DELTA_POSE, config: dict[str, Any] | None = None
    ) -> "DemoDataset":
        """An empty dataset at path.

        Raises:
            FileExistsError: something is there already.
        """
        columns = {
            "point_cloud": Column((layout.cloud_points, 3), chunk=32),
            "state": Column((layout.state_dim,)),
            "action": Column((layout.action_dim,)),
            "executed": Column((layout.action_dim,)),
        }
        meta = {"seed": "i8", "object": "<U32", "success": "?"}
        return cls._create(Path(path), layout, columns, meta, {"config": config or {}, "attempts": []})

    # ---- reading ----
    @property
    def config(self) -> dict[str, Any]:
        """Settings of the run that made it."""
        return dict(self._root.attrs["config"])

    @property
    def attempts(self) -> list[tuple[str, int, bool]]:
        """(object, seed, success) of every episode tried, kept or not."""
        listed = [(name, seed, success) for name, seed, success in self._root.attrs["attempts"]]
        known = {(name, seed) for name, seed, _ in listed}
        # A run that died between writing episodes and this record has kept some that are not listed.
        meta = self._root["meta"]
        kept = zip(*(meta[name][: len(self)] for name in ("object", "seed", "success")), strict=True)
        return listed + [(str(o), int(s), bool(ok)) for o, s, ok in kept if (str(o), int(s)) not in known]

    def episode(self, index: int) -> EpisodeData:
        """The episode of that number (from 0)."""
        rows = self.span(index)
        data = {name: self._root["data"][name][rows] for name in _COLUMNS}
        meta = self._root["meta"]
        return EpisodeData(
            **data,
            object=str(meta["object"][index]),
            seed=int(meta["seed"][index]),
            success=bool(meta["success"][index]),
        )

    # ---- writing ----
    def append(self, episodes: Sequence[EpisodeData], attempts: Sequence[tuple[str, int, bool]] = ()) -> None:
        """Add episodes, and to the record every attempt that led to them."""
        if episodes:
            columns = {name: np.concatenate([getattr(e, name) for e in episodes]) for name in _COLUMNS}
            meta = {name: [getattr(e, name) for e in episodes] for name in ("seed", "object", "success")}
            self._append([len(e) for e in episodes], columns, meta)
        if attempts:
            self._root.attrs["attempts"] = [*self._root.attrs["attempts"], *map(list, attempts)]


def describe(dataset: DemoDataset) -> str:
    """One paragraph of JSON about a dataset: sizes, objects, settings."""
    objects, counts = np.unique(dataset.array("object")[:], return_counts=True)
    return json.dumps(
        {
            "episodes": len(dataset),
            "steps": dataset.steps,
            "objects": {str(o): int(c) for o, c in zip(objects, counts, strict=True)},
            "layout": dataset.layout.name,
            "config": dataset.config,
        }
    )
