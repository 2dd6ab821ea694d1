"""The whole reward from vision without ROS: frames in, judgements out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rfs_description import kinematics
from rfs_reward import grasp_reward
from rfs_reward.auto_prompt import find_object
from rfs_reward.camera_correction import CameraCorrection
from rfs_reward.frame import Frame
from rfs_reward.object_estimate import Estimate, ObjectEstimator
from rfs_reward.object_points import View
from rfs_reward.reward_config import RewardConfig
from rfs_reward.shape_registration import Pose
from rfs_reward.success import HeldLift
from rfs_reward.tracker import PromptError, Track, Tracker
from rfs_reward.tracking import Tracking

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a frame says about the grasp. Base frame, m, s; NaN where not known.

    stamp: of the frame, ns. mask: (h, w) bool, what the tracker takes for the object; it counts where
    tracking is SEEN. centroid, palm: (3,). lift: above the height at the episode's start. terms, weights: by
    name. confidence: 0 to 1. age: since the object was last seen. problem: why it is not known, or empty.
    """

    stamp: int
    mask: NDArray[np.bool_]
    tracking: Tracking
    centroid: Array
    palm: Array
    palm_distance: float
    lift: float
    terms: dict[str, float]
    weights: dict[str, float]
    reward: float
    success: bool
    confidence: float
    age: float
    problem: str


class Judge:
    """Follows one object through an episode and judges every frame.

    Frames come in the order of their stamps. Nothing is known until the object is prompted, by hand or (if
    the configuration says so) automatically in the first frame in which it is found.
    """

    _FIRST_FRAMES = 5
    _FIRST_SECONDS = 0.5  # for them: a slow tracker's fifth frame may show the object in the air

    def __init__(self, tracker: Tracker, config: RewardConfig | None = None):
        self.tracker = tracker
        self.config = config or RewardConfig.load()
        self._correction = CameraCorrection(self.config.object.table_height)
        self.reset()

    def reset(self) -> None:
        """Begin a new episode: forget object, heights and success."""
        self.tracker.reset()
        self._correction.reset()
        self._prompted = False
        self._estimator = ObjectEstimator(self.config.object)
        self._heights: list[float] = []
        self._first: int | None = None
        self._success = HeldLift(self.config.success)
        self._stamp: int | None = None
        self._seen: int | None = None

    def prompt(
        self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None
    ) -> Judgement:
        """Begin with the object at pixels (n, 2), in a box (4,) or, both None, found automatically.

        The episode's reference height and success stay.

        Raises:
            PromptError: nothing to track there. All stays as it was.
            ValueError: the frame is older than the one before.
        """
        return self._prompt(self._taken(frame), points, box)

    def observe(self, frame: Frame) -> Judgement:
        """Judge the next frame. ValueError when it is older than the one before."""
        frame = self._taken(frame)
        if self._prompted:
            return self._judge(frame, self.tracker.track(frame))
        if not self.config.automatic:
            return self._unknown(frame, "nobody has said what to track")
        try:
            return self._prompt(frame)
        except PromptError as error:
            return self._unknown(frame, str(error))

    def _taken(self, frame: Frame) -> Frame:
        """The frame with its camera corrected; ValueError when it is older than the one before."""
        if self._stamp is not None and frame.stamp < self._stamp:
            raise ValueError(
                f"a frame of {frame.stamp} ns came after one of {self._stamp} ns; reset begins a new episode"
            )
        return replace(frame, camera=self._correction.camera(frame))

    def _prompt(
        self, frame: Frame, points: ArrayLike | None = None, box: ArrayLike | None = None
    ) -> Judgement:
        if points is None and box is None:
            found = find_object(frame)
            points, box = found.points, found.box
        track = self.tracker.prompt(frame, points, box)
        self._prompted = True
        self._estimator.expect_another()
        return self._judge(frame, track)

    def _unknown(self, frame: Frame, problem: str) -> Judgement:
        """Nothing is tracked."""
        nothing = Track(np.zeros(frame.depth.shape, bool), 0.0)
        palm, _ = kinematics.forward(frame.joints[:7])
        return self._judgement(frame, palm, nothing, Estimate.unknown(Tracking.NONE), problem)

    def _judge(self, frame: Frame, track: Track) -> Judgement:
        palm = Pose(*kinematics.forward(frame.joints[:7]))
        estimate = self._estimator.update(frame.stamp, View.of(frame, track.mask), palm)
        if estimate.tracking == Tracking.SEEN:
            self._seen = frame.stamp
            self._take_height(frame.stamp, float(estimate.center[2]))
        lost = estimate.tracking == Tracking.LOST
        problem = "the object is out of sight" if lost else ""
        return self._judgement(frame, palm.center, track, estimate, problem)

    def _take_height(self, stamp: int, height: float) -> None:
        """Of the object's start, from the first frames in which it is seen."""
        if self._first is None:
            self._first = stamp
        early = stamp - self._first <= self._FIRST_SECONDS * 1e9
        if early and len(self._heights) < self._FIRST_FRAMES:
            self._heights.append(height)

    def _judgement(
        self, frame: Frame, palm: Array, track: Track, estimate: Estimate, problem: str
    ) -> Judgement:
        center = estimate.center
        lift = float(center[2] - np.median(self._heights)) if self._heights else np.nan
        distance = float(np.linalg.norm(center - palm))
        terms = grasp_reward.terms(distance, lift, self.config.reward)
        weights = grasp_reward.weights(self.config.reward)
        self._stamp = frame.stamp
        return Judgement(
            stamp=frame.stamp,
            mask=track.mask,
            tracking=estimate.tracking,
            centroid=center,
            palm=palm,
            palm_distance=distance,
            lift=lift,
            terms=terms,
            weights=weights,
            reward=grasp_reward.total(terms, weights),
            success=self._success.see(frame.stamp, lift),
            confidence=self._confidence(track, estimate),
            age=np.nan if self._seen is None else (frame.stamp - self._seen) * 1e-9,
            problem=problem,
        )

    def _confidence(self, track: Track, estimate: Estimate) -> float:
        """The tracker's, less where little of the object is seen; of what is hidden, the estimate's alone."""
        return estimate.belief * (track.confidence if estimate.tracking == Tracking.SEEN else 1.0)
