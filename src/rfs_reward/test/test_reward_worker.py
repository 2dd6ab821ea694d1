"""The worker judges the newest frame only, and never lets an ended episode speak."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from camera_messages import camera_info, extrinsics, image
from rfs_reward.calibration import Calibration
from rfs_reward.frame import Frame
from rfs_reward.frame_match import Match
from rfs_reward.judge import Judge, Judgement
from rfs_reward.reward_worker import Prompt, Result, RewardWorker
from rfs_reward.tracker import Track, check_prompt
from rfs_reward.tracking import Tracking
from rfs_sim_bridge.camera import take_picture
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.pictures import OBJECT, ROBOT, Camera

PATIENCE = 10.0
SECOND = 1_000_000_000
CAMERA = Camera()


class Scene:
    """One picture of the simulator, under any stamp."""

    def __init__(self) -> None:
        task = GraspTask(objects=["box"])
        task.reset([3])
        self.joints = task.joint_positions[0]
        self.picture = take_picture(task.snapshot(), CAMERA)
        rows, columns = np.nonzero(self.picture.segmentation == OBJECT)
        self.pixel = [[float(np.median(columns)), float(np.median(rows))]]

    def match(self, stamp: int, restarted: bool = False, encoding: str = "32FC1") -> Match:
        color, depth = image(self.picture.color, "rgb8"), image(self.picture.depth, encoding)
        return Match(stamp, color, depth, self.joints, restarted)

    def mask(self, camera: object, joints: object, depth: object = None) -> np.ndarray:
        return self.picture.segmentation == ROBOT


class HeldTracker:
    """Finds the object by the segmentation, and takes as long as a test wants; `seen` are the stamps."""

    name = "held"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.go_on, self.at_work = threading.Event(), threading.Event()
        self.go_on.set()
        self.seen: list[int] = []
        self.resets = 0
        self.failure: Exception | None = None

    def prompt(self, frame: Frame, points: object = None, box: object = None) -> Track:
        check_prompt(frame, points, box)
        return self.track(frame)

    def track(self, frame: Frame) -> Track:
        self.seen.append(frame.stamp)
        self.at_work.set()
        assert self.go_on.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        return Track(self._scene.picture.segmentation == OBJECT, 0.9)

    def reset(self) -> None:
        self.resets += 1


class Rig:
    """A worker at work, and what it published."""

    def __init__(self, scene: Scene, scene_gap: int = 0) -> None:
        self.scene, self.tracker = scene, HeldTracker(scene)
        calibration = Calibration()
        calibration.take_info(camera_info(CAMERA))
        calibration.take_extrinsics(extrinsics(CAMERA))
        self.results: list[Result] = []
        self._news = threading.Condition()
        judge = Judge(self.tracker)
        self.worker = RewardWorker(judge, scene, calibration, self._publish, scene_gap)
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()

    def _publish(self, result: Result) -> None:
        with self._news:
            self.results.append(result)
            self._news.notify()

    def wait(self, count: int) -> list[int]:
        """Stamps of what was published, once there is so much of it."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.results) >= count, PATIENCE), self.worker.problem
            return [result.match.stamp for result in self.results]

    def offer(self, stamp: int, **changes: object) -> None:
        self.worker.offer(self.scene.match(stamp, **changes))

    def prompt(self, points: object) -> SimpleNamespace:
        answered, answer = threading.Event(), SimpleNamespace()

        def take(judgement: Judgement | None, problem: str) -> None:
            answer.judgement, answer.problem = judgement, problem
            answered.set()

        self.worker.prompt(Prompt(take, points=points))
        assert answered.wait(PATIENCE)
        return answer

    def busy_with(self, stamp: int) -> None:
        """Until the tracker works on a frame, and stays there."""
        self.tracker.go_on.clear()
        self.tracker.at_work.clear()
        self.offer(stamp)
        assert self.tracker.at_work.wait(PATIENCE)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture
