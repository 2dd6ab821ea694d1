"""What table 1 consists of: its cells, how each is evaluated, and the settings that decide about a cell."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from rfs_sim_bridge.setting_kinds import check_kinds

from rfs_learning.differing_settings import differences
from rfs_learning.rl.episode_choices import Noise
from rfs_learning.rl.methods import find_method
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.robustness import LEVELS

BASE = "base"
"""In place of a method: the frozen base of the "hand + arm" rows by itself, where methods start."""
BASE_SPACE = "residual_hand_arm"
"""The method whose action space is that base while nothing is chosen."""
NOISES: tuple[Noise, ...] = ("mean", "sampled")
"""Final evaluations: a0 at the actor's mean, or 0 where none is chosen; a0 sampled."""


@dataclass(frozen=True)
class Cell:
    """One training run and its evaluation."""

    task: str
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task} {self.method} seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Of its run, below the output folder."""
        return Path(self.task, self.method, str(self.seed))

    @property
    def file(self) -> Path:
        """Of its results, below the results folder."""
        return self.folder.with_suffix(".json")


@dataclass(frozen=True)
class EvaluationPlan:
    """How often and how thoroughly a cell is evaluated. Seeds are the same in all cells.

    points: evaluations of the mean policy while training, besides the one before it. levels: factors on the
    task's disturbances (paper, figure 8); 1 is the final evaluation itself.
    """

    points: int = 8
    point_episodes: int = 128
    final_episodes: int = 1024
    levels: tuple[float, ...] = LEVELS
    level_episodes: int = 128
    environments: int = 64
    first_seed: int = 3_000_000

    def __post_init__(self) -> None:
        check_kinds(self, "evaluation.")
        for name, value in asdict(self).items():
            if isinstance(value, int) and value < 1:
                raise ValueError(f"evaluation.{name} is {value}: at least 1 is needed")
        if any(level < 0 for level in self.levels):
            raise ValueError(f"evaluation.levels are {list(self.levels)}: factors of 0 or more are needed")

    def point_seeds(self) -> range:
        """Of evaluations while training."""
        return range(self.first_seed, self.first_seed + self.point_episodes)

    def final_seeds(self, episodes: int) -> range:
        """Of the final evaluation and of those under disturbances: others than while training."""
        first = self.first_seed + 500_000
        return range(first, first + episodes)

    def point_steps(self, control_steps: int) -> list[int]:
        """Control steps at which the policy is evaluated, from 0 on, evenly."""
        return [round(control_steps * point / self.points) for point in range(self.points + 1)]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvaluationPlan":
        """What `asdict` gave, perhaps through JSON."""
        return cls(**{**values, "levels": tuple(values["levels"])})


@dataclass(frozen=True)
class Plan:
    """Everything that decides about the table's numbers, and where they go.

    output: weights and logs; results: one small JSON a cell, and the report; ingredients: demonstrations and
    bases of its one task, below output where not given.
    """

    config: RlConfig
    output: Path
    results: Path
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    ingredients: Path | None = None

    def settings(self, cell: Cell) -> dict[str, Any]:
        """What decides about a cell's numbers, besides method and seed, as JSON data."""
        evaluation = json.loads(json.dumps(asdict(self.evaluation)))
        return self.config.deciding(cell.task) | {"evaluation": evaluation}

    def ingredients_settings(self, task: str) -> dict[str, Any]:
        """What decides about a task's demonstrations and bases, as JSON data."""
        values = self.config.deciding(task)
        return {name: values[name] for name in ("tasks", "demonstrations", "base")}

    def changed(self, cell: Cell) -> list[str]:
        """Settings that differ from the packaged ones, for people."""
        usual = Plan(_packaged(), self.output, self.results)
        return (
            differences(usual.settings(cell), self.settings(cell)) if cell.task in usual.config.tasks else []
        )

    def run_folder(self, cell: Cell) -> Path:
        """Of its weights, metrics, log and unfinished results."""
        return self.output / cell.folder

    def result_file(self, cell: Cell) -> Path:
        """Of its results."""
        return self.results / cell.file

    def ingredients_folder(self, task: str) -> Path:
        """Of a task's demonstrations and bases."""
        return self.ingredients or self.output / task / "ingredients"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the process of a cell."""
        return {
            "config": self.config.to_dict(),
            "output": str(self.output),
            "results": str(self.results),
            "evaluation": asdict(self.evaluation),
            "ingredients": self.ingredients and str(self.ingredients),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """What `to_dict` gave, perhaps through JSON."""
        return cls(
            RlConfig.from_dict(values["config"]),
            Path(values["output"]),
            Path(values["results"]),
            EvaluationPlan.from_dict(values["evaluation"]),
            values["ingredients"] and Path(values["ingredients"]),
        )


@dataclass(frozen=True, eq=False)
class Job:
    """A cell to be done by a plan; name: for people."""

    plan: Plan
    cell: Cell
    name: str

    @property
    def folder(self) -> Path:
        """Of its weights, metrics, log and unfinished results."""
        return self.plan.run_folder(self.cell)

    @property
    def result_file(self) -> Path:
        """Of its results."""
        return self.plan.result_file(self.cell)


@cache
def _packaged() -> RlConfig:
    return RlConfig.load()


def cells(config: RlConfig, methods: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> list[Cell]:
    """Bases first, then seed by seed: after a while every method has one seed, and tasks take turns. What is
    named twice counts once.

    Raises:
        ValueError: an unknown method or task.
    """
    for method in methods:
        find_method(method)
    for task in tasks:
        config.task(task)
    bases = [Cell(task, BASE, 0) for task in tasks]
    trained = [Cell(task, method, seed) for seed in seeds for method in methods for task in tasks]
    return list(dict.fromkeys(bases + trained))


def settings_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
