"""Keeps a session's record while it goes on, beside it: figures and page are made on a thread. No ROS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from rfs_teleop.episode_conduct import Counts, Ending
from rfs_teleop.episode_figures import line
from rfs_teleop.session_page import write_page
from rfs_teleop.session_plan import Tally
from rfs_teleop.session_record import SessionRecord


class SessionDiary:
    """After each episode its line, session.json and report.html, without holding up the next one.

    Args:
        folder: of the session; one that exists is continued.
        planned: number of episodes that are to count; 0 for no end.
    """

    def __init__(self, folder: Path, planned: int) -> None:
        self.last = ""
        self._record = SessionRecord.open(folder, planned)
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._thread = ThreadPoolExecutor(1, "figures")
        for name, why in self._record.skipped.items():
            self._lines.put(f"bag {name} is not counted: {why}")

    def tally(self) -> Tally:
        """How the episodes of earlier starts ended."""
        return self._record.tally()

    def ended(self, outcome: str, bag: Path | None, ending: Ending, number: int, begun: int) -> None:
        """One more episode has ended, of `begun` in all; `number` is the one that follows."""
        counted = outcome in ("success", "failure")
        shown = number - 1 if counted else number
        self._thread.submit(self._note, outcome, bag, ending, shown, begun)

    def _note(self, outcome: str, bag: Path | None, ending: Ending, number: int, begun: int) -> None:
        try:
            self._enter(outcome, bag, ending, number)
            self._save(begun)
        except Exception as error:  # no reason to end a session; its bags hold everything
            self._lines.put(f"the session's record could not be brought up to date: {error!r}")

    def _enter(self, outcome: str, bag: Path | None, ending: Ending, number: int) -> None:
        if outcome == "discarded":
            self._record.discarded += 1
            self._tell(f"episode {number}  discarded")
        elif bag is None:
            self._tell(f"episode {number}  {outcome}  not recorded  {'; '.join(ending.problems)}")
        else:
            self._read(bag, ending.counts, number)

    def _save(self, begun: int) -> None:
        record = self._record
        record.count_begun(begun)
        if any(record.bags()) or record.discarded:
            record.save()
            write_page(record)

    def _read(self, bag: Path, counts: Counts, number: int) -> None:
        figures = self._record.read(bag)
        if figures is None:
            self._tell(f"episode {number}  its bag {bag} cannot be read: {self._record.skipped[bag.name]}")
            return
        figures.drops = max(figures.drops, counts.drops)
        self._tell(line(figures, number, self._record.planned))

    def _tell(self, text: str) -> None:
        self.last = text
        self._lines.put(text)

    def lines(self) -> Iterator[str]:
        """What is to be shown and was not yet."""
        while not self._lines.empty():
            yield self._lines.get()

    def finish(self) -> str:
        """Wait for what is still being made; the last lines, with where the page lies."""
        self._thread.shutdown(wait=True)
        page = self._record.folder / "report.html"
        return "\n".join([*self.lines(), *([f"report  {page}"] if page.is_file() else [])])
