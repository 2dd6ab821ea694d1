"""Episodes on disk: a Zarr v2 group in the replay layout that 3D Diffusion Policy's loaders read.

    data/NAME (T, ...)        one row a step        meta/episode_ends (E,) int64
    meta/NAME (E,)            one entry an episode  attributes: format, kind, layout, ...

An episode counts once `episode_ends` has it, which is written last: a torn append leaves no trace,
and the next one begins where the last complete episode ends.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import ArrayLike, NDArray
from rfs_policy.layout import Layout

from rfs_learning.folder_lock import held

FORMAT = 1
_COMPRESSOR = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)


def writing(path: str | Path) -> AbstractContextManager[None]:
    """The dataset at path, be it there already or not, is this process's alone to write until the end.

    Its lock file lies beside it: the folder holds nothing but the dataset, whose hash comparisons know.

    Raises:
        ValueError: another process writes it.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    busy = f"another process is writing {path}: wait for its end, or give another output"
    return held(path.with_name(f".{path.name}.lock"), busy)


@dataclass(frozen=True)
class Column:
    """One array of `data`: shape and type of a row; `chunk` rows lie in one file."""

    shape: tuple[int, ...] = ()
    dtype: str = "f4"
    chunk: int = 2048


class Replay:
    """Episodes on disk; subclasses say which columns they have and what they are called.

    Attributes:
        path: the group's folder.
        layout: of its actions and state.
    """

    KIND: ClassVar[str]
    """What such a dataset is called, in its attributes and in messages."""
    MADE_BY: ClassVar[str]
    """The command that makes one."""

    def __init__(self, root: zarr.Group, path: Path):
        self._root, self.path = root, path
        self.layout = Layout.from_json(root.attrs["layout"])

    @classmethod
    def _create(
        cls,
        path: Path,
        layout: Layout,
        columns: Mapping[str, Column],
        meta: Mapping[str, Any],
        attributes: Mapping[str, Any],
    ) -> Self:
        """An empty dataset; FileExistsError when something is there already."""
        if path.exists():
            raise FileExistsError(f"{path} exists; give another output or continue it with --resume")
        partial = path.with_name(f".{path.name}.partial")
        root = zarr.open_group(zarr.DirectoryStore(str(partial)), mode="w")
        data, group = root.create_group("data"), root.create_group("meta")
        for name, column in columns.items():
            data.create_dataset(
                name,
                shape=(0, *column.shape),
                chunks=(column.chunk, *column.shape),
                dtype=column.dtype,
                compressor=_COMPRESSOR,
            )
        for name, kind in (*meta.items(), ("episode_ends", "i8")):
            group.create_dataset(name, shape=(0,), chunks=(4096,), dtype=kind)
        root.attrs.update({"format": FORMAT, "kind": cls.KIND, "layout": layout.to_json(), **attributes})
        partial.rename(path)
        return cls.open(path, "a")

    @classmethod
    def open(cls, path: str | Path, mode: str = "r") -> Self:
        """An existing dataset; mode 'r' to read, 'a' to append.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: what is there is not such a dataset.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no dataset at {path}; make one with {cls.MADE_BY}")
        try:
            # Not "a", which makes a group of any folder.
            root = zarr.open_group(zarr.DirectoryStore(str(path)), mode="r" if mode == "r" else "r+")
            known = root.attrs["format"] == FORMAT and "episode_ends" in root["meta"]
            kind = root.attrs.get("kind", "demonstration dataset")  # the first ones did not say
        except (KeyError, ValueError, zarr.errors.GroupNotFoundError) as error:
            raise ValueError(f"{path} is not a {cls.KIND} ({error})") from error
        if not known:
            raise ValueError(f"{path} has dataset format {root.attrs['format']}, this version reads {FORMAT}")
        if kind != cls.KIND:
            raise ValueError(f"{path} is a {kind}, not a {cls.KIND}; make one with {cls.MADE_BY}")
        dataset = cls(root, path)
        if mode != "r":
            dataset._drop_torn_rows()
        return dataset

    # ---- reading ----
    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.episode_ends)

    @property
    def episode_ends(self) -> NDArray[np.int64]:
        """(E,) row after each episode's last."""
        ends = self._root["meta/episode_ends"][:]
        return ends[ends > 0]  # an array is enlarged before it is filled

    @property
    def steps(self) -> int:
        """T, number of rows of all episodes."""
        ends = self.episode_ends
        return int(ends[-1]) if len(ends) else 0

    def array(self, name: str) -> zarr.Array:
        """One array of `data` or `meta` by name."""
        for group in ("data", "meta"):
            if name in self._root[group]:
                return self._root[group][name]
        raise KeyError(f"the dataset has no array '{name}'; it has {', '.join(self._columns)}")

    def span(self, index: int) -> slice:
        """Rows of the episode of that number (from 0)."""
        ends = self.episode_ends
        if not 0 <= index < len(ends):
            raise IndexError(f"episode {index} of a dataset with {len(ends)}")
        return slice(int(ends[index - 1]) if index else 0, int(ends[index]))

    @property
    def _columns(self) -> list[str]:
        return sorted(self._root["data"].array_keys())

    @property
    def _meta(self) -> list[str]:
        return sorted(set(self._root["meta"].array_keys()) - {"episode_ends"})

    # ---- writing ----
    def _append(
        self, lengths: Sequence[int], columns: Mapping[str, NDArray], meta: Mapping[str, ArrayLike]
    ) -> None:
        """Add episodes of those lengths: rows of each column, entries of each meta array."""
        self._drop_torn_rows()
        for name in self._columns:
            self._root["data"][name].append(columns[name])
        for name in self._meta:
            array = self._root["meta"][name]
            array.append(np.asarray(meta[name]).astype(array.dtype))
        self._root["meta/episode_ends"].append(self.steps + np.cumsum(lengths))

    def _drop_torn_rows(self) -> None:
        """Cut what an interrupted append wrote beyond the last complete episode."""
        lengths = dict.fromkeys(self._columns, self.steps)
        lengths |= dict.fromkeys([*self._meta, "episode_ends"], len(self))
        for name, length in lengths.items():
            array = self.array(name)
            if len(array) != length:
                array.resize(length, *array.shape[1:])
