"""What is said where Isaac Lab is another one, or where a GPU is asked for that is not there."""

import pytest
import torch

from rfs_isaaclab import versions


def test_the_versions_this_was_made_for_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"isaaclab": versions.ISAACLAB, "newton": versions.NEWTON}
    monkeypatch.setattr(versions, "_installed", known.__getitem__)
    versions.require()


@pytest.mark.parametrize(("found", "named"), [("2.3.1", "2.3.1"), ("", "none")])
def test_another_version_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, found: str, named: str
) -> None:
    monkeypatch.setattr(versions, "_installed", lambda package: found)
    with pytest.raises(ValueError, match=rf"isaaclab 3\.0\.0 is needed.*{named}.*\./rfs setup isaaclab"):
        versions.require()


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    versions.require_device("cpu")
    with pytest.raises(ValueError, match=r"cuda:1 is asked for.*no NVIDIA GPU.*--device cpu"):
        versions.require_device("cuda:1")
