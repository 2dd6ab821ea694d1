"""What is known of a session's episodes, kept as `session.json` in the folder of its bags. No ROS."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rfs_teleop.bag_repair import unfinished
from rfs_teleop.episode_figures import EpisodeFigures, read_figures
from rfs_teleop.session_plan import Tally


@dataclass
class SessionRecord:
    """Figures of all episodes of a session, in the order in which they were recorded.

    folder: of the session; it holds one folder for each bag. vanished: episodes that were begun, were not
    discarded, and are not there. skipped: bags that could not be read, and why.
    """

    folder: Path
    planned: int = 0
    discarded: int = 0
    vanished: int = 0
    episodes: list[EpisodeFigures] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the session."""
        return self.folder.name

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return self.folder / "session.json"

    @classmethod
    def open(cls, folder: Path, planned: int = 0, afresh: bool = False) -> "SessionRecord":
        """What earlier starts of the session left; episodes that the file lacks are read from their bags.

        afresh: read all bags again, whatever the file says of them.
        """
        record = cls(folder, planned)
        try:
            data = json.loads(record.file.read_text())
            record.discarded = int(data["discarded"])
            record.planned = planned or int(data["planned"])
            rows = [EpisodeFigures.from_json(row) for row in data["episodes"]]
            begun = int(data.get("begun", 0))  # earlier versions did not write it
        except (OSError, ValueError, KeyError, TypeError):
            rows, begun = [], 0
        record.episodes = [row for row in rows if (folder / row.id).is_dir()]
        record.count_begun(begun)
        if afresh:
            record.episodes.clear()
        record.read_bags()
        return record

    def count_begun(self, begun: int) -> None:
        """Take how many episodes were begun so far: those of which nothing is known had their seeds, too."""
        self.vanished = max(0, begun - len(self.episodes) - self.discarded)

    def read_bags(self) -> None:
        """Add the episodes of all bags that are not known yet."""
        known = {row.id for row in self.episodes}
        for bag in self.bags():
            if bag.name not in known:
                self.read(bag)

    def bags(self) -> Iterator[Path]:
        """Folders with a bag in them."""
        return (path for path in sorted(self.folder.glob("*")) if path.is_dir() and any(path.glob("*.mcap")))

    def read(self, bag: Path) -> EpisodeFigures | None:
        """Add one more episode; None for a bag that cannot be read, which `skipped` then names."""
        if unfinished(bag):
            self.skipped[bag.name] = f"it was cut off: './rfs bags recover {self.folder}' makes it sound"
            return None
        try:
            figures = read_figures(bag)
        except Exception as error:  # whatever a damaged file makes a decoder raise
            self.skipped[bag.name] = str(error) or type(error).__name__
            return None
        self.skipped.pop(bag.name, None)
        self.episodes.append(figures)
        self.episodes.sort(key=lambda row: row.id)
        return figures

    def tally(self) -> Tally:
        """How many ended how; scenes go on with the next seed."""
        tally = Tally(discarded=self.discarded)
        for row in self.episodes:
            tally.add(row.outcome)
        tally.begun = len(self.episodes) + self.discarded + self.vanished
        return tally

    def save(self) -> None:
        """Write session.json, complete or not at all."""
        tally = self.tally()
        content = {
            "session": self.name,
            "planned": self.planned,
            "successes": tally.successes,
            "failures": tally.failures,
            "discarded": self.discarded,
            "begun": tally.begun,
            "skipped": self.skipped,
            "episodes": [row.as_json() for row in self.episodes],
        }
        write_whole(self.file, json.dumps(content, indent=1) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
