"""A trained modulation: the actor and the frozen action space that it steers, in one safetensors file."""

import json
import os
from pathlib import Path

import torch
from rfs_policy.checkpoint import write_atomically
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rsl_rl.models import MLPModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from tensordict import TensorDict
from torch import Tensor, nn

from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.features import policy_features
from rfs_learning.rl.methods import empty_space
from rfs_learning.rl.ppo import make_actor
from rfs_learning.rl.rl_config import RlConfig

FORMAT = "rfs-steered-policy"
VERSION = 2
FILE_NAME = "policy.safetensors"


class SteeredPolicy(nn.Module):
    """Chooses u from the privileged observation, and turns it into robot actions.

    Attributes:
        method, task: names, as in `methods.METHODS` and in the config.
    """

    def __init__(self, method: str, task: str, config: RlConfig, space: ActionSpace, actor: MLPModel) -> None:
        super().__init__()
        self.method, self.task, self.config = method, task, config
        self.space, self.actor = space, actor
        self.requires_grad_(False).eval()

    def choose(self, observation: Tensor) -> Tensor:
        """The actor's mean u (n, dim) for observations (n, P)."""
        return self.actor(_group(observation)) * self.space.initial_std

    def choose_sampled(self, observation: Tensor, generator: torch.Generator) -> Tensor:
        """u (n, dim) drawn from the actor's Gaussian."""
        mean = self.choose(observation)
        return mean + self.std * torch.randn(mean.shape, generator=generator)

    @property
    def std(self) -> Tensor:
        """(dim,) standard deviations of u."""
        low, high = self.actor.distribution.log_std_range  # type: ignore[union-attr]
        own = self.actor.distribution.log_std_param.clamp(low, high).exp()  # type: ignore[union-attr, operator]
        return own * self.space.initial_std

    def act(
        self, observation: Tensor, noise: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Robot actions (n, H, 22), m and rad; u is sampled where a generator is given.

        Args:
            observation: (n, P), columns `PRIVILEGED_NAMES`.
            noise: as `ActionSpace.decide`.
        """
        u = self.choose(observation) if generator is None else self.choose_sampled(observation, generator)
        return self.space.decide(observation, u, noise)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file, by renaming."""
        header = {
            "version": VERSION,
            "method": self.method,
            "task": self.task,
            "config": self.config.to_dict(),
            "features": self.actor.obs_dim,
            "observation": PRIVILEGED_NAMES,
        }
        tensors = {name: tensor.contiguous().clone() for name, tensor in self.state_dict().items()}
        write_atomically(Path(path), save(tensors, {FORMAT: json.dumps(header, sort_keys=True)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SteeredPolicy":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: truncated, something else, of another version, or its parts do not fit each other.
        """
        header, tensors = _read(Path(path))
        if tuple(header["observation"]) != PRIVILEGED_NAMES:
            raise ValueError(f"'{path}' looks at other numbers than this version's simulator: train it again")
        config = RlConfig.from_dict(header["config"])
        space = empty_space(header["method"], config, config.task(header["task"]))
        actor = make_actor(header["features"], space, config.ppo.hidden)
        policy = cls(header["method"], header["task"], config, space, actor)
        try:
            policy.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(f"'{path}': its tensors do not fit its settings: train it again") from error
        return policy


def _group(observation: Tensor) -> TensorDict:
    return TensorDict({"features": policy_features(observation)}, batch_size=[len(observation)])


def _read(file: Path) -> tuple[dict, dict[str, Tensor]]:
    if not file.is_file():
        raise FileNotFoundError(f"no policy at '{file}': give another path or run `./rfs train rl`")
    try:
        with safe_open(file, framework="pt") as stream:
            metadata = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"'{file}' is truncated or no policy ({error}): copy or train it again") from error
    if FORMAT not in metadata:
        raise ValueError(f"'{file}' is a safetensors file, but not a policy of `./rfs train rl`")
    header = json.loads(metadata[FORMAT])
    if header["version"] != VERSION:
        raise ValueError(f"'{file}' has version {header['version']}, {VERSION} is read here")
    return header, tensors
