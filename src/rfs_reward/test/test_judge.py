"""The judge: an episode's frames in, what is known of the object out; hidden, held, lost; bad input."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from rfs_reward.frame import Frame
from rfs_reward.judge import Judge, Judgement, Tracking
from rfs_reward.reward_config import RewardConfig
from rfs_reward.tracker import PromptError
from rfs_reward.trackers.segmentation import OBJECT, SegmentationTracker
from scenes import HOME, center, covered, frame

from rfs_description import kinematics

ERROR = {"shift": (0.003, -0.004, 0.003), "turn": (0.004, 0.003, -0.004)}


def judge(**settings) -> Judge:
    return Judge(SegmentationTracker(), replace(RewardConfig.load(), **settings))


def without(taken: Frame) -> Frame:
    """The tracker does not find what is there."""
    segmentation = np.where(taken.segmentation == OBJECT, 3, taken.segmentation).astype(np.uint8)
    return replace(taken, segmentation=segmentation)


def is_unknown(said: Judgement) -> bool:
    numbers = [*said.centroid, said.palm_distance, said.lift, said.reward, *said.terms.values()]
    return bool(np.isnan(numbers).all()) and said.confidence == 0 and bool(said.problem)


def gripped(number: int, dq: float, name: str = "small_ball") -> tuple[Frame, NDArray[np.float64]]:
    """An object that moves with the palm as the arm's first joint turns by dq, rad; and where it is."""
    joints = HOME.copy()
    joints[0] += dq
    palm, rotation = kinematics.forward(joints[:7])
    place = palm + rotation @ [0.05, 0.0, 0.09]
    return frame(number, place - [0, 0, 0.025], name, joints), place


def test_a_lifted_object_becomes_a_success() -> None:
    it = judge()
    heights = [0.0] * 3 + [0.03 * k for k in range(1, 9)] + [0.24] * 5
    said = [it.observe(frame(k, (0.62, 0.15, z), **ERROR)) for k, z in enumerate(heights)]
    for judgement, z in zip(said, heights, strict=True):
        assert judgement.tracking == Tracking.SEEN
        assert np.linalg.norm(judgement.centroid - center((0.62, 0.15, z))) < 0.015
        assert judgement.lift == pytest.approx(z, abs=0.012)
        assert judgement.palm_distance == pytest.approx(np.linalg.norm(judgement.centroid - judgement.palm))
        weighted = sum(judgement.weights[name] * value for name, value in judgement.terms.items())
        assert judgement.reward == pytest.approx(weighted)
        assert judgement.age == 0
    assert [judgement.success for judgement in said].index(True) >= 12
    assert said[-1].success
    assert said[-1].reward > said[0].reward


def test_a_slow_tracker_sees_the_lift_too() -> None:
    """Two seconds a frame: the second one shows the object in the air already."""
    it = judge()
    said = [it.observe(frame(20 * k, (0.55, 0.1, z))) for k, z in enumerate([0.0, *[0.30] * 5])]
    assert [judgement.lift for judgement in said] == pytest.approx([0.0, *[0.30] * 5], abs=0.012)
    assert said[-1].success


def test_hidden_where_it_was_then_lost_then_seen_again() -> None:
    it = judge()
    first = it.observe(frame(0))
    held = [it.observe(covered(frame(k))) for k in range(1, 25)]
    assert {h.tracking for h in held[:19]} == {Tracking.HELD}
    np.testing.assert_allclose(held[5].centroid, first.centroid)
    assert held[10].confidence < held[0].confidence < first.confidence
    assert held[10].age == pytest.approx(1.1)
    assert held[-1].tracking == Tracking.LOST
    assert is_unknown(held[-1])
    again = it.observe(frame(26))
    assert again.tracking == Tracking.SEEN
    assert np.linalg.norm(again.centroid - center()) < 0.01


def test_what_is_visibly_gone_is_lost_at_once() -> None:
    it = judge()
    it.observe(frame(0, (0.5, 0.1, 0.0)))
    elsewhere = without(frame(1, (0.6, -0.2, 0.0)))
    said = it.observe(elsewhere)
    assert said.tracking == Tracking.LOST
    assert is_unknown(said)


def test_what_the_tracker_misses_for_a_moment_is_held() -> None:
    it = judge()
    it.observe(frame(0))
    said = it.observe(without(frame(1)))
    assert said.tracking == Tracking.HELD
    assert np.linalg.norm(said.centroid - center()) < 0.01


def test_hidden_in_the_hand_it_moves_with_the_palm() -> None:
    it = judge(automatic=False)
    start, place = gripped(0, 0.0)
    it.prompt(replace(start, stamp=0), box=[0, 0, 159, 119])
    for k in range(1, 4):
        taken, _ = gripped(k, 0.0)
        it.observe(taken)
    taken, place = gripped(4, 0.08)
    said = it.observe(covered(taken))
    assert said.tracking == Tracking.WITH_PALM
    assert np.linalg.norm(said.centroid - place) < 0.02
    assert said.confidence < 1


