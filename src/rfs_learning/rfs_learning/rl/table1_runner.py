"""Runs cells as processes, some at once, so that a failed one leaves the others alone."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from rfs_learning.interrupt import INTERRUPTED, Interrupt
from rfs_learning.rl.table1_cells import in_a_sentence
from rfs_learning.rl.table1_plan import Job
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord, open_record

LOG_FILE = "log.txt"
COMMAND = (sys.executable, "-m", "rfs_learning.rl.table1_cells")
_TICK = 0.5  # s between two looks at what runs
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


@dataclass(frozen=True)
class Ending:
    """How a cell's process ended. problem: empty for a finished or interrupted cell."""

    job: Job
    problem: str = ""
    diverged: bool = False
    interrupted: bool = False


class CellProcess:
    """A cell at work. It watches the pipe that its order came through: when that is closed, or this process
    ends in whatever way, it saves and ends. Ctrl-C does not reach it in any other way."""

    def __init__(self, job: Job, command: Sequence[str] = COMMAND) -> None:
        self.job, self.log = job, job.folder / LOG_FILE
        job.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.told, tell = os.pipe()
            self.process = subprocess.Popen(
                [*command, str(tell)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(tell,),
                env=os.environ | _ONE_THREAD,
                start_new_session=True,
                bufsize=0,  # what could not be written is not tried again when the pipe is closed
            )
        os.close(tell)
        self._order({"plan": job.plan.to_dict(), "cell": asdict(job.cell)})

    def _order(self, order: dict) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it ended at once: `ending` says how
            self.process.stdin.write(json.dumps(order).encode() + b"\n")

    def interrupt(self) -> None:
        """Ask it to save and end."""
        if self.process.stdin:
            self.process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def ending(self) -> Ending:
        """Wait for its end."""
        with os.fdopen(self.told) as stream:
            message = stream.read()
        code = self.process.wait()
        self.interrupt()
        if message:
            return Ending(self.job, **json.loads(message))
        if code in (0, INTERRUPTED, -signal.SIGINT):
            return Ending(self.job, interrupted=code != 0)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return Ending(self.job, f"its process ended {how}; see {self.log}")


class Runner:
    """Works through jobs, `at_once` of them at once.

    on_start and on_end hear of each job; on_tick hears twice a second of those at work.
    """

    def __init__(
        self,
        at_once: int,
        on_start: Callable[[Job], None] = lambda job: None,
        on_end: Callable[[Ending], None] = lambda ending: None,
        on_tick: Callable[[list[Job]], None] = lambda jobs: None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.at_once, self.command = at_once, command
        self.on_start, self.on_end, self.on_tick = on_start, on_end, on_tick
        self._running: dict[int, CellProcess] = {}

    def run(self, jobs: Sequence[Job]) -> bool:
        """Whether all had their turn; after Ctrl-C those at work save and end, after a second one they just
        end."""
        waiting, interrupt, told = list(jobs), Interrupt(), False
        try:
            while self._running or (waiting and not interrupt.seen):
                while waiting and len(self._running) < self.at_once and not interrupt.seen:
                    self._start(waiting.pop(0))
                if interrupt.seen and not told:
                    told = True
                    for process in self._running.values():
                        process.interrupt()
                self._wait()
        finally:
            interrupt.restore()
            for process in self._running.values():
                process.kill()
                process.ending()
        return not interrupt.seen

    def _start(self, job: Job) -> None:
        self.on_start(job)
        try:
            process = CellProcess(job, self.command)
        except OSError as error:
            self._end(Ending(job, in_a_sentence(error)))
            return
        self._running[process.told] = process

    def _wait(self) -> None:
        """Until a process tells something or ends, or it is time for a look."""
        ready, _, _ = select.select(list(self._running), [], [], _TICK)
        for told in ready:
            self._end(self._running.pop(told).ending())
        self.on_tick([process.job for process in self._running.values()])

    def _end(self, ending: Ending) -> None:
        if not ending.problem:
            self.on_end(ending)
            return
        try:
            record_failure(ending)
        except (OSError, ValueError) as error:
            text = f"{ending.problem} (and its record could not be written: {in_a_sentence(error)})"
            ending = Ending(ending.job, text, ending.diverged)
        self.on_end(ending)


def record_failure(ending: Ending) -> None:
    """Write a failed cell's results: as far as it came, and why it did not come further. Finished results
    stay."""
    job = ending.job
    if job.result_file.is_file() and CellRecord.read(job.result_file).finished:
        return
    try:
        record = open_record(job.plan, job.cell, job.folder / RECORD_FILE)
    except ValueError:
        record = None
    record = record or CellRecord.begin(job.plan, job.cell)
    record.problem, record.diverged = ending.problem, ending.diverged
    record.write(job.result_file)
