"""The small SAM2: batched tracking equals the session's, training learns, resumes and leaves what loads."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from rfs_learning.diverged import DivergedError
from rfs_learning.folder_lock import locked
from rfs_learning.sam2_batch import make_batch
from rfs_learning.sam2_clips import draw_clip
from rfs_learning.sam2_config import Sam2Config
from rfs_learning.sam2_folder import save_model
from rfs_learning.sam2_loss import iou, tracking_loss
from rfs_learning.sam2_network import make_network, resized
from rfs_learning.sam2_tracking import ClipTracker, Prediction, Prompt, normalize
from rfs_learning.sam2_training import Sam2Training, learning_rate, main
from rfs_reward.trackers.sam2_model import load_model
from rich.progress import Progress, TextColumn
from sam2_tiny import standing, tiny
from transformers import Sam2VideoInferenceSession, Sam2VideoModel


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(training: Sam2Training, until: int | None = None) -> None:
    training.output.mkdir(parents=True, exist_ok=True)
    with Progress(TextColumn(""), disable=True) as progress:
        training.run(progress, until)


def load(folder: Path) -> Sam2VideoModel:
    """As the tracker does."""
    return load_model(folder, 0, torch.device("cpu"), torch.float32)


def shaken_network():
    """Random weights of a size that gives masks some contrast, and an object that is seen."""
    torch.manual_seed(0)
    network = make_network(tiny())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("labels", [[1], [2, 3]])
@pytest.mark.parametrize("seen", [1.0, -1.0])
def test_batched_tracking_gives_the_masks_of_the_streaming_session(labels, seen):
    model = shaken_network()
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5 * seen)
    pictures = torch.randint(0, 256, (5, 60, 80, 3), dtype=torch.uint8)
    points = torch.tensor([[[[10.0, 20.0], [40.0, 50.0]]]])[:, :, : len(labels)]
    prompt = Prompt(points, torch.tensor([[labels]], dtype=torch.int32))
    pixels, tracker, session = (
        normalize(pictures, 64),
        ClipTracker(model),
        Sam2VideoInferenceSession(dtype=torch.float32),
    )
    index = session.obj_id_to_idx(1)
    session.add_point_inputs(index, 0, {"point_coords": points, "point_labels": prompt.labels})
    session.obj_with_new_inputs = [1]
    features = tracker.encode(pixels)
    for step in range(5):
        frame = features.of(torch.tensor([step]))
        mine = tracker.prompt(frame, prompt) if step == 0 else tracker.track(frame)
        theirs = model(inference_session=session, frame=pixels[step])
        torch.testing.assert_close(mine.presence, theirs.object_score_logits[0], rtol=1e-4, atol=1e-4)
        assert mine.mask().std() > 0.01
        if seen > 0:
            torch.testing.assert_close(mine.mask(), theirs.pred_masks[:, 0], rtol=1e-3, atol=1e-3)


def test_clips_beside_a_clip_do_not_change_it():
    model, config = shaken_network(), tiny(batch=2)
    rng = np.random.default_rng(0)
    batch = make_batch([draw_clip(standing(), config, False, rng) for _ in range(2)], 64, rng)
    tracker = ClipTracker(model)
    features = tracker.encode(normalize(batch.pictures, 64))

    def masks(rows: slice) -> torch.Tensor:
        prompt = Prompt(batch.prompt.points[rows], batch.prompt.labels[rows])
        tracker.prompt(features.of(batch.order[rows, 0]), prompt)
        return tracker.track(features.of(batch.order[rows, 1])).mask()

    torch.testing.assert_close(masks(slice(None))[2:3], masks(slice(2, 3)), rtol=1e-3, atol=1e-4)


def test_backwards_a_clip_begins_with_its_last_frame_that_shows_the_object():
    rng = np.random.default_rng(0)
    clip = draw_clip(standing(), tiny(absent=0.0, occluder=0.0), False, rng)
    clip.masks[2] = False
    batch = make_batch([clip], 64, rng)
    assert batch.order.tolist() == [[0, 1, 2], [1, 0, 2]]
    np.testing.assert_array_equal(batch.masks[1, 0], clip.masks[1])


def test_a_model_of_another_size_shares_its_parameters():
    network = make_network(tiny())
    larger = resized(network, tiny(image_size=128))
    theirs = dict(larger.named_parameters())
    assert all(value is theirs[name] for name, value in network.named_parameters())
    torch.testing.assert_close(
        larger.shared_image_embedding.positional_embedding,
        network.shared_image_embedding.positional_embedding,
    )


def test_loss_of_the_true_mask_is_small_and_of_an_absent_object_only_the_belief():
    masks = torch.zeros(1, 16, 16, dtype=torch.bool)
    masks[:, 4:8, 4:8] = True
    logits = torch.where(masks, 12.0, -12.0)[:, None]
    right = Prediction(logits, torch.ones(1, 1), torch.tensor([9.0]), torch.zeros(1, dtype=torch.long))
    wrong = Prediction(-logits, torch.ones(1, 1), torch.tensor([9.0]), right.chosen)
    assert tracking_loss(right, masks, 1.0) < 0.01
    assert tracking_loss(wrong, masks, 1.0) > 2
    nothing = torch.zeros_like(masks)
    torch.testing.assert_close(tracking_loss(right, nothing, 1.0), torch.tensor(9.0), rtol=1e-3, atol=0)
    assert iou(nothing, nothing).item() == 1.0


def test_only_the_best_candidate_is_corrected():
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, :4] = True
    logits = torch.stack([torch.where(masks, 3.0, -3.0), torch.where(masks, -3.0, 3.0)], dim=1)
    logits.requires_grad_()
    chosen = torch.zeros(1, dtype=torch.long)
    tracking_loss(Prediction(logits, torch.ones(1, 2), torch.zeros(1), chosen), masks, 1.0).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].abs().sum() > 0
    assert logits.grad[0, 1].abs().sum() == 0


def test_loss_falls(tmp_path):
    config = tiny(steps=100, decay=0.0, learning_rate=2e-3, teacher=100, frames=2)
    training = Sam2Training(standing(), config, tmp_path)
    batch = training.draw()
    training.draw = lambda: batch
    losses = [training.step()["loss"] for _ in range(12)]
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


def test_resumed_run_equals_an_uninterrupted_one(tmp_path):
    config = tiny(near=1, steps=2, frames=2)
    whole = Sam2Training(standing(), config, tmp_path / "whole")
    run(whole)
    run(Sam2Training(standing(), config, tmp_path / "parts"), until=1)
    resumed = Sam2Training(standing(), config, tmp_path / "parts")
    resumed.state.restore(tmp_path / "parts")
    assert resumed.state.step == 1
    run(resumed)
    for name, value in whole.state.average.state_dict().items():
        assert torch.equal(value, resumed.state.average.state_dict()[name]), name


def test_a_training_that_dies_leaves_what_loads_and_goes_on(tmp_path):
    training = Sam2Training(standing(), tiny(save_every=1), tmp_path)
    take_step = training.step

    def dying_step():
        if training.state.step == 1:
            raise MemoryError
        return take_step()

    training.step = dying_step
    with pytest.raises(MemoryError):
        run(training)
    assert load(tmp_path / "model").config.image_size == 64
    resumed = Sam2Training(standing(), tiny(), tmp_path)
    resumed.state.restore(tmp_path)
    assert resumed.state.step == 1


def test_a_run_that_diverges_keeps_its_last_good_model(tmp_path):
    training = Sam2Training(standing(), tiny(save_every=1, steps=3), tmp_path)
    run(training, until=1)
    good = (tmp_path / "model/model.safetensors").read_bytes()
    with torch.no_grad():
        next(training.state.network.parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match=r"the loss is no longer finite at step 2"):
        run(training)
    with pytest.raises(DivergedError, match=r"weight '.*' in half precision is no longer finite"):
        training.save()
    assert (tmp_path / "model/model.safetensors").read_bytes() == good


def test_the_state_is_written_last(tmp_path, monkeypatch):
    """It tells how far the model has come."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rfs_learning.sam2_training.save_model", full)
    with pytest.raises(OSError, match="No space"):
        Sam2Training(standing(), tiny(), tmp_path).save()
    assert not (tmp_path / "training.safetensors").exists()