def test_nothing_is_known_before_a_prompt() -> None:
    said = judge(automatic=False).observe(frame(0))
    assert said.tracking == Tracking.NONE
    assert is_unknown(said)
    assert "nobody has said" in said.problem
    assert not said.success


@pytest.mark.parametrize("mask", ["empty", "everything"])
def test_masks_that_are_no_object_teach_nothing(mask: str) -> None:
    taken = frame(0)
    value = 3 if mask == "empty" else OBJECT
    wrong = np.full_like(taken.segmentation, value)
    it = judge()
    first = it.observe(replace(taken, segmentation=wrong))
    assert first.tracking == Tracking.LOST
    assert is_unknown(first)
    assert it.observe(frame(1)).tracking == Tracking.SEEN
    later = it.observe(replace(frame(2), segmentation=wrong))
    assert later.tracking == Tracking.HELD
    assert np.linalg.norm(later.centroid - center()) < 0.01


def test_no_depth_is_said_and_survived() -> None:
    def blind(number: int) -> Frame:
        taken = frame(number)
        return replace(taken, depth=np.full_like(taken.depth, np.nan))

    it = judge()
    first = it.observe(blind(0))
    assert first.tracking == Tracking.NONE
    assert "no depth" in first.problem
    assert it.observe(frame(1)).tracking == Tracking.SEEN
    assert it.observe(blind(2)).tracking == Tracking.HELD
    assert it.observe(frame(3)).tracking == Tracking.SEEN


def test_holes_in_the_depth_cost_little() -> None:
    it, rng = judge(), np.random.default_rng(0)
    it.observe(frame(0))
    for k in range(1, 5):
        taken = frame(k)
        depth = np.where(rng.random(taken.depth.shape) < 0.5, np.nan, taken.depth).astype(np.float32)
        said = it.observe(replace(taken, depth=depth))
        assert said.tracking == Tracking.SEEN
        assert np.linalg.norm(said.centroid - center()) < 0.012


def test_a_refused_prompt_changes_nothing() -> None:
    one, other = judge(), judge()
    for it in (one, other):
        it.observe(frame(0))
    for wrong in ({"points": [[500, 5]]}, {"box": [9, 9, 3, 3]}, {"points": [[3, 3]], "box": [0, 0, 9, 9]}):
        with pytest.raises(PromptError):
            one.prompt(frame(1), **wrong)
    for k in range(1, 4):
        a, b = one.observe(frame(k)), other.observe(frame(k))
        np.testing.assert_array_equal(a.centroid, b.centroid)
        assert (a.tracking, a.lift, a.reward) == (b.tracking, b.lift, b.reward)


def test_a_prompt_keeps_the_height_of_the_episodes_start() -> None:
    it = judge()
    for k in range(6):
        it.observe(frame(k))
    it.observe(frame(6, (0.55, 0.1, 0.1)))
    said = it.prompt(frame(7, (0.55, 0.1, 0.15)), box=[0, 0, 159, 119])
    assert said.lift == pytest.approx(0.15, abs=0.012)


def test_frames_come_in_order_until_a_reset() -> None:
    it = judge()
    it.observe(frame(5))
    with pytest.raises(ValueError, match="reset begins a new episode"):
        it.observe(frame(4))
    it.reset()
    said = it.observe(frame(0, (0.6, -0.1, 0.0)))
    assert said.tracking == Tracking.SEEN
    assert said.lift == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", ["bottle", "tall_box"])
def test_what_fell_over_is_known_again(name: str) -> None:
    it = judge()
    for k in range(5):
        it.observe(frame(k, name=name))
    said = [it.observe(frame(k, (0.58, 0.0, 0.01), name, fallen=True)) for k in range(5, 9)]
    for judgement in said:
        assert judgement.tracking == Tracking.SEEN
        assert np.linalg.norm(judgement.centroid - center((0.58, 0.0, 0.01), name)) < 0.016


def test_what_fits_no_view_for_long_is_learned_anew() -> None:
    """A tracker may be right where the shape is wrong: learned from too small a part, or of another thing."""
    it = judge()
    for k in range(5):
        it.observe(frame(k, name="small_ball"))
    said = [it.observe(frame(k, (0.55, -0.1, 0.0), "tall_box")) for k in range(5, 35)]
    assert said[0].tracking == Tracking.LOST
    assert said[-1].tracking == Tracking.SEEN
    assert np.linalg.norm(said[-1].centroid - center((0.55, -0.1, 0.0), "tall_box")) < 0.012


def test_stray_points_hide_no_object() -> None:
    it = judge()
    for k in range(3):
        taken = frame(k)
        taken.segmentation[50:52, 10:12] = OBJECT
        taken.depth[50:52, 10:12] = 2.5
        said = it.observe(taken)
        assert said.tracking == Tracking.SEEN
        assert np.linalg.norm(said.centroid - center()) < 0.012


def test_equal_frames_give_equal_judgements() -> None:
    def play() -> list[float]:
        it = judge()
        return [it.observe(frame(k, (0.55, 0.1, 0.02 * k))).reward for k in range(4)]

    assert play() == play()
