"""The steps of ``./rfs adapt``: each is a command with its settings, what it makes, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rfs_learning.flow_state import steps_done
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.protocol import Protocol
from rfs_policy.checkpoint import checkpoint_file, file_id
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.robot_shift import RobotShift
from rfs_teleop.bag_folders import find_bags

NAMES = ("collect", "build", "train", "zero-shot", "adapted", "report")
COLLECT, BUILD, TRAIN, ZERO_SHOT, ADAPTED, REPORT = NAMES
_SESSION = "corrections"
_SOME_SKIPPED = 3
"""Exit code of a build that left some bags out, and said which."""
_LABELS = {"rfs": "RFS", "residual": "Residual RL", "dsrl": "DSRL"}


@dataclass(frozen=True)
class Step:
    """words: what is typed after ``./rfs``. settings: what its result depends on, as plain data. output: what
    it makes. needs: steps that must be done before. resume: words to add once it has begun. steps: optimizer
    steps after which a training is complete. accepts: exit codes that mean done."""

    name: str
    words: tuple[str, ...]
    settings: Mapping[str, Any]
    output: Path
    needs: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    steps: int = 0
    accepts: tuple[int, ...] = (0,)

    def resumable(self) -> bool:
        """Whether there is something that `resume` can go on with."""
        return steps_done(self.output) > 0 if self.steps else self.output.exists()

    def complete(self) -> bool:
        """Whether a command that says that it is done was not just interrupted in good order."""
        return self.output.exists() and (not self.steps or steps_done(self.output) >= self.steps)


@dataclass(frozen=True)
class Adaptation:
    """What to adapt, with what, on which robot. bags: a person's own, in place of the scripted operator's.
    training: options of ``./rfs train offline`` by name (method, critic, algorithm, steps, ...)."""

    output: Path
    policy: str = "default"
    severity: float = 1.0
    episodes: int = 50
    objects: tuple[str, ...] = ()
    seed: int = 0
    protocol: str = "paper"
    bags: tuple[Path, ...] = ()
    training: Mapping[str, Any] | None = None

    def steps(self) -> list[Step]:
        """In their order. ValueError or OSError: a setting, or what it names, is wrong."""
        find_objects(self.objects)
        RobotShift.target(self.severity)
        parts = [] if self.bags else [self._collect()]
        zero_shot, adapted = self._evaluate(ZERO_SHOT), self._evaluate(ADAPTED)
        return [*parts, self._build(), self._train(), zero_shot, adapted, self._report()]

    @property
    def _modulation(self) -> Path:
        return self.output / "offline"

    @property
    def _dataset(self) -> Path:
        return self.output / "corrections.zarr"

    def _robot(self) -> dict[str, Any]:
        return {"severity": self.severity, "robot_shift": RobotShift.target(self.severity).to_dict()}

    def _policy_id(self) -> str:
        return file_id(checkpoint_file(self.policy))

    def _collect(self) -> Step:
        objects = self.objects or Protocol.load(self.protocol).known
        settings = {
            "episodes": self.episodes,
            "objects": list(objects),
            **self._robot(),
            "seed": self.seed,
            "policy": self._policy_id(),
        }
        words = (
            *("launch", "collect", "device:=scripted", "operator:=scripted", "sim_time:=lockstep"),
            *("robot:=target", f"severity:={self.severity:g}", f"policy:={self.policy}"),
            *(f"object:={','.join(objects)}", f"episodes:={self.episodes}", f"seed:={self.seed}"),
            *(f"session:={_SESSION}", f"bags:={self.output / 'bags'}", "viewer:=false"),
        )
        return Step(COLLECT, words, settings, self.output / "bags")

    def _build(self) -> Step:
        bags = [str(path) for path in self.bags] or [str(self.output / "bags" / _SESSION)]
        held = sorted(bag.name for bag in find_bags(self.bags)) if self.bags else []
        words = ("dataset", "build", *bags, "-o", str(self._dataset))
        needs = () if self.bags else (COLLECT,)
        settings = {"bags": held} if self.bags else {}
        return Step(BUILD, words, settings, self._dataset, needs, accepts=(0, _SOME_SKIPPED))

    def _train(self) -> Step:
        given = {name: value for name, value in (self.training or {}).items() if value is not None}
        file = given.pop("config", None)
        config = OfflineConfig.load(file, **given)
        options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        words = ("train", "offline", "--data", str(self._dataset), "--policy", self.policy)
        words += ("--output", str(self._modulation), *options)
        words += ("--config", str(file)) if file else ()
        settings = {"training": config.to_dict(), "policy": self._policy_id()}
        return Step(TRAIN, words, settings, self._modulation, (BUILD,), ("--resume",), config.steps)

    def _evaluate(self, name: str) -> Step:
        adapted = name == ADAPTED
        file = self._evaluation(name)
        words = ("evaluate", "--policy", self.policy, "--protocol", self.protocol, "--robot", "target")
        words += ("--severity", f"{self.severity:g}", "--name", self._label() if adapted else ZERO_SHOT)
        words += ("--modulation", str(self._modulation)) if adapted else ()
        protocol = Protocol.load(self.protocol)
        settings = {
            **self._robot(),
            "policy": self._policy_id(),
            "known": f"{', '.join(protocol.known)}: {protocol.known_trials} trials",
            "unknown": f"{', '.join(protocol.unknown)}: {protocol.unknown_trials} trials",
        }
        needs = (TRAIN,) if adapted else ()
        return Step(name, (*words, "--json", str(file)), settings, file, needs)

    def _report(self) -> Step:
        files = [str(self._evaluation(name)) for name in (ZERO_SHOT, ADAPTED)]
        page = self.output / "report.html"
        title = ("--title", "Adapted from corrections, on the simulated target robot")
        return Step(REPORT, ("report", *files, "-o", str(page), *title), {}, page, (ZERO_SHOT, ADAPTED))

    def _evaluation(self, name: str) -> Path:
        return self.output / f"{name}.json"

    def _label(self) -> str:
        method = str((self.training or {}).get("method") or "rfs")
        return _LABELS.get(method, method)
