"""What Isaac Lab's own RecorderManager writes of an environment of managers becomes a dataset."""

from pathlib import Path

import numpy as np
from lab_environment import require_isaaclab, run_in_isaaclab
from rfs_learning.dataset import DemoDataset
from rfs_learning.dataset_command import main
from rfs_learning.expert import Expert
from rfs_policy.layout import STATE_JOINTS
from rfs_sim_bridge.grasp_task import GraspTask

require_isaaclab()

OBJECT, SEED = "bottle", 4


def expert_episode() -> dict[str, np.ndarray]:
    """Joint targets of a scripted grasp, and where it begins."""
    task = GraspTask(objects=[OBJECT], threads=1)
    expert, targets = Expert(task), []
    task.reset([SEED], [OBJECT])
    expert.reset([0], [SEED])
    position, quaternion = task.object_pose
    begun = {"joints": task.joint_positions[0].copy(), "pose": np.concatenate([position[0], quaternion[0]])}
    while not task.success[0]:
        task.step(expert.act())
        targets.append(task.joint_targets[0].copy())
    return begun | {"targets": np.array(targets), "object": np.array(OBJECT)}


def test_a_recorded_episode_becomes_a_dataset(tmp_path: Path) -> None:
    episode = expert_episode()
    np.savez(tmp_path / "episode.npz", **episode)
    script = Path(__file__).with_name("recorder_session.py")
    run_in_isaaclab(script, str(tmp_path / "episode.npz"), str(tmp_path / "recorded.hdf5"))
    assert main(["import", str(tmp_path / "recorded.hdf5"), "-o", str(tmp_path / "d.zarr")]) == 0
    read = DemoDataset.open(tmp_path / "d.zarr").episode(0)
    assert (read.object, len(read.action)) == (OBJECT, len(episode["targets"]))
    np.testing.assert_allclose(read.state[0, STATE_JOINTS], episode["joints"], atol=1e-6)
    np.testing.assert_allclose(read.action[:, 6:], episode["targets"][:, 7:], atol=1e-6)
