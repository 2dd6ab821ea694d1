"""What is measured in both simulators; no Isaac Lab needed to import it."""

import numpy as np
from numpy.typing import NDArray

PATH_SEEDS, PATH_STEPS = (1, 2), 30
EXPERT_JOBS = tuple(
    (name, seed)
    for seed, name in enumerate(
        ("cylinder", "box", "sphere", "capsule", "bottle", "small_box", "small_cylinder", "egg", "plush_bear")
    )
)


def random_actions(seed: int) -> list[NDArray[np.float64]]:
    """PATH_STEPS actions (1, 22): the palm wanders, the fingers close and open."""
    rng = np.random.default_rng(seed)
    palm = [np.concatenate([rng.normal(0, 0.01, 3), rng.normal(0, 0.03, 3)]) for _ in range(PATH_STEPS)]
    return [np.concatenate([part, rng.uniform(0, 0.5, 16)])[None] for part in palm]
