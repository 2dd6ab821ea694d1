"""What an engine needs of the physics behind Isaac Lab that Isaac Lab itself does not give alike for all."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rfs_sim_bridge.engine import Start


class PhysicsBackend(Protocol):
    """substeps: physics steps in one call of Isaac Lab's."""

    substeps: int

    def begin(self, envs: NDArray[np.intp], chosen: NDArray[np.intp], starts: Sequence[Start]) -> None:
        """Episodes begin in `envs` (k,) with object number `chosen` (k,): set its mass and friction."""
        ...

    def contacts(self, active: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Flags (n, 5) in the order of `scene.CONTACT_BODIES`: what touches each environment's object, which
        is number `active` (n,)."""
        ...
