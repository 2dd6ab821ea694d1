"""Episodes of the grasp task as training data: a labeler says what is right, a driver what the robot does."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rfs_policy.observation import WORKSPACE_BOX
from rfs_sim_bridge.grasp_task import GraspTask
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.interrupt import Interrupt
from rfs_learning.perturbation import Perturbation

Array = NDArray[np.float64]
Attempt = tuple[str, int, bool]
"""Object, seed and success of an episode that was tried."""

_TRIES = 4  # attempts per wanted episode before giving up on an object
_FLUSH = 32  # episodes written at a time


class Labeler(Protocol):
    """Knows what to do in every environment of a task: its actions are what a student learns."""

    def reset(self, env_ids: NDArray, seeds: Sequence[int]) -> None:
        """New episodes began in these environments."""
        ...

    def act(self) -> Array:
        """(n, 22) actions for the task's present state, in the layout `delta_pose_22`."""
        ...

    def closure(self) -> Array:
        """(n,) 0 while the hand is open, 1 once it is closed around the object."""
        ...


class Driver(Protocol):
    """Decides what the robots are sent, which need not be the label."""

    def reset(self, env_ids: NDArray, seeds: Sequence[int]) -> None:
        """New episodes began in these environments."""
        ...

    def drive(self, clouds: NDArray, states: NDArray, label: Array) -> Array:
        """(n, 22) actions, given clouds (n, points, 3), states (n, 48) and the labeler's actions (n, 22)."""
        ...


class StrayDriver:
    """Sends the label with stray movements on top."""

    def __init__(self, labeler: Labeler, perturbation: Perturbation):
        self._labeler, self._perturbation = labeler, perturbation

    def reset(self, env_ids: NDArray, seeds: Sequence[int]) -> None:
        """Begin new episodes."""
        self._perturbation.reset(env_ids, seeds)

    def drive(self, clouds: NDArray, states: NDArray, label: Array) -> Array:
        """The perturbed label (n, 22)."""
        return self._perturbation.apply(label, self._labeler.closure())


class Quota:
    """Hands out (object, seed) pairs until each of the objects has its share of `count` kept episodes.

    Seeds are taken in order from `seed` on, but for those of attempts: what an interruption cut short, mostly
    long episodes, is run again.
    """

    def __init__(self, names: Sequence[str], count: int, seed: int = 0, attempts: Sequence[Attempt] = ()):
        names = list(dict.fromkeys(names))
        share, rest = divmod(count, len(names))
        self.wanted = {name: share + (i < rest) for i, name in enumerate(names)}
        self.tried = dict.fromkeys(names, 0)
        self.kept = dict.fromkeys(names, 0)
        self._running = dict.fromkeys(names, 0)
        self._next = dict.fromkeys(names, seed)
        self._done = {(name, tried) for name, tried, _ in attempts}
        for name, _, kept in attempts:
            if name in self.tried:
                self.tried[name] += 1
                self.kept[name] += kept

    def next(self) -> tuple[str, int] | None:
        """The pair to run now; None while the episodes under way may suffice."""
        missing = {n: self.wanted[n] - self.kept[n] - self._running[n] for n in self.wanted}
        open_ = [n for n in missing if missing[n] > 0 and self.tried[n] < _TRIES * self.wanted[n] + 8]
        if not open_:
            return None
        name = max(open_, key=missing.__getitem__)
        seed = self._next[name]
        while (name, seed) in self._done:
            seed += 1
        self._next[name] = seed + 1
        self._running[name] += 1
        return name, seed

    def report(self, name: str, kept: bool) -> None:
        """An episode of this object ended."""
        self._running[name] -= 1
        self.tried[name] += 1
        self.kept[name] += kept