def make_rig(scene: Scene) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**settings: int) -> Rig:
        made.append(Rig(scene, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.tracker.go_on.set()
        rig.worker.close()
        rig.thread.join(PATIENCE)


def test_frames_that_come_while_it_works_are_dropped_but_the_newest(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.offer(SECOND)
    rig.wait(1)
    rig.busy_with(2 * SECOND)
    for second in range(3, 9):
        rig.offer(second * SECOND)
    rig.tracker.go_on.set()
    assert rig.wait(3) == [SECOND, 2 * SECOND, 8 * SECOND]
    assert rig.worker.dropped == 5
    assert rig.results[-1].judgement.tracking == Tracking.SEEN


def test_what_an_ended_episode_had_to_say_is_not_published(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.offer(SECOND)
    rig.wait(1)
    rig.busy_with(2 * SECOND)
    rig.worker.begin(4 * SECOND)
    rig.offer(3 * SECOND)  # of the scene before
    rig.offer(4 * SECOND)
    rig.tracker.go_on.set()
    assert rig.wait(2) == [SECOND, 4 * SECOND]
    assert rig.tracker.seen == [SECOND, 2 * SECOND, 4 * SECOND]


def test_an_episode_that_has_begun_is_not_begun_again(make_rig: Callable[..., Rig]) -> None:
    """In lockstep the first frame may be judged before the call comes that tells of the episode."""
    rig = make_rig(scene_gap=5 * SECOND)
    rig.offer(SECOND)
    rig.wait(1)
    before = rig.tracker.resets
    rig.offer(20 * SECOND)
    rig.wait(2)
    assert rig.tracker.resets == before + 1
    rig.worker.begin(20 * SECOND)
    rig.offer(21 * SECOND)
    rig.wait(3)
    assert rig.tracker.resets == before + 1
    rig.worker.begin(40 * SECOND)
    rig.offer(40 * SECOND)
    rig.wait(4)
    assert rig.tracker.resets > before + 1


def test_a_camera_that_starts_again_begins_anew(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.worker.begin(50 * SECOND)
    rig.offer(60 * SECOND)
    rig.wait(1)
    rig.offer(SECOND, restarted=True)
    assert rig.wait(2)[-1] == SECOND


def test_a_restart_counts_although_its_first_frame_is_dropped(make_rig: Callable[..., Rig]) -> None:
    """Only that frame tells of the restart, and the judge takes no frame older than the one before."""
    rig = make_rig()
    rig.offer(60 * SECOND)
    rig.wait(1)
    rig.busy_with(61 * SECOND)
    rig.offer(SECOND, restarted=True)
    rig.offer(2 * SECOND)
    rig.tracker.go_on.set()
    assert rig.wait(2) == [60 * SECOND, 2 * SECOND]
    assert rig.worker.dropped == 1


def test_frames_from_before_the_scene_stay_out_whatever_else_begins(make_rig: Callable[..., Rig]) -> None:
    """The recorder's word of an episode may come after the call that told of its scene."""
    rig = make_rig()
    rig.worker.begin(10 * SECOND)
    rig.worker.begin()
    rig.offer(9 * SECOND)
    assert "none came yet" in rig.prompt(rig.scene.pixel).problem
    rig.offer(10 * SECOND)
    assert rig.wait(1) == [10 * SECOND]


def test_a_frame_that_comes_again_is_answered_without_tracking_it_again(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    for count in (1, 2):
        rig.offer(SECOND)
        rig.wait(count)
    assert rig.tracker.seen == [SECOND]
    assert rig.results[0].judgement is rig.results[1].judgement


def test_a_prompt_goes_on_with_the_episode(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    assert "there is no picture to look at" in rig.prompt(rig.scene.pixel).problem
    rig.offer(SECOND)
    rig.wait(1)
    resets = rig.tracker.resets
    answer = rig.prompt(rig.scene.pixel)
    assert answer.problem == ""
    assert answer.judgement.tracking == Tracking.SEEN
    assert rig.wait(2) == [SECOND, SECOND]
    outside = rig.prompt([[500.0, 3.0]])
    assert outside.judgement is None
    assert "outside the picture" in outside.problem
    rig.offer(2 * SECOND)
    rig.wait(3)
    assert rig.tracker.resets == resets


def test_a_bad_frame_is_said_and_the_next_one_is_judged(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.offer(SECOND, encoding="8UC1")
    assert "encoding '8UC1'" in rig.prompt(rig.scene.pixel).problem
    assert "encoding '8UC1'" in rig.worker.problem
    rig.offer(2 * SECOND)
    assert rig.wait(1) == [2 * SECOND]
    assert rig.worker.problem == ""


def test_a_tracker_that_breaks_down_ends_the_work(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.tracker.failure = RuntimeError("out of memory")
    caught: list[BaseException] = []
    hook, threading.excepthook = threading.excepthook, lambda args: caught.append(args.exc_value)
    try:
        rig.offer(SECOND)
        rig.thread.join(PATIENCE)
    finally:
        threading.excepthook = hook
    assert not rig.thread.is_alive()
    assert [str(error) for error in caught] == ["out of memory"]
