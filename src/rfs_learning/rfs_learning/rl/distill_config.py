"""Settings of distillation, from YAML (`config/distill.yaml`)."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.setting_kinds import check_kinds
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.entries import own_entries, packaged_entries, require_entries
from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.flow_config import FlowConfig
from rfs_learning.rl.rl_config import laid_over

SEEDS_A_ROUND = 100_000
"""Episodes of round r use seeds from seed + r * SEEDS_A_ROUND on, far below those of evaluations."""


@dataclass(frozen=True)
class EpisodeCounts:
    """Evaluation episodes, spread over the objects of each kind; none leaves a kind out."""

    training: int
    heldout: int


@dataclass(frozen=True)
class DistillConfig:
    """One distillation: rollouts of the teachers, the student's training, rounds in which the student acts.

    objects: what teachers demonstrate and the student is judged on. hold_seconds: how long episodes go on
    after success, for the student to learn to stand still with what it lifted. goal: share of successes on
    these that makes further rounds unnecessary. task: of the rollouts; evaluations use the packaged one.
    student and round_student: training on the teachers' rollouts, and going on with it in each round.
    round_episodes: evaluation after each training; final_episodes: of the round chosen by it, on seeds of its
    own.
    """

    objects: tuple[str, ...]
    rollouts: int
    perturb: bool
    hold_seconds: float
    seed: int
    environments: int
    threads: int
    task: TaskConfig
    student: FlowConfig
    rounds: int
    goal: float
    round_rollouts: int
    round_student: FlowConfig
    round_episodes: EpisodeCounts
    final_episodes: EpisodeCounts

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.task.control_rate != DELTA_POSE.rate_hz or self.task.cloud.points != DELTA_POSE.cloud_points:
            raise ValueError(
                f"the student acts at {DELTA_POSE.rate_hz:g} Hz on {DELTA_POSE.cloud_points} points: "
                "leave task.control_rate and task.cloud.points out of the distillation's settings"
            )
        least = {"rollouts": 1, "environments": 1, "threads": 1, "rounds": 0, "round_rollouts": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"'{name}' must be at least {value}, got {getattr(self, name)}")
        if not 0.0 <= self.hold_seconds < math.inf:
            raise ValueError(f"hold_seconds must be 0 or more seconds, got {self.hold_seconds}")
        if not 0 <= self.seed <= FIRST_SEED - (self.rounds + 1) * SEEDS_A_ROUND:
            raise ValueError(
                f"seed {self.seed} with {self.rounds} rounds reaches the seeds of evaluations, from "
                f"{FIRST_SEED} on: take a smaller seed or fewer rounds"
            )
        if not 0.0 <= self.goal <= 1.0:
            raise ValueError(f"goal is a share of successes, 0 to 1, got {self.goal}")
        if min(self.round_episodes.heldout, self.final_episodes.heldout) < 0:
            raise ValueError("round_episodes.heldout and final_episodes.heldout must be 0 or more")
        if self.round_episodes.training < 1 or self.final_episodes.training < 1:
            raise ValueError("a student is judged by episodes on training objects: ask for at least 1")
        if self.student.network != self.round_student.network:
            raise ValueError("rounds go on with the student's weights: set `network` under `student` alone")

    @property
    def hold_steps(self) -> int:
        """Control steps that episodes go on after success."""
        return round(self.hold_seconds * self.task.control_rate)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> "DistillConfig":
        """The packaged settings, with the entries of a YAML file in their place.

        Raises:
            FileNotFoundError, ValueError: no such file, or an entry or object that does not exist.
        """
        return cls.from_dict(laid_over(packaged_entries("distill"), own_entries(path)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DistillConfig":
        """Nested mappings, as in the YAML file, to settings."""
        known = {field.name for field in fields(cls)}
        require_entries(values, known, known, "the distillation")
        if not isinstance(values["objects"], list | tuple):
            raise ValueError(f"objects must be a list of names, got {values['objects']!r}")
        student = _entries(values, "student")
        nested = {
            "objects": tuple(spec.name for spec in find_objects(values["objects"])),
            "task": TaskConfig.from_dict(_entries(values, "task")),
            "student": FlowConfig.load(**student),
            "round_student": FlowConfig.load(**(student | _entries(values, "round_student"))),
            "round_episodes": _counts(values["round_episodes"], "round_episodes"),
            "final_episodes": _counts(values["final_episodes"], "final_episodes"),
        }
        return cls(**{**values, **nested})

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the run's record."""
        return asdict(self)


def _entries(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Of a section that may be empty."""
    entries = values[where] or {}
    if not isinstance(entries, Mapping):
        raise ValueError(f"{where} must be a mapping, got {entries!r}")
    return dict(entries)


def _counts(values: Any, where: str) -> EpisodeCounts:
    require_entries(values, {"training", "heldout"}, {"training", "heldout"}, where)
    return EpisodeCounts(**values)
