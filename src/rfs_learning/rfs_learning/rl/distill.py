"""Distillation of privileged teachers into the point-cloud student (paper, section 5.1 and appendix A.2.5):
`./rfs distill --teacher runs/rl/power runs/rl/pinch --output runs/distill`.

Teachers' rollouts train the flow policy that the stack runs; where it falls short, it drives, the teachers
label every state that it comes to, and training goes on with these, too (DAgger, Ross et al. 2011).
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rfs_policy.checkpoint import write_atomically
from rich.console import Console

from rfs_learning.dataset import DemoDataset
from rfs_learning.demos import success_rows
from rfs_learning.diverged import DivergedError
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.rl.distill_config import DistillConfig
from rfs_learning.rl.distill_stages import Distillation, Evaluation
from rfs_learning.rl.distill_teachers import EXPERT, ScriptedTeacher, Teacher, Teachers, TeacherSource
from rfs_learning.training_run import CONFIG_FILE, METRICS_FILE, alone_in, versions

REPORT_FILE = "report.json"
_MAY_CHANGE = {"environments", "threads", "rounds", "goal", "round_episodes", "final_episodes"}


def distill(
    config: DistillConfig, teachers: TeacherSource, output: Path, resume: bool, console: Console | None = None
) -> dict[str, Any]:
    """Everything, written below output; returns the report.

    Raises:
        FileExistsError, FileNotFoundError: a run is there and should not be resumed, or the other way round.
        ValueError: the run there had other settings or teachers, or the teachers fail too often.
        KeyboardInterrupt: asked to stop; a call with `resume` goes on.
    """
    record = {"distill": config.to_dict(), "teachers": teachers.records} | versions()
    record = json.loads(json.dumps(record))
    _claim(output, record, resume)
    run = Distillation(config, teachers, output, console)
    rounds, final = run.run()
    report = _report(run, rounds, final) | {"config": record}
    write_atomically(output / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
    return report


def _claim(output: Path, record: Mapping[str, Any], resume: bool) -> None:
    """Write the run's settings, or check that they are those of the run to go on with."""
    file = output / CONFIG_FILE
    if file.exists() and not resume:
        raise FileExistsError(f"{output} holds a run; go on with it by --resume, or give another --output")
    if resume and not file.exists():
        raise FileNotFoundError(f"nothing to resume at {output}: leave --resume out to begin a run")
    if resume:
        before = json.loads(file.read_text())
        if "distill" not in before:
            raise ValueError(f"{output} holds a run of another command: give another --output")
        changed = [key for key in _fixed(record) if _fixed(record)[key] != _fixed(before).get(key)]
        if changed:
            raise ValueError(
                f"the run in {output} had another '{changed[0]}': go on with its own settings, or give "
                "another --output"
            )
    write_atomically(file, (json.dumps(record, indent=2) + "\n").encode())


def _fixed(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a resumed run must agree in."""
    settings = {key: value for key, value in record["distill"].items() if key not in _MAY_CHANGE}
    return settings | {"teachers": [{**teacher, "file": ""} for teacher in record["teachers"]]}


def _report(run: Distillation, rounds: Sequence[Evaluation], final: Evaluation) -> dict[str, Any]:
    return {
        "policy": final.policy,
        "round": next(i for i, evaluation in enumerate(rounds) if evaluation.policy == final.policy),
        "goal": run.config.goal,
        "reached": final.rate >= run.config.goal,
        "training": final.training,
        "heldout": final.heldout,
        "rounds": [_round_report(run, number, evaluation) for number, evaluation in enumerate(rounds)],
    }


def _round_report(run: Distillation, number: int, evaluation: Evaluation) -> dict[str, Any]:
    """Who drove how well, how training ended, and what the student then achieved."""
    dataset = DemoDataset.open(run.rollouts(number))
    metrics = (run.folder(number) / "student" / METRICS_FILE).read_text().splitlines()
    return {
        "driver": "student" if number else "teachers",
        "episodes": len(dataset),
        "steps": dataset.steps,
        "driver_success": success_rows(dataset.attempts),
        "student": json.loads(metrics[-1]),
        "training": evaluation.training,
        "heldout": evaluation.heldout,
    }


def load_teachers(names: Sequence[str], config: DistillConfig) -> TeacherSource:
    """The scripted expert for 'expert', else the policies of these files; errors name what does not fit."""
    if list(names) == [EXPERT]:
        return ScriptedTeacher(config.seed)
    return Teachers([Teacher.load(name) for name in names], config.objects, config.task)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `./rfs distill`; the exit code is 1 when the student falls short of the goal, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="rfs distill", description=__doc__)
    parser.add_argument(
        "--teacher",
        nargs="+",
        required=True,
        help=f"runs of ./rfs train rl, or '{EXPERT}': the scripted one",
    )
    parser.add_argument("--output", type=Path, default=Path("runs/distill"), help="folder of the run")
    parser.add_argument("--config", help="YAML with settings that differ from config/distill.yaml")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    args, console = parser.parse_args(argv), Console()
    try:
        config = DistillConfig.load(args.config)
        teachers = load_teachers(args.teacher, config)
        with alone_in(args.output):
            report = distill(config, teachers, args.output, args.resume, console)
    except (DivergedError, ValueError, OSError) as error:
        console.print(f"[red]rfs distill: {error}[/red]")
        return 2
    except KeyboardInterrupt:
        console.print(f"interrupted; go on with --resume --output {args.output}")
        return INTERRUPTED
    rate = report["training"][-1]["rate"]
    console.print(f"{100 * rate:.1f} % on training objects; policy and {REPORT_FILE} in {args.output}")
    return 0 if report["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
