"""Run by Isaac Lab's own Python: writes and reads recordings with Isaac Lab's own classes.

    python lab_recorder.py write EPISODE.npz FILE.hdf5     as its RecorderManager does, step by step
    python lab_recorder.py read FILE.hdf5 OUTPUT.npz       all that its handler loads of each episode

Several such triples of words do one thing after the other.

The arrays of EPISODE.npz: actions (T, D), and the states (T + 1, ...) of a scene by path.
"""

import sys

import numpy as np
import torch
from isaaclab.utils.datasets import EpisodeData, HDF5DatasetFileHandler

SIMULATION = {"sim_args": {"dt": 0.05, "decimation": 2, "render_interval": 2, "num_envs": 1}}


def write(source: str, output: str) -> None:
    arrays = {name: torch.as_tensor(rows) for name, rows in np.load(source).items()}
    actions = arrays.pop("actions")
    episode = EpisodeData()
    for path, rows in arrays.items():
        episode.add(f"initial_state/{path}", rows[0])
    for step, action in enumerate(actions):
        episode.add("actions", action)
        episode.add("obs/joint_pos", arrays["articulation/robot/joint_position"][step])
        for path, rows in arrays.items():
            episode.add(f"states/{path}", rows[step + 1])
    episode.seed, episode.success = 0, True
    episode.pre_export()
    handler = HDF5DatasetFileHandler()
    handler.create(output, env_name="RFS-Grasp-FR3-Leap-v0")
    handler.add_env_args(SIMULATION)
    handler.write_episode(episode)
    handler.flush()
    handler.close()


def read(source: str, output: str) -> None:
    handler = HDF5DatasetFileHandler()
    handler.open(source)
    loaded: dict[str, np.ndarray] = {}
    for name in handler.get_episode_names():
        episode = handler.load_episode(name, "cpu")
        loaded |= {f"{name}/{path}": rows.numpy() for path, rows in flat(episode.data)}
        loaded[f"{name}.success"], loaded[f"{name}.seed"] = episode.success, episode.seed
        state = episode.get_state(len(episode.data["actions"]) - 1)
        loaded[f"{name}.last_object"] = state["rigid_object"]["object_cylinder"]["root_pose"].numpy()
    np.savez(output, **loaded)


def flat(data: dict, prefix: str = "") -> list[tuple[str, torch.Tensor]]:
    found = []
    for key, value in data.items():
        path = f"{prefix}{key}"
        found += flat(value, f"{path}/") if isinstance(value, dict) else [(path, value)]
    return found


if __name__ == "__main__":
    for first in range(1, len(sys.argv), 3):
        {"write": write, "read": read}[sys.argv[first]](*sys.argv[first + 1 : first + 3])
