"""Joint targets that move linearly from command to command, as where the policies were trained."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class LinearMotion:
    """Joint targets of n environments; each command is reached after one control period.

    Args:
        num_envs: n.
        substeps: physics steps in a control period.
    """

    def __init__(self, num_envs: int, substeps: int) -> None:
        self.targets = np.zeros((num_envs, 23))
        """(n, 23) where the last command leads to, rad."""
        self._start = np.zeros((num_envs, 23))
        self._substeps = self._passed = substeps

    def latch(self, ids: NDArray, joints: Array) -> None:
        """Environments `ids` stand still at `joints` (len(ids), 23), rad."""
        self.targets[ids] = self._start[ids] = joints
        self._passed = self._substeps

    def aim(self, targets: Array) -> None:
        """Begin a control period that ends at these targets (n, 23), rad."""
        self._start, self.targets, self._passed = self.targets, targets, 0

    def advance(self, substeps: int) -> Array:
        """Targets (n, substeps, 23) of the next physics steps, rad; after the period, those of its end."""
        steps = np.arange(self._passed + 1, self._passed + substeps + 1)
        self._passed += substeps
        fraction = np.minimum(steps / self._substeps, 1.0)
        return self._start[:, None] + fraction[:, None] * (self.targets - self._start)[:, None]