class Collector:
    """Runs many environments; each takes the next episode as soon as its last one ends.

    Labels are kept as far as the task's limits let them: a policy that learned what lies beyond would move
    faster than its teacher did, wherever it may.

    driver: None sends the label itself. tail: steps kept after success: a student should learn to hold still.
    keep_failures: episodes that fail are wanted too; they end when the object leaves the workspace.

    Physics that blew up end an episode as a failure, before the step that shows them.
    """

    def __init__(
        self,
        task: GraspTask,
        labeler: Labeler,
        driver: Driver | None = None,
        tail: int = 3,
        keep_failures: bool = False,
    ):
        self.task, self.labeler, self.driver = task, labeler, driver
        self.tail, self.keep_failures = tail, keep_failures
        self._rows: list[list[tuple[NDArray, ...]]] = [[] for _ in range(task.num_envs)]
        self._jobs: list[tuple[str, int] | None] = [None] * task.num_envs
        self._tail = np.zeros(task.num_envs, int)

    def episodes(self, quota: Quota) -> Iterator[EpisodeData]:
        """Every attempted episode, as it ends."""
        self._assign(range(self.task.num_envs), quota)
        while any(self._jobs):
            self._step()
            ended = [e for e in range(self.task.num_envs) if self._jobs[e] and self._ended(e)]
            for env in ended:
                episode = self._take(env)
                quota.report(episode.object, self.keeps(episode))
                yield episode
            self._assign(ended, quota)

    def keeps(self, episode: EpisodeData) -> bool:
        """Whether an episode is one of those wanted."""
        return episode.success or self.keep_failures

    def _assign(self, envs: Sequence[int], quota: Quota) -> None:
        jobs = {env: job for env in envs if (job := quota.next())}
        for env in envs:
            self._jobs[env] = jobs.get(env)
        if not jobs:
            return
        ids, seeds = np.array(list(jobs)), [seed for _, seed in jobs.values()]
        self.task.reset(seeds, [name for name, _ in jobs.values()], ids)
        self.labeler.reset(ids, seeds)
        if self.driver:
            self.driver.reset(ids, seeds)
        self._tail[ids] = self.tail

    def _step(self) -> None:
        clouds, states = self.task.clouds(), self.task.state()
        label = self.task.limited(self.labeler.act())
        action = self.driver.drive(clouds, states, label) if self.driver else label
        executed = self.task.step(action).executed
        for env, job in enumerate(self._jobs):
            if job:
                row = (clouds[env], states[env], label[env], executed[env])
                self._rows[env].append(tuple(part.astype(np.float32) for part in row))
        self._tail -= self.task.success

    def _ended(self, env: int) -> bool:
        if self.task.engine.state.unstable[env]:
            return True
        if self.task.success[env]:
            return bool(self._tail[env] < 0)
        return self.task.steps[env] >= self.task.config.max_steps or (self.keep_failures and self._lost(env))

    def _lost(self, env: int) -> bool:
        """The object is where no camera sees it: what would be right now can not be learned."""
        position = self.task.object_pose[0][env]
        return bool((position < WORKSPACE_BOX[0]).any() or (position > WORKSPACE_BOX[1]).any())

    def _take(self, env: int) -> EpisodeData:
        rows, self._rows[env] = self._rows[env], []
        name, seed = self._jobs[env] or ("", 0)
        arrays = [np.stack(column) for column in zip(*rows, strict=True)]
        success = bool(self.task.success[env] and not self.task.engine.state.unstable[env])
        return EpisodeData(*arrays, object=name, seed=seed, success=success)


def record(
    collector: Collector, quota: Quota, dataset: DemoDataset, title: str, console: Console | None = None
) -> None:
    """Fill the quota into a dataset, with progress.

    Raises:
        KeyboardInterrupt: Ctrl-C, once the next episode has ended; all that ended are in the dataset.
    """
    kept: list[EpisodeData] = []
    tried: list[Attempt] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task(title, total=sum(quota.wanted.values()), completed=len(dataset))
        interrupt = Interrupt()
        try:
            for episode in collector.episodes(quota):
                tried.append((episode.object, episode.seed, episode.success))
                if collector.keeps(episode):
                    kept.append(episode)
                    progress.advance(bar)
                if len(kept) >= _FLUSH:
                    batch = kept, tried
                    kept, tried = [], []
                    dataset.append(*batch)
                if interrupt.seen:
                    raise KeyboardInterrupt
        finally:
            interrupt.restore()
            dataset.append(kept, tried)
