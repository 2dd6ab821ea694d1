"""`./rfs reward relabel` over bags with real pictures: the judge's rewards, beside the bags, resumable."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from filmed_episode import CAMERA, FilmedRecording, digests, filmed  # noqa: E402
from recorded_episode import PERIOD, START, ordinary  # noqa: E402
from rfs_learning.reward_command import main  # noqa: E402
from rfs_learning.reward_frames import RecordedFrames  # noqa: E402
from rfs_learning.reward_label_file import read_label_file  # noqa: E402
from rfs_learning.reward_labels import RewardLabels, labels_file  # noqa: E402
from rfs_reward.judge import Judge, Tracking  # noqa: E402
from rfs_reward.prompt_places import BOX, PIXEL  # noqa: E402
from rfs_reward.robot_view import RobotView  # noqa: E402
from rfs_reward.trackers.rgbd import RgbdTracker  # noqa: E402
from rfs_sim_bridge.camera import take_picture  # noqa: E402
from rfs_sim_bridge.grasp_task import GraspTask  # noqa: E402
from rfs_teleop.bag_index import IndexedBag  # noqa: E402


@pytest.fixture(scope="module")
def short() -> FilmedRecording:
    return filmed(ticks=4)[0]


@pytest.fixture
def session(short, tmp_path: Path) -> Path:
    """Three bags of one short film; the names differ, and when they began."""
    for number, name in enumerate("abc"):
        short.write(tmp_path / "s" / name, began=START + number, session="s", sim_time="lockstep")
    return tmp_path / "s"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the figures: a test that does not look at them need not wait for them."""
    monkeypatch.setattr("rfs_learning.reward_episode.episode_plot", lambda *_: b"")


def read(bag: Path, label: str) -> RewardLabels:
    return read_label_file(labels_file(bag, label))


