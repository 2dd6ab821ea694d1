"""`./rfs dataset import`: what becomes of Isaac Lab's recordings, and what it says of those it cannot use."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab_files import AT_10_HZ, HOME, standing, write
from rfs_control.limits import Limits
from rfs_description.robot import JOINTS
from rfs_learning.dataset import DemoDataset
from rfs_learning.dataset_command import main
from rfs_learning.flow_data import ChunkData
from rfs_learning.lab.importing import ImportChoices, _Importer, import_recording
from rfs_learning.lab.robot_session import follow
from rfs_policy.layout import DELTA_POSE, STATE_COMMAND_FINGERS, STATE_JOINTS
from scipy.spatial.transform import Rotation

from rfs_description import kinematics

RECORDED = Path(__file__).parent / "data" / "isaaclab_recording.hdf5"


def imported(file: Path, *words: str) -> DemoDataset:
    output = file.parent / f"{file.stem}.zarr"
    assert main(["import", str(file), "-o", str(output), *words]) == 0
    return DemoDataset.open(output)


def problem(file: Path, capsys, *words: str) -> str:
    """What is said of a file that cannot be used, and that nothing is left of it."""
    capsys.readouterr()
    before = set(file.parent.iterdir())
    assert main(["import", str(file), "-o", str(file.parent / "no.zarr"), *words]) == 1
    assert set(file.parent.iterdir()) == before
    said = capsys.readouterr()
    return (said.out + said.err).replace("\n", " ")


def test_a_recording_of_isaac_lab_itself(tmp_path):
    """The kept file was written by Isaac Lab 3.0's own classes; see data/README.md."""
    output = tmp_path / "d.zarr"
    assert main(["import", str(RECORDED), "-o", str(output)]) == 0
    dataset, (episode,) = DemoDataset.open(output), [DemoDataset.open(output).episode(0)]
    with h5py.File(RECORDED) as file:
        demo = file["data/demo_0"]
        joints = demo["states/articulation/robot/joint_position"][:]
        actions = demo["actions"][:]
    assert (dataset.layout, len(episode), episode.object) == (DELTA_POSE, len(actions), "box")
    np.testing.assert_array_equal(episode.action, actions)
    np.testing.assert_allclose(episode.executed, actions, atol=1e-6)  # it kept to the limits
    np.testing.assert_array_equal(episode.state[1:, STATE_JOINTS], joints[:-1])
    np.testing.assert_allclose(episode.state[1:, STATE_COMMAND_FINGERS], actions[:-1, 6:], atol=1e-6)
    assert np.isfinite(episode.point_cloud).all()
    data = ChunkData.load([output], DELTA_POSE)  # what './rfs train flow' reads
    assert len(data) == len(actions)


def test_two_imports_at_once_leave_one_of_them(tmp_path, monkeypatch):
    output, run = tmp_path / "d.zarr", _Importer.run

    def meanwhile(importer):
        monkeypatch.setattr(_Importer, "run", run)
        import_recording(RECORDED, output, ImportChoices())
        return run(importer)

    monkeypatch.setattr(_Importer, "run", meanwhile)
    with pytest.raises(OSError, match="not empty"):
        import_recording(RECORDED, output, ImportChoices())
    assert len(DemoDataset.open(output)) == 1
    assert list(tmp_path.iterdir()) == [output]


def test_clouds_show_the_object_where_it_was(tmp_path):
    demo = standing()
    clouds = imported(write(tmp_path / "a.hdf5", {"demo_0": demo})).episode(0).point_cloud
    near = np.linalg.norm(clouds[..., :2] - [0.55, 0.0], axis=2) < 0.08
    assert clouds.shape == (3, 1024, 3)
    assert (near & (clouds[..., 2] < 0.2)).mean() > 0.2


def test_joints_and_poses_in_another_convention(tmp_path):
    """Another order of joints, which the file names; quaternions wxyz; a robot that is not at the origin."""
    expected = imported(write(tmp_path / "a.hdf5", {"demo_0": standing()})).episode(0)
    other, order = standing(), np.random.default_rng(0).permutation(23)
    turn, place = Rotation.from_euler("z", 1.0), np.array([2.0, -1.0, 0.3])
    for part in ("initial_state", "states"):
        other[f"{part}/articulation/robot/joint_position"] = other[
            f"{part}/articulation/robot/joint_position"
        ][:, order]
        for path in ("articulation/robot/root_pose", "rigid_object/object_box/root_pose"):
            pose = other[f"{part}/{path}"]
            quaternion = (turn * Rotation.from_quat(pose[:, 3:])).as_quat()
            moved = turn.apply(pose[:, :3]) + place
            other[f"{part}/{path}"] = np.concatenate([moved, np.roll(quaternion, 1, axis=1)], axis=1)
    environment = AT_10_HZ | {"joint_names": [JOINTS[i] for i in order]}
    file = write(tmp_path / "b.hdf5", {"demo_0": other}, environment, version=None)
    episode = imported(file).episode(0)
    np.testing.assert_allclose(episode.state, expected.state, atol=1e-6)
    np.testing.assert_allclose(episode.point_cloud, expected.point_cloud, atol=1e-4)


