"""Success of a policy on the grasp task: `./rfs evaluate --policy runs/flow --episodes 100`.

Episodes run in lockstep, side by side. Each draws its noise as the policy node does (one generator per
episode from [policy seed, episode seed], one draw per tick) and infers alone, so a trial of the ROS stack
with the same seeds is the same episode.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_policy.checkpoint import write_atomically
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_objects, object_names
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT
from rfs_sim_bridge.task_config import TaskConfig
from rfs_teleop.statistics import describe_rate, wilson_interval
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rfs_learning.robot_choice import RobotChoice, add_robot_arguments

FIRST_SEED = 1_000_000
"""Demonstrations use seeds from 0 on; evaluations stay far above."""
_SIDE_BY_SIDE = 50
_PICKED_UP = 0.05  # m of lift from which the object counts as picked up


@dataclass(frozen=True)
class Trial:
    """Outcome of one episode: seconds until success (or the end), highest lift (m), why it failed."""

    object: str
    seed: int
    success: bool
    seconds: float
    lift: float
    reason: str = ""


class Rollout:
    """Runs a policy in the environments of a GraspTask, one episode in each."""

    def __init__(self, policy: FlowPolicy, task: GraspTask, policy_seed: int = 0) -> None:
        self.policy, self.task, self.policy_seed = policy, task, policy_seed

    def run(self, seeds: Sequence[int], objects: Sequence[str]) -> list[Trial]:
        """One trial per environment of the task; objects[i] and seeds[i] go to environment i."""
        task = self.task
        task.reset(seeds, objects)
        noise = [np.random.default_rng([self.policy_seed, seed]) for seed in seeds]
        done = np.zeros(task.num_envs, bool)
        lift, touched = np.zeros(task.num_envs), np.zeros(task.num_envs, bool)
        seconds = np.zeros(task.num_envs)
        while not done.all():
            result = task.step(self._actions(~done, noise))
            lift = np.where(done, lift, np.maximum(lift, task.lift))
            touched |= task.engine.state.contacts.any(axis=1)
            seconds = np.where(done, seconds, task.time)
            done |= result.done
        reasons = [failure_reason(task, env, lift[env], bool(touched[env])) for env in range(task.num_envs)]
        columns = zip(objects, seeds, task.success, seconds, lift, reasons, strict=True)
        return [Trial(o, int(s), bool(w), float(t), float(h), r) for o, s, w, t, h, r in columns]

    def _actions(self, acting: NDArray[np.bool_], noise: list[np.random.Generator]) -> NDArray[np.float64]:
        """First action of each acting environment's chunk; others repeat their finger command."""
        clouds, states = self.task.clouds(), self.task.state()
        actions = np.concatenate([np.zeros((self.task.num_envs, 6)), self.task.command.fingers], axis=1)
        for env in np.nonzero(acting)[0]:
            drawn = self.policy.draw_noise(noise[env])[None]
            output = self.policy.act(clouds[env : env + 1], states[env : env + 1], drawn)
            actions[env] = output.action[0, 0]
        return actions


def failure_reason(task: GraspTask, env: int, highest: float, touched: bool) -> str:
    """Why the episode that ended in env failed, coarsely; empty after a success. highest: lift, m."""
    if task.success[env]:
        return ""
    if not touched:
        return "object not touched"
    if highest < _PICKED_UP:
        return "not picked up"
    if task.lift[env] < 0.5 * highest:
        return "dropped"
    if task.lift[env] < task.config.success.lift:
        return "not lifted high enough"
    return "not held still" if task.feasible()[env] else "infeasible pose"


def evaluate(
    policy: FlowPolicy,
    objects: Sequence[str],
    seeds: Sequence[int],
    config: TaskConfig | None = None,
    policy_seed: int = 0,
    on_batch: Callable[[list[Trial]], None] = lambda trials: None,
) -> list[Trial]:
    """Trials of every seed; seed i gets objects[i % len(objects)].

    Raises:
        ValueError: an object is unknown, or the policy's rate is not the task's.
    """
    config = config or TaskConfig.default()
    if config.control_rate != policy.layout.rate_hz:
        raise ValueError(
            f"the policy acts at {policy.layout.rate_hz:g} Hz, the task runs at {config.control_rate:g} Hz"
        )
    names = [spec.name for spec in find_objects(objects)]
    jobs = [(int(seed), names[i % len(names)]) for i, seed in enumerate(seeds)]
    trials: list[Trial] = []
    for start in range(0, len(jobs), _SIDE_BY_SIDE):
        batch = jobs[start : start + _SIDE_BY_SIDE]
        task = GraspTask(config, len(batch), [name for _, name in batch])
        finished = Rollout(policy, task, policy_seed).run(*map(list, zip(*batch, strict=True)))
        on_batch(finished)
        trials += finished
    return trials


