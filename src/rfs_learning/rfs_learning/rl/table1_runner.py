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

from rfs_learning.interrupt import Interrupt
from rfs_learning.rl.table1_cells import INTERRUPTED, in_a_sentence
from rfs_learning.rl.table1_plan import Cell, Plan
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord, open_record

LOG_FILE = "log.txt"
COMMAND = (sys.executable, "-m", "rfs_learning.rl.table1_cells")
_TICK = 0.5  # s between two looks at what runs
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


@dataclass(frozen=True)
class Ending:
    """How a cell's process ended. problem: empty for a finished or interrupted cell."""

    cell: Cell
    problem: str = ""
    diverged: bool = False
    interrupted: bool = False


class CellProcess:
    """A cell at work. It watches the pipe that its order came through: when that is closed, or this process
    ends in whatever way, it saves and ends. Ctrl-C does not reach it in any other way."""

    def __init__(self, plan: Plan, cell: Cell, command: Sequence[str] = COMMAND) -> None:
        self.cell, folder = cell, plan.run_folder(cell)
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / LOG_FILE
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
        self._order({"plan": plan.to_dict(), "cell": asdict(cell)})

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
            return Ending(self.cell, **json.loads(message))
        if code in (0, INTERRUPTED, -signal.SIGINT):
            return Ending(self.cell, interrupted=code != 0)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return Ending(self.cell, f"its process ended {how}; see {self.log}")


class Runner:
    """Works through cells, `jobs` of them at once.

    on_start and on_end hear of each cell; on_tick hears twice a second of those at work.
    """

    def __init__(
        self,
        plan: Plan,
        jobs: int,
        on_start: Callable[[Cell], None] = lambda cell: None,
        on_end: Callable[[Ending], None] = lambda ending: None,
        on_tick: Callable[[list[Cell]], None] = lambda cells: None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.plan, self.jobs, self.command = plan, jobs, command
        self.on_start, self.on_end, self.on_tick = on_start, on_end, on_tick
        self._running: dict[int, CellProcess] = {}

    def run(self, cells: Sequence[Cell]) -> bool:
        """Whether all had their turn; after Ctrl-C those at work save and end, after a second one they just
        end."""
        waiting, interrupt, told = list(cells), Interrupt(), False
        try:
            while self._running or (waiting and not interrupt.seen):
                while waiting and len(self._running) < self.jobs and not interrupt.seen:
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

    def _start(self, cell: Cell) -> None:
        self.on_start(cell)
        try:
            process = CellProcess(self.plan, cell, self.command)
        except OSError as error:
            self._end(Ending(cell, in_a_sentence(error)))
            return
        self._running[process.told] = process

    def _wait(self) -> None:
        """Until a process tells something or ends, or it is time for a look."""
        ready, _, _ = select.select(list(self._running), [], [], _TICK)
        for told in ready:
            self._end(self._running.pop(told).ending())
        self.on_tick([process.cell for process in self._running.values()])

    def _end(self, ending: Ending) -> None:
        if not ending.problem:
            self.on_end(ending)
            return
        try:
            record_failure(self.plan, ending)
        except OSError as error:
            text = f"{ending.problem} (and its record could not be written: {in_a_sentence(error)})"
            ending = Ending(ending.cell, text, ending.diverged)
        self.on_end(ending)


def record_failure(plan: Plan, ending: Ending) -> None:
    """Write a failed cell's results: as far as it came, and why it did not come further. Finished results
    stay."""
    if plan.result_file(ending.cell).is_file() and CellRecord.read(plan.result_file(ending.cell)).finished:
        return
    try:
        record = open_record(plan, ending.cell, plan.run_folder(ending.cell) / RECORD_FILE)
    except ValueError:
        record = None
    record = record or CellRecord.begin(plan, ending.cell)
    record.problem, record.diverged = ending.problem, ending.diverged
    record.write(plan.result_file(ending.cell))
