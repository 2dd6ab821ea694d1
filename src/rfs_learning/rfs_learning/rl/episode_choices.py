"""A policy's actions in episodes that begin and end at different times, as if each ran alone."""

from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfs_learning.rl.action_space import ACTION_DIM, ActionSpace

Array = NDArray[np.float64]
Noise = Literal["sampled", "mean"]

BLOCK = 32
"""Rows of every forward pass, whatever number of environments is to choose: matrix products of one shape
round alike in every row, those of different shapes do not."""


class Steering(Protocol):
    """What evaluation needs of a policy; `policy.SteeredPolicy` is one."""

    @property
    def space(self) -> ActionSpace:
        """What its choices mean."""
        ...

    @property
    def std(self) -> Tensor:
        """(dim,) standard deviations of the actor's Gaussian."""
        ...

    def choose(self, observation: Tensor) -> Tensor:
        """The actor's mean u (n, dim) for observations (n, P)."""
        ...


class Unsteered:
    """The frozen base alone: u = 0. In a space with a residual only, a0 is sampled or zero as asked for."""

    def __init__(self, space: ActionSpace) -> None:
        self.space, self.std = space, torch.zeros(space.dim)

    def choose(self, observation: Tensor) -> Tensor:
        return observation.new_zeros(len(observation), self.space.dim)


class EpisodeChoices:
    """Actions of n environments. Equal seeds and observations give equal actions, bit for bit, whatever runs
    beside an episode and in whatever order: each draws from generators of its own, before it starts.

    noise: "sampled" draws a0, from N(0, I) where the action space draws it and from the actor's Gaussian
    where the actor chooses it; arm and residual are the actor's mean. "mean" draws nothing: a0 is zero, or
    the actor's mean.
    """

    def __init__(self, policy: Steering, environments: int, max_steps: int, noise: Noise) -> None:
        if noise not in ("sampled", "mean"):
            raise ValueError(f"noise is 'sampled' or 'mean', not '{noise}'")
        self._policy, self._space, self._sampled = policy, policy.space, noise == "sampled"
        self._decisions = -(-max_steps // self._space.execute)
        # Spaces without a flow have no latent part.
        self._latent = self._space.latent
        self._latents = len(range(self._space.dim)[self._latent])
        self._deviations = torch.zeros(environments, self._decisions, self._latents)
        self._noise: list[Tensor | None] = [None] * environments
        self._seeds = np.zeros(environments, np.int64)
        self._chunks = np.zeros((environments, self._space.execute, ACTION_DIM))
        self._steps = np.zeros(environments, np.int64)

    def begin(self, envs: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """New episodes in these environments, with these seeds."""
        self._steps[envs], self._seeds[envs] = 0, seeds
        if not self._sampled:
            return
        for env, seed in zip(envs, seeds, strict=True):
            flow, actor = (_generator(int(seed), stream) for stream in (0, 1))
            self._noise[env] = self._space.draw_noise(self._decisions, flow)
            self._deviations[env] = torch.randn(self._decisions, self._latents, generator=actor)

    def actions(self, observation: NDArray[np.float32], acting: NDArray[np.bool_]) -> Array:
        """Next actions (n, 22), m and rad, from privileged observations (n, P); zeros where not acting.

        Raises:
            ValueError: the policy gives numbers that are not finite.
        """
        choosing = np.flatnonzero(acting & (self._steps % self._space.execute == 0))
        for first in range(0, len(choosing), BLOCK):
            self._choose(observation, choosing[first : first + BLOCK])
        actions = np.zeros((len(acting), ACTION_DIM))
        actions[acting] = self._chunks[acting, self._steps[acting] % self._space.execute]
        self._steps[acting] += 1
        return actions

    def _choose(self, observation: NDArray[np.float32], envs: NDArray[np.intp]) -> None:
        """Fill the chunks of at most a block of environments; missing rows repeat the others."""
        rows = np.resize(envs, BLOCK)
        decisions = self._steps[rows] // self._space.execute
        seen = torch.from_numpy(observation[rows])
        u = self._policy.choose(seen)
        if self._sampled and self._latents:
            u = u.clone()
            u[:, self._latent] += self._policy.std[self._latent] * self._deviations[rows, decisions]
        noise = [self._noise[env] for env in rows]
        drawn = [n[d] for n, d in zip(noise, decisions, strict=True) if n is not None]
        chunk = self._space.decide(seen, u, torch.stack(drawn) if drawn else None)
        chunk = chunk[: len(envs), : self._space.execute].numpy().astype(np.float64)
        self._check(chunk, envs)
        self._chunks[envs] = chunk

    def _check(self, chunk: Array, envs: NDArray[np.intp]) -> None:
        broken = ~np.isfinite(chunk).all(axis=(1, 2))
        if broken.any():
            seed = self._seeds[envs[broken][0]]
            raise ValueError(
                f"the policy's action is not finite in the episode of seed {seed}: its training diverged; "
                "use an earlier checkpoint"
            )


def _generator(seed: int, stream: int) -> torch.Generator:
    """A stream of random numbers that belongs to an episode."""
    word = np.random.SeedSequence([seed, stream]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(word))
