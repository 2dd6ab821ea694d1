"""An evaluation protocol: which objects are tried how often, and where on the table.

The packaged one is the paper's (section 6.2, appendix A.3): two known objects with 20 trials each, seven
unknown ones with 10, over a region of 40 x 20 cm. A trial is an object and a seed, from which everything else
follows; so the same trials run side by side in one process and through the ROS stack. Where an object stands
follows from the seed too: successive seeds are taken or left so that each cell of the region gets its share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.objects import find_object, find_objects
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.evaluation import FIRST_SEED, objects_of
from rfs_learning.table_region import TableRegion

PAPER = "paper"
_CANDIDATES = 500
"""Seeds that are tried for each cell of the region before giving up."""


class Job(NamedTuple):
    """One trial to be run."""

    object: str
    seed: int


@dataclass(frozen=True)
class Protocol:
    """known, unknown: objects; known_trials, unknown_trials: of each of them; region: where they stand."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    known_trials: int = 20
    unknown_trials: int = 10
    region: TableRegion = field(default_factory=TableRegion)

    def __post_init__(self) -> None:
        names = [*self.known, *self.unknown]
        for name in names:
            find_object(name)
            if names.count(name) > 1:
                raise ValueError(f"the object '{name}' stands twice in the protocol: name it once")
        if not names:
            raise ValueError("the protocol has no objects: name some under 'known' or 'unknown'")
        if self.known_trials < 1 or self.unknown_trials < 1:
            raise ValueError("known_trials and unknown_trials must be at least 1")

    @classmethod
    def load(cls, name: str) -> Self:
        """The packaged one ('paper'), or that of a YAML file.

        Raises:
            ValueError: the file is not there or no YAML, or an entry is unknown or makes no sense.
        """
        packaged = files("rfs_learning").joinpath("config/protocol.yaml")
        file = Path(name)
        if name != PAPER and not file.is_file():
            raise ValueError(f"there is no protocol '{name}': give 'paper', or a YAML file like {packaged}")
        try:
            entries = yaml.safe_load(packaged.read_text() if name == PAPER else file.read_text())
            return cls.from_dict(entries)
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
            raise ValueError(f"the protocol '{name}' cannot be used: {error}") from error

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """From plain data, as `to_dict` gives it. ValueError or TypeError for what makes no sense."""
        values = _known_entries(entries, cls)
        region = _known_entries(values.get("region") or {}, TableRegion)
        region |= {name: tuple(region[name]) for name in ("x", "y") if name in region}
        groups = {name: tuple(values.get(name) or ()) for name in ("known", "unknown")}
        return cls(**{**values, **groups, "region": TableRegion(**region)})

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Objects of the groups that are not empty."""
        return {name: names for name in ("known", "unknown") if (names := getattr(self, name))}

    def jobs(self, config: TaskConfig, first_seed: int = FIRST_SEED) -> list[Job]:
        """Its trials, object by object, with seeds from `first_seed` on, none of them twice.

        Raises:
            ValueError: the task's resets do not reach all cells of the region, or the seed is negative.
        """
        if first_seed < 0:
            raise ValueError(f"seed {first_seed}: seeds are 0 or more")
        seeds = count(first_seed)
        trials = {**dict.fromkeys(self.known, self.known_trials)}
        trials |= dict.fromkeys(self.unknown, self.unknown_trials)
        return [Job(name, seed) for name, n in trials.items() for seed in self._seeds(name, n, config, seeds)]

    def _seeds(self, name: str, trials: int, config: TaskConfig, candidates: Iterator[int]) -> list[int]:
        """The next seeds that place this object evenly over the cells."""
        share, extra = divmod(trials, self.region.cells)
        filled, chosen = [0] * self.region.cells, []
        for seed, _ in zip(candidates, range(_CANDIDATES * self.region.cells), strict=False):
            x, y, _ = draw(seed, find_object(name), config).start.object_position
            cell = self.region.cell_of((float(x), float(y)))
            if cell is None or filled[cell] > share or (filled[cell] == share and not extra):
                continue
            extra -= filled[cell] == share
            filled[cell] += 1
            chosen.append(seed)
            if len(chosen) == trials:
                return chosen
        raise ValueError(
            f"the task places no objects in {filled.count(0)} of {self.region.cells} cells of the protocol's "
            "region: its reset.object_x and reset.object_y must hold region.x and region.y"
        )


def cycled_jobs(names: Sequence[str], trials: int, first_seed: int) -> list[Job]:
    """Trials with successive seeds, going round the objects; 'train' and 'heldout' stand for all of a split.

    Raises:
        ValueError: an object is unknown, or a number too small.
    """
    if trials < 1:
        raise ValueError(f"{trials} trials: at least 1 trial is needed")
    if first_seed < 0:
        raise ValueError(f"seed {first_seed}: seeds are 0 or more")
    found = [spec.name for spec in find_objects(objects_of(names))]
    return [Job(found[i % len(found)], first_seed + i) for i in range(trials)]


def _known_entries(entries: Any, kind: type) -> dict[str, Any]:
    names = [entry.name for entry in fields(kind)]
    if not isinstance(entries, Mapping):
        raise ValueError(f"it must have entries like {', '.join(names)}, got {entries!r}")
    unknown = [name for name in entries if name not in names]
    if unknown:
        raise ValueError(f"unknown entry '{unknown[0]}'; known: {', '.join(names)}")
    return dict(entries)
