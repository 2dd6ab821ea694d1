"""Records episodes, each into its own bag, and counts what came and what was kept. No ROS."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from rfs_teleop.bag import BagError, BagWriter
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_repair import repair, unfinished
from rfs_teleop.definitions import Definition

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@dataclass(frozen=True)
class EpisodeSummary:
    """How a recording ended. `problem` is empty when everything that was received is in the bag."""

    id: str
    bag: Path
    topics: tuple[str, ...]
    received: tuple[int, ...]
    written: tuple[int, ...]
    problem: str = ""

    @property
    def missing(self) -> list[str]:
        """Topics of which no message came."""
        return [topic for topic, count in zip(self.topics, self.received, strict=True) if not count]


def packaged_topics() -> list[Topic]:
    """The topics of config/topics.yaml."""
    text = files("rfs_teleop").joinpath("config/topics.yaml").read_text()
    return [Topic(**entry) for entry in yaml.safe_load(text)]


class EpisodeRecorder:
    """Keeps at most one bag open. Not thread-safe.

    Args:
        folder: where the bags go; made when the first episode begins.
        topics: what is recorded.
        definitions: by message type, for every type of `topics`.
    """

    def __init__(
        self,
        folder: Path,
        topics: Sequence[Topic],
        definitions: Mapping[str, Definition],
        ros_distro: str = "",
    ) -> None:
        self.folder = folder
        self.topics = list(topics)
        self.problem = ""
        self._definitions = definitions
        self._ros_distro = ros_distro
        self._bag: BagWriter | None = None
        self._received: Counter[str] = Counter()

    @property
    def recording(self) -> str:
        """Id of the episode being recorded; empty between episodes."""
        return self._bag.folder.name if self._bag else ""

    def start(self, episode_id: str, contract: Mapping[str, str]) -> Path:
        """Open a bag.

        Raises:
            ValueError: an id that is no plain folder name, or another episode still being recorded.
            FileExistsError: there is such a bag already.
            OSError: the folder cannot be written.
        """
        if self._bag:
            raise ValueError(f"episode '{self.recording}' is being recorded: stop it first")
        if not _SAFE_NAME.fullmatch(episode_id):
            raise ValueError(f"'{episode_id}' cannot name a bag: use letters, digits, '.', '_' and '-'")
        path = self.folder / episode_id
        if path.exists():
            raise FileExistsError(f"{path} exists already: choose another episode id or folder")
        self._received.clear()
        self.problem = ""
        self._bag = BagWriter(path, self.topics, self._definitions, contract, self._ros_distro)
        return path

    def record(self, topic: str, data: bytes, log_time: int, publish_time: int | None = None) -> None:
        """Take one serialized message; times in ns since the epoch. Between episodes it is not kept."""
        if not self._bag:
            return
        self._received[topic] += 1
        if not self.problem:
            self._bag.write(topic, data, log_time, publish_time)

    def flush(self) -> None:
        """Bring what came to disk. After a failure `problem` says what happened and nothing more is kept."""
        if not self._bag or self.problem:
            return
        try:
            self._bag.flush()
        except BagError as error:
            self.problem = str(error)

    def stop(self, result: Mapping[str, str], keep: bool = True) -> EpisodeSummary:
        """Close the bag; `keep=False` deletes it.

        Raises:
            ValueError: no episode is being recorded.
        """
        if not self._bag:
            raise ValueError("no episode is being recorded: start one first")
        bag, self._bag = self._bag, None
        counts = {f"received {topic}": str(count) for topic, count in sorted(self._received.items())}
        try:
            bag.close({**result, **counts})
        except BagError as error:
            self.problem = str(error)
        self.problem = self.problem or bag.error
        if not keep:
            shutil.rmtree(bag.folder)
        names = tuple(topic.name for topic in self.topics)
        received = tuple(self._received[name] for name in names)
        written = tuple(bag.written[name] for name in names)
        return EpisodeSummary(bag.folder.name, bag.folder, names, received, written, self.problem)


def repair_all(folder: Path) -> list[Path]:
    """Repair the bags below `folder` whose recorder was killed; returns them."""
    broken = [path for path in sorted(folder.glob("*")) if path.is_dir() and unfinished(path)]
    for path in broken:
        repair(path)
    return broken
