"""Whatever a frame or a tracker says, the judge answers: known or not known, never an exception."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_reward.frame import Frame
from rfs_reward.judge import Judge, Judgement, Tracking
from rfs_reward.tracker import Track
from rfs_reward.trackers.registry import make_tracker
from rfs_reward.trackers.segmentation import OBJECT
from scenes import frame

Rng = np.random.Generator
FRAMES = [frame(0), frame(1, (0.5, -0.1, 0.0), "small_ball"), frame(2, (0.6, 0.0, 0.15), "mug")]
LOOKING_DOWN = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FAULTS: list[Callable[[Frame, Rng], Frame]] = [
    lambda f, r: f,
    lambda f, r: replace(f, depth=np.full_like(f.depth, np.nan)),
    lambda f, r: replace(f, depth=np.where(r.random(f.depth.shape) < 0.7, np.nan, f.depth).astype("f4")),
    lambda f, r: replace(f, depth=r.uniform(0.001, 40.0, f.depth.shape).astype("f4")),
    lambda f, r: replace(f, depth=(f.depth * r.uniform(0.01, 30.0)).astype("f4")),
    lambda f, r: replace(f, camera=replace(f.camera, position=r.normal(size=3))),
    lambda f, r: replace(f, camera=replace(f.camera, rotation=LOOKING_DOWN)),
    lambda f, r: replace(f, camera=replace(f.camera, intrinsics=np.diag([*r.uniform(1e-3, 1e5, 2), 1.0]))),
    lambda f, r: replace(f, robot=np.ones_like(f.robot)),
    lambda f, r: replace(f, joints=r.uniform(-2.8, 2.8, 23)),
    lambda f, r: replace(f, color=np.zeros_like(f.color)),
    lambda f, r: f.thinned(3),
]


class WildTracker:
    """Says anything."""

    name = "wild"

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def prompt(self, frame: Frame, points=None, box=None) -> Track:
        return self.track(frame)

    def track(self, frame: Frame) -> Track:
        rng, mask = self._rng, np.zeros(frame.depth.shape, bool)
        row, column = rng.integers(0, mask.shape)
        whole = frame.segmentation == rng.integers(4)
        square = mask.copy()
        square[row : row + rng.integers(1, 50), column : column + rng.integers(1, 50)] = True
        masks = [mask, ~mask, rng.random(mask.shape) < 0.5, square, whole, frame.segmentation == OBJECT]
        return Track(masks[rng.integers(len(masks))], float(rng.random()))

    def reset(self) -> None: ...


def check(said: Judgement, taken: Frame) -> None:
    known = said.tracking not in (Tracking.LOST, Tracking.NONE)
    assert said.mask.shape == taken.depth.shape
    assert np.isfinite(said.centroid).all() == np.isfinite(said.reward) == known
    assert bool(said.problem) != known
    assert 0 <= said.confidence <= 1


@pytest.mark.filterwarnings("error")
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(range(len(FAULTS))), min_size=2, max_size=8))
@pytest.mark.parametrize("tracker", ["wild", "rgbd"])
def test_any_frame_is_judged(tracker: str, seed: int, faults: list[int]) -> None:
    rng = np.random.default_rng(seed)
    it = Judge(WildTracker(rng) if tracker == "wild" else make_tracker("rgbd"))
    stamp = 0
    for fault in (0, *faults):
        stamp += int(rng.choice([0, 33_000_000, 5_000_000_000]))
        taken = FAULTS[fault](replace(FRAMES[rng.integers(len(FRAMES))], stamp=stamp), rng)
        check(it.observe(taken), taken)


def test_the_rgbd_tracker_survives_an_object_before_the_lens() -> None:
    it = make_tracker("rgbd")
    it.prompt(FRAMES[0], box=[0, 0, 159, 119])
    near = replace(FRAMES[0], camera=replace(FRAMES[0].camera, position=np.array([0.58, 0.1, 0.06])))
    assert it.track(replace(near, stamp=1)).mask.shape == near.depth.shape
