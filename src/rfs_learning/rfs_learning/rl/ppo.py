"""rsl_rl's PPO, set up for an action space."""

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.modules import EmpiricalNormalization
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor, nn

from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.modulated_env import ModulatedGrasp
from rfs_learning.rl.rl_config import PpoConfig

_STD_RANGE = (0.05, 1.5)
_FEATURE_CLIP = 5.0


class ClippedNormalization(EmpiricalNormalization):
    """Running mean and deviation, the result clipped: what hardly varied so far (contacts, velocities of an
    object that nobody touched yet) would otherwise enter with hundreds of deviations when it first does."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp(-_FEATURE_CLIP, _FEATURE_CLIP)


def make_actor(features: int, space: ActionSpace, hidden: tuple[int, ...]) -> MLPModel:
    """Gaussian policy over u (n, dim) in units of the space's `initial_std`: at first its mean is zero for
    every observation and its deviation one. In these units Adam's steps suit all parts of u."""
    observation = TensorDict({"features": torch.zeros(1, features)}, batch_size=[1])
    distribution = {
        "class_name": "rsl_rl.modules.distribution:GaussianDistribution",
        "std_type": "log",
        "std_range": _STD_RANGE,
    }
    groups = {"actor": ["features"]}
    actor = MLPModel(
        observation, groups, "actor", space.dim, hidden, "elu", True, distribution_cfg=distribution
    )
    actor.obs_normalizer = ClippedNormalization(actor.obs_dim)
    head = [layer for layer in actor.mlp.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return actor


def make_ppo(env: ModulatedGrasp, config: PpoConfig) -> PPO:
    """Actor, critic, rollouts of one whole episode, optimizer. The critic also sees the time.

    Raises:
        ValueError: an iteration has fewer choices than mini-batches.
    """
    choices = env.num_envs * env.decisions
    if config.mini_batches > choices:
        raise ValueError(
            f"an iteration has {choices} choices, too few for {config.mini_batches} mini-batches: raise "
            "ppo.environments or lower ppo.mini_batches"
        )
    observation = env.get_observations()
    actor = make_actor(observation["features"].shape[1], env.space, config.hidden)
    groups = {"critic": ["features", "time"]}
    critic = MLPModel(observation, groups, "critic", 1, config.hidden, "elu", True)
    critic.obs_normalizer = ClippedNormalization(critic.obs_dim)
    storage = RolloutStorage("rl", env.num_envs, env.decisions, observation, [env.num_actions])
    return PPO(
        actor,
        critic,
        storage,
        num_learning_epochs=config.epochs,
        num_mini_batches=config.mini_batches,
        clip_param=config.clip,
        gamma=config.gamma**env.space.execute,
        lam=config.lam**env.space.execute,
        entropy_coef=config.entropy,
        learning_rate=config.learning_rate,
        schedule="fixed",
        use_clipped_value_loss=False,  # it lets the critic move by `clip` an iteration, returns are about 6
    )