def rows_of(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Per object and in total: trials, successes, Wilson interval, mean seconds of successes, failures."""
    rows = []
    for name in [*dict.fromkeys(trial.object for trial in trials), "all"]:
        chosen = [trial for trial in trials if name in (trial.object, "all")]
        won = [trial for trial in chosen if trial.success]
        low, high = wilson_interval(len(won), len(chosen))
        failures: dict[str, int] = {}
        for trial in chosen:
            if not trial.success:
                failures[trial.reason] = failures.get(trial.reason, 0) + 1
        rows.append(
            {
                "object": name,
                "trials": len(chosen),
                "successes": len(won),
                "rate": len(won) / len(chosen) if chosen else 0.0,
                "low": low,
                "high": high,
                "mean_seconds": float(np.mean([trial.seconds for trial in won])) if won else None,
                "failures": failures,
            }
        )
    return rows


def print_table(rows: Sequence[dict[str, Any]], console: Console, title: str) -> None:
    """The rows of `rows_of`, for people."""
    table = Table("object", "successes  rate [95 % interval]", "mean s", "failures", title=title)
    for row in rows:
        seconds = "" if row["mean_seconds"] is None else f"{row['mean_seconds']:.1f}"
        failures = ", ".join(f"{count} {reason}" for reason, count in row["failures"].items())
        table.add_row(row["object"], describe_rate(row["successes"], row["trials"]), seconds, failures)
    console.print(table)


def objects_of(names: Sequence[str]) -> list[str]:
    """Names as given; 'train' and 'heldout' stand for all objects of that split."""
    expanded: list[str] = []
    for name in names:
        expanded += object_names(name) if name in ("train", "heldout") else [name]
    return expanded


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs evaluate`."""
    parser = argparse.ArgumentParser(prog="rfs evaluate", description="Success rate of a policy.")
    parser.add_argument("--policy", default="default", help="checkpoint; 'default' is the one that ships")
    parser.add_argument("--objects", nargs="+", default=["train"], help="names, or 'train', 'heldout'")
    parser.add_argument("--episodes", type=int, default=100, help="in all, spread over the objects")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first episode")
    parser.add_argument("--policy-seed", type=int, default=0, help="seed of the policy's noise")
    parser.add_argument("--task", help="YAML with task settings that differ from the packaged ones")
    add_robot_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write trials and table as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `./rfs evaluate`; the exit code is 1 when it could not run."""
    args, console = build_parser().parse_args(argv), Console()
    began = time.perf_counter()
    try:
        objects = objects_of(args.objects)
        policy = FlowPolicy.load(args.policy, DELTA_POSE, runtime="onnx")
        robot = RobotChoice.of(args)
        config = robot.of_task(TaskConfig.load(args.task) if args.task else TaskConfig.default())
        seeds = range(args.seed, args.seed + args.episodes)
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("episodes", total=args.episodes)

            def advance(finished: list[Trial]) -> None:
                progress.advance(bar, len(finished))

            trials = evaluate(policy, objects, seeds, config, args.policy_seed, advance)
    except (ValueError, OSError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    rows = rows_of(trials)
    own = robot.robot == "sim" and config.shift != TRAINING_ROBOT
    who = f"shifted robot of {args.task}" if own else robot.describe()
    title = f"policy {policy.id[:12]}, {who}, {time.perf_counter() - began:.0f} s"
    print_table(rows, console, title)
    if args.json:
        summary = {
            "policy": policy.id,
            "policy_seed": args.policy_seed,
            **robot.to_dict(),
            "robot_shift": config.shift.to_dict(),
            "rows": rows,
            "trials": [asdict(trial) for trial in trials],
        }
        write_atomically(args.json, (json.dumps(summary, indent=2) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
