"""The rows of the paper's table 1, and the action space of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.flow_base import FlowBase, empty_base
from rfs_learning.rl.ingredients import Ingredients
from rfs_learning.rl.joint_spaces import AbsoluteJoints, RelativeJoints
from rfs_learning.rl.pca_space import PcaSpace
from rfs_learning.rl.rl_config import RlConfig, RlTask
from rfs_learning.rl.steering_spaces import FlowSteering
from rfs_learning.rl.vqvae_space import VqVaeSpace

MeanStd = tuple[float, float]
Build = Callable[[Ingredients, RlConfig, RlTask], ActionSpace]
Empty = Callable[[RlConfig, RlTask], ActionSpace]


@dataclass(frozen=True)
class Method:
    """One row: its label, the paper's success over all, pinch and power grasps (mean, standard deviation),
    how its action space is made, and how an empty one, to load weights into."""

    label: str
    overall: MeanStd
    pinch: MeanStd
    power: MeanStd
    build: Build
    empty: Empty


def _joints(kind: type[AbsoluteJoints] | type[RelativeJoints]) -> tuple[Build, Empty]:
    def empty(config: RlConfig, task: RlTask) -> ActionSpace:
        return kind(config.steering, task.task.control_rate)

    return lambda _, config, task: empty(config, task), empty


def _steering(arm: bool, latent: bool, residual: bool, **choices: Any) -> tuple[Build, Empty]:
    def over(base: FlowBase, config: RlConfig, task: RlTask) -> ActionSpace:
        rate = task.task.control_rate
        return FlowSteering(base, config.steering, rate, latent=latent, residual=residual, **choices)

    def build(ingredients: Ingredients, config: RlConfig, task: RlTask) -> ActionSpace:
        return over(ingredients.hand_arm if arm else ingredients.hand, config, task)

    def empty(config: RlConfig, task: RlTask) -> ActionSpace:
        return over(
            empty_base("hand_arm" if arm else "hand", config.base, task.task.control_rate), config, task
        )

    return build, empty


def _pca() -> tuple[Build, Empty]:
    def build(ingredients: Ingredients, config: RlConfig, task: RlTask) -> ActionSpace:
        return PcaSpace.fit(ingredients.demonstrations, config.steering, task.task.control_rate)

    return build, lambda config, task: PcaSpace(config.steering, task.task.control_rate)


def _vqvae() -> tuple[Build, Empty]:
    def build(ingredients: Ingredients, config: RlConfig, task: RlTask) -> ActionSpace:
        return VqVaeSpace.fit(ingredients.demonstrations, config.steering, task.task.control_rate)

    return build, lambda config, task: VqVaeSpace(config.steering, task.task.control_rate)


METHODS = {
    "absolute": Method("absolute joint pose", (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), *_joints(AbsoluteJoints)),
    "relative": Method(
        "relative joint pose", (0.491, 0.491), (0.0, 0.0), (0.982, 0.003), *_joints(RelativeJoints)
    ),
    "pca": Method("PCA", (0.394, 0.444), (0.838, 0.017), (0.0, 0.0), *_pca()),
    "vqvae": Method("VQ-VAE", (0.419, 0.419), (0.714, 0.074), (0.0, 0.0), *_vqvae()),
    "residual_hand_arm": Method(
        "Residual RL, hand + arm",
        (0.174, 0.062),
        (0.114, 0.005),
        (0.234, 0.020),
        *_steering(True, False, True),
    ),
    "dsrl_hand_arm": Method(
        "DSRL, hand + arm", (0.625, 0.309), (0.253, 0.062), (0.874, 0.048), *_steering(True, True, False)
    ),
    "rfs_hand_arm": Method(
        "RFS, hand + arm", (0.708, 0.247), (0.485, 0.153), (0.930, 0.021), *_steering(True, True, True)
    ),
    "dsrl_hand": Method(
        "DSRL, hand", (0.878, 0.045), (0.833, 0.030), (0.923, 0.080), *_steering(False, True, False)
    ),
    "rfs_hand": Method(
        "RFS, hand", (0.937, 0.028), (0.914, 0.012), (0.959, 0.020), *_steering(False, True, True)
    ),
    "rfs_chunk_hand": Method(
        "RFS-Chunk, hand",
        (0.959, 0.030),
        (0.930, 0.030),
        (0.988, 0.060),
        *_steering(False, True, True, execute=2),
    ),
}

_NOT_IN_PAPER = (math.nan, math.nan)

ABLATED = {
    "rfs_steps_hand": Method(
        "RFS-Chunk, hand, a residual for each step",
        _NOT_IN_PAPER,
        _NOT_IN_PAPER,
        _NOT_IN_PAPER,
        *_steering(False, True, True, execute=2, each_step=True),
    ),
    "rfs_growing_hand": Method(
        "RFS, hand, residual growing over the first half",
        _NOT_IN_PAPER,
        _NOT_IN_PAPER,
        _NOT_IN_PAPER,
        *_steering(False, True, True, grown_at=0.5),
    ),
}
"""Variants of RFS that are no rows of the table; see `ablations`."""


def find_method(name: str) -> Method:
    """A method by name; ValueError names those that exist."""
    known = {**METHODS, **ABLATED}
    if name not in known:
        raise ValueError(f"unknown method '{name}'; there are: {', '.join(known)}")
    return known[name]


def make_space(method: str, config: RlConfig, task: RlTask, ingredients: Ingredients) -> ActionSpace:
    """The method's action space over these demonstrations and bases."""
    return find_method(method).build(ingredients, config, task)


def empty_space(method: str, config: RlConfig, task: RlTask) -> ActionSpace:
    """One of the same sizes, for `load_state_dict` to fill."""
    return find_method(method).empty(config, task)