def test_rewards_are_those_of_the_judge_and_bags_stay_as_they_are(session, short, tmp_path, capsys) -> None:
    before = digests(session)
    words = [str(session / "a"), "--tracker", "rgbd", "--json", str(tmp_path / "out.json")]
    assert main(["relabel", *words]) == 0
    after = digests(session)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"rewards"}
    judge, labels = Judge(RgbdTracker()), read(session / "a", "rgbd")
    with IndexedBag(session / "a") as bag:
        judged = [judge.observe(recorded.frame) for recorded in RecordedFrames(bag, RobotView())]
    names = ("stamp", "centroid", "palm", "palm_distance", "lift", "reward", "success", "tracking")
    for name in (*names, "confidence", "age"):
        expected = np.array([getattr(judgement, name) for judgement in judged])
        np.testing.assert_array_equal(getattr(labels, name), expected, err_msg=name)
    for name in judged[0].terms:
        np.testing.assert_array_equal(labels.terms[name], [judgement.terms[name] for judgement in judged])
    np.testing.assert_array_equal(labels.mask_pixels, [judgement.mask.sum() for judgement in judged])
    ticks = sum(topic == "/camera/color/image_raw" for topic, _ in short.messages)
    assert len(labels) == ticks
    (row,) = json.loads((tmp_path / "out.json").read_text())["episodes"]
    assert (row["bag"], row["frames"], row["recorded"], row["agrees"]) == ("a", ticks, "failure", True)
    assert row["shares"]["SEEN"] == 1.0
    assert "1 episodes" in capsys.readouterr().out
    page = (session / "rewards" / "rgbd" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 1


@pytest.mark.usefixtures("undrawn")
def test_a_second_run_computes_nothing_and_another_way_is_refused(session, tmp_path, capsys) -> None:
    assert main(["relabel", str(session / "a")]) == 0
    assert main(["relabel", str(session / "a" / "a_0.mcap"), str(session / "b"), "--label", "recorded"]) == 0
    assert "1 of them known" in capsys.readouterr().out
    before = digests(session)
    config = tmp_path / "reward.yaml"
    config.write_text("reward: {lift: 3.0}\n")
    assert main(["relabel", str(session), "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "config.reward.lift (2.0 instead of 3.0)" in said
    assert "give another --label" in said
    assert main(["relabel", str(session), "--label", "recorded", "--tracker", "rgbd"]) == 1
    assert "tracker (recorded instead of rgbd)" in capsys.readouterr().err
    assert digests(session) == before
    assert main(["relabel", str(session / "a"), "--config", str(config), "--label", "lift3"]) == 0
    new, old = read(session / "a", "lift3"), read(session / "a", "recorded")
    np.testing.assert_allclose(new.reward - old.reward, old.terms["lift"], atol=1e-12)


@pytest.mark.usefixtures("undrawn")
def test_two_runs_at_once_do_not_write_the_same_rewards(session, capsys) -> None:
    folder = session / "rewards" / "recorded"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(["relabel", str(session)]) == 1
        assert "another process computes the rewards 'recorded'" in capsys.readouterr().err
        assert {file.name for file in folder.iterdir()} == {".lock"}
    assert main(["relabel", str(session)]) == 0


@pytest.mark.usefixtures("undrawn")
def test_another_state_of_the_code_is_another_way(session, monkeypatch, capsys) -> None:
    assert main(["relabel", str(session / "a")]) == 0
    monkeypatch.setattr("rfs_learning.reward_run.code_digest", lambda: "0" * 64)
    assert main(["relabel", str(session / "b")]) == 1
    assert "another code_sha256" in (said := capsys.readouterr().err)
    assert "instead of 000000000000...)" in said
    assert main(["relabel", str(session / "b"), "--label", "new"]) == 0


@pytest.mark.usefixtures("undrawn")
def test_a_label_without_rewards_binds_nobody(session, tmp_path, capsys) -> None:
    blind = ordinary(4).write(tmp_path / "s" / "blind", session="s")
    assert main(["relabel", str(blind), "--tracker", "rgbd", "--label", "x"]) == 1
    assert "no rewards were written" in capsys.readouterr().out
    assert main(["relabel", str(session / "a"), "--label", "x"]) == 0


@pytest.mark.usefixtures("undrawn")
def test_another_recording_of_the_same_name_is_computed_anew(session, short, capsys) -> None:
    assert main(["relabel", str(session / "a")]) == 0
    for file in (session / "a").iterdir():
        file.unlink()
    (session / "a").rmdir()
    short.write(session / "a", began=START + 77, session="s", sim_time="lockstep")
    assert main(["relabel", str(session / "a")]) == 0
    assert "known" not in capsys.readouterr().out
    assert read(session / "a", "recorded").bag.began == START + 77


_WORK = """
import sys
from pathlib import Path
from rfs_learning.reward_run import RewardRun
from rfs_learning.reward_work import relabel_all
from rfs_reward.reward_config import RewardConfig
from rfs_teleop.bag_folders import find_bags
if __name__ == "__main__":
    run = RewardRun("rgbd", "", RewardConfig.load())
    bags = find_bags([Path(sys.argv[1])])
    relabel_all(bags, "rgbd", run, 2, lambda bag, problem: print(bag.name, problem, flush=True))
"""


def test_a_killed_run_goes_on(session, tmp_path, capsys) -> None:
    script = tmp_path / "work.py"
    script.write_text(_WORK)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(session)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)  # ends when the workers have ended as well
    folder = session / "rewards" / "rgbd"
    assert (folder / f"{first[0]}.parquet").is_file()
    done = {file.stem: file.read_bytes() for file in folder.glob("*.parquet")}
    assert main(["relabel", str(session), "--tracker", "rgbd"]) == 0
    assert f"{len(done)} of them known" in capsys.readouterr().out
    assert {file.stem for file in folder.glob("*.parquet")} == set("abc")
    for name, content in done.items():
        assert (folder / f"{name}.parquet").read_bytes() == content
    rows = [read(session / name, "rgbd") for name in "abc"]
    for row in rows[1:]:  # one film: an interruption leaves no trace
        np.testing.assert_array_equal(row.reward, rows[0].reward)


def test_bags_without_pictures_are_named_and_the_others_go_on(session, tmp_path, capsys) -> None:
    blind = ordinary(4).write(tmp_path / "blind", session="s")
    assert main(["relabel", str(blind), str(session / "a"), "--tracker", "rgbd", "--label", "seen"]) == 3
    said = capsys.readouterr().out.replace("\n", " ")
    assert f"skipped {blind}: no frames to judge: nothing was recorded on /camera" in said
    assert "1 episodes" in said
    assert "1 skipped" in said
    assert main(["relabel", str(blind), "--tracker", "rgbd"]) == 1
    assert main(["relabel", str(session), "--weights", "x"]) == 1
    assert "--tracker sam2" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_recorded_distances_are_enough_for_success(tmp_path) -> None:
    recording, success = filmed()
    outcome = "success" if success else "failure"
    bag = recording.write(tmp_path / "a", outcome=outcome, sim_time="lockstep")
    assert main(["relabel", str(bag)]) == 0
    labels = read(bag, "recorded")
    messages = [message for topic, message in recording.messages if topic == "/rfs/reward"]
    np.testing.assert_array_equal(labels.lift, np.array([message.lift for message in messages], np.float32))
    np.testing.assert_array_equal(labels.centroid[:, 2], [message.centroid.z for message in messages])
    total = sum(labels.weights[name] * labels.terms[name] for name in labels.terms)
    np.testing.assert_allclose(labels.reward, total)
    assert success
    assert labels.success.any()


@pytest.mark.usefixtures("undrawn")
def test_a_click_during_the_episode_counts_again(tmp_path) -> None:
    """Two frames without an object to be found: where the operator pointed is tracked from then on."""
    config = tmp_path / "reward.yaml"
    config.write_text("automatic: false\n")
    task, recording = GraspTask(objects=["box"]), FilmedRecording()
    task.reset([5])
    for number in range(4):
        stamp = START + number * PERIOD
        if number == 2:
            rows, columns = np.nonzero(take_picture(task.snapshot(), CAMERA).segmentation == 2)
            recording.point(stamp, float(np.median(columns)), float(np.median(rows)))
        recording.film(stamp, stamp - PERIOD, task)
    bag = recording.write(tmp_path / "s" / "a", sim_time="lockstep")
    assert main(["relabel", str(bag), "--tracker", "rgbd", "--config", str(config)]) == 0
    labels = read(bag, "rgbd")
    assert labels.tracking.tolist() == [Tracking.NONE, Tracking.NONE, Tracking.SEEN, Tracking.SEEN]
    assert np.isnan(labels.reward[:2]).all()
    assert np.linalg.norm(labels.centroid[2] - task.object_pose[0][0]) < 0.03


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kind", ["pixel", "box"])
def test_a_prompt_of_the_service_counts_again_for_the_frame_that_it_was_taken_in(kind, tmp_path) -> None:
    """It is recorded some frames after that one: by then the tracker has looked."""
    config = tmp_path / "reward.yaml"
    config.write_text("automatic: false\n")
    task, recording = GraspTask(objects=["box"]), FilmedRecording()
    task.reset([5])
    rows, columns = np.nonzero(take_picture(task.snapshot(), CAMERA).segmentation == 2)
    for number in range(5):
        recording.film(START + number * PERIOD, START + (number - 1) * PERIOD, task)
    if kind == "pixel":
        recording.prompt(START + 2 * PERIOD, PIXEL, [float(np.median(columns)), float(np.median(rows))])
    else:
        recording.prompt(
            START + 2 * PERIOD, BOX, [*map(float, (columns.min(), rows.min(), columns.max(), rows.max()))]
        )
    bag = recording.write(tmp_path / "s" / "a", sim_time="lockstep")
    assert main(["relabel", str(bag), "--tracker", "rgbd", "--config", str(config)]) == 0
    labels = read(bag, "rgbd")
    assert labels.tracking.tolist() == [Tracking.NONE] * 2 + [Tracking.SEEN] * 3
    assert np.linalg.norm(labels.centroid[2] - task.object_pose[0][0]) < 0.03


@pytest.mark.usefixtures("undrawn")
def test_pictures_of_the_scene_before_are_not_looked_at(short, tmp_path) -> None:
    """In lockstep a recording may begin while the last scene still stands there."""
    late, task = FilmedRecording(), GraspTask(objects=["box"])
    task.reset([9])
    late.film(START - 20 * 10**9, START - 21 * 10**9, task)
    late.messages += short.messages[2:]
    for name, recording in (("late", late), ("clean", short)):
        recording.write(tmp_path / name / "a", sim_time="lockstep")
    assert main(["relabel", str(tmp_path / "late")]) == 0
    assert main(["relabel", str(tmp_path / "late"), str(tmp_path / "clean"), "--tracker", "rgbd"]) == 0
    before, after = (read(tmp_path / name / "a", "rgbd") for name in ("late", "clean"))
    np.testing.assert_array_equal(before.stamp, after.stamp)
    np.testing.assert_array_equal(before.reward, after.reward)
    np.testing.assert_array_equal(read(tmp_path / "late" / "a", "recorded").stamp, after.stamp)


def test_pictures_of_strip_and_progress(session, tmp_path, capsys) -> None:
    strip, plot = tmp_path / "strip.png", tmp_path / "plot.png"
    assert main(["strip", str(session / "a"), "--tracker", "rgbd", "-o", str(strip)]) == 0
    words = [str(session / "a"), str(session / "b")]
    assert main(["plot", *words, "--labels", "recorded", "-o", str(plot)]) == 1
    assert "--label recorded" in capsys.readouterr().err
    assert main(["relabel", *words]) == 0
    assert main(["plot", *words, "--labels", "recorded", "-o", str(plot)]) == 0
    for file in (strip, plot):
        assert file.read_bytes().startswith(b"\x89PNG")
