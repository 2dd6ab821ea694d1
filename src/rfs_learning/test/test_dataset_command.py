"""`./rfs dataset`: what it keeps and skips, how it goes on, what it says, and what LeRobot gets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from recorded_episode import PERIOD, START, Recording, ordinary  # noqa: E402
from rfs_learning.dataset_command import main  # noqa: E402
from rfs_learning.lerobot_export import _COPIED  # noqa: E402
from rfs_learning.replay import writing  # noqa: E402
from rfs_learning.transitions import TransitionDataset  # noqa: E402

from rfs_learning import dataset_build, lerobot_export  # noqa: E402


@pytest.fixture
def bags(tmp_path) -> Path:
    """Three good bags of two sessions; the third has a hold in its middle and an unlogged a0."""
    folder = tmp_path / "bags"
    ordinary(5, 0, corrected=2, success=True).write(
        folder / "s1" / "a", object="mug", outcome="success", session="s1", operator="ada", robot="target 1"
    )
    ordinary(4, 1).write(folder / "s1" / "b", START + 1, object="mug", session="s1", operator="ada")
    broken = ordinary(3, 2)
    broken.executed(START + 3 * PERIOD, state=0)
    for number in range(4, 7):
        stamp = START + number * PERIOD
        broken.tick(stamp, stamp - PERIOD)
    for topic, message in broken.messages:
        if topic == "/rfs/policy_action":
            message.noise = []
    broken.write(folder / "s2" / "a", object="small_box", session="s2", operator="bob", robot="hardware")
    return folder


@pytest.fixture
def dataset(bags, tmp_path) -> TransitionDataset:
    assert main(["build", str(bags), "-o", str(tmp_path / "d.zarr")]) == 0
    return TransitionDataset.open(tmp_path / "d.zarr")


def test_batches_follow_chains(dataset):
    rows = dataset.rows()
    assert len(dataset) == 3
    assert dataset.episode_ends.tolist() == [5, 9, 15]
    assert rows.tolist() == [0, 1, 2, 3, 5, 6, 7, 9, 10, 12, 13]
    assert dataset.dropped() == {"no successor": 1}
    batch = dataset.batch([13, 0, 13])
    state, cloud = dataset.array("state")[:], dataset.array("point_cloud")[:]
    np.testing.assert_array_equal(batch.state, state[[13, 0, 13]])
    np.testing.assert_array_equal(batch.next_state, state[[14, 1, 14]])
    np.testing.assert_array_equal(batch.next_cloud, cloud[[14, 1, 14]])
    np.testing.assert_array_equal(
        batch.action, batch.base_action + dataset.array("human_residual")[:][[13, 0, 13]]
    )
    assert batch.intervened.tolist() == [False, True, False]
    assert np.isnan(batch.noise[0]).all()
    assert np.isfinite(batch.noise[1]).all()
    assert dataset.batch([3]).done.tolist() == [True]
    with pytest.raises(ValueError, match="no transition begins at row 4"):
        dataset.batch([4])


def modulated(name: str, seed: int) -> Recording:
    """An ordinary episode in which a modulation acted."""
    recording = ordinary(3, seed)
    for topic, message in recording.messages:
        if topic == "/rfs/policy_action":
            message.modulation = name
    return recording


def test_which_modulation_acted_is_noted(bags, tmp_path, capsys):
    modulated("m" * 64, 5).write(bags / "s3" / "a", session="s3", modulation="m" * 64)
    assert main(["build", str(bags), "-o", str(tmp_path / "d.zarr")]) == 0
    dataset = TransitionDataset.open(tmp_path / "d.zarr")
    assert dataset.modulations() == {"": 3, "m" * 64: 1}
    assert main(["info", str(tmp_path / "d.zarr")]) == 0
    assert "none in 3 episodes, mmmmmmmmmmmm in 1 episodes" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "d.zarr"), "--json", str(tmp_path / "d.json")]) == 0
    assert json.loads((tmp_path / "d.json").read_text())["modulations"] == {"": 3, "m" * 64: 1}


def test_an_older_dataset_takes_no_bag_of_a_modulation(bags, dataset, tmp_path, capsys):
    shutil.rmtree(dataset.path / "meta" / "modulation")
    assert TransitionDataset.open(dataset.path).modulations() == {"": 3}
    modulated("m" * 64, 5).write(bags / "s3" / "a", session="s3", modulation="m" * 64)
    ordinary(3, 6).write(bags / "s3" / "b", START + 1, session="s3")
    assert main(["build", str(bags), "-o", str(dataset.path)]) == 3
    assert "which this older dataset cannot note" in capsys.readouterr().out.replace("\n", " ")
    assert len(TransitionDataset.open(dataset.path)) == 4


def test_unusable_bags_are_skipped_with_a_reason(bags, tmp_path, capsys):
    whole = (bags / "s1" / "b" / "b_0.mcap").read_bytes()
    half = len(whole) // 2  # in the middle of the messages
    flipped = whole[:half] + bytes(~byte & 255 for byte in whole[half : half + 8]) + whole[half + 8 :]
    damaged = {"cut": whole[:half], "flipped": flipped, "text": b"no"}
    for name, content in damaged.items():
        (bags / name).mkdir()
        (bags / name / "metadata.yaml").touch()
        (bags / name / f"{name}_0.mcap").write_bytes(content)
    (bags / "sqlite").mkdir()
    (bags / "sqlite" / "metadata.yaml").touch()
    ordinary(3).write(bags / "unwanted", outcome="discarded")
    exchanged = modulated("m" * 64, 0)
    exchanged.messages += modulated("n" * 64, 0).messages
    exchanged.write(bags / "exchanged")
    ordinary(3).write(bags / "zz_faster", rate_hz="20.0")
    Recording().write(bags / "still")
    assert main(["build", str(bags), "-o", str(tmp_path / "d.zarr")]) == 3
    said = capsys.readouterr().out.replace("\n", " ")
    reasons = {
        "cut": "damaged",
        "flipped": "damaged",
        "text": "damaged",
        "sqlite": "no .mcap file",
        "unwanted": "discarded it",
        "exchanged": "several policies acted in it",
        "zz_faster": "rate_hz",
        "still": "never acted",
    }
    for name, reason in reasons.items():
        assert f"skipped {bags / name}" in said
        assert reason in said.split(f"skipped {bags / name}:")[1].split("skipped")[0]
    assert "3 episodes added, 8 skipped" in said
    assert len(TransitionDataset.open(tmp_path / "d.zarr")) == 3


def test_a_foreign_bag_and_nothing_usable(tmp_path, capsys):
    bag = ordinary(3).write(tmp_path / "foreign")
    content = (bag / "foreign_0.mcap").read_bytes()
    (bag / "foreign_0.mcap").write_bytes(
        content.replace(b"rfs_msgs/msg/PolicyAction", b"abc_msgs/msg/PolicyAction")
    )
    assert main(["build", str(bag), "-o", str(tmp_path / "d.zarr")]) == 1
    assert "no bag could be used" in capsys.readouterr().out
    assert not (tmp_path / "d.zarr").exists()
    assert main(["build", str(tmp_path / "nowhere"), "-o", str(tmp_path / "d.zarr")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_building_goes_on_where_it_was_interrupted(bags, tmp_path, monkeypatch, capsys):
    output, read, seen = tmp_path / "d.zarr", dataset_build.read_episode, []

    def interrupted(bag, *others):
        seen.append(bag.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(bag, *others)

    monkeypatch.setattr(dataset_build, "read_episode", interrupted)
    assert main(["build", str(bags), "-o", str(output)]) == 130
    assert len(TransitionDataset.open(output)) == 2
    assert main(["build", str(bags), "-o", str(output)]) == 0
    assert "1 episodes added, 2 were in it" in capsys.readouterr().out
    assert len(seen) == 4, "a bag that was in the dataset was read again"
    again = TransitionDataset.open(output)
    assert main(["build", str(bags), "-o", str(tmp_path / "whole.zarr")]) == 0
    whole = TransitionDataset.open(tmp_path / "whole.zarr")
    for name in ("point_cloud", "state", "executed", "noise", "transition", "object", "session"):
        np.testing.assert_array_equal(again.array(name)[:], whole.array(name)[:])


def test_a_recording_enters_once_however_it_is_called(bags, tmp_path, capsys):
    bag, output = bags / "s1" / "b", tmp_path / "d.zarr"
    assert main(["build", str(bag / "b_0.mcap"), str(bags / "s1"), "-o", str(output)]) == 0
    shutil.copytree(bag, tmp_path / "copies" / "of b")
    assert main(["build", str(bags), str(tmp_path / "copies"), "-o", str(output)]) == 0
    assert "1 episodes added, 3 were in it" in capsys.readouterr().out.replace("\n", " ")
    assert len(TransitionDataset.open(output)) == 3


def test_two_builds_do_not_write_one_dataset(bags, tmp_path, capsys):
    output = tmp_path / "d.zarr"
    with writing(output):
        assert main(["build", str(bags), "-o", str(output)]) == 1
    assert f"another process is writing {output}" in capsys.readouterr().err
    assert not output.exists()
    assert main(["build", str(bags), "-o", str(output)]) == 0
    assert not list(output.rglob(".lock"))


def test_episodes_of_one_outcome_alone(bags, tmp_path, capsys):
    assert main(["build", str(bags), "-o", str(tmp_path / "s.zarr"), "--outcome", "success"]) == 0
    assert "2 of another outcome left out; 1 episodes" in capsys.readouterr().out.replace("\n", " ")
    assert [str(o) for o in TransitionDataset.open(tmp_path / "s.zarr").array("outcome")[:]] == ["success"]
    assert main(["build", str(bags), "-o", str(tmp_path / "s.zarr")]) == 0  # the others join them
    assert len(TransitionDataset.open(tmp_path / "s.zarr")) == 3


def test_info_tells_what_is_in_it(dataset, tmp_path, capsys):
    assert main(["info", str(dataset.path), "--json", str(tmp_path / "info.json")]) == 0
    info = json.loads((tmp_path / "info.json").read_text())
    assert info["episodes"] == 3
    assert info["transitions"] == 11
    assert info["outcomes"] == {"mug": {"success": 1, "failure": 1}, "small_box": {"failure": 1}}
    assert info["corrected"] == {"transitions": 2, "share": pytest.approx(2 / 11)}
    assert info["residuals"]["translation_x_mm"]["mean"] == pytest.approx(10.0)
    assert sum(info["residuals"]["largest_finger_rad"]["counts"]) == 2
    assert info["cadence_ms"] == {"p50": 100.0, "p99": 100.0}
    assert info["dropped"] == {"no successor": 1}
    assert info["contract"]["operators"] == ["ada", "bob"]
    assert info["contract"]["sessions"] == ["s1", "s2"]
    assert info["contract"]["robots"] == ["hardware", "target 1"]
    assert set(info["actions"]) == set(dataset.layout.action_names)
    said = capsys.readouterr().out
    for words in ("2 corrected (18.2 %)", "small_box", "translation_z_mm", "palm_rotation_y", "p99 100.0 ms"):
        assert words in said
    assert main(["info", str(tmp_path)]) == 1
    assert "not a transition dataset" in capsys.readouterr().err
    TransitionDataset.create(tmp_path / "empty.zarr", dataset.layout)
    for command in (["info"], ["export", "--format", "lerobot", "-o", str(tmp_path / "lerobot")]):
        assert main([command[0], str(tmp_path / "empty.zarr"), *command[1:]]) == 1
        assert "no episode" in capsys.readouterr().err


def test_building_imports_no_torch(bags, tmp_path):
    """Torch alone takes more memory than a whole build."""
    code = (
        "import sys; from rfs_learning.dataset_command import main; "
        f"status = main(['build', {str(bags)!r}, '-o', {str(tmp_path / 'd.zarr')!r}]); "
        "sys.exit('torch came along' if 'torch' in sys.modules else status)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def exported(dataset, tmp_path) -> Path:
    assert main(["export", str(dataset.path), "--format", "lerobot", "-o", str(tmp_path / "lerobot")]) == 0
    return tmp_path / "lerobot"


def test_lerobot_layout(dataset, exported):
    info = json.loads((exported / "meta" / "info.json").read_text())
    rows = dataset.rows()
    table = pq.read_table(exported / info["data_path"].format(chunk_index=0, file_index=0))
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 10)
    assert info["total_frames"] == table.num_rows == len(rows)
    assert set(table.column_names) == set(info["features"])
    for feature, source in _COPIED.items():
        stored = np.stack(table[feature].to_numpy())
        expected = dataset.array(source)[:][rows].reshape(stored.shape)
        np.testing.assert_array_equal(stored, expected)
        assert str(stored.dtype) == info["features"][feature]["dtype"]
        assert info["features"][feature]["shape"] == [max(1, stored[0].size)]
    episodes = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    # Frames of an episode are one period apart, so the hold makes two of the third one.
    assert [e["length"] for e in episodes] == [4, 3, 2, 2]
    assert [e["bag"] for e in episodes] == ["a", "b", "a", "a"]
    assert info["total_episodes"] == 4
    for number, episode in enumerate(episodes):
        part = table.slice(episode["dataset_from_index"], episode["length"])
        assert set(part["episode_index"].to_pylist()) == {number}
        assert part["frame_index"].to_pylist() == list(range(episode["length"]))
        np.testing.assert_allclose(part["timestamp"], np.arange(episode["length"]) / 10, atol=1e-6)
    tasks = pq.read_table(exported / "meta/tasks.parquet").to_pylist()
    names = {task["task_index"]: task["__index_level_0__"] for task in tasks}
    assert [names[i] for i in table["task_index"].to_pylist()] == ["grasp the mug"] * 7 + [
        "grasp the small box"
    ] * 4
    stats = json.loads((exported / "meta" / "stats.json").read_text())
    actions = dataset.array("executed")[:][rows]
    np.testing.assert_allclose(stats["action"]["mean"], actions.mean(0), atol=1e-6)
    np.testing.assert_allclose(stats["action"]["std"], actions.std(0), atol=1e-6)
    assert stats["action"]["count"] == [len(rows)]


def test_lerobot_files_of_limited_size(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot_export, "_FILE_BYTES", 60_000)
    monkeypatch.setattr(lerobot_export, "_FILES_PER_CHUNK", 2)
    assert main(["export", str(dataset.path), "--format", "lerobot", "-o", str(tmp_path / "lerobot")]) == 0
    episodes = pq.read_table(tmp_path / "lerobot/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    places = [(e["data/chunk_index"], e["data/file_index"]) for e in episodes]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 0)]
    for chunk, file in set(places):
        name = lerobot_export.DATA_FILE.format(chunk_index=chunk, file_index=file)
        wanted = [
            e["episode_index"] for e, place in zip(episodes, places, strict=True) if place == (chunk, file)
        ]
        assert sorted(set(pq.read_table(tmp_path / "lerobot" / name)["episode_index"].to_pylist())) == wanted


def test_an_export_does_not_overwrite(dataset, exported, capsys):
    assert main(["export", str(dataset.path), "--format", "lerobot", "-o", str(exported)]) == 1
    assert "exists" in capsys.readouterr().err


def test_lerobot_reads_it(dataset, exported):
    pytest.importorskip(
        "lerobot", reason="lerobot is not installed here; it would pull a CUDA build of torch"
    )
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    loaded = LeRobotDataset("local/check", root=exported)
    assert len(loaded) == len(dataset.rows())
    for index, row in enumerate(dataset.rows()):
        for feature, source in _COPIED.items():
            expected = dataset.array(source)[row]
            np.testing.assert_array_equal(loaded[index][feature].numpy().reshape(expected.shape), expected)
