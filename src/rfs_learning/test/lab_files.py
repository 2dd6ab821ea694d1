"""Small recordings in Isaac Lab's layout, to be damaged by tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import ARM_HOME, HAND_HOME

HOME = np.concatenate([ARM_HOME, HAND_HOME])
AT_10_HZ = {"sim_args": {"dt": 0.05, "decimation": 2}}


def standing(steps: int = 3) -> dict[str, NDArray]:
    """Actions and states of a robot that stands still at home beside a box, by path."""
    actions = np.zeros((steps, 22))
    pose = np.array([0.55, 0.0, 0.06, 0.0, 0.0, 0.0, 1.0])
    rest = np.array([0.0, 0, 0, 0, 0, 0, 1])
    rows = {
        "articulation/robot/root_pose": rest,
        "articulation/robot/joint_position": HOME,
        "rigid_object/object_box/root_pose": pose,
    }
    recorded = {f"initial_state/{path}": row[None] for path, row in rows.items()}
    recorded |= {f"states/{path}": np.tile(row, (steps, 1)) for path, row in rows.items()}
    return {"actions": actions, **recorded}


def write(
    path: Path,
    demos: Mapping[str, Mapping[str, NDArray]],
    environment: Mapping[str, Any] = AT_10_HZ,
    version: int | None = 1,
    **attributes: Any,
) -> Path:
    """A file of these episodes; attributes go to each of them."""
    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["format_version"] = version
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(environment)
        for name, arrays in demos.items():
            group = data.create_group(name)
            group.attrs.update(attributes)
            for item, rows in arrays.items():
                group.create_dataset(item, data=rows)
    return path
