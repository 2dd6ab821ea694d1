"""Judges frames on a thread of its own: what comes while it works is dropped but for the newest. No ROS."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from numpy.typing import ArrayLike
from rfs_policy.cadence import Cadence

from rfs_reward.calibration import Calibration
from rfs_reward.frame import Frame
from rfs_reward.frame_match import Match
from rfs_reward.judge import Judge, Judgement
from rfs_reward.measurements import RobotMask, make_frame, read_color, read_depth
from rfs_reward.tracker import PromptError


@dataclass(frozen=True, eq=False)
class Result:
    """A match, the frame that was made of it, and what the judge says of it."""

    match: Match
    frame: Frame
    judgement: Judgement


@dataclass(frozen=True, eq=False)
class Prompt:
    """What to track: pixels (n, 2) or a box (4,) of the color picture, or, both None, what is found.

    `answer` is called once, from the worker's thread, with the judgement, or None and the reason.
    """

    answer: Callable[[Judgement | None, str], None]
    points: ArrayLike | None = None
    box: ArrayLike | None = None


class RewardWorker:
    """Owns the judge. All methods but `run` may be called from any thread, and return at once.

    Args:
        publish: takes results, on the worker's thread; never one of an episode that has ended meanwhile.
        scene_gap: ns between two stamps that belong to two scenes, as in lockstep; 0: stamps do not tell.
    """

    def __init__(
        self,
        judge: Judge,
        robot: RobotMask,
        calibration: Calibration,
        publish: Callable[[Result], None],
        scene_gap: int = 0,
    ) -> None:
        self._judge, self._robot, self._calibration = judge, robot, calibration
        self._publish, self._scene_gap = publish, scene_gap
        self._news = threading.Condition()
        self._match: Match | None = None
        self._prompt: Prompt | None = None
        self._ended = self._busy = False
        self._episode = self._judged_episode = 0
        self._earliest = self._newest = 0
        self._began: int | None = None
        self.last: Result | None = None
        self.dropped = 0
        self.problem = ""
        self.cadence = Cadence(0.0)

    # ---- what others ask for ----
    def offer(self, match: Match) -> None:
        """A complete set came; one that waits still is dropped."""
        with self._news:
            if match.restarted:  # said once, and this match may be dropped for the next one
                self._begin()
                self._earliest = self._newest = 0
            in_work = self._busy and match.stamp == self._newest
            if match.stamp >= self._earliest and not in_work:
                self.dropped += self._match is not None and self._match.stamp != match.stamp
                self._match = match
                self._news.notify()

    def begin(self, stamp: int | None = None) -> None:
        """A new episode: forget the object, and look at nothing older than `stamp` (ns; None: than was said
        before). Nothing happens where the present episode's first frame is not older."""
        with self._news:
            if stamp and self._began is not None and self._began >= stamp:
                return
            self._begin()
            self._earliest = self._earliest if stamp is None else stamp
            if self._match is not None and self._match.stamp < self._earliest:
                self._match = None

    def prompt(self, prompt: Prompt) -> None:
        """Track this, in the newest frame, and go on with the episode."""
        with self._news:
            before, self._prompt = self._prompt, prompt
            self._news.notify()
        if before is not None:
            before.answer(None, "another prompt came after it")

    def close(self) -> None:
        """Let `run` return."""
        with self._news:
            self._ended = True
            self._news.notify()

    # ---- the worker's thread ----
    def run(self) -> None:
        """Until closed."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._ended or self._match or self._prompt)
                if self._ended:
                    return
                match, prompt = self._match, self._prompt
                self._match = self._prompt = None
                self._busy = match is not None
                if match is not None:
                    self._note(match)
                episode = self._episode
            self._work(match, prompt, episode)
            self._busy = False

    def _begin(self) -> None:
        self._episode += 1
        self._began, self.problem = None, ""

    def _note(self, match: Match) -> None:
        """Where stamps alone tell of a new scene, begin it."""
        if self._scene_gap and match.stamp - self._newest > self._scene_gap:
            self._begin()
        self._newest = match.stamp
        self._began = match.stamp if self._began is None else self._began

    def _work(self, match: Match | None, prompt: Prompt | None, episode: int) -> None:
        began = time.monotonic()
        if episode != self._judged_episode:
            self._judge.reset()
            self._judged_episode, self.last = episode, None
        if match is not None and self.last is not None and match.stamp == self.last.match.stamp:
            self._give(self.last, episode)  # somebody asks again
            match = None
        frame = self._frame(match) if match is not None else None
        prompted = prompt is not None and self._take_prompt(prompt, match, frame, episode)
        if match is not None and frame is not None and not prompted:
            self._give(Result(match, frame, self._judge.observe(frame)), episode)
        if frame is not None:
            self.cadence.tick(began, time.monotonic() - began)

    def _take_prompt(self, prompt: Prompt, match: Match | None, frame: Frame | None, episode: int) -> bool:
        """In the new frame or, where there is none, in the last one; whether there was something to track."""
        if frame is None and self.last is not None:
            match, frame = self.last.match, self.last.frame
        if frame is None or match is None:
            prompt.answer(None, f"there is no picture to look at: {self.problem or 'none came yet'}")
            return False
        try:
            judgement = self._judge.prompt(frame, prompt.points, prompt.box)
        except PromptError as error:
            prompt.answer(None, str(error))
            return False
        self._give(Result(match, frame, judgement), episode)
        prompt.answer(judgement, "")
        return True

    def _frame(self, match: Match) -> Frame | None:
        """The match as arrays; None where something is wrong, which `problem` then says."""
        try:
            color, depth = read_color(match.color), read_depth(match.depth)
            camera = self._calibration.camera
            return make_frame(match.stamp, color, depth, camera, match.joints, self._robot)
        except ValueError as error:
            self.problem = str(error)
            return None

    def _give(self, result: Result, episode: int) -> None:
        with self._news:
            if episode == self._episode and not self._ended:
                self.last, self.problem = result, result.judgement.problem
                self._publish(result)
