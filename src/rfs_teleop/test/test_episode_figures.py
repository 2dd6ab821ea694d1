"""Figures of an episode, and what a session's page makes of them, from bags made here."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rfs_description.robot import HAND_CLOSING  # noqa: E402
from rfs_teleop.bag import BagWriter  # noqa: E402
from rfs_teleop.definitions import definition  # noqa: E402
from rfs_teleop.episode_conduct import Ending  # noqa: E402
from rfs_teleop.episode_figures import AXES, EpisodeFigures, line, read_figures  # noqa: E402
from rfs_teleop.episode_recorder import packaged_topics  # noqa: E402
from rfs_teleop.session_diary import SessionDiary  # noqa: E402
from rfs_teleop.session_findings import findings  # noqa: E402
from rfs_teleop.session_record import SessionRecord  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from rfs_msgs.msg import ExecutedAction, GraspReward  # noqa: E402
from rfs_teleop import session_page  # noqa: E402

TENTH = 100_000_000
START = 1_000_000_000_000


def at(stamp: int) -> Time:
    return Time(sec=stamp // 10**9, nanosec=stamp % 10**9)


def executed(stamp: int, residual: np.ndarray, height: float, state: int) -> ExecutedAction:
    message = ExecutedAction(state=state, sent_stamp=at(stamp + 5_000_000))
    message.header.stamp = at(stamp)
    message.target_pose.position.z = height
    if state in (ExecutedAction.STATE_AUTONOMOUS, ExecutedAction.STATE_CORRECTING):
        message.human_residual = message.action = residual.astype(np.float32).tolist()
    return message


def residual(x: float = 0.0, closing: float = 0.0) -> np.ndarray:
    return np.concatenate([[x, 0, 0, 0, 0, 0], closing * np.asarray(HAND_CLOSING)])


class Writer:
    """A bag of one episode, written message by message."""

    def __init__(self, folder: Path, **contract: str) -> None:
        topics = packaged_topics()
        types = {topic.type: definition(topic.type) for topic in topics}
        contract = {"object": "mug", "seed": "3", "sim_time": "realtime", **contract}
        self.bag, self.now = BagWriter(folder, topics, types, contract), START

    def add(self, topic: str, message: Any, log_time: int | None = None) -> None:
        self.bag.write(topic, serialize_message(message), log_time or self.now)

    def tick(self, residual: np.ndarray, height: float = 0.05, state: int = 2, reward: float = 0.5) -> None:
        self.add("/rfs/executed_action", executed(self.now, residual, height, state))
        self.add("/joint_states", joints(self.now))
        message = GraspReward(reward=reward)
        message.header.stamp = at(self.now)
        self.add("/rfs/reward", message)
        self.now += TENTH

    def close(self, outcome: str = "success", **result: str) -> None:
        self.bag.close({"outcome": outcome, **result})


def joints(stamp: int) -> JointState:
    message = JointState(name=["x"], position=[0.0], velocity=[0.0], effort=[0.0])
    message.header.stamp = at(stamp)
    return message


def episode(folder: Path, outcome: str = "success", **contract: str) -> Path:
    """20 ticks, 5 of them corrected along x at full bound, 5 with half-closed fingers; then a pause."""
    writer = Writer(folder, **contract)
    for tick in range(20):
        x = 0.015 if tick < 5 else 0.0
        closing = 0.025 if 5 <= tick < 10 else 0.0
        writer.tick(residual(x, closing), height=0.095 if tick < 10 else 0.3, reward=tick / 20)
    for _ in range(10):
        writer.tick(residual(), state=ExecutedAction.STATE_PAUSED)
    writer.tick(residual())
    writer.close(outcome)
    return folder


def test_figures_of_an_episode(tmp_path: Path) -> None:
    figures = read_figures(episode(tmp_path / "a"))
    assert (figures.object, figures.outcome, figures.seed) == ("mug", "success", 3)
    assert (figures.ticks, figures.corrected, figures.saturated, figures.held) == (21, 10, 5, 10)
    assert figures.axes == [5, 0, 0, 5]
    assert figures.seconds == pytest.approx(1.9)
    assert figures.cadence_p50 == figures.cadence_p99 == pytest.approx(100.0)
    assert len(figures.reward) == 31
    assert figures.jumps == []
    at_nine_cm = figures.use["4"]
    assert at_nine_cm[AXES.index("x")][1] == 4  # the first tick's height is not known
    assert at_nine_cm[AXES.index("closing")][2] == pytest.approx(5 * 0.5)
    assert EpisodeFigures.from_json(figures.as_json()) == figures


def test_the_line_of_an_episode(tmp_path: Path) -> None:
    text = line(read_figures(episode(tmp_path / "a")), 12, 50)
    assert text == (
        "episode 12/50  mug  success  1.9 s  corrected 48 %  cadence p50 100.0 p99 100 ms  drops 0"
    )


def test_what_was_received_and_is_not_in_the_bag_is_a_drop(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a")
    writer.tick(residual())
    writer.close(**{"received /joint_states": "10", "lost /rfs/reward": "2"})
    assert read_figures(tmp_path / "a").drops == 10 - 3 + 2


@pytest.mark.parametrize("seconds", [-3.0, 3.0])
def test_a_clock_that_jumps_is_seen(tmp_path: Path, seconds: float) -> None:
    writer = Writer(tmp_path / "a")
    for _ in range(5):
        writer.tick(residual())
    writer.add("/joint_states", joints(writer.now + round(seconds * 1e9)))
    writer.tick(residual())
    writer.close()
    jumps = read_figures(tmp_path / "a").jumps
    assert any("/joint_states" in text for text in jumps)


def test_a_tracker_may_be_slow_and_may_not_know(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a")
    writer.tick(residual())
    for delay, reward in ((0.1, 0.3), (0.9, float("nan")), (0.2, 0.4)):
        message = GraspReward(reward=reward, source="rgbd")
        message.header.stamp = at(writer.now)
        writer.add("/rfs/reward", message, writer.now + round(delay * 1e9))
        writer.tick(residual())
    writer.close()
    figures = read_figures(tmp_path / "a")
    assert figures.jumps == []
    assert len(figures.reward) == 4 + 2


def test_an_episode_in_which_nothing_moved_has_figures_too(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a")
    writer.close("unknown")
    figures = read_figures(tmp_path / "a")
    assert (figures.ticks, figures.share, figures.reward) == (0, 0.0, [])


def session_of(folder: Path, *outcomes: str) -> SessionRecord:
    for number, outcome in enumerate(outcomes, start=1):
        episode(folder / f"20260101-00000{number}-00{number}-mug", outcome)
    record = SessionRecord.open(folder, planned=9)
    record.save()
    return record


def test_a_session_is_continued_from_its_file_and_from_its_bags(tmp_path: Path) -> None:
    record = session_of(tmp_path / "s", "success", "failure")
    again = SessionRecord.open(tmp_path / "s")
    assert again.episodes == record.episodes
    assert again.planned == 9
    (tmp_path / "s" / "session.json").unlink()
    assert SessionRecord.open(tmp_path / "s").tally() == record.tally()
    (tmp_path / "s" / "session.json").write_text("{broken")
    assert SessionRecord.open(tmp_path / "s").tally().counted == 2


def test_the_seed_of_an_episode_that_could_not_begin_is_not_used_again(tmp_path: Path) -> None:
    diary = SessionDiary(tmp_path / "s", planned=9)
    bag = episode(tmp_path / "s" / "20260101-000001-001-mug")
    diary.ended("success", bag, Ending(), 2, begun=3)  # two could not begin before it
    diary.finish()
    episode(tmp_path / "s" / "20260101-000002-002-mug", "unknown")  # killed before it was in the file
    assert SessionDiary(tmp_path / "s", planned=9).tally().begun == 4
    record = SessionRecord.open(tmp_path / "s", afresh=True)
    assert record.tally().begun == 4
    record.save()
    assert SessionRecord.open(tmp_path / "s").tally().begun == 4


def test_a_file_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    record = session_of(tmp_path / "s", "success", "failure")
    content = json.loads(record.file.read_text())
    del content["begun"]
    record.file.write_text(json.dumps({**content, "discarded": 2}))
    again = SessionRecord.open(tmp_path / "s")
    assert (again.episodes, again.tally().begun) == (record.episodes, 4)


def test_a_cut_off_bag_is_named_and_not_counted(tmp_path: Path) -> None:
    record = session_of(tmp_path / "s", "success")
    (tmp_path / "s" / record.episodes[0].id / "metadata.yaml").unlink()
    (tmp_path / "s" / "session.json").unlink()
    again = SessionRecord.open(tmp_path / "s")
    assert again.tally().counted == 0
    assert "bags recover" in next(iter(again.skipped.values()))


def test_the_page_is_made_from_bags_alone_and_needs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_of(tmp_path / "<s>", "success", "failure")
    (tmp_path / "<s>" / "session.json").unlink()
    assert session_page.main([str(tmp_path / "<s>")]) == 0
    assert "episode 2  mug  failure" in capsys.readouterr().out
    page = (tmp_path / "<s>" / "report.html").read_text()
    assert "Session &lt;s&gt;" in page
    assert page.count("<polyline") == 2
    assert not re.search(r"https?://|src=|href=|<script", page)
    assert (tmp_path / "<s>" / "session.json").exists()


def test_a_folder_without_bags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the folder of a session"):
        session_page.main([str(tmp_path)])


def row(name: str, **values: Any) -> EpisodeFigures:
    usual = {"outcome": "success", "ticks": 40, "corrected": 10, "axes": [5, 5, 0, 5], "reward": [[0.0, 0.0]]}
    return EpisodeFigures(name, name, **{**usual, **values})


def found(tmp_path: Path, *rows: EpisodeFigures) -> str:
    return "\n".join(findings(SessionRecord(tmp_path, episodes=list(rows))))


def test_a_sound_session_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path, *(row(str(n), outcome=("success", "failure")[n % 2]) for n in range(6))) == ""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "All 6 episodes are successes"),
        ({"outcome": "failure"}, "All 6 episodes are failures"),
        ({"corrected": 0, "axes": [0, 0, 0, 0]}, "Nobody corrected anything"),
        ({"axes": [5, 0, 0, 5]}, "never corrected along y"),
        ({"saturated": 8}, "at its bound in 80 %"),
        ({"drops": 3}, "3 messages were sent and are not in the bag"),
        ({"jumps": ["stamps of /joint_states ran back by 1.00 s"]}, "ran back by 1.00 s"),
        ({"reward": []}, "No reward was recorded in all 6 episodes"),
        ({"held": 20}, "held or paused"),
        ({"cadence_p50": 100.0, "cadence_p99": 180.0}, "came unevenly"),
        ({"outcome": "unknown", "notes": "disk full"}, "it broke off (disk full)"),
    ],
)
def test_what_looks_wrong_is_said(tmp_path: Path, values: dict[str, Any], says: str) -> None:
    assert says in found(tmp_path, *(row(str(n), **values) for n in range(6)))
