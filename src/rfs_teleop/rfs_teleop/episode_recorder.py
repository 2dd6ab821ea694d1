"""Records episodes, each into its own bag, and counts what came and what was kept. No ROS."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from rfs_teleop.bag import BagWriter
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_queue import CAPACITY, BagQueue
from rfs_teleop.bag_repair import repair, unfinished
from rfs_teleop.definitions import Definition
from rfs_teleop.lost_messages import LossCounter
from rfs_teleop.regularity import Regularity

_PATIENCE = 3.0  # s that a service call may wait for the disk
_OWN = "/rfs/episode"  # the recorder itself says there that a new bag is open
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


_Latched = dict[bytes, tuple[bytes, int]]  # newest message and its publish time by publisher


@dataclass(frozen=True)
class EpisodeSummary:
    """How a recording ended.

    problem: empty when everything that was received is in the bag.
    warnings: sentences about what did not come, or not regularly.
    """

    id: str
    bag: Path
    topics: tuple[str, ...]
    received: tuple[int, ...]
    written: tuple[int, ...]
    lost: tuple[int, ...] = ()
    problem: str = ""
    warnings: tuple[str, ...] = ()

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
        capacity: bytes that may wait for the disk.
    """

    def __init__(
        self,
        folder: Path,
        topics: Sequence[Topic],
        definitions: Mapping[str, Definition],
        ros_distro: str = "",
        capacity: int = CAPACITY,
    ) -> None:
        self.folder = folder
        self.topics = list(topics)
        self.losses = LossCounter()
        self._definitions = definitions
        self._ros_distro = ros_distro
        self._capacity = capacity
        self._latched: dict[str, _Latched] = {
            topic.name: {} for topic in topics if topic.latched and topic.name != _OWN
        }
        self._bag: BagWriter | None = None
        self._queue: BagQueue | None = None
        self._received: Counter[str] = Counter()
        self._regularity = Regularity()

    @property
    def recording(self) -> str:
        """Id of the episode being recorded; empty between episodes."""
        return self._bag.folder.name if self._bag else ""

    @property
    def problem(self) -> str:
        """Why the running episode's bag takes nothing more; empty while it does."""
        return self._queue.problem if self._queue else ""

    @property
    def lag(self) -> float:
        """What a killed recorder would lose now, s."""
        return self._queue.lag if self._queue else 0.0

    def start(self, episode_id: str, contract: Mapping[str, str], session: str = "", now: int = 0) -> Path:
        """Open a bag in the folder of a session, or in the common one; latched messages that came before are
        in it, with the log time `now` (ns).

        Raises:
            ValueError: an episode is being recorded, or an id cannot name a folder.
            FileExistsError: there is such a bag.
        """
        if self._bag and not self.problem:
            raise ValueError(f"'{self.recording}' is being recorded: stop it first")
        if self._bag:
            self.stop({"outcome": "unknown"})
        path = self._path(episode_id, session)
        self._bag = BagWriter(path, self.topics, self._definitions, contract, self._ros_distro)
        self._queue = BagQueue(self._bag, self._capacity)
        self._received.clear()
        self.losses.reset()
        self._regularity = Regularity(realtime=contract.get("sim_time") != "lockstep")
        for topic, publishers in self._latched.items():
            for data, publish_time in publishers.values():
                self._keep(topic, data, now or publish_time, publish_time)
        return path

    def _path(self, episode_id: str, session: str) -> Path:
        for name in filter(None, [episode_id or "?", session]):
            if not _SAFE_NAME.fullmatch(name):
                raise ValueError(f"'{name}' cannot name a bag: use letters, digits, dot, dash and underscore")
        path = self.folder / session / episode_id
        if path.exists():
            raise FileExistsError(f"{path} exists already: give another episode id or folder")
        return path

    def record(
        self, topic: str, data: bytes, log_time: int, publish_time: int | None = None, publisher: bytes = b""
    ) -> None:
        """Take one serialized message; times in ns since the epoch. Between episodes only the newest latched
        message of each publisher is kept, for the start of the next bag."""
        if topic in self._latched:
            self._latched[topic][publisher] = (data, publish_time or log_time)
        if self._bag:
            self._keep(topic, data, log_time, publish_time or log_time)

    def _keep(self, topic: str, data: bytes, log_time: int, publish_time: int) -> None:
        assert self._queue is not None
        self._received[topic] += 1
        self._regularity.take(topic, log_time, data)
        self._queue.put(topic, data, log_time, publish_time)

    def note(self, entries: Mapping[str, str]) -> None:
        """Add entries to the running episode's contract, at once."""
        if self._queue:
            self._queue.note(entries)

    def stop(self, result: Mapping[str, str], keep: bool = True) -> EpisodeSummary:
        """Close the bag; `keep=False` deletes it.

        Raises:
            ValueError: no episode is being recorded.
        """
        if not self._bag or not self._queue:
            raise ValueError("no episode is being recorded: start one first")
        bag, queue = self._bag, self._queue
        self._bag = self._queue = None
        lost, warnings = dict(self.losses.counts()), tuple(self._warnings())
        done = queue.close({**result, **self._counts(lost), "warnings": "; ".join(warnings)}, _PATIENCE)
        problem = queue.problem or bag.error
        if not done:
            problem = (
                problem or f"the disk of {bag.folder} still writes after {_PATIENCE:g} s: it is too slow"
            )
        if not keep:
            shutil.rmtree(bag.folder)
        names = tuple(topic.name for topic in self.topics)
        received, written, gone = (
            [counts.get(n, 0) for n in names] for counts in (self._received, bag.written, lost)
        )
        return EpisodeSummary(
            bag.folder.name,
            bag.folder,
            names,
            tuple(received),
            tuple(written),
            tuple(gone),
            problem,
            warnings,
        )

    def _counts(self, lost: Mapping[str, int]) -> dict[str, str]:
        counts = {f"received {name}": str(count) for name, count in sorted(self._received.items())}
        return counts | {f"lost {name}": str(count) for name, count in sorted(lost.items())}

    def _warnings(self) -> Iterator[str]:
        for topic, count in self.losses.counts().items():
            yield f"{topic} lost {count} of {count + self._received[topic]} messages on their way"
        yield from self._regularity.problems()


def repair_all(folder: Path) -> dict[Path, str]:
    """Repair the bags below `folder`, in sessions too, whose recorder was killed; what it came to, by bag."""
    folders = [path for pattern in ("*", "*/*") for path in sorted(folder.glob(pattern)) if path.is_dir()]
    return {path: _repaired(path) for path in folders if unfinished(path)}


def _repaired(path: Path) -> str:
    try:
        return f"repaired, {sum(repair(path).counts.values())} messages"
    except (ValueError, OSError) as error:
        return f"cannot be repaired: {error}"
