"""`./rfs demos`: collect successful demonstrations of the scripted expert into a dataset."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.task_config import TaskConfig
from rfs_teleop.statistics import wilson_interval
from rich.console import Console
from rich.table import Table

from rfs_learning.collection import Attempt, Collector, Quota, StrayDriver, record
from rfs_learning.dataset import DemoDataset
from rfs_learning.differing_settings import differences
from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.expert import Expert, ExpertConfig
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.perturbation import Perturbation, PerturbationConfig
from rfs_learning.replay import writing

_MAY_CHANGE = {"count", "envs", "threads"}
"""Settings with which a dataset may go on: they do not change what an episode is."""
_SEEDS_AN_EPISODE = 8
"""More than an object is tried for each wanted episode, failures included (`collection.Quota`)."""


@dataclass(frozen=True)
class DemoConfig:
    """What to collect: `count` successful episodes, shared evenly by the objects (all training objects if
    empty)."""

    count: int = 500
    rate: float = 10.0
    objects: tuple[str, ...] = ()
    seed: int = 0
    envs: int = 64
    threads: int = 2
    perturb: bool = True
    tail: int = 3
    expert: ExpertConfig = field(default_factory=ExpertConfig)
    perturbation: PerturbationConfig = field(default_factory=PerturbationConfig)

    def __post_init__(self) -> None:
        if self.count < 1 or self.envs < 1:
            raise ValueError(f"count ({self.count}) and envs ({self.envs}) must be at least 1")
        if self.rate not in (10.0, 20.0):
            raise ValueError(f"demonstrations are recorded at 10 or 20 Hz, not {self.rate:g} Hz")
        most = FIRST_SEED - _SEEDS_AN_EPISODE * (self.count + 1)
        if not 0 <= self.seed <= most:
            raise ValueError(
                f"seed {self.seed}: with {self.count} episodes it must be 0 to {most}, as seeds from "
                f"{FIRST_SEED} on are for evaluation"
            )

    @property
    def names(self) -> list[str]:
        """Names of the objects to demonstrate."""
        return [o.name for o in find_objects(self.objects)]


def collect(
    config: DemoConfig, output: str | Path, resume: bool = False, console: Console | None = None
) -> DemoDataset:
    """Collect demonstrations into a dataset at output, with progress; settings go beside it as JSON."""
    task_config = replace(TaskConfig.default(), control_rate=config.rate)
    task = GraspTask(task_config, min(config.envs, config.count), config.names, config.threads)
    dataset = _open_output(config, task_config, Path(output), resume)
    expert = Expert(task, config.seed, config.expert)
    perturbation = Perturbation(task.num_envs, task_config.period, config.perturbation)
    driver = StrayDriver(expert, perturbation) if config.perturb else None
    collector = Collector(task, expert, driver, config.tail)
    quota = Quota(config.names, config.count, config.seed, dataset.attempts)
    record(collector, quota, dataset, "demonstrations", console)
    return dataset


def _open_output(config: DemoConfig, task: TaskConfig, output: Path, resume: bool) -> DemoDataset:
    layout = replace(DELTA_POSE, rate_hz=config.rate, cloud_points=task.cloud.points)
    settings = {
        "demos": asdict(config),
        "task": task.to_dict(),
        "versions": {name: version(name) for name in ("mujoco", "numpy", "zarr")},
    }
    settings = json.loads(json.dumps(settings))
    if output.exists() and resume:
        dataset = DemoDataset.open(output, "a")
        dataset.layout.require_same(layout, f"the dataset at {output}")
        _require_same_settings(dataset, settings)
        return dataset
    output.parent.mkdir(parents=True, exist_ok=True)
    dataset = DemoDataset.create(output, layout, settings)
    output.with_suffix(".json").write_text(json.dumps(settings, indent=2) + "\n")
    return dataset


def _require_same_settings(dataset: DemoDataset, settings: Mapping[str, Any]) -> None:
    changed = differences(_of_an_episode(dataset.config), _of_an_episode(settings))
    if changed:
        raise ValueError(
            f"the dataset at {dataset.path} was begun with other settings: {', '.join(changed)}. Go on with "
            "those, or give another output"
        )


def _of_an_episode(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how episodes come out."""
    kept = {name: value for name, value in settings.get("demos", {}).items() if name not in _MAY_CHANGE}
    return {**kept, "task": settings.get("task")}


def success_rows(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Per object: attempts, successes and Wilson's interval of the expert's success rate."""
    rows = []
    for name in dict.fromkeys(name for name, _, _ in attempts):
        outcomes = [success for other, _, success in attempts if other == name]
        low, high = wilson_interval(sum(outcomes), len(outcomes))
        rows.append(
            {
                "object": name,
                "trials": len(outcomes),
                "successes": sum(outcomes),
                "rate": sum(outcomes) / len(outcomes),
                "low": low,
                "high": high,
            }
        )
    return rows


def print_table(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Success per object."""
    table = Table("object", "successes", "rate", "95 % interval", title="Expert")
    for row in rows:
        interval = f"{row['low']:.2f} to {row['high']:.2f}"
        table.add_row(row["object"], f"{row['successes']}/{row['trials']}", f"{row['rate']:.2f}", interval)
    console.print(table)


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs demos`."""
    parser = argparse.ArgumentParser(prog="rfs demos", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="successful episodes to keep")
    parser.add_argument(
        "--rate",
        type=float,
        default=10.0,
        help="control rate, 10 or 20 Hz; './rfs train flow' learns from 10 Hz alone",
    )
    parser.add_argument(
        "--objects", nargs="+", default=[], metavar="NAME", help="default: all training objects"
    )
    parser.add_argument("--output", default="runs/demos.zarr", help="dataset folder")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode of each object")
    parser.add_argument("--envs", type=int, default=64, help="environments side by side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--noise", type=float, default=1.0, help="scale of the expert's human-like variation")
    parser.add_argument("--no-perturb", action="store_true", help="execute the expert's actions as they are")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted dataset")
    parser.add_argument("--json", metavar="FILE", help="write the success table as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `./rfs demos`; the exit code is 1 when fewer demonstrations than asked for succeeded."""
    args, console = build_parser().parse_args(argv), Console()
    began = time.perf_counter()
    try:
        config = DemoConfig(
            count=args.count,
            rate=args.rate,
            objects=tuple(args.objects),
            seed=args.seed,
            envs=args.envs,
            threads=args.threads,
            perturb=not args.no_perturb,
            expert=ExpertConfig(noise=args.noise),
        )
        with writing(args.output):
            dataset = collect(config, args.output, args.resume, console)
    except (ValueError, OSError) as error:
        console.print(f"[red]{error}[/red]")
        return 2
    except KeyboardInterrupt:
        console.print(f"interrupted; continue with --resume --output {args.output}")
        return INTERRUPTED
    rows = success_rows(dataset.attempts)
    print_table(rows, console)
    wall = time.perf_counter() - began
    console.print(f"{len(dataset)} episodes, {dataset.steps} steps in {args.output}, {wall:.0f} s")
    if args.json:
        summary = {"episodes": len(dataset), "steps": dataset.steps, "seconds": wall, "objects": rows}
        Path(args.json).write_text(json.dumps(summary, indent=2) + "\n")
    if len(dataset) < config.count:
        console.print(f"[red]only {len(dataset)} of {config.count} demonstrations succeeded[/red]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
