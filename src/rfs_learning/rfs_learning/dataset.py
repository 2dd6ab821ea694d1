"""Demonstrations on disk: a Zarr v2 group in the replay layout that 3D Diffusion Policy's loaders read.

    data/point_cloud (T, points, 3) float32   data/state (T, 48) float32   data/action (T, 22) float32
    data/executed (T, 22) float32             meta/episode_ends (E,) int64
    meta/seed (E,) int64                      meta/object (E,) str         meta/success (E,) bool

`action` is the label (what the demonstrator meant), `executed` what the robot was sent after perturbation
and limits. Attributes of the group hold the action layout, the run's settings and every attempted episode.
An episode counts once `episode_ends` has it, which is written last: a torn append leaves no trace.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from rfs_policy.layout import DELTA_POSE, Layout

FORMAT = 1
_ROWS_PER_CHUNK = {"point_cloud": 32, "state": 2048, "action": 2048, "executed": 2048}
_COMPRESSOR = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)


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


class DemoDataset:
    """A dataset on disk. `create` starts one, `open` reads or continues one."""

    def __init__(self, root: zarr.Group, path: Path):
        self._root, self.path = root, path
        self.layout = Layout.from_json(root.attrs["layout"])

    @classmethod
    def create(
        cls, path: str | Path, layout: Layout = DELTA_POSE, config: dict[str, Any] | None = None
    ) -> "DemoDataset":
        """An empty dataset at path.

        Raises:
            FileExistsError: something is there already.
        """
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"{path} exists; give another output or continue it with --resume")
        root = zarr.open_group(zarr.DirectoryStore(str(path)), mode="w")
        sizes = {
            "point_cloud": (layout.cloud_points, 3),
            "state": (layout.state_dim,),
            "action": (layout.action_dim,),
            "executed": (layout.action_dim,),
        }
        data, meta = root.create_group("data"), root.create_group("meta")
        for name, size in sizes.items():
            chunks = (_ROWS_PER_CHUNK[name], *size)
            data.create_dataset(name, shape=(0, *size), chunks=chunks, dtype="f4", compressor=_COMPRESSOR)
        for name, kind in (("seed", "i8"), ("object", "<U32"), ("success", "?"), ("episode_ends", "i8")):
            meta.create_dataset(name, shape=(0,), chunks=(4096,), dtype=kind)
        root.attrs.update(
            {"format": FORMAT, "layout": layout.to_json(), "config": config or {}, "attempts": []}
        )
        return cls(root, path)

    @classmethod
    def open(cls, path: str | Path, mode: str = "r") -> "DemoDataset":
        """An existing dataset; mode 'r' to read, 'a' to append.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: what is there is not such a dataset.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no dataset at {path}; make one with './rfs demos --output {path}'")
        try:
            root = zarr.open_group(zarr.DirectoryStore(str(path)), mode=mode)
            known = root.attrs["format"] == FORMAT and "episode_ends" in root["meta"]
        except (KeyError, ValueError, zarr.errors.GroupNotFoundError) as error:
            raise ValueError(f"{path} is not a demonstration dataset ({error})") from error
        if not known:
            raise ValueError(f"{path} has dataset format {root.attrs['format']}, this version reads {FORMAT}")
        dataset = cls(root, path)
        if mode != "r":
            dataset._drop_torn_rows()
        return dataset

    # ---- reading ----
    def __len__(self) -> int:
        """Number of episodes."""
        return len(self._root["meta/episode_ends"])

    @property
    def episode_ends(self) -> NDArray[np.int64]:
        """(E,) row after each episode's last."""
        return self._root["meta/episode_ends"][:]

    @property
    def steps(self) -> int:
        """T, number of rows of all episodes."""
        ends = self.episode_ends
        return int(ends[-1]) if len(ends) else 0

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
        kept = zip(meta["object"][:], meta["seed"][:], meta["success"][:], strict=True)
        return listed + [(str(o), int(s), bool(ok)) for o, s, ok in kept if (str(o), int(s)) not in known]

    def array(self, name: str) -> zarr.Array:
        """One array by name: 'point_cloud', 'state', 'action', 'executed', or of meta: 'seed', 'object',
        'success'."""
        group = "data" if name in _ROWS_PER_CHUNK else "meta"
        if name not in self._root[group]:
            raise KeyError(f"the dataset has no array '{name}'; it has {', '.join(_ROWS_PER_CHUNK)}")
        return self._root[group][name]

    def episode(self, index: int) -> EpisodeData:
        """The episode of that number (from 0)."""
        ends = self.episode_ends
        if not 0 <= index < len(ends):
            raise IndexError(f"episode {index} of a dataset with {len(ends)}")
        rows = slice(int(ends[index - 1]) if index else 0, int(ends[index]))
        data = {name: self._root["data"][name][rows] for name in _ROWS_PER_CHUNK}
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
            self._append_rows(episodes)
        if attempts:
            self._root.attrs["attempts"] = [*self._root.attrs["attempts"], *map(list, attempts)]

    def _append_rows(self, episodes: Sequence[EpisodeData]) -> None:
        for name in _ROWS_PER_CHUNK:
            self._root["data"][name].append(np.concatenate([getattr(e, name) for e in episodes]))
        meta = self._root["meta"]
        for name in ("seed", "object", "success"):
            meta[name].append(np.array([getattr(e, name) for e in episodes]).astype(meta[name].dtype))
        meta["episode_ends"].append(self.steps + np.cumsum([len(e) for e in episodes]))

    def _drop_torn_rows(self) -> None:
        """Cut what an interrupted append wrote beyond the last complete episode."""
        steps, episodes = self.steps, len(self)
        for name in _ROWS_PER_CHUNK:
            array = self._root["data"][name]
            array.resize(steps, *array.shape[1:])
        for name in ("seed", "object", "success"):
            self._root["meta"][name].resize(episodes)


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