def test_joint_targets_become_palm_deltas(tmp_path):
    demo, target = standing(), HOME + np.repeat([0.01, 0.1], [7, 16])
    demo["actions"] = np.tile(target, (3, 1))
    for part in ("initial_state", "states"):
        demo[f"{part}/articulation/robot/joint_position"] = np.tile(
            target, (len(demo[f"{part}/articulation/robot/joint_position"]), 1)
        )
    demo["initial_state/articulation/robot/joint_position"] = HOME[None]
    episode = imported(write(tmp_path / "a.hdf5", {"demo_0": demo})).episode(0)
    start, end = (kinematics.forward(q[:7])[0] for q in (HOME, target))
    np.testing.assert_allclose(episode.action[0, :3], end - start, atol=1e-6)
    np.testing.assert_allclose(episode.action[1, :6], 0.0, atol=1e-6)  # it is there
    np.testing.assert_allclose(episode.action[:, 6:], 0.1, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_executed_actions_lead_along_the_same_commands(seed, size):
    """Whatever was asked for: executing what was executed changes nothing more, and states agree with it."""
    rng = np.random.default_rng(seed)
    there = rng.uniform(-1, 1, size=(2, 22)) * np.repeat([0.045, 0.5, 2.0], [3, 3, 16]) * size
    # There and back: the robot stands still, and a command 8 cm from it would be refused.
    actions = np.stack([there[0], -there[0], there[1], -there[1]])
    joints, limits = np.tile(HOME, (5, 1)), Limits.load()
    states, labels, executed = follow(joints, actions, limits)
    again = follow(joints, executed, limits)
    np.testing.assert_array_equal(labels, actions.astype(np.float32))
    np.testing.assert_allclose(again[2], executed, atol=1e-6)
    np.testing.assert_allclose(again[0], states, atol=1e-6)


def test_failures_are_left_out_and_damaged_episodes_skipped(tmp_path, capsys):
    good, lost, short = standing(), standing(), standing()
    lost["states/articulation/robot/joint_position"][1, 4] = np.nan
    short["states/articulation/robot/joint_position"] = short["actions"][:2]
    file = write(
        tmp_path / "a.hdf5", {"demo_0": lost, "demo_1": good, "demo_2": short, "demo_10": standing()}
    )
    with h5py.File(file, "r+") as opened:
        opened["data/demo_10"].attrs["success"] = False
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 3
    said = capsys.readouterr().out.replace("\n", " ")
    assert "skipped demo_0: demo_0/states/articulation/robot/joint_position is not finite in row 1" in said
    assert "demo_2/states/articulation/robot/joint_position has 2 rows for 3 actions" in said
    assert "1 demonstrations, 3 steps, 1 failures left out, 2 skipped" in said
    assert len(DemoDataset.open(tmp_path / "d.zarr")) == 1
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 1
    assert "exists" in capsys.readouterr().err


def changed(**arrays) -> dict:
    """A good episode with some arrays changed; None leaves one out. '__' stands for '/'."""
    demo = standing() | {name.replace("__", "/"): rows for name, rows in arrays.items()}
    return {name: rows for name, rows in demo.items() if rows is not None}


JOINT = "articulation__robot__joint_position"
EPISODES = {
    "no 'actions'": changed(actions=None),
    "not finite in row 2": changed(actions=np.where(np.arange(3)[:, None] == 2, np.nan, np.zeros((3, 22)))),
    "has no states of a robot": changed(**{f"states__{JOINT}": None}),
    "8 joints, the FR3 with the LEAP hand has 23": changed(
        **{f"initial_state__{JOINT}": np.zeros((1, 8)), f"states__{JOINT}": np.zeros((3, 8))}
    ),
    "out of its range: is it in another joint order": changed(
        **{f"initial_state__{JOINT}": HOME[None, ::-1], f"states__{JOINT}": np.tile(HOME[::-1], (3, 1))}
    ),
    "actions have 7 numbers": changed(actions=np.zeros((3, 7))),
    "cm from where the actions lead": changed(
        actions=np.full((3, 22), 0.03),
        **{f"states__{JOINT}": np.tile(HOME + np.repeat([0.2, 0], [1, 22]), (3, 1))},
    ),
    "no poses of position and unit quaternion": changed(
        states__rigid_object__object_box__root_pose=np.zeros((3, 7))
    ),
    "holds no numbers": changed(actions=np.full((3, 22), b"no")),
    "has 0 rows for 3 actions": changed(**{f"states__{JOINT}": np.float64(3)}),
    "no numbers beside each other": changed(
        **{f"initial_state__{JOINT}": np.zeros(1), f"states__{JOINT}": np.zeros(3)}
    ),
    "no 'actions' of shape": changed(actions=None, actions__inner=np.zeros(3)),
    "name one with --object": changed(
        **{name.replace("/", "__"): None for name in standing() if name.startswith("states")},
        states=np.zeros(3),
    ),
    "does not say which object": changed(
        initial_state__rigid_object__object_box__root_pose=None,
    ),
}


@pytest.mark.parametrize("reason", EPISODES)
def test_what_is_wrong_with_an_episode_is_said(reason, tmp_path, capsys):
    said = problem(write(tmp_path / "a.hdf5", {"demo_0": EPISODES[reason]}), capsys)
    assert reason in said
    assert "no episode could be used" in said


def test_what_is_wrong_with_a_file_is_said(tmp_path, capsys):
    good = write(tmp_path / "a.hdf5", {"demo_0": standing()})
    text = tmp_path / "text.hdf5"
    text.write_text("no")
    assert "is not a whole HDF5 file" in problem(text, capsys)
    cut = tmp_path / "cut.hdf5"
    cut.write_bytes(good.read_bytes()[:-2000])
    assert "is not a whole HDF5 file" in problem(cut, capsys)
    assert "no file" in problem(tmp_path / "nowhere.hdf5", capsys)
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["numbers"] = np.zeros(3)
    assert "has no group 'data'" in problem(tmp_path / "other.hdf5", capsys)
    assert "has no episode" in problem(write(tmp_path / "empty.hdf5", {}), capsys)
    silent = write(tmp_path / "silent.hdf5", {"demo_0": standing()}, {})
    assert "add --rate 10" in problem(silent, capsys)
    assert len(imported(silent, "--rate", "10")) == 1
    fast = {"sim_args": {"dt": 0.005, "decimation": 4}}
    assert "recorded at 50 Hz" in problem(write(tmp_path / "b.hdf5", {"demo_0": standing()}, fast), capsys)
    named = AT_10_HZ | {"joint_names": [f"joint{i}" for i in range(23)]}
    said = problem(write(tmp_path / "c.hdf5", {"demo_0": standing()}, named), capsys)
    assert "'joint_names' in env_args are not the FR3's" in said
    assert "'teapot' is not a known object" in problem(good, capsys, "--object", "teapot")
    with h5py.File(good, "r+") as file:
        file["data"].attrs["env_args"] = "{"
    assert "env_args is not JSON" in problem(good, capsys)


def test_a_damaged_piece_costs_its_episode_only(tmp_path, capsys):
    rows = np.random.default_rng(0).uniform(0.0, 0.01, (200, 22))
    demos = {"demo_0": standing(200) | {"actions": rows}, "demo_1": standing()}
    file = write(tmp_path / "a.hdf5", demos)
    with h5py.File(file, "r+") as opened:
        del opened["data/demo_0/actions"]
        opened["data/demo_0"].create_dataset("actions", data=rows, compression="gzip")
        chunk = opened["data/demo_0/actions"].id.get_chunk_info(0)
    content = bytearray(file.read_bytes())
    content[chunk.byte_offset + 2 : chunk.byte_offset + chunk.size] = bytes(chunk.size - 2)
    file.write_bytes(content)
    assert main(["import", str(file), "-o", str(tmp_path / "d.zarr")]) == 3
    assert "demo_0 cannot be read" in capsys.readouterr().out
    assert len(DemoDataset.open(tmp_path / "d.zarr")) == 1


def test_settings_tell_where_it_came_from(tmp_path):
    dataset = imported(write(tmp_path / "a.hdf5", {"demo_0": standing()}))
    assert dataset.config["imported"] == {"file": "a.hdf5", "env_args": AT_10_HZ}
    assert json.dumps(dataset.config["task"])
