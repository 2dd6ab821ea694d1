"""How an episode begins and ends, whoever runs it: automatic trials and operators' sessions. No ROS."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rfs_teleop.bag_repair import repair, unfinished


class ServiceError(RuntimeError):
    """A node does not answer, or refuses."""


@dataclass(frozen=True)
class Scene:
    """What lies on the table, and the stamp (ns) of the episode's first observation."""

    object: str
    stamp: int


@dataclass(frozen=True)
class Counts:
    """Messages that reached the recorder, those in its bag, and those lost on the way, over all topics."""

    received: int = 0
    written: int = 0
    lost: int = 0

    @property
    def drops(self) -> int:
        """Messages that were sent and are not in the bag."""
        return self.received - self.written + self.lost


class EpisodeCalls(Protocol):
    """Services of the other nodes. Each raises ServiceError when the node does not answer or refuses."""

    def engage(self, wanted: bool, patient: bool = False) -> None:
        """Let the policy move the robot, or hold it; `patient` asks again while it is refused."""
        ...

    def reset_scene(self, seed: int, name: str) -> Scene:
        """A new scene; an empty name leaves the object to the seed."""
        ...

    def new_scene(self) -> Scene:
        """Without a simulator: what a person has put on the table, from now on."""
        ...

    def reset_policy(self, seed: int) -> None:
        """Forget the last episode."""
        ...

    def start_recorder(self, episode: str, name: str, seed: int) -> str:
        """Open a bag for an episode with an object; its path."""
        ...

    def stop_recorder(self, outcome: str, notes: str) -> Counts:
        """Close the bag; outcome: success, failure, discarded, or anything else for unknown."""
        ...


@dataclass
class Ending:
    """How the end of an episode went; `problems` are sentences."""

    counts: Counts = Counts()
    problems: list[str] = field(default_factory=list)


class EpisodeConduct:
    """Takes one episode at a time through begin and end, so that nothing stays open or engaged.

    Args:
        calls: the other nodes.
        simulator: whether one sets up the scene.
        record: whether there is a recorder.
    """

    def __init__(self, calls: EpisodeCalls, simulator: bool = True, record: bool = True) -> None:
        self._calls, self._simulator, self._record = calls, simulator, record
        self.bag = ""

    def prepare(self, name: str, seed: int, episode_id: Callable[[str], str]) -> Scene:
        """Hold the robot, open the bag, and set up scene and policy.

        name: of the object; empty leaves it to the simulator. episode_id: from the object's name.

        Raises:
            ServiceError: a node does not answer, or refuses; `end` cleans up.
        """
        self.bag = ""
        self._calls.engage(False)
        if self._simulator:
            name = name or self._calls.reset_scene(seed, name).object
        if self._record:  # before the scene is set up, so that the first observation is in the bag
            noted = seed if self._simulator else -1
            self.bag = self._calls.start_recorder(episode_id(name), name, noted)
        scene = self._calls.reset_scene(seed, name) if self._simulator else self._calls.new_scene()
        self._calls.reset_policy(seed)
        return scene

    def engage(self) -> None:
        """Let the robot go; refused until the executor has seen its joints, so it is asked for a while.

        Raises:
            ServiceError: as for `prepare`.
        """
        self._calls.engage(True, patient=True)

    def end(self, outcome: str, notes: str = "") -> Ending:
        """Hold the robot and close the bag, as far as the nodes still answer."""
        ending = Ending()
        try:
            self._calls.engage(False)
        except ServiceError as error:
            ending.problems.append(str(error))
        if self.bag:
            self._close(ending, outcome, notes)
        return ending

    def _close(self, ending: Ending, outcome: str, notes: str) -> None:
        notes = "; ".join(filter(None, [notes, *ending.problems]))
        if ending.problems and outcome != "discarded":
            outcome = "unknown"
        try:
            ending.counts = self._calls.stop_recorder(outcome, notes)
        except ServiceError as error:
            ending.problems.append(str(error))
            if "does not answer" in str(error):
                self._rescue(ending, discarded=outcome == "discarded")

    def _rescue(self, ending: Ending, discarded: bool) -> None:
        """The recorder is gone: what it wrote gets its index here, or is deleted."""
        folder = Path(self.bag)
        if not (folder.is_dir() and (discarded or unfinished(folder))):
            return
        try:
            written = sum(repair(folder).counts.values())
        except (ValueError, OSError) as error:
            ending.problems[-1] += f"; its bag {folder} could not be repaired: {error}"
            return
        if discarded:  # only now, as a recorder that lives deletes it itself
            ending.problems[-1] += f"; {_deleted(folder)}"
            return
        ending.counts = Counts(written, written)
        ending.problems[-1] += f"; its bag {folder} was repaired and holds {written} messages"


def _deleted(bag: Path) -> str:
    """Delete a discarded bag; what came of it."""
    try:
        shutil.rmtree(bag)
    except OSError as error:
        return f"its discarded bag {bag} could not be deleted ({error.strerror}): delete it"
    return f"its discarded bag {bag} was deleted"


def folder_name(text: str) -> str:
    """A text, as an object's name, in the characters that a bag's folder may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)
