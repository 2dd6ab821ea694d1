"""`./rfs demos`: collect successful demonstrations of the scripted expert into a dataset."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.task_config import TaskConfig
from rfs_teleop.statistics import wilson_interval
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.expert import Expert, ExpertConfig
from rfs_learning.perturbation import Perturbation, PerturbationConfig

_TRIES = 4  # attempts per wanted demonstration before giving up on an object
_FLUSH = 32  # episodes written at a time


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

    @property
    def names(self) -> list[str]:
        """Names of the objects to demonstrate."""
        return [o.name for o in find_objects(self.objects)]


class Quota:
    """Hands out (object, seed) pairs until every object has its share of successes."""

    def __init__(self, config: DemoConfig, attempts: Sequence[tuple[str, int, bool]] = ()):
        names = config.names
        share, rest = divmod(config.count, len(names))
        self.wanted = {name: share + (i < rest) for i, name in enumerate(names)}
        self.tried = dict.fromkeys(names, 0)
        self.succeeded = dict.fromkeys(names, 0)
        self._running = dict.fromkeys(names, 0)
        self._next = dict.fromkeys(names, config.seed)
        for name, seed, success in attempts:
            if name in self.tried:
                self.tried[name] += 1
                self.succeeded[name] += success
                self._next[name] = max(self._next[name], seed + 1)

    def next(self) -> tuple[str, int] | None:
        """The pair to run now; None while the episodes under way may suffice."""
        missing = {n: self.wanted[n] - self.succeeded[n] - self._running[n] for n in self.wanted}
        open_ = [n for n in missing if missing[n] > 0 and self.tried[n] < _TRIES * self.wanted[n] + 8]
        if not open_:
            return None
        name = max(open_, key=missing.__getitem__)
        seed = self._next[name]
        self._next[name] += 1
        self._running[name] += 1
        return name, seed

    def report(self, name: str, success: bool) -> None:
        """An episode of this object ended."""
        self._running[name] -= 1
        self.tried[name] += 1
        self.succeeded[name] += success


class Collector:
    """Runs the expert in many environments; each takes the next episode as soon as its last one ends."""

    def __init__(self, config: DemoConfig, task_config: TaskConfig | None = None):
        self.config = config
        base = task_config or TaskConfig.default()
        self.task_config = replace(base, control_rate=config.rate)
        self.layout = replace(DELTA_POSE, rate_hz=config.rate, cloud_points=base.cloud.points)
        self.task = GraspTask(self.task_config, min(config.envs, config.count), config.names, config.threads)
        self.expert = Expert(self.task, config.seed, config.expert)
        self.perturbation = Perturbation(self.task.num_envs, self.task_config.period, config.perturbation)
        self._rows: list[list[tuple[NDArray, ...]]] = [[] for _ in range(self.task.num_envs)]
        self._jobs: list[tuple[str, int] | None] = [None] * self.task.num_envs
        self._tail = np.zeros(self.task.num_envs, int)

    def episodes(self, quota: Quota) -> Iterator[EpisodeData]:
        """Every attempted episode, as it ends."""
        self._assign(range(self.task.num_envs), quota)
        while any(self._jobs):
            self._step()
            ended = [e for e in range(self.task.num_envs) if self._jobs[e] and self._ended(e)]
            for env in ended:
                episode = self._take(env)
                quota.report(episode.object, episode.success)
                yield episode
            self._assign(ended, quota)

    def _assign(self, envs: Sequence[int], quota: Quota) -> None:
        jobs = {env: job for env in envs if (job := quota.next())}
        for env in envs:
            self._jobs[env] = jobs.get(env)
        if not jobs:
            return
        ids, seeds = np.array(list(jobs)), [seed for _, seed in jobs.values()]
        self.task.reset(seeds, [name for name, _ in jobs.values()], ids)
        self.expert.reset(ids, seeds)
        self.perturbation.reset(ids, seeds)
        self._tail[ids] = self.config.tail

    def _step(self) -> None:
        cloud, state = self.task.clouds(), self.task.state()
        label = self.expert.act()
        action = self.perturbation.apply(label, self.expert.closure()) if self.config.perturb else label
        executed = self.task.step(action).executed
        for env, job in enumerate(self._jobs):
            if job:
                row = (cloud[env], state[env], label[env], executed[env])
                self._rows[env].append(tuple(part.astype(np.float32) for part in row))
        self._tail -= self.task.success

    def _ended(self, env: int) -> bool:
        """After success a few more steps are kept: the student should learn to hold still."""
        success = self.task.success[env]
        return self._tail[env] < 0 if success else self.task.steps[env] >= self.task_config.max_steps

    def _take(self, env: int) -> EpisodeData:
        rows, self._rows[env] = self._rows[env], []
        name, seed = self._jobs[env] or ("", 0)
        arrays = [np.stack(column) for column in zip(*rows, strict=True)]
        return EpisodeData(*arrays, object=name, seed=seed, success=bool(self.task.success[env]))


def collect(
    config: DemoConfig, output: str | Path, resume: bool = False, console: Console | None = None
) -> DemoDataset:
    """Collect demonstrations into a dataset at output, with progress; settings go beside it as JSON."""
    collector = Collector(config)
    dataset = _open_output(config, collector, Path(output), resume)
    quota = Quota(config, dataset.attempts)
    kept: list[EpisodeData] = []
    tried: list[tuple[str, int, bool]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("demonstrations", total=config.count, completed=len(dataset))
        try:
            for episode in collector.episodes(quota):
                tried.append((episode.object, episode.seed, episode.success))
                if episode.success:
                    kept.append(episode)
                    progress.advance(bar)
                if len(kept) >= _FLUSH:
                    batch = kept, tried
                    kept, tried = [], []
                    dataset.append(*batch)
        finally:  # an interrupted run keeps what it has
            dataset.append(kept, tried)
    return dataset


def _open_output(config: DemoConfig, collector: Collector, output: Path, resume: bool) -> DemoDataset:
    settings = {
        "demos": asdict(config),
        "task": collector.task_config.to_dict(),
        "versions": {name: version(name) for name in ("mujoco", "numpy", "zarr")},
    }
    settings = json.loads(json.dumps(settings))
    if output.exists() and resume:
        dataset = DemoDataset.open(output, "a")
        dataset.layout.require_same(collector.layout, f"the dataset at {output}")
        return dataset
    output.parent.mkdir(parents=True, exist_ok=True)
    dataset = DemoDataset.create(output, collector.layout, settings)
    output.with_suffix(".json").write_text(json.dumps(settings, indent=2) + "\n")
    return dataset


def success_rows(attempts: Sequence[tuple[str, int, bool]]) -> list[dict[str, Any]]:
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
    parser.add_argument("--rate", type=float, default=10.0, help="control rate, 10 or 20 Hz")
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
        dataset = collect(config, args.output, args.resume, console)
    except (ValueError, OSError) as error:
        console.print(f"[red]{error}[/red]")
        return 2
    except KeyboardInterrupt:
        console.print(f"interrupted; continue with --resume --output {args.output}")
        return 130
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
