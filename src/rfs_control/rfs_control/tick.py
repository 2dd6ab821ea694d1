"""What the executor does in one tick, and how often it did what."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rfs_control.command import Command
from rfs_control.limits import Limit


def _nothing() -> NDArray[np.float32]:
    return np.zeros(0, dtype=np.float32)


class State(IntEnum):
    """STATE_* of `rfs_msgs/ExecutedAction`."""

    HOLDING = 0
    AUTONOMOUS = 1
    CORRECTING = 2
    PAUSED = 3
    STOPPED = 4


MOVING = (State.AUTONOMOUS, State.CORRECTING)
LATCHED = (State.PAUSED, State.STOPPED)
"""States that only a person ends; the command stands."""


@dataclass(frozen=True)
class Tick:
    """One command, as it is sent and published.

    `stamp`: observation it answers, ns; `correction_stamp`: when the operator's device was read for the
    correction that it took, ns, 0 without one; arrays (22,) or empty.
    """

    stamp: int
    state: State
    reason: str
    command: Command
    limits: Limit = Limit.NONE
    chunk_index: int = 0
    correction_stamp: int = 0
    base_action: NDArray[np.float32] = field(default_factory=_nothing)
    policy_residual: NDArray[np.float32] = field(default_factory=_nothing)
    human_residual: NDArray[np.float32] = field(default_factory=_nothing)
    action: NDArray[np.float32] = field(default_factory=_nothing)
    executed: NDArray[np.float32] = field(default_factory=_nothing)


@dataclass
class Counts:
    """Since the start: executed actions (late: from later in a chunk; corrected: by the operator),
    holds, ignored policy actions, refused corrections."""

    executed: int = 0
    late: int = 0
    held: int = 0
    ignored: int = 0
    corrected: int = 0
    refused: int = 0
