"""SAM2's own code path at small size: prompts, streaming in bounded memory, prompting again, reset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rfs_reward.tracker import PromptError, Track
from rfs_reward.trackers import sam2, sam2_session
from rfs_reward.trackers.sam2 import Sam2Tracker
from sam2_rig import POINTERS, SIZE, make_frame, save_tiny_model
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

POINT = [[30.0, 20.0]]
BOX = [10.0, 8.0, 40.0, 30.0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_tiny_model(folder)
    return str(folder)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """So small a model is slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tracker(weights: str) -> Sam2Tracker:
    return Sam2Tracker(weights, device="cpu")


def same(a: Track, b: Track) -> bool:
    return bool((a.mask == b.mask).all()) and a.confidence == b.confidence


def test_name_says_the_weights_and_another_size(weights: str) -> None:
    assert Sam2Tracker(weights, device="cpu").name == "sam2:tiny"
    assert Sam2Tracker(weights, 96, device="cpu").name == "sam2:tiny@96"


def test_points_and_boxes_reach_the_model(tracker: Sam2Tracker) -> None:
    frame = make_frame(0)
    prompts: list[dict[str, Any]] = [
        {"points": POINT},
        {"points": [[50.0, 40.0]]},
        {"points": [[30.0, 20.0], [50.0, 40.0]]},
        {"box": BOX},
        {"points": np.reshape(BOX, (2, 2))},
    ]
    found = []
    for prompt in prompts:
        tracker.reset()
        found.append(tracker.prompt(frame, **prompt))
        assert found[-1].mask.shape == (48, 64)
        assert found[-1].mask.any()
        assert 0 < found[-1].confidence <= 1
    # Corners of a box are not two points on the object.
    assert not any(same(a, b) for i, a in enumerate(found) for b in found[:i])


def test_a_prompt_is_scaled_with_the_picture(tracker: Sam2Tracker) -> None:
    frame, large = make_frame(0), make_frame(0, 96, 128)
    large.color[:] = frame.color.repeat(2, 0).repeat(2, 1)
    small = tracker.prompt(frame, POINT).mask.repeat(2, 0).repeat(2, 1)
    agreement = []
    for place in ([60.0, 40.0], POINT[0], [120.0, 80.0]):
        tracker.reset()
        agreement.append((tracker.prompt(large, [place]).mask == small).mean())
    assert agreement[0] > max(agreement[1:]) + 0.1


@pytest.mark.parametrize(
    "prompt", [{}, {"points": POINT, "box": BOX}, {"points": [[64, 0]]}, {"box": [5, 5, 5, 9]}]
)
def test_a_prompt_that_names_nothing_is_refused(tracker: Sam2Tracker, prompt: dict[str, Any]) -> None:
    with pytest.raises(PromptError):
        tracker.prompt(make_frame(0), **prompt)


def test_tracking_needs_a_prompt(tracker: Sam2Tracker) -> None:
    with pytest.raises(ValueError, match="prompt the tracker first"):
        tracker.track(make_frame(0))


def test_what_is_kept_does_not_grow_and_dropping_changes_nothing(tracker: Sam2Tracker) -> None:
    """Beside a session of `transformers` that keeps all: the same logits, bit for bit."""
    model, session = tracker._model, tracker._session
    endless = Sam2VideoInferenceSession(dtype=torch.float32)
    endless.add_point_inputs(endless.obj_id_to_idx(1), 0, _inputs())
    endless.obj_with_new_inputs = [1]
    held = []
    for index in range(2 * POINTERS):
        pixels = tracker._pixels(make_frame(index).color)
        expected = model(inference_session=endless, frame=pixels)
        inputs = _inputs()
        points, labels = inputs["point_coords"][0, 0], inputs["point_labels"][0, 0]
        found = session.track(pixels) if index else session.prompt(pixels, points, labels)
        assert torch.equal(found.logits, expected.pred_masks[0, 0])
        assert found.score == float(expected.object_score_logits)
        held.append(session.held_bytes())
    full = held[POINTERS - 1 :]
    assert max(full) == min(full) < 100_000
    assert len(endless.processed_frames) == 2 * POINTERS


def _inputs() -> dict[str, torch.Tensor]:
    return {
        "point_coords": torch.full((1, 1, 1, 2), 30.0),
        "point_labels": torch.ones(1, 1, 1, dtype=torch.int32),
    }


def test_memory_matters(tracker: Sam2Tracker) -> None:
    """The same picture after other pictures is another mask: the memory is read, not only kept."""
    frame = make_frame(9)
    tracker.prompt(make_frame(0), POINT)
    fresh = tracker.track(frame)
    tracker.reset()
    tracker.prompt(make_frame(0), POINT)
    for seed in range(1, 5):
        tracker.track(make_frame(seed))
    assert not same(tracker.track(frame), fresh)


def test_prompting_again_keeps_a_bounded_number_of_prompts(tracker: Sam2Tracker) -> None:
    """The random model's masks overlap much, so that each prompt counts as the same object."""
    held = []
    for seed in range(6):
        tracker.prompt(make_frame(seed), POINT)
        for index in range(POINTERS):
            tracker.track(make_frame(100 * seed + index))
        held.append(tracker.held_bytes())
    kept = sam2_session.MAX_PROMPTS
    assert held[0] < held[kept - 1] == held[-1]


