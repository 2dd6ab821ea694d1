"""What a session is to be, what it asks of the other nodes, and how far it has come. No ROS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rfs_teleop.episode_conduct import EpisodeCalls


class SessionCalls(EpisodeCalls, Protocol):
    """What a session asks of the other nodes."""

    def pause(self, wanted: bool) -> None:
        """Hold the robot within an episode, or go on."""
        ...

    def stop(self, wanted: bool) -> None:
        """Latch the executor's stop, or release it."""
        ...


@dataclass
class Tally:
    """How many episodes ended how, those of earlier starts of the session included."""

    successes: int = 0
    failures: int = 0
    discarded: int = 0
    begun: int = 0

    @property
    def counted(self) -> int:
        """Episodes that count: marked success or failure."""
        return self.successes + self.failures

    def add(self, outcome: str) -> None:
        """One more episode has ended."""
        self.successes += outcome == "success"
        self.failures += outcome == "failure"
        self.discarded += outcome == "discarded"


@dataclass(frozen=True)
class SessionPlan:
    """objects: taken in turn; none leaves the choice to the simulator. episodes: 0 for no end. simulator:
    resets the scene and judges. attended: a person is there to start, and to put things right.
    """

    objects: Sequence[str] = ()
    seed: int = 0
    episodes: int = 50
    simulator: bool = True
    attended: bool = True

    def complete(self, tally: Tally) -> bool:
        """Whether nothing is left to do."""
        return 0 < self.episodes <= tally.counted

    def object_after(self, tally: Tally) -> str:
        """The object of the next episode; empty where the simulator chooses."""
        return self.objects[tally.counted % len(self.objects)] if self.objects else ""
