"""Table 1 of the paper: every method on every task, over seeds; cells that are finished are kept.

./rfs table1 --quick        every method once, with a small budget, in less than 20 minutes on two cores
./rfs table1 --jobs 2       the table; stop it with Ctrl-C at any time, the same command goes on
./rfs table1 --report       only draw what is there
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.table1_cells import in_a_sentence, training_success
from rfs_learning.rl.table1_plan import EvaluationPlan, Job, Plan, cells
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord, open_record
from rfs_learning.rl.table1_report import write_report
from rfs_learning.rl.table1_runner import COMMAND, Ending, Runner
from rfs_learning.rl.table1_time import TimeLeft, in_words
from rfs_learning.training_run import METRICS_FILE

T = TypeVar("T")
FAILED = 1
"""Exit code: some cells failed, or nothing could be done."""
SEEDS = (0, 1, 2)
QUICK_STEPS = 96_000
QUICK = EvaluationPlan(points=2, point_episodes=64, final_episodes=128, levels=(1.0, 4.0), level_episodes=64)


class Sitting:
    """Works through the jobs that are not finished, and tells how it goes."""

    def __init__(
        self, jobs: Sequence[Job], at_once: int, progress: Progress, command: Sequence[str] = COMMAND
    ) -> None:
        self.at_once, self.progress, self.command = at_once, progress, command
        known = {job: record for job in jobs if (record := standing(job))}
        self.waiting = [job for job in jobs if job not in known]
        self.failed = {job.name: record.problem for job, record in known.items() if record.problem}
        self.total, self.time = len(jobs), TimeLeft(known.values())
        self._began: dict[Job, float] = {}
        self._bars: dict[Job, TaskID] = {}

    def run(self) -> bool:
        """Whether all jobs had their turn; False after Ctrl-C."""
        done = self.total - len(self.waiting)
        self._say(f"{self.total} cells, {done} of them known; {self._left()}")
        self._bar = self.progress.add_task("cells", total=self.total, completed=done)
        runner = Runner(self.at_once, self._started, self._ended, self._looked, self.command)
        return runner.run(self.waiting.copy())

    def _started(self, job: Job) -> None:
        self.waiting.remove(job)
        self._began[job] = time.monotonic()
        self._bars[job] = self.progress.add_task(f"  {job.name}", total=job.plan.config.ppo.control_steps)

    def _looked(self, running: Sequence[Job]) -> None:
        for job in running:
            success = training_success(job.folder / METRICS_FILE)
            if success:
                self.progress.update(self._bars[job], completed=success[-1][0])

    def _ended(self, ending: Ending) -> None:
        job = ending.job
        self.progress.remove_task(self._bars.pop(job))
        taken = time.monotonic() - self._began.pop(job)
        if ending.interrupted:
            self._say(f"{job.name}: saved, goes on with the next start")
            return
        self.progress.advance(self._bar)
        if ending.problem:
            self.failed[job.name] = ending.problem
            self._say(f"[red]{job.name} failed:[/] {ending.problem}; {self._left()}")
            return
        record = CellRecord.read(job.result_file)
        if taken >= 0.9 * record.seconds:  # it was not begun in an earlier sitting
            self.time.add(record)
        successes, episodes = record.count("mean")
        self._say(f"{job.name}: {successes / episodes:.3f} in {in_words(record.seconds)}; {self._left()}")

    def _left(self) -> str:
        """The rest, and how long it takes."""
        now = time.monotonic()
        left = [(job.cell, 0.0) for job in self.waiting]
        left += [(job.cell, now - began) for job, began in self._began.items()]
        if not left:
            return "none left"
        seconds = self.time.of_cells(left, self.at_once)
        if seconds is None:
            return f"{len(left)} left; the time is not known before a cell like these is finished"
        return f"{len(left)} left, about {in_words(seconds)} (from {self.time.measured} measured cells)"

    def _say(self, text: str) -> None:
        self.progress.console.print(text, highlight=False, soft_wrap=True)


def sit(
    jobs: Sequence[Job], at_once: int, console: Console, command: Sequence[str] = COMMAND
) -> tuple[bool, dict[str, str]]:
    """Do what of these jobs is not finished, with bars; whether all had their turn, and what went wrong, by
    the job's name."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        sitting = Sitting(jobs, at_once, progress, command)
        return sitting.run(), sitting.failed


