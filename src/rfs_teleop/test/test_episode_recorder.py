"""The recorder keeps one bag at a time, counts, and says what is wrong."""

from pathlib import Path

import pytest
from rfs_teleop.bag_metadata import Topic
from rfs_teleop.bag_reader import Bag
from rfs_teleop.episode_recorder import EpisodeRecorder, packaged_topics, repair_all
from test_bag import DEFINITIONS, STRING, TOPICS, cdr, write_bag


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
    write_bag(tmp_path / "monday/cut", [("/a", "x")], flush_every=1)
    assert repair_all(tmp_path) == {
        tmp_path / "cut": "repaired, 1 messages",
        tmp_path / "monday/cut": "repaired, 1 messages",
    }
    assert repair_all(tmp_path) == {}


def test_a_bag_beyond_repair_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/bad_0.mcap").write_text("something else")
    assert "cannot be repaired" in repair_all(tmp_path)[tmp_path / "bad"]


def test_latched_messages_from_before_are_in_the_bag(tmp_path: Path) -> None:
    topics = [Topic("/tf", STRING.type, latched=True), *TOPICS]
    recorder = EpisodeRecorder(tmp_path, topics, DEFINITIONS)
    recorder.record("/tf", cdr("old"), 1, publisher=b"x")
    recorder.record("/tf", cdr("new"), 2, publisher=b"x")
    recorder.record("/tf", cdr("another publisher's"), 3, publisher=b"y")
    bag = recorder.start("first", {}, now=10)
    recorder.stop({})
    kept = [(m.message.data, m.log_time) for m in Bag(bag).messages()]
    assert kept == [("new", 10), ("another publisher's", 10)]


def test_a_session_has_its_folder(recorder: EpisodeRecorder, tmp_path: Path) -> None:
    assert recorder.start("first", {}, session="monday") == tmp_path / "monday/first"
    with pytest.raises(ValueError, match="cannot name a bag"):
        EpisodeRecorder(tmp_path, TOPICS, DEFINITIONS).start("first", {}, session="../x")


def test_lost_messages_are_warned_of_and_in_the_contract(recorder: EpisodeRecorder) -> None:
    bag = recorder.start("first", {})
    recorder.record("/a", cdr("x"), 1)
    recorder.losses.report("/a", 3)
    summary = recorder.stop({"outcome": "success"})
    assert summary.lost[summary.topics.index("/a")] == 3
    assert summary.warnings == ("/a lost 3 of 4 messages on their way",)
    assert Bag(bag).contract["lost /a"] == "3"


def test_the_packaged_topics_are_distinct() -> None:
    names = [topic.name for topic in packaged_topics()]
    assert len(set(names)) == len(names)
    assert "/rfs/executed_action" in names
