"""The recorder keeps one bag at a time, counts, and says what is wrong."""

from pathlib import Path

import pytest
from rfs_teleop.bag_reader import Bag
from rfs_teleop.episode_recorder import EpisodeRecorder, packaged_topics, repair_all
from test_bag import DEFINITIONS, TOPICS, cdr, write_bag


@pytest.fixture
def recorder(tmp_path: Path) -> EpisodeRecorder:
    return EpisodeRecorder(tmp_path, TOPICS, DEFINITIONS)


def test_an_episode_with_counts_per_topic(recorder: EpisodeRecorder) -> None:
    recorder.record("/a", cdr("before the episode"), 1)
    bag = recorder.start("first", {"object": "mug"})
    recorder.record("/a", cdr("x"), 2)
    recorder.record("/b", cdr("y"), 3)
    summary = recorder.stop({"outcome": "success"})
    assert dict(zip(summary.topics, summary.received, strict=True)) == {"/a": 1, "/b": 1, "/quiet": 0}
    assert summary.written == summary.received
    assert summary.missing == ["/quiet"]
    assert summary.problem == ""
    assert [m.message.data for m in Bag(bag).messages(["/a"])] == ["x"]
    assert Bag(bag).contract["received /a"] == "1"


def test_one_episode_at_a_time(recorder: EpisodeRecorder) -> None:
    recorder.start("first", {})
    with pytest.raises(ValueError, match="'first' is being recorded"):
        recorder.start("second", {})
    recorder.stop({})
    with pytest.raises(ValueError, match="no episode is being recorded"):
        recorder.stop({})
    with pytest.raises(FileExistsError, match="exists already"):
        recorder.start("first", {})


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 200])
def test_ids_that_are_no_folder_names_are_refused(recorder: EpisodeRecorder, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a bag"):
        recorder.start(name, {})


def test_a_discarded_episode_leaves_nothing(recorder: EpisodeRecorder) -> None:
    bag = recorder.start("first", {})
    recorder.record("/a", cdr("x"), 2)
    recorder.stop({"outcome": "discarded"}, keep=False)
    assert not bag.exists()


def test_bags_of_a_killed_recorder_are_repaired(tmp_path: Path) -> None:
    write_bag(tmp_path / "cut", [("/a", "x")], flush_every=1)
    write_bag(tmp_path / "whole", [("/a", "x")]).close()
    assert repair_all(tmp_path) == [tmp_path / "cut"]
    assert repair_all(tmp_path) == []


def test_the_packaged_topics_are_distinct() -> None:
    names = [topic.name for topic in packaged_topics()]
    assert len(set(names)) == len(names)
    assert "/rfs/executed_action" in names