def standing(job: Job) -> CellRecord | None:
    """The record of a cell that need not be done: finished, or diverged, as it would again. None: it is to be
    done, or to go on.

    Raises:
        ValueError: it was begun or finished with other settings.
    """
    open_record(job.plan, job.cell, job.folder / RECORD_FILE)
    record = open_record(job.plan, job.cell, job.result_file)
    return None if record and record.problem and not record.diverged else record


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs table1`."""
    parser = argparse.ArgumentParser(
        prog="rfs table1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small budget, one task, one seed")
    parser.add_argument("--report", action="store_true", help="only draw table and figures of finished cells")
    parser.add_argument("--jobs", type=at_least(1), default=2, help="cells at once, one core each; default 2")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help=f"of {', '.join(METHODS)}")
    parser.add_argument("--tasks", nargs="+", help="of config/rl.yaml; default: all (the first with --quick)")
    parser.add_argument("--seeds", nargs="+", type=at_least(0), help="default: 0 1 2 (0 with --quick)")
    parser.add_argument("--config", help="YAML with settings that differ from the packaged config/rl.yaml")
    parser.add_argument("--output", type=Path, help="weights and logs; default runs/table1")
    parser.add_argument("--results", type=Path, help="results and report; default results/table1")
    return parser


def at_least(least: int) -> Callable[[str], int]:
    """Type of a command line's whole number."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return int(text)

    return number


def make_plan(args: argparse.Namespace) -> tuple[Plan, Sequence[str], Sequence[int]]:
    """What the table consists of, with all its tasks and seeds."""
    config, evaluation = RlConfig.load(args.config).with_ppo(threads=1), EvaluationPlan()
    output, results = Path("runs/table1"), Path("results/table1")
    tasks, seeds = tuple(config.tasks), SEEDS
    if args.quick:
        config, evaluation = config.with_ppo(control_steps=QUICK_STEPS), QUICK
        output, results = Path("runs/table1_quick"), Path("runs/table1_quick/results")
        tasks, seeds = tasks[:1], SEEDS[:1]
    plan = Plan(config, args.output or output, args.results or results, evaluation)
    return plan, tasks, seeds


def _whole(given: Sequence[T], usual: Sequence[T]) -> Sequence[T]:
    """What the report is to have: all of the usual where a part of it was given, else what was given."""
    return usual if set(given) <= set(usual) else list(dict.fromkeys(given))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 when a cell failed."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        plan, tasks, seeds = make_plan(args)
        given_tasks, given_seeds = args.tasks or tasks, args.seeds or seeds
        wanted = cells(plan.config, args.methods, given_tasks, given_seeds)
        jobs = [Job(plan, cell, str(cell)) for cell in wanted]
        whole, failed = (True, {}) if args.report else sit(jobs, args.jobs, console)
        page = write_report(plan.results, _whole(given_tasks, tasks), len(_whole(given_seeds, seeds)))
    except (ValueError, OSError) as error:
        print(f"rfs table1: {in_a_sentence(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("rfs table1: ended; what was finished is kept, the same command goes on", file=sys.stderr)
        return INTERRUPTED
    console.print(f"report  {page}", highlight=False, soft_wrap=True, markup=False)
    for name, problem in failed.items():
        console.print(f"failed  {name}: {problem}", highlight=False, soft_wrap=True, markup=False)
    if not whole:
        console.print("interrupted; the same command goes on")
        return INTERRUPTED
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
