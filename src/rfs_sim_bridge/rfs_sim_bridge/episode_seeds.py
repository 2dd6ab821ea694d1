"""Seeds of the episodes that follow each other in an environment."""

from collections.abc import Iterable

import numpy as np


class EpisodeSeeds:
    """From one seed, the environment's index and its episode's number: independent of what runs beside it."""

    def __init__(self, num_envs: int, seed: int = 0) -> None:
        self._seed, self._episode = seed, np.zeros(num_envs, np.int64)

    def restart(self, seed: int) -> None:
        """Begin with the first episodes of another seed."""
        self._seed = seed
        self._episode[:] = 0

    def next(self, env_ids: Iterable[int]) -> list[int]:
        """Of the next episode of each of these environments."""
        seeds = []
        for env in env_ids:
            words = np.random.SeedSequence([self._seed, int(env), int(self._episode[env])]).generate_state(1)
            seeds.append(int(words[0]))
            self._episode[env] += 1
        return seeds
