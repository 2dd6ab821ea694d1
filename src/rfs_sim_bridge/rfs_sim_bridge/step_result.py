"""What a control step of the grasp task came to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfs_sim_bridge.engine import Array


@dataclass
class StepResult:
    """Outcome of one control step for n environments.

    done: success, or the episode's time is over, or its physics blew up. executed: (n, 22) the action after
    limits. flags: (n,) bits of rfs_msgs/ExecutedAction. Environments are not reset by themselves.
    """

    reward: Array
    success: NDArray[np.bool_]
    done: NDArray[np.bool_]
    executed: Array
    flags: NDArray[np.uint32]
