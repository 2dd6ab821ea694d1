"""Episodes of the shipped policy with made-up corrections, without ROS: material to time training on."""

from pathlib import Path

import numpy as np
from rfs_learning.transitions import EpisodeTransitions, TransitionDataset, columns_of
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.task_config import TaskConfig


def record(path: Path, episodes: int) -> TransitionDataset:
    """Whole episodes of the task's time limit, so that there are more transitions than a session gives."""
    policy, config = FlowPolicy.load("default"), TaskConfig.default()
    names = object_names("train")
    task = GraspTask(config, episodes, [names[i % len(names)] for i in range(episodes)])
    task.reset(list(range(900_000, 900_000 + episodes)), [spec.name for spec in task.objects])
    rng, ticks = np.random.default_rng(0), []
    for _ in range(round(config.episode_seconds * config.control_rate)):
        ticks.append(_tick(task, policy, rng))
    columns = {name: np.stack([tick[name] for tick in ticks], axis=1) for name in ticks[0]}
    dataset = TransitionDataset.create(path, policy.layout)
    dataset.append([_episode(columns, index, policy) for index in range(episodes)])
    return dataset


def _tick(task: GraspTask, policy: FlowPolicy, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One control step in all environments; each entry (n, ...)."""
    cloud, state, n = task.clouds(), task.state(), task.num_envs
    noise = rng.standard_normal((n, policy.layout.horizon, policy.layout.action_dim), dtype=np.float32)
    output = policy.act(cloud, state, noise)
    residual = np.zeros((n, policy.layout.action_dim), np.float32)
    residual[:, :3] = rng.normal(0, 0.004, (n, 3)) * (rng.random((n, 1)) < 0.15)
    action = output.base_action[:, 0] + residual
    result = task.step(action.astype(np.float64))
    return {
        "point_cloud": cloud,
        "state": state,
        "base_chunk": output.base_action,
        "base_action": output.base_action[:, 0],
        "human_residual": residual,
        "action": action,
        "noise": noise,
        "reward": result.reward,
    }


def _episode(columns: dict[str, np.ndarray], index: int, policy: FlowPolicy) -> EpisodeTransitions:
    length = columns["reward"].shape[1]
    made = {name: np.zeros((length, *c.shape), c.dtype) for name, c in columns_of(policy.layout).items()}
    for name, values in columns.items():
        made[name][:] = values[index]
    made["transition"][:-1] = True
    outcome = "success" if index % 2 else "failure"
    contract = {"object": "made up", "outcome": outcome, "checkpoint": policy.id}
    return EpisodeTransitions(made, contract, f"made_up_{index}", index, {})
