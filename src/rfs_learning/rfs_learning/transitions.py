"""Transitions for offline RL on disk, a `replay.Replay`. Each row is an observation that the policy saw:

    data/point_cloud (T, points, 3)  data/state (T, 48)        o and s
    data/transition (T,) bool        whether a transition begins here; if not, what follows is zero
    data/base_action, policy_residual, human_residual (T, 22)  a_b and what was added to it, before limits
    data/action, executed (T, 22)    their sum a, and what was left of it after limits
    data/base_chunk (T, H, 22)       a_b of all actions of the policy's chunk, of which the first was executed
    data/noise (T, H, 22)            a0 of the policy's chunk, NaN where it was not logged
    data/reward (T,)                 r, measured at the next row's observation
    data/success, done (T,) bool     success measured there; whether the next row's observation is terminal
    data/intervened (T,) bool        whether the operator's residual was not zero
    data/stamp, joint_stamp, command_stamp, reward_stamp (T,) int64   ns, as measured

The transition of row k leads to row k + 1, so o' and s' are the next row's o and s: no cloud is kept twice.
A row without a transition ends a chain: the last observation of an episode, or one after which the robot was
held or paused. `meta` holds for each episode object, seed, operator, outcome, session, bag, began (log time
of its first message, ns), checkpoint, modulation (SHA-256; empty without one), sim_time, robot ("sim",
"hardware", or "target" and a severity; empty where that was not noted), reward_source (who measured the
reward: "simulator", a tracker's name), and as JSON how many of the policy's ticks were left out and why. The
attribute `rewards` names the label of rewards that were computed afterwards, and how; it is empty for
recorded ones. Datasets that were begun before there was `base_chunk` do not have it, and do not get it. No
torch is imported here.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rfs_policy.layout import Layout

from rfs_learning.replay import Column, Replay

META = {
    "object": str,
    "seed": "i8",
    "operator": str,
    "outcome": str,
    "session": str,
    "bag": str,
    "began": "i8",
    "checkpoint": str,
    "modulation": str,
    "sim_time": str,
    "robot": str,
    "dropped": str,
    "reward_source": str,
}


def columns_of(layout: Layout) -> dict[str, Column]:
    """The arrays below `data` for policies of a layout."""
    action, one = Column((layout.action_dim,)), "?"
    stamps = ("stamp", "joint_stamp", "command_stamp", "reward_stamp")
    return {
        "point_cloud": Column((layout.cloud_points, 3), chunk=32),
        "state": Column((layout.state_dim,)),
        "transition": Column(dtype=one),
        "base_action": action,
        "policy_residual": action,
        "human_residual": action,
        "action": action,
        "executed": action,
        "base_chunk": Column((layout.horizon, layout.action_dim)),
        "noise": Column((layout.horizon, layout.action_dim)),
        "reward": Column(),
        "success": Column(dtype=one),
        "done": Column(dtype=one),
        "intervened": Column(dtype=one),
        **{name: Column(dtype="i8") for name in stamps},
    }


@dataclass(frozen=True)
class EpisodeTransitions:
    """One episode: `columns` by name with T rows each (see `columns_of`), `contract` of its bag, `bag` its
    folder's name, `began` the log time of its first message (ns), `dropped` ticks of the policy by reason,
    `reward_source` who measured the reward."""

    columns: Mapping[str, NDArray]
    contract: Mapping[str, str]
    bag: str
    began: int
    dropped: Mapping[str, int]
    reward_source: str = ""

    def __len__(self) -> int:
        return len(self.columns["stamp"])

    def meta(self) -> dict[str, str | int]:
        """The episode's entry in `meta`."""
        known = {name: self.contract.get(name, "") for name, kind in META.items() if kind is str}
        known["outcome"] = known["outcome"] or "unknown"
        seed = int(self.contract.get("seed", "") or -1)
        own = {"seed": seed, "bag": self.bag, "began": self.began, "dropped": json.dumps(dict(self.dropped))}
        return known | own | {"reward_source": self.reward_source}


@dataclass(frozen=True)
class Batch:
    """B transitions (o, s, a_b, a, a0, r, o', s', done, intervened).

    cloud, next_cloud (B, N, 3) m; state, next_state (B, S); base_action, action, executed (B, D) m and rad;
    noise (B, H, D); reward (B,); done, intervened (B,) bool.
    """

    cloud: NDArray[np.float32]
    state: NDArray[np.float32]
    base_action: NDArray[np.float32]
    action: NDArray[np.float32]
    executed: NDArray[np.float32]
    noise: NDArray[np.float32]
    reward: NDArray[np.float32]
    next_cloud: NDArray[np.float32]
    next_state: NDArray[np.float32]
    done: NDArray[np.bool_]
    intervened: NDArray[np.bool_]


