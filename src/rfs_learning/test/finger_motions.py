"""Made-up demonstrations and observations for the action spaces without a flow."""

import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rfs_description.robot import HAND_CLOSING, HAND_LOWER, HAND_UPPER
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from torch import Tensor

RATE = 20.0
LOWER = torch.tensor(HAND_LOWER, dtype=torch.float32)
UPPER = torch.tensor(HAND_UPPER, dtype=torch.float32)


def made_up(episodes: int = 12, steps: int = 40, seed: int = 0) -> Demonstrations:
    """Hands that stay open, close with their own speed and amount, and stay closed; a little tremor."""
    generator = torch.Generator().manual_seed(seed)
    closed = torch.tensor(HAND_CLOSING, dtype=torch.float32) * (
        1.0 + 0.2 * torch.randn(episodes, 16, generator=generator)
    )
    begin = torch.randint(5, 20, (episodes, 1), generator=generator)
    speed = 0.1 + 0.1 * torch.rand(episodes, 1, generator=generator)
    closure = (speed * (torch.arange(steps + 1) - begin)).clamp(0.0, 1.0)
    poses = closure[:, :, None] * closed[:, None]
    poses += 0.01 * torch.randn(poses.shape, generator=generator)
    poses = poses.clamp(LOWER, UPPER)
    actions = torch.cat([torch.zeros(episodes, steps, 6), poses[:, 1:]], dim=2)
    return Demonstrations(
        observations=observations(poses[:, :-1].flatten(0, 1)),
        actions=actions.flatten(0, 1),
        episode_ends=steps * torch.arange(1, episodes + 1),
        objects=("cylinder",) * episodes,
        rate=RATE,
    )


def observations(fingers: Tensor) -> Tensor:
    """Privileged observations (n, P) with these commanded fingers (n, 16), otherwise zero."""
    result = torch.zeros(len(fingers), len(PRIVILEGED_NAMES))
    result[:, COMMAND_FINGERS] = fingers
    return result


def choices(dim: int) -> st.SearchStrategy:
    """Choices (1, dim) of PPO: any size, infinite ones too."""
    entries = st.one_of(st.floats(-3, 3, width=32), st.floats(allow_nan=False, width=32))
    return arrays("float32", (1, dim), elements=entries).map(torch.from_numpy)


hands = arrays("float32", (1, 16), elements=st.floats(0, 1, width=32)).map(
    lambda share: observations(LOWER + torch.from_numpy(share) * (UPPER - LOWER))
)
"""Observations (1, P) with commanded fingers anywhere in their ranges."""


def assert_within_limits(chunk: Tensor) -> None:
    """Finger targets within their ranges, palm deltas within the paper's 0.03 m and 0.1 rad."""
    fingers, arm = chunk[..., 6:], chunk[..., :6].abs()
    assert ((fingers >= LOWER) & (fingers <= UPPER)).all()
    assert (arm[..., :3] <= 0.03 + 1e-6).all()
    assert (arm[..., 3:] <= 0.1 + 1e-6).all()
