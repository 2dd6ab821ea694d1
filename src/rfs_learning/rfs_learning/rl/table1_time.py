"""How long the rest of table 1 takes, from the cells that were measured."""

from collections.abc import Iterable, Sequence

from rfs_learning.rl.table1_plan import BASE, Cell
from rfs_learning.rl.table1_record import CellRecord


class TimeLeft:
    """Expects of a cell what cells like it took: same method and task, else same method, else any method.

    Cells from before this sitting may have been measured on another machine, or with another number at once:
    those that end while we look tell how much slower or faster it is now.
    """

    def __init__(self, before: Iterable[CellRecord]) -> None:
        self._before = [record for record in before if record.finished]
        self._now: list[CellRecord] = []
        self._expected = self._taken = 0.0

    def add(self, record: CellRecord) -> None:
        """A cell that has just been finished, from its beginning."""
        expected = _like(record.cell, self._before)
        if expected is not None:
            self._expected, self._taken = self._expected + expected, self._taken + record.seconds
        self._now.append(record)

    @property
    def measured(self) -> int:
        """Finished cells that estimates come from."""
        return len(self._before) + len(self._now)

    def of_cell(self, cell: Cell) -> float | None:
        """Seconds of one process; None while nothing like it was measured."""
        before = _like(cell, self._before)
        if before is None:
            return _like(cell, self._now)
        return before * self._taken / self._expected if self._expected else before

    def of_cells(self, cells: Iterable[tuple[Cell, float]], jobs: int) -> float | None:
        """Seconds until all are done; with each the seconds that it has taken so far. None: not known."""
        left = []
        for cell, spent in cells:
            whole = self.of_cell(cell)
            if whole is None:
                return None
            left.append(max(whole - spent, 0.1 * whole))  # one that takes longer is hardly done at once
        return max(sum(left) / jobs, max(left, default=0.0))


def _like(cell: Cell, records: Sequence[CellRecord]) -> float | None:
    """Mean seconds of the records that are most like the cell; a base is like no method."""
    same = [record for record in records if record.cell.method == cell.method]
    others = [record for record in records if BASE not in (record.cell.method, cell.method)]
    for chosen in ([record for record in same if record.cell.task == cell.task], same, others):
        if chosen:
            return sum(record.seconds for record in chosen) / len(chosen)
    return None


def in_words(seconds: float | None) -> str:
    """'2 h 05 min', '3 min', '40 s'; 'not known yet'."""
    if seconds is None:
        return "not known yet"
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
