"""With Isaac Lab's own classes, in its own Python: what it records is read, what is exported it reads."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.dataset_command import main
from rfs_learning.demos import DemoConfig, collect
from rfs_learning.lab.replayed_states import StateReplay
from rfs_policy.layout import STATE_JOINTS
from rfs_sim_bridge.task_config import TaskConfig

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-isaaclab" / "bin" / "python"
SCRIPT = Path(__file__).with_name("lab_recorder.py")

pytestmark = pytest.mark.skipif(
    not list(ROOT.glob(".venv-isaaclab/lib/python3.*/site-packages/isaaclab/utils/datasets")),
    reason="Isaac Lab is not installed: ./rfs setup isaaclab",
)


@dataclass(frozen=True)
class Exchange:
    """A demonstration and its states, the same recorded by Isaac Lab, and what it read of our export."""

    episode: EpisodeData
    states: dict[str, np.ndarray]
    recorded: Path
    read: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory) -> Exchange:
    """In one process: to import Isaac Lab takes long."""
    folder = tmp_path_factory.mktemp("lab")
    config = DemoConfig(count=1, objects=("cylinder",), envs=1, threads=1)
    dataset = collect(config, folder / "d.zarr")
    episode = dataset.episode(0)
    states = StateReplay(TaskConfig.from_dict(dataset.config["task"])).states(episode)
    rows = {path: values.astype(np.float32) for path, values in states.items()}
    np.savez(folder / "episode.npz", actions=episode.executed, **rows)
    assert main(["export", str(dataset.path), "--format", "isaaclab", "-o", str(folder / "our.hdf5")]) == 0
    words = ["write", "episode.npz", "recorded.hdf5", "read", "our.hdf5", "read.npz"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [str(PYTHON), str(SCRIPT), *words]
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stderr
    return Exchange(episode, rows, folder / "recorded.hdf5", dict(np.load(folder / "read.npz")))


def test_what_isaac_lab_records_is_read(exchange, tmp_path):
    assert main(["import", str(exchange.recorded), "-o", str(tmp_path / "d.zarr")]) == 0
    read = DemoDataset.open(tmp_path / "d.zarr").episode(0)
    np.testing.assert_array_equal(read.action, exchange.episode.executed)
    joints = exchange.states["articulation/robot/joint_position"]
    np.testing.assert_array_equal(read.state[:, STATE_JOINTS], joints[:-1])
    np.testing.assert_allclose(read.state, exchange.episode.state, atol=0.01)


def test_isaac_lab_reads_an_export(exchange):
    episode, read = exchange.episode, exchange.read
    np.testing.assert_array_equal(read["demo_0/actions"], episode.executed)
    np.testing.assert_array_equal(read["demo_0/obs/point_cloud"], episode.point_cloud)
    joints = read["demo_0/initial_state/articulation/robot/joint_position"]
    np.testing.assert_array_equal(joints[0], episode.state[0, STATE_JOINTS])
    assert read["demo_0.success"]
    assert read["demo_0.seed"] == episode.seed
    assert read["demo_0.last_object"][0, 2] > 0.2
