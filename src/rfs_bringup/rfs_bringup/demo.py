"""``./rfs demo``: grasp trials with the real nodes, then a table, a bag for each trial, and a report page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rfs_learning.evaluation import FIRST_SEED, objects_of
from rfs_learning.evaluation_table import print_table, rows_of
from rfs_learning.robot_choice import RobotChoice, add_robot_arguments
from rfs_learning.rollout import Trial
from rich.console import Console
from rich.status import Status

from rfs_bringup import arguments, processes
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.reward_stack import JUDGES
from rfs_bringup.stack import STACKS


@dataclass
class DemoRun:
    """Folder and settings of one run."""

    folder: Path
    objects: list[str]
    trials: int
    sim_time: str
    policy: str
    modulation: str
    seed: int
    reward: str
    robot: RobotChoice
    started: float = field(default_factory=time.time)

    @property
    def results(self) -> Path:
        return self.folder / "results.json"

    def nodes(self) -> list[NodeSpec]:
        """The grasp stack. The policy's own seed is 0, so that trials equal those of ``./rfs evaluate``."""
        words = [
            f"sim_time:={self.sim_time}",
            f"policy:={self.policy}",
            f"modulation:={self.modulation}",
            f"trials:={self.trials}",
            f"bags:={self.folder / 'bags'}",
            f"seed:={self.seed}",
            f"reward:={self.reward}",
            f"robot:={self.robot.robot}",
        ]
        if self.robot.robot == "target":
            words.append(f"severity:={self.robot.severity}")
        stack = STACKS["grasp"]
        added: dict[str, dict[str, Any]] = {
            "policy": {"seed": 0},
            "runner": {"object": ",".join(self.objects), "results": str(self.results), "live": True},
        }
        return [
            replace(node, parameters={**node.parameters, **added.get(node.name, {})})
            for node in stack.nodes(arguments.parse(stack.arguments, words))
        ]

    def config(self) -> dict[str, Any]:
        """What the run was, for the report and the JSON file."""
        return {
            "date": time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started)),
            "command": " ".join(["rfs demo", *sys.argv[1:]]),
            "sim_time": self.sim_time,
            "objects": self.objects,
            "trials": self.trials,
            "seed": self.seed,
            "policy": self.policy,
            "modulation": self.modulation,
            "reward": self.reward,
            **self.robot.to_dict(),
            "nodes": {f"{node.package}/{node.executable}": dict(node.parameters) for node in self.nodes()},
        }


class Output:
    """What the nodes say: all of it into a log file, the runner's lines and errors to the console."""

    def __init__(self, console: Console, log: Path, status: Status | None) -> None:
        self._console, self._status = console, status
        self._log = log.open("w", encoding="utf-8")
        self.errors: list[str] = []

    def line(self, name: str, text: str) -> None:
        """One line of a node (or of the process manager)."""
        self._log.write(f"{name:<10}| {text}\n")
        self._log.flush()
        if name == "runner" and text.startswith("trial"):
            self._trial(text)
        elif "[ERROR]" in text or "[FATAL]" in text or text.startswith(f"{name}: ") or "_runner: " in text:
            self.errors.append(f"{name}: {text}")

    def _trial(self, text: str) -> None:
        if " running " in text:
            if self._status is not None:
                self._status.update(text)
            return
        style = "green" if " success " in text else "red"
        self._console.print(text, style=style, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._log.close()


def build_parser() -> argparse.ArgumentParser:
    """Arguments of ``./rfs demo``."""
    parser = argparse.ArgumentParser(prog="rfs demo", description=(__doc__ or "").split("``: ")[-1])
    parser.add_argument("--trials", type=int, default=20, help="how many (default: 20)")
    parser.add_argument(
        "--object", nargs="+", default=["train"], help="names, or 'train', 'heldout'; taken in turn"
    )
    parser.add_argument("--policy", default="default", help="checkpoint; 'default' is the one that ships")
    parser.add_argument("--modulation", default="", metavar="PATH", help="checkpoint that adapts the policy")
    parser.add_argument("--sim-time", choices=("lockstep", "realtime"), default="lockstep")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first trial")
    parser.add_argument(
        "--reward",
        choices=JUDGES,
        default="simulator",
        help="who judges: the simulator, or a tracker",
    )
    add_robot_arguments(parser)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder for bags and report")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write trials and table as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; exit code 0 when all trials ran, whatever came of them."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        run = _prepare(args)
        status = run_stack(run, console)
    except (ValueError, OSError, RuntimeError) as error:
        console.print(f"rfs demo: {error}", style="red", highlight=False)
        return 1
    trials = _read_results(run.results)
    rows = rows_of([_evaluated(trial) for trial in trials])
    if trials:
        print_table(rows, console, f"{len(trials)} trials, {time.time() - run.started:.0f} s")
    report = _write_report(run, rows, trials)
    _write_json(args.json, run, rows, trials, report)
    console.print(f"report  {report}\nbags    {run.folder / 'bags'}", highlight=False, soft_wrap=True)
    if status == 0 and len(trials) < run.trials:
        console.print("rfs demo: not all trials ran; see the log", style="red")
        return 1
    return status


def _prepare(args: argparse.Namespace) -> DemoRun:
    """Settings checked and the run's folder made.

    Raises:
        ValueError: an unknown object, or a number out of range.
    """
    if args.trials < 1:
        raise ValueError(f"--trials {args.trials}: at least 1 trial is needed")
    if args.seed < 0:
        raise ValueError(f"--seed {args.seed}: seeds are 0 or more")
    from rfs_sim_bridge.objects import find_objects

    names = [spec.name for spec in find_objects(objects_of(args.object))]
    folder = args.output.resolve() / time.strftime("%Y%m%d-%H%M%S")
    robot = RobotChoice.of(args)
    settings = (args.sim_time, args.policy, args.modulation, args.seed, args.reward)
    run = DemoRun(folder, names, args.trials, *settings, robot)
    run.nodes()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(run.config(), indent=2) + "\n")
    return run


def run_stack(run: DemoRun, console: Console) -> int:
    """Start the nodes, show the trials as they come, and stop the nodes; the exit status of the stack."""
    title = f"{run.trials} grasp trials, {run.robot.describe()}, {run.sim_time}, objects: "
    title += ", ".join(run.objects)
    console.print(title, highlight=False, soft_wrap=True)
    live = console.status("starting the nodes") if console.is_terminal else nullcontext()
    with live as status:
        output = Output(console, run.folder / "log.txt", status)
        try:
            code = processes.run(run.nodes(), processes.Lines(output.line))
        finally:
            output.close()
    if code:
        for error in output.errors[-5:]:
            console.print(error, style="red", highlight=False, soft_wrap=True)
        console.print(f"the stack stopped early (exit code {code}); all output: {run.folder / 'log.txt'}")
    return code


def _read_results(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["rows"] if path.is_file() else []


def _evaluated(row: dict[str, Any]) -> Trial:
    outcome = str(row["outcome"])
    reason = {"success": "", "failure": "time over"}.get(outcome, outcome)
    return Trial(row["object"], row["seed"], outcome == "success", row["seconds"], 0.0, reason)


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
