"""Few and noisy demonstrations of the scripted expert, from which the frozen flow policy is trained."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rfs_policy.checkpoint import write_atomically
from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_objects
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rfs_learning.expert import Expert, ExpertConfig
from rfs_learning.rl.rl_config import SEEDS_A_SET, DemonstrationConfig

FORMAT = "rfs-demonstrations"
_SIDE_BY_SIDE = 64
_TRIES = 6  # attempts per wanted demonstration before giving up on an object
_TAIL_SECONDS = 0.2  # kept after success: the policy should learn to hold still


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """E successful episodes of T steps in all, one after the other.

    observations: (T, P) float32, columns `PRIVILEGED_NAMES`, SI units. actions: (T, 22) float32, what the
    expert chose there, layout `delta_pose_22`, m and rad. episode_ends: (E,) int64, the row after each
    episode's last. objects: (E,) names. rate: Hz.
    """

    observations: Tensor
    actions: Tensor
    episode_ends: Tensor
    objects: tuple[str, ...]
    rate: float

    def chunks(self, horizon: int) -> Tensor:
        """(T, horizon, 22): the actions from each step on; an episode's last one repeats where it ends."""
        steps = torch.arange(len(self.actions))
        last = self.episode_ends[torch.searchsorted(self.episode_ends, steps, right=True)] - 1
        ahead = steps[:, None] + torch.arange(horizon)
        return self.actions[torch.minimum(ahead, last[:, None])]

    def save(self, path: str | os.PathLike[str]) -> None:
        """One safetensors file, written beside `path` and renamed."""
        header = {"names": PRIVILEGED_NAMES, "layout": DELTA_POSE.name, "rate": self.rate}
        metadata = {FORMAT: json.dumps({**header, "objects": self.objects})}
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        write_atomically(Path(path), save(tensors, metadata))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Demonstrations":
        """What `save` wrote, bit for bit.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: truncated, something else, or of another observation or action layout.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"no demonstrations at '{path}': give another path or collect them")
        try:
            with safe_open(path, framework="pt") as stream:
                metadata = stream.metadata() or {}
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ValueError(f"'{path}' is truncated or no safetensors file: collect it again") from error
        if FORMAT not in metadata or set(tensors) != set(_TENSORS):
            raise ValueError(
                f"'{path}' is a safetensors file, but holds no demonstrations: give another path"
            )
        header = json.loads(metadata[FORMAT])
        if tuple(header["names"]) != PRIVILEGED_NAMES or header["layout"] != DELTA_POSE.name:
            raise ValueError(
                f"'{path}' holds other observations or actions than are used now: collect it again"
            )
        return cls(**tensors, objects=tuple(header["objects"]), rate=header["rate"])


_TENSORS = ("observations", "actions", "episode_ends")


@dataclass(frozen=True)
class _Episode:
    """One attempt: observations (t, P), actions (t, 22)."""

    observations: NDArray[np.float32]
    actions: NDArray[np.float32]
    success: bool


def collect(objects: Sequence[str], task: TaskConfig, config: DemonstrationConfig) -> Demonstrations:
    """`config.count` successes of the expert, spread evenly over the objects.

    For each object they are those of its lowest episode seeds, whatever ran side by side.

    Args:
        task: of the reinforcement learning; only its control rate, timestep and episode length count here, as
            demonstrations come from the nominal physics.

    Raises:
        ValueError: unknown object, nothing wanted, or the expert fails too often on an object.
    """
    if config.count < 1:
        raise ValueError(f"demonstrations.count is {config.count}: at least 1 is needed")
    nominal, names = nominal_task(task), list(dict.fromkeys(spec.name for spec in find_objects(objects)))
    share, rest = divmod(config.count, len(names))
    wanted = {name: share + (i < rest) for i, name in enumerate(names)}
    tried: dict[str, list[_Episode]] = {name: [] for name in names}
    while jobs := _jobs(wanted, tried, nominal, config):
        for start in range(0, len(jobs), _SIDE_BY_SIDE):
            batch = jobs[start : start + _SIDE_BY_SIDE]
            for (name, _), episode in zip(batch, _attempts(batch, nominal, config), strict=True):
                tried[name].append(episode)
    return _joined({name: [e for e in tried[name] if e.success] for name in names}, nominal.control_rate)


def nominal_task(task: TaskConfig) -> TaskConfig:
    """The packaged task (task.yaml), at full speed, with another task's control rate, timestep and episode
    length."""
    return replace(
        TaskConfig.default(),
        control_rate=task.control_rate,
        timestep=task.timestep,
        episode_seconds=task.episode_seconds,
    )


def _jobs(
    wanted: dict[str, int], tried: dict[str, list[_Episode]], task: TaskConfig, config: DemonstrationConfig
) -> list[tuple[str, int]]:
    """(object, seed) of the next attempts: as many for each object as it still lacks successes."""
    jobs = []
    for name, episodes in tried.items():
        won, count = sum(e.success for e in episodes), len(episodes)
        if won < wanted[name] and count >= _TRIES * wanted[name] + 8:
            raise ValueError(
                f"the expert succeeded on '{name}' in {won} of {count} episodes at {task.control_rate:g} Hz "
                f"with noise {config.noise:g}, {wanted[name]} demonstrations are wanted: lower "
                "demonstrations.noise or leave the object out"
            )
        first = SEEDS_A_SET * config.seed + count
        jobs += [(name, first + i) for i in range(wanted[name] - won)]
    return jobs


def _attempts(
    jobs: Sequence[tuple[str, int]], config: TaskConfig, demonstrations: DemonstrationConfig
) -> list[_Episode]:
    """The expert's episodes of these (object, seed), side by side."""
    names, seeds = [name for name, _ in jobs], [seed for _, seed in jobs]
    task = GraspTask(config, len(jobs), names, threads=1)
    task.reset(seeds, names)
    expert = Expert(task, demonstrations.seed, ExpertConfig(noise=demonstrations.noise))
    expert.reset(range(len(jobs)), seeds)
    tail = round(_TAIL_SECONDS * config.control_rate)
    rows: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    lengths = np.zeros(len(jobs), int)
    after = np.zeros(len(jobs), int)  # steps since success
    while len(rows) < config.max_steps and (after < tail).any():
        after += task.success
        action = expert.act()
        rows.append((task.privileged(), action.astype(np.float32)))
        lengths += after <= tail
        task.step(action)
    observations, actions = (np.stack(column, axis=1) for column in zip(*rows, strict=True))
    episodes = zip(observations, actions, lengths, task.success, strict=True)
    return [_Episode(o[:length], a[:length], bool(success)) for o, a, length, success in episodes]


def _joined(kept: dict[str, list[_Episode]], rate: float) -> Demonstrations:
    episodes = [episode for name in kept for episode in kept[name]]
    return Demonstrations(
        observations=torch.from_numpy(np.concatenate([e.observations for e in episodes])),
        actions=torch.from_numpy(np.concatenate([e.actions for e in episodes])),
        episode_ends=torch.tensor([len(e.actions) for e in episodes]).cumsum(0),
        objects=tuple(name for name in kept for _ in kept[name]),
        rate=rate,
    )
