"""Small settings for tests of reinforcement learning: one sphere, half a second, untrained bases."""

from dataclasses import replace

import torch
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.flow_base import empty_base
from rfs_learning.rl.ingredients import Ingredients
from rfs_learning.rl.rl_config import RlConfig, RlTask
from rfs_sim_bridge.observations import PRIVILEGED_NAMES

RATE = 10.0


def tiny_config(**ppo: object) -> RlConfig:
    """Three environments of six control steps."""
    config = RlConfig.load()
    task = replace(config.task("power").task, control_rate=RATE, episode_seconds=0.6)
    small = {"environments": 3, "control_steps": 54, "epochs": 2, "mini_batches": 2, "hidden": (8,), **ppo}
    return replace(
        config,
        tasks={"power": RlTask("power", ("sphere",), task)},
        base=replace(config.base, width=16, depth=2, push_steps=2),
    ).with_ppo(**small)


def untrained(config: RlConfig) -> Ingredients:
    """Random demonstrations of 200 steps, and bases with random weights."""
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(200, len(PRIVILEGED_NAMES), generator=generator)
    demonstrations = Demonstrations(
        observations=observations,
        actions=0.1 * torch.randn(200, 22, generator=generator),
        episode_ends=torch.tensor([100, 200]),
        objects=("sphere", "sphere"),
        rate=RATE,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        hand, hand_arm = (empty_base(kind, config.base, RATE).eval() for kind in ("hand", "hand_arm"))
    return Ingredients(demonstrations, hand, hand_arm)
