"""Run by Isaac Lab's interpreter: a few steps of the registered environment, as Isaac Lab's scripts make it.

`python env_steps.py FILE` writes what came of them as JSON.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import gymnasium
import numpy as np
import torch
from isaaclab.app import launch_simulation
from isaaclab.cli import load_external_tasks
from isaaclab_tasks.utils import parse_env_cfg

TASK, STEPS = "RFS-Grasp-FR3-Leap-v0", 3


def main() -> None:
    """Make it, step it, and leave at once: Isaac Lab takes long to clean up."""
    torch.set_num_threads(1)
    load_external_tasks()
    cfg = parse_env_cfg(TASK, device="cpu", num_envs=2)
    cfg.objects = ["cylinder", "box"]  # as a command line does
    with launch_simulation(cfg, argparse.Namespace()):
        env = gymnasium.make(TASK, cfg=cfg)
        inner = env.unwrapped
        observation, _ = env.reset(seed=7)
        first = observation["policy"].clone()
        rewards, joints = [], []
        for _ in range(STEPS):
            observation, reward, terminated, truncated, _ = env.step(torch.zeros(2, 22))
            rewards.append(reward.tolist())
            joints.append(inner.task.joint_positions.tolist())
        inner.task.steps[:] = inner.task.config.max_steps - 1  # so that the next step ends the episodes
        _, _, terminated, truncated, _ = env.step(torch.zeros(2, 22))
        report = {
            "shape": list(first.shape),
            "finite": bool(torch.isfinite(observation["policy"]).all()),
            "different": bool(np.any(first[0].numpy() != first[1].numpy())),
            "rewards": rewards,
            "joints": joints,
            "ended": [terminated.tolist(), truncated.tolist()],
            "steps_after": inner.task.steps.tolist(),
            "objects": [spec.name for spec in inner.task.objects],
            "fallen": float(np.abs(inner.task.lift).max()),
            "agent": gymnasium.spec(TASK).kwargs["rsl_rl_cfg_entry_point"],
        }
        Path(sys.argv[1]).write_text(json.dumps(report))
        os._exit(0)


if __name__ == "__main__":
    main()
