"""Action spaces that choose fingers without a flow: what they share, and the two without demonstrations.

Paper, section 6.1.1 and the first rows of table 2.
"""

import torch
from rfs_control.limits import Limits
from rfs_description.robot import HAND_HOME, HAND_LOWER, HAND_UPPER
from torch import Tensor

from rfs_learning.rl.action_space import ARM_DIM, HAND_DIM, ActionSpace
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_learning.rl.rl_config import SteeringConfig
from rfs_learning.rl.steering_spaces import arm_steps

ABSOLUTE_STD = 0.25
"""Deviation of absolute targets at the start, in ends of the joint's range: 0.2 rad for the average joint."""
RELATIVE_STD = 0.25
"""Deviation of relative targets at the start, in largest steps: 2 rad/s, about as fast as the scripted expert
closes its fingers."""


class ScratchSpace(ActionSpace):
    """6 palm deltas learned from scratch, as in the "hand" rows of RFS and DSRL; then what sets the fingers.

    Finger targets are cut to the joints' ranges. How fast they may move is the task's limit, the same for
    every method.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, steering: SteeringConfig, rate: float, hand_std: Tensor, execute: int = 1) -> None:
        """`hand_std`: deviations at the start of the numbers after the arm's."""
        super().__init__()
        self.rate, self.execute = rate, execute
        self.initial_std = torch.cat([torch.full((ARM_DIM,), steering.arm_std), hand_std])
        self.dim = len(self.initial_std)
        self.register_buffer("lower", torch.tensor(HAND_LOWER, dtype=torch.float32))
        self.register_buffer("upper", torch.tensor(HAND_UPPER, dtype=torch.float32))

    def _with_arm(self, u: Tensor, fingers: Tensor) -> Tensor:
        """Actions (n, H, 22): fingers (n, H, 16) within their ranges, and the palm deltas of u (n, dim)."""
        arm = arm_steps(u[:, :ARM_DIM], self.rate)[:, None].expand(-1, fingers.shape[1], -1)
        return torch.cat([arm, fingers.clamp(self.lower, self.upper)], dim=2)


class AbsoluteJoints(ScratchSpace):
    """16 absolute finger targets (paper: "actions specify absolute joint values"), one step at a time.

    u = -1 is the lower end of a joint's range, u = 1 the upper end, u = 0 the open hand in which episodes
    begin, linear on either side. The paper does not say what 0 is; with the middle of the range PPO would
    begin with a half-closed fist that pushes objects away, so this choice favors the method.
    """

    home: Tensor

    def __init__(self, steering: SteeringConfig, rate: float) -> None:
        super().__init__(steering, rate, torch.full((HAND_DIM,), ABSOLUTE_STD))
        self.register_buffer("home", torch.tensor(HAND_HOME, dtype=torch.float32))

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        return self._with_arm(u, spread(u[:, ARM_DIM:], self.lower, self.home, self.upper)[:, None])


class RelativeJoints(ScratchSpace):
    """16 changes of the finger targets (paper: "actions specify relative changes"), one step at a time.

    |u| = 1 is the largest step that the executor's limit of the fingers' speed allows (0.4 rad at 20 Hz), so
    no motion that another method can make is out of reach. Changes count from the last commanded target, not
    from the measured joint: otherwise a finger that an object stops could never press harder than with one
    step's error. u = 0 keeps the command.
    """

    def __init__(self, steering: SteeringConfig, rate: float) -> None:
        super().__init__(steering, rate, torch.full((HAND_DIM,), RELATIVE_STD))
        self.step = Limits.load(period=1.0 / rate).finger_step

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        fingers = observation[:, COMMAND_FINGERS] + self.step * u[:, ARM_DIM:].clamp(-1.0, 1.0)
        return self._with_arm(u, fingers[:, None])


def spread(u: Tensor, lower: Tensor, zero: Tensor, upper: Tensor) -> Tensor:
    """u, cut to -1..1, to lower..upper: u = 0 gives `zero`, linear on either side of it."""
    u = u.clamp(-1.0, 1.0)
    return zero + torch.where(u < 0, u * (zero - lower), u * (upper - zero))
