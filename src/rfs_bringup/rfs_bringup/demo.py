"""``./rfs demo``: grasp trials with the real nodes, then a table, a bag for each trial, and a report page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.evaluation_table import print_table, rows_of
from rfs_learning.protocol import Job, Protocol, cycled_jobs
from rfs_learning.robot_choice import RobotChoice, add_robot_arguments
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console

from rfs_bringup.demo_evaluation import record_of, trials_of
from rfs_bringup.demo_run import DemoRun, run_stack
from rfs_bringup.reward_stack import JUDGES

_TRIALS = 20


def build_parser() -> argparse.ArgumentParser:
    """Arguments of ``./rfs demo``."""
    parser = argparse.ArgumentParser(prog="rfs demo", description=(__doc__ or "").split("``: ")[-1])
    parser.add_argument("--trials", type=int, help="how many (default: 20)")
    parser.add_argument("--object", nargs="+", help="names, or 'train' (default), 'heldout'; taken in turn")
    parser.add_argument(
        "--protocol", metavar="NAME", help="the trials of './rfs evaluate --protocol NAME', as in 'paper'"
    )
    parser.add_argument(
        "--policy",
        help="checkpoint; 'distilled' and 'default' ship (default: distilled, with --modulation default)",
    )
    parser.add_argument(
        "--modulation",
        default="",
        metavar="PATH",
        help="adapts the policy; 'adapted' ships, for --robot target",
    )
    parser.add_argument("--sim-time", choices=("lockstep", "realtime"), default="lockstep")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first trial")
    parser.add_argument(
        "--reward",
        choices=JUDGES,
        default="simulator",
        help="who judges: the simulator, or a tracker",
    )
    parser.add_argument(
        "--sim",
        choices=("mujoco", "isaaclab"),
        default="mujoco",
        help="the simulator; isaaclab needs ./rfs setup isaaclab",
    )
    add_robot_arguments(parser)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder for bags and report")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write trials and table as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; exit code 0 when all trials ran, whatever came of them."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        protocol = Protocol.load(args.protocol) if args.protocol else None
        run = _prepare(args, protocol)
        status = run_stack(run, console)
    except (ValueError, OSError, RuntimeError) as error:
        console.print(f"rfs demo: {error}", style="red", highlight=False)
        return 1
    results = _read_results(run.results)
    trials = trials_of(results)
    rows = rows_of(trials, protocol.groups() if protocol else {})
    if trials:
        print_table(rows, console, f"{len(trials)} trials, {time.time() - run.started:.0f} s")
        record_of(run, trials, protocol).write(run.folder / "evaluation.json")
    report = _write_report(run, rows, results)
    _write_json(args.json, run, rows, results, report)
    console.print(f"report  {report}\nbags    {run.folder / 'bags'}", highlight=False, soft_wrap=True)
    if status == 0 and len(trials) < len(run.jobs):
        console.print("rfs demo: not all trials ran; see the log", style="red")
        return 1
    return status


def _prepare(args: argparse.Namespace, protocol: Protocol | None) -> DemoRun:
    """Settings checked and the run's folder made.

    Raises:
        ValueError: an unknown object, or a number out of range.
    """
    robot = RobotChoice.of(args)
    jobs = _jobs(args, protocol, robot.of_task(TaskConfig.default()))
    folder = args.output.resolve() / time.strftime("%Y%m%d-%H%M%S")
    policy = args.policy or ("default" if args.modulation else "distilled")
    run = DemoRun(folder, jobs, args.sim_time, policy, args.modulation, args.reward, robot, args.sim)
    run.prepare()
    return run


def _jobs(args: argparse.Namespace, protocol: Protocol | None, config: TaskConfig) -> list[Job]:
    if protocol is None:
        trials = _TRIALS if args.trials is None else args.trials
        return cycled_jobs(args.object or ["train"], trials, args.seed)
    if args.object or args.trials is not None:
        raise ValueError("--protocol names objects and trials: leave out --object and --trials")
    return protocol.jobs(config, args.seed)


def _read_results(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["rows"] if path.is_file() else []


def _write_report(run: DemoRun, rows: list[dict[str, Any]], trials: list[dict[str, Any]]) -> Path:
    from rfs_learning.report import ReportTrial, write_report

    fields = ("number", "object", "seed", "outcome", "seconds", "problem")
    shown = [
        ReportTrial(bag=Path(row["bag"]) if row["bag"] else None, **{name: row[name] for name in fields})
        for row in trials
    ]
    path = run.folder / "report.html"
    write_report(path, rows, shown, run.config())
    return path


def _write_json(
    path: Path | None, run: DemoRun, rows: list[dict[str, Any]], trials: list[dict[str, Any]], report: Path
) -> None:
    if path is None:
        return
    content = {
        "trials": len(trials),
        "successes": sum(row["outcome"] == "success" for row in trials),
        "rows": rows,
        "episodes": trials,
        "seconds": round(time.time() - run.started, 1),
        "report": str(report),
        "config": run.config(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
