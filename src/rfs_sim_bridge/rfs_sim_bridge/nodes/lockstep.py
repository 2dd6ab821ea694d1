"""Simulated time that passes only when a command answers the newest observation."""

import threading
import time

from rfs_policy.cadence import Cadence
from rfs_policy.nodes.stamps import time_message

from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.nodes.topics import BLOWN_UP, Topics
from rfs_sim_bridge.targets import Targets

_EPISODE_GAP = 10_000_000_000  # ns: stamps of another episode are recognizably old


class Lockstep:
    """Publishes the observation of t_k, simulates a control period on the command for t_k, and so on.

    An episode that has ended (success, or its time is over) stands still until the next reset; where the
    physics blow up, its time is over at once. Methods are called with the node's lock held.

    await_reward: somebody else judges; time passes only when the reward for t_k has come as well, and the
    success that counts is the one that it tells.
    """

    PATIENCE = 0.5
    """Wall time after which an unanswered observation is published again, s."""

    def __init__(
        self,
        task: GraspTask,
        topics: Topics,
        targets: Targets,
        cadence: Cadence,
        lock: threading.Lock,
        images: bool,
        await_reward: bool,
    ) -> None:
        self._task, self._topics, self._targets = task, topics, targets
        self._cadence, self._images = cadence, images
        self._period = round(task.config.period * 1e9)
        self._stamp = self._start = _EPISODE_GAP
        self._await_reward = await_reward
        self._rewarded = 0
        self._judged_success = False
        self._published = 0.0

    def start(self) -> None:
        """Show the first scene."""
        self._publish()

    def stop(self) -> None:
        """Nothing runs by itself."""

    def describe(self) -> str:
        """The state for people."""
        if self._task.engine.state.unstable[0]:
            return BLOWN_UP
        if self._ended:
            return "episode ended"
        missing = "reward" if self._await_reward and self._rewarded < self._stamp else "command"
        return f"waiting for the {missing} at {self._stamp * 1e-9:.1f} s"

    def figures(self) -> dict[str, float]:
        """Nothing more to tell: joints move linearly between targets, as where the policies were trained."""
        return {}

    @property
    def _ended(self) -> bool:
        success = self._judged_success if self._await_reward else self._task.success[0]
        over = self._task.steps[0] >= self._task.config.max_steps
        return bool(success or over or self._task.engine.state.unstable[0])

    @property
    def _latest(self) -> int:
        """Stamp (ns) at which this episode's time is over."""
        return self._start + self._task.config.max_steps * self._period

    def on_reset(self) -> int:
        """A new episode begins; returns its first stamp (ns), the same however long the last one ran."""
        self._start = self._latest + _EPISODE_GAP
        self._stamp = self._start
        self._judged_success = False
        self._publish()
        return self._stamp

    def on_reward(self, stamp: int, success: bool) -> None:
        """The reward of a stamp (ns) came."""
        if self._start <= stamp <= self._stamp:
            self._rewarded = max(self._rewarded, stamp)
            self._judged_success |= success
            self._advance()

    def on_target(self) -> None:
        """Targets came."""
        self._advance()

    def _advance(self) -> None:
        """If the targets are complete for the newest observation, and it was judged."""
        answer = self._targets.command()
        if answer is None or answer[0] != self._stamp or self._ended:
            return
        if self._await_reward and self._rewarded < self._stamp:
            return
        began = time.monotonic()
        self._task.apply(answer[1])
        self._stamp += self._period
        if self._task.engine.state.unstable[0]:
            self._stamp = self._latest  # so that whoever keeps the time sees a failure
        self._publish()
        self._cadence.tick(began, time.monotonic() - began)

    def on_timer(self, now: float) -> None:
        """A message may have been lost, or somebody may have come late: say it again."""
        if now - self._published > self.PATIENCE:
            self._publish()

    def _publish(self) -> None:
        stamp = time_message(self._stamp)
        self._topics.publish_clock(stamp)
        self._topics.publish_joint_states(stamp)
        self._topics.publish_points(stamp)
        if self._images:  # while the policy thinks
            self._topics.publish_images(stamp, self._task.snapshot(), self._task.exposure())
        self._topics.publish_object(stamp)  # may end the episode and its recording, so it comes last
        self._published = time.monotonic()