def test_interrupt_saves_and_ends(tmp_path):
    training = Sam2Training(standing(), tiny(), tmp_path)
    take_step = training.step

    def interrupted_step():
        signal.raise_signal(signal.SIGINT)
        return take_step()

    training.step = interrupted_step
    run(training)
    resumed = Sam2Training(standing(), tiny(), tmp_path)
    resumed.state.restore(tmp_path)
    assert resumed.state.step == 1


def test_a_saved_model_is_half_as_large_and_computes_in_single_precision(tmp_path):
    model = shaken_network()
    save_model(model, tmp_path)
    loaded = load(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert (tmp_path / "model.safetensors").stat().st_size < 2.2 * sum(p.numel() for p in model.parameters())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_learning_rate_warms_up_stays_and_falls():
    config = tiny(steps=100, warmup=10, decay=0.3)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] < rates[5] < rates[9] == rates[69] == config.learning_rate
    assert rates[70] > rates[85] > rates[100] == 0


def test_command_line_writes_run_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rfs_learning.sam2_training.record_poses", lambda *_: standing())
    settings = tmp_path / "tiny.yaml"
    shape = "image_size: 64, embed_dims: [8, 16, 32, 64], blocks: [1, 1, 2, 1], frames: 2, near: 0"
    settings.write_text(f"{{{shape}, steps: 1, batch: 1, log_every: 1, save_every: 1}}")
    command = ["--output", str(tmp_path / "run"), "--config", str(settings)]
    assert main(command) == 0
    assert main([*command, "--resume", "--steps", "2"]) == 0
    entries = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert json.loads((tmp_path / "run/config.json").read_text())["training"]["steps"] == 2
    assert load(tmp_path / "run/model").config.image_size == 64
    weights = (tmp_path / "run/model/model.safetensors").read_bytes()
    for wrong, words in (
        (["--steps", "3"], "holds a run already"),
        (["--steps", "3", "--resume", "--seed", "9"], "training.seed (9 instead of 0)"),
    ):
        assert main([*command, *wrong]) == 1
        assert words in capsys.readouterr().err
    assert (tmp_path / "run/model/model.safetensors").read_bytes() == weights
    with locked(tmp_path / "run"):
        assert main([*command, "--resume"]) == 1
    assert "another run is at work in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--resume"], "nothing to resume"),
        (["--steps", "0"], "steps has to be at least 1"),
        (["--evaluate", "nowhere"], "nowhere"),
        (["--evaluate", "nowhere", "--episodes", "0"], "--episodes"),
    ],
)
def test_command_line_says_what_is_wrong_with_a_run(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("rfs_learning.sam2_training.record_poses", lambda *_: standing())
    assert main(["--output", str(tmp_path / "run"), *arguments]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rat: 1.0", "learning_rat"),
        ("image_size: 100", "multiple of 64"),
        ("hidden_size: 64", "hidden_size is 64"),
        ("embed_dims: [8, 16]", "embed_dims takes four"),
        ("embed_dims: [a, b, c, d]", "embed_dims takes four"),
        ("blocks: 3", "blocks takes four"),
        ("steps: [", "is not YAML"),
        ("blocks: [1, 1, 1, 1]", "third of blocks"),
        ("frames: 1", "at least 2"),
        ("noise: -1.0", "noise is -1.0"),
        ("batch: many", "batch"),
        ("[1, 2]", "must be a mapping of settings"),
        ("threads: 0", "threads has to be at least 1"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ValueError, match=words):
        Sam2Config.load(tmp_path / "bad.yaml")