def test_another_object_is_not_mixed_with_the_old_one(
    tracker: Sam2Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the memory sees something else than the prompt, all is as if it were the first prompt."""
    monkeypatch.setattr(sam2_session, "SAME_OBJECT_IOU", 1.0)
    tracker.prompt(make_frame(0), POINT)
    tracker.track(make_frame(1))
    tracker.prompt(make_frame(2), box=BOX)
    again = tracker.track(make_frame(3))
    tracker.reset()
    tracker.prompt(make_frame(2), box=BOX)
    assert same(again, tracker.track(make_frame(3)))


def test_a_failed_prompt_leaves_all_as_it_was(tracker: Sam2Tracker, weights: str) -> None:
    other = Sam2Tracker(weights, device="cpu")
    for each in (tracker, other):
        each.prompt(make_frame(0), POINT)
        each.track(make_frame(1))
    head: Any = tracker._model.mask_decoder.pred_obj_score_head
    bias = head.proj_out.bias.data
    bias -= 100
    with pytest.raises(PromptError, match="sees no object there"):
        tracker.prompt(make_frame(2), box=BOX)
    bias += 100
    assert same(tracker.track(make_frame(3)), other.track(make_frame(3)))


def test_an_object_that_is_not_seen_has_no_mask_and_no_confidence(tracker: Sam2Tracker) -> None:
    tracker.prompt(make_frame(0), POINT)
    head: Any = tracker._model.mask_decoder.pred_obj_score_head
    head.proj_out.bias.data -= 100
    lost = tracker.track(make_frame(1))
    assert not lost.mask.any()
    assert lost.confidence == 0
    head.proj_out.bias.data += 100
    assert tracker.track(make_frame(2)).mask.any()


@pytest.mark.parametrize(
    ("inside", "outside", "least", "most"), [(10, -10, 0.99, 1), (1, -10, 0.7, 0.75), (10, -3, 0.4, 0.7)]
)
def test_confidence_is_the_overlap_to_expect(
    inside: float, outside: float, least: float, most: float
) -> None:
    """Sure within and without; doubtful within; a faint chance in many pixels around a small mask."""
    logits = torch.full((16, 16), float(outside))
    logits[4:8, 4:8] = inside
    assert least < sam2._expected_overlap(logits) < most


def test_reset_forgets_everything(tracker: Sam2Tracker) -> None:
    first = [tracker.prompt(make_frame(0), POINT), tracker.track(make_frame(1))]
    tracker.track(make_frame(2))
    tracker.reset()
    assert tracker.held_bytes() == 0
    with pytest.raises(ValueError, match="prompt"):
        tracker.track(make_frame(3))
    assert same(tracker.prompt(make_frame(0), POINT), first[0])
    assert same(tracker.track(make_frame(1)), first[1])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 200), st.integers(1, 200))
def test_masks_have_the_frames_size(tracker: Sam2Tracker, height: int, width: int) -> None:
    """Also when it changes on the way, as when a camera starts again with another setting."""
    tracker.prompt(make_frame(0), POINT)
    assert tracker.track(make_frame(1, height, width)).mask.shape == (height, width)


def test_half_precision_tracks_the_same(weights: str, tracker: Sam2Tracker) -> None:
    half = Sam2Tracker(weights, device="cpu", dtype="bfloat16")
    agreement = []
    for index in range(6):
        frame = make_frame(index)
        tracks = [each.track(frame) if index else each.prompt(frame, box=BOX) for each in (tracker, half)]
        agreement.append((tracks[0].mask == tracks[1].mask).mean())
    assert np.mean(agreement) > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_the_gpu(weights: str) -> None:
    tracker = Sam2Tracker(weights, device="cuda")
    tracker.prompt(make_frame(0), box=BOX)
    assert tracker.track(make_frame(1)).mask.shape == (48, 64)


def test_pictures_are_normalized_as_published(tracker: Sam2Tracker) -> None:
    frame = make_frame(0, SIZE, SIZE)
    expected = (frame.color[3, 5] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(tracker._pixels(frame.color)[:, 3, 5], expected, atol=1e-5)


def test_views_of_a_picture_are_taken(tracker: Sam2Tracker) -> None:
    """A camera's BGR turned round, or a picture upside down, has negative strides."""
    frame = make_frame(0)
    frame.color.setflags(write=False)
    assert tracker._pixels(frame.color[::-1, :, ::-1]).shape == (3, SIZE, SIZE)


@pytest.mark.parametrize(("device", "dtype"), [("tpu", "auto"), ("cpu", "int8"), ("auto", "float64")])
def test_unknown_devices_and_types_are_named(weights: str, device: str, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"unknown d.* '{device if device == 'tpu' else dtype}'"):
        Sam2Tracker(weights, device=device, dtype=dtype)


def test_path_of_weights_may_begin_with_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    monkeypatch.setenv("HOME", str(Path(weights).parent))
    assert Sam2Tracker("~/tiny", device="cpu").name == "sam2:tiny"
