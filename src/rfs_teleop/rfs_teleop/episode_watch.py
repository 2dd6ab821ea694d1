"""Watches one running episode: whether it succeeded, its time is over, or a node fell silent. No ROS."""

from dataclasses import dataclass

_NODES = {"reward": "bridge", "policy_action": "policy", "executed_action": "executor"}
_TOPICS = {topic: f"/rfs/{topic}" for topic in _NODES}


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
        simulator: without one nobody owes a reward, and the executor's stamps tell the time.
    """

    def __init__(
        self,
        start: int,
        limit: float,
        patience: float,
        now: float,
        lockstep: bool,
        simulator: bool = True,
    ) -> None:
        self.start, self.limit, self.patience, self._lockstep = start, limit, patience, lockstep
        self.success = False
        self._clock = "reward" if simulator else "executed_action"
        self._skipped = 0
        self.paused = False
        watched = [topic for topic in _NODES if simulator or topic != "reward"]
        self._progress = {topic: _Progress(start - 1, now) for topic in watched}

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
        overdue = (topic for topic, seconds in silent.items() if seconds >= self.patience)
        topic = self._unanswered() if self._lockstep else next(overdue)
        return (
            f"the {_NODES[topic]} node does not answer (nothing new on {_TOPICS[topic]} for "
            f"{silent[topic]:.0f} s): look for its error above, and start the stack again"
        )

    def _unanswered(self) -> str:
        """Where the round of observation, action and command came to a halt."""
        newest = self._progress["reward"].stamp
        behind = (topic for topic in self._progress if self._progress[topic].stamp < newest)
        return next(behind, "reward")
