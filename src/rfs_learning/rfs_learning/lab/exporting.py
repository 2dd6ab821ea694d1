"""Demonstrations in the layout of Isaac Lab's recorder (see `demo_file`), as its own tools read them.

`actions` is what the robot was sent, so that replaying them gives the episode again; what the demonstrator
meant is beside it in rfs/action.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import JOINTS
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console
from rich.progress import track

from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.lab.replayed_states import StateReplay

ENVIRONMENT = "RFS-Grasp-FR3-Leap-v0"
"""As `rfs_isaaclab` registers it."""
_FORMAT = 1  # quaternions xyzw


def export(dataset: DemoDataset, output: Path, console: Console) -> str:
    """Write the dataset to a new file, completely or not at all; returns a line that says what is in it.

    Raises:
        FileExistsError: something is there already.
        ValueError: the dataset is empty, or its task is not known.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists; give another file")
    if not len(dataset):
        raise ValueError(f"{dataset.path} has no episode; make some with './rfs demos'")
    task = TaskConfig.from_dict(dataset.config["task"]) if "task" in dataset.config else None
    replay = StateReplay(task) if task else None
    partial, known = output.with_name(f".{output.name}.partial"), 0
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["format_version"] = _FORMAT
            data = file.create_group("data")
            data.attrs["total"] = dataset.steps
            data.attrs["env_args"] = json.dumps(_environment(dataset, task))
            for index in track(range(len(dataset)), "episodes", console=console):
                episode = dataset.episode(index)
                states = replay.states(episode) if replay else {}
                _write(data.create_group(f"demo_{index}"), episode, states)
                known += any(len(rows) > 1 for rows in states.values())
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return f"{len(dataset)} episodes, {dataset.steps} steps; {known} with the object's states"


def _environment(dataset: DemoDataset, task: TaskConfig | None) -> dict[str, Any]:
    dt = task.timestep if task else 1.0 / dataset.layout.rate_hz
    decimation = task.substeps if task else 1
    return {
        "env_name": ENVIRONMENT,
        "type": 2,
        "sim_args": {"dt": dt, "decimation": decimation, "render_interval": decimation, "num_envs": 1},
        "joint_names": list(JOINTS),
        "rfs": {"layout": dataset.layout.to_json(), "config": dataset.config},
    }


def _write(group: h5py.Group, episode: EpisodeData, states: Mapping[str, NDArray]) -> None:
    group.attrs.update(
        {
            "num_samples": len(episode),
            "seed": episode.seed,
            "success": episode.success,
            "object": episode.object,
        }
    )
    columns = {
        "actions": episode.executed,
        "obs/state": episode.state,
        "obs/point_cloud": episode.point_cloud,
        "rfs/action": episode.action,
        **{f"initial_state/{path}": rows[:1].astype(np.float32) for path, rows in states.items()},
        **{f"states/{path}": rows[1:].astype(np.float32) for path, rows in states.items() if len(rows) > 1},
    }
    for path, rows in columns.items():
        group.create_dataset(path, data=rows, compression="gzip", compression_opts=2)
