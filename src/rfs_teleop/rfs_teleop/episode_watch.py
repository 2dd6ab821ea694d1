"""Watches one running episode: whether it succeeded, its time is over, or a node fell silent. No ROS."""

from collections.abc import Sequence
from dataclasses import dataclass

_NODES = {"policy_action": "policy", "executed_action": "executor"}
_SIMULATOR = "bridge"  # publishes what the others answer


def judging_node(judge: str) -> str:
    """The node that gives rewards: the bridge for `simulator`, else the reward node with its tracker."""
    return _SIMULATOR if judge == "simulator" else "reward"


@dataclass
class _Progress:
    stamp: int
    at: float


class EpisodeWatch:
    """Follows the stamps (ns) of the three topics that go round in the control loop.

    Args:
        start: stamp of the episode's first observation; older messages are of another episode.
        limit: simulated seconds after which the episode is a failure.
        patience: wall seconds without progress after which a node is missing.
        now: monotonic time, s.
        lockstep: all three topics stand still when one node is missing.
        judge: node that owes a reward for every observation; empty: nobody does, and the executor's stamps
            tell the time.
    """

    def __init__(
        self,
        start: int,
        limit: float,
        patience: float,
        now: float,
        lockstep: bool,
        judge: str = _SIMULATOR,
    ) -> None:
        self.start, self.limit, self.patience, self._lockstep = start, limit, patience, lockstep
        self.success = False
        self._clock = "reward" if judge else "executed_action"
        self._nodes = _NODES | ({"reward": judge} if judge else {})
        self._skipped = 0
        self.paused = False
        self._progress = {topic: _Progress(start - 1, now) for topic in self._nodes}

    @property
    def seconds(self) -> float:
        """Time since the first observation, without pauses."""
        return max(0.0, (self._progress[self._clock].stamp - self.start - self._skipped) * 1e-9)

    def pause(self) -> None:
        """From here on time does not count, and nobody owes a message."""
        self.paused = True

    def resume(self, now: float) -> None:
        """Time counts again."""
        self.paused = False
        for progress in self._progress.values():
            progress.at = now

    def take(self, topic: str, stamp: int, now: float, success: bool = False) -> None:
        """A message on one of the topics `reward`, `policy_action`, `executed_action`."""
        progress = self._progress.get(topic)
        if progress is not None and stamp > progress.stamp:
            if self.paused and topic == self._clock:
                self._skipped += stamp - max(progress.stamp, self.start)
            self._progress[topic] = _Progress(stamp, now)
            self.success |= success

    @property
    def outcome(self) -> str:
        """`success`, `failure`, or empty while the episode runs."""
        if self.success:
            return "success"
        return "failure" if self.seconds >= self.limit - 1e-6 else ""

    def problem(self, now: float) -> str:
        """Which node is missing, as a sentence; empty while all make progress, and in a pause."""
        if self.paused:
            return ""
        silent = {topic: now - progress.at for topic, progress in self._progress.items()}
        if max(silent.values()) < self.patience:
            return ""
        overdue = [topic for topic, seconds in silent.items() if seconds >= self.patience]
        topic = self._unanswered() if self._lockstep else self._fell_silent(overdue)
        node = self._nodes[topic] if topic else _SIMULATOR
        topic = topic or "reward"
        return (
            f"the {node} node does not answer (nothing new on /rfs/{topic} for {silent[topic]:.0f} s): "
            "look for its error above, and start the stack again"
        )

    def _unanswered(self) -> str:
        """Where the round of observation, action and command came to a halt; empty: at the observation."""
        newest = max(progress.stamp for progress in self._progress.values())
        behind = (topic for topic, progress in self._progress.items() if progress.stamp < newest)
        return next(behind, "")

    def _fell_silent(self, overdue: Sequence[str]) -> str:
        """The topic whose node is to blame; empty where both who see the scene have nothing to say."""
        if "reward" in overdue and (self._nodes["reward"] == _SIMULATOR or "policy_action" in overdue):
            return ""
        return overdue[0]
