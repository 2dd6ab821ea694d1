"""The figures of a trained SAM2 count what they say."""

import json

import pytest
import torch
from rfs_learning.sam2_evaluation import Score, evaluate, mean_iou, report
from rfs_learning.sam2_folder import save_model
from rfs_learning.sam2_network import make_network
from sam2_tiny import tiny

from rfs_learning import sam2_evaluation


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model that sees everything everywhere, and only one object to be judged by."""
    monkeypatch.setattr(sam2_evaluation, "object_names", lambda: ["mug"])
    torch.manual_seed(0)
    model = make_network(tiny())
    with torch.no_grad():
        for parameter in model.mask_decoder.pred_obj_score_head.parameters():
            parameter.zero_()
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5.0)
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def blind(folder) -> None:
    model = make_network(tiny())
    with torch.no_grad():
        for parameter in model.mask_decoder.pred_obj_score_head.parameters():
            parameter.zero_()
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-5.0)
    save_model(model, folder)


def test_every_tracked_frame_is_counted_once(folder):
    (score,) = evaluate(folder, episodes=2, steps=4)
    assert (score.object, score.split, score.visible, score.hidden) == ("mug", "heldout", 6, 0)
    assert 0 <= score.iou < 0.5  # random weights


def test_a_refused_prompt_counts_as_missed(folder):
    blind(folder)
    (score,) = evaluate(folder, episodes=1, steps=3)
    assert (score.iou, score.visible, score.missed) == (0.0, 2, 2)


def test_the_mean_is_over_frames():
    scores = [Score("a", "train", 0.9, 30, 0, 0, 0), Score("b", "heldout", 0.5, 10, 0, 0, 0)]
    hidden = Score("c", "heldout", float("nan"), 0, 0, 40, 3)
    assert mean_iou([*scores, hidden]) == pytest.approx(0.8)


def test_a_report_writes_what_it_prints(folder, tmp_path, monkeypatch, capsys):
    rows = [Score("a", "train", 0.9, 30, 1, 2, 1), Score("b", "heldout", 0.5, 10, 0, 0, 0)]
    monkeypatch.setattr(sam2_evaluation, "evaluate", lambda *_: iter(rows))
    report(folder, 1, tmp_path)
    assert "mean IoU, heldout: 0.500" in capsys.readouterr().out
    assert [row["iou"] for row in json.loads((tmp_path / "evaluation.json").read_text())] == [0.9, 0.5]