class TransitionDataset(Replay):
    """A dataset on disk. `create` starts one, `open` reads or continues one."""

    KIND = "transition dataset"
    MADE_BY = "'./rfs dataset build BAGS -o PATH'"

    @classmethod
    def create(
        cls, path: str | Path, layout: Layout, rewards: Mapping[str, Any] | None = None
    ) -> "TransitionDataset":
        """An empty dataset at path. rewards: `label` and `run` of its rewards, none for recorded ones.

        Raises:
            FileExistsError: something is there already.
        """
        return cls._create(Path(path), layout, columns_of(layout), META, {"rewards": dict(rewards or {})})

    # ---- reading ----
    @property
    def rewards(self) -> dict[str, Any]:
        """`label` and `run` of rewards that were computed afterwards; empty for recorded ones."""
        return dict(self._root.attrs.get("rewards", {}))

    def reward_source(self, index: int) -> str:
        """Who measured the reward of an episode; empty where that was not noted."""
        return str(self.array("reward_source")[index]) if "reward_source" in self._meta else ""

    @property
    def notes_modulations(self) -> bool:
        """Whether it can say which modulation acted; the first datasets could not, and hold none."""
        return "modulation" in self._meta

    def robots(self) -> Counter[str]:
        """Number of episodes by the robot that moved; empty where that was not noted."""
        noted = "robot" in self._meta
        return Counter(map(str, self.array("robot")[: len(self)])) if noted else Counter({"": len(self)})

    def modulations(self) -> Counter[str]:
        """Number of episodes by SHA-256 of the modulation that acted; empty for the base policy alone."""
        if not self.notes_modulations:
            return Counter({"": len(self)})
        return Counter(map(str, self.array("modulation")[: len(self)]))

    def reward_sources(self) -> Counter[str]:
        """Number of episodes by who measured the reward."""
        return Counter(map(self.reward_source, range(len(self))))

    def rows(self) -> NDArray[np.int64]:
        """(n,) rows at which a transition begins."""
        return np.flatnonzero(self.array("transition")[: self.steps])

    def batch(self, rows: ArrayLike) -> Batch:
        """The transitions that begin at rows (B,), in that order; repeated rows are allowed.

        Raises:
            ValueError: no transition begins at one of the rows.
        """
        rows = np.asarray(rows, np.int64)
        wrong = rows[~np.isin(rows, self.rows())]
        if len(wrong):
            raise ValueError(f"no transition begins at row {wrong[0]}; take rows from rows()")
        taken = {name: _at(self.array(_SOURCES.get(name, name)), rows) for name in _NOW}
        later = {f"next_{name}": _at(self.array(_SOURCES.get(name, name)), rows + 1) for name in _NEXT}
        return Batch(**taken, **later)

    def recordings(self) -> set[tuple[str, int]]:
        """(session, began) of every episode, by which a recording is known whatever its bag is called."""
        session, began = (self.array(name)[: len(self)] for name in ("session", "began"))
        return {(str(s), int(t)) for s, t in zip(session, began, strict=True)}

    def dropped(self) -> Counter[str]:
        """Ticks of the policy that gave no transition, by reason."""
        return sum((Counter(json.loads(text)) for text in self.array("dropped")[: len(self)]), Counter())

    # ---- writing ----
    def append(self, episodes: Sequence[EpisodeTransitions]) -> None:
        """Add episodes; they count once all of it is written. Several at a time are much faster."""
        parts = [episode.meta() for episode in episodes]
        meta = {name: [part[name] for part in parts] for name in META}
        columns = {
            name: np.concatenate([e.columns[name] for e in episodes]) for name in columns_of(self.layout)
        }
        self._append([len(episode) for episode in episodes], columns, meta)


_SOURCES = {"cloud": "point_cloud"}
_NEXT = ("cloud", "state")
_NOW = tuple(field.name for field in fields(Batch) if not field.name.startswith("next_"))


def _at(array, rows: NDArray[np.int64]) -> NDArray:
    """Rows of a Zarr array in any order; each piece of it is read once."""
    unique, inverse = np.unique(rows, return_inverse=True)
    return array.get_orthogonal_selection((unique,))[inverse]
