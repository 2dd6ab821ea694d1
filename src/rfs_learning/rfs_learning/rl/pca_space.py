"""Action space of the PCA baseline: the hand moves in four principal components of demonstrations."""

from typing import Self

import torch
from torch import Tensor

from rfs_learning.rl.action_space import ARM_DIM, HAND_DIM
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.joint_spaces import ScratchSpace, spread
from rfs_learning.rl.rl_config import SteeringConfig

COMPONENTS = 4
PCA_STD = 0.25
"""Deviation of latents at the start, in ends of their range, as for absolute joints."""
_MIN_DEVIATION = 1e-4  # rad; a component that varies less is rounding, not motion


class PcaSpace(ScratchSpace):
    """4 latents (paper, table 2 and appendix A.2.3), one step at a time.

    Components are those of the demonstrated absolute finger targets, in rad and unscaled, as all 16 joints
    have one unit. "The raw demonstration data is used to define the minimum and maximum latent values":
    u = -1 and u = 1 are a latent's smallest and largest demonstrated value. The paper does not say what u = 0
    is; here it is the mean latent with which demonstrations begin (the open hand), linear on either side.

    Attributes:
        mean (16,) of the targets, rad; basis (C, 16) orthonormal, by falling variance; smallest, start,
            largest (C,) latents, rad.
        explained (C,): share of the targets' variance along each component.
    """

    mean: Tensor
    basis: Tensor
    smallest: Tensor
    start: Tensor
    largest: Tensor
    explained: Tensor

    def __init__(self, steering: SteeringConfig, rate: float, components: int = COMPONENTS) -> None:
        """An empty space for `load_state_dict`; see `fit`."""
        super().__init__(steering, rate, torch.full((components,), PCA_STD))
        self.register_buffer("mean", torch.zeros(HAND_DIM))
        self.register_buffer("basis", torch.zeros(components, HAND_DIM))
        for name in ("smallest", "start", "largest", "explained"):
            self.register_buffer(name, torch.zeros(components))

    @classmethod
    def fit(
        cls,
        demonstrations: Demonstrations,
        steering: SteeringConfig,
        rate: float,
        components: int = COMPONENTS,
    ) -> Self:
        """Components, and bounds of the latents, of demonstrations.

        Raises:
            ValueError: too few steps, or finger targets that vary in fewer directions than components.
        """
        targets = demonstrations.actions[:, ARM_DIM:].double()
        deviation, basis = _principal_axes(targets, components)
        space = cls(steering, rate, components)
        space.mean.copy_(targets.mean(dim=0))
        space.basis.copy_(basis[:components])
        space.explained.copy_((deviation**2 / (deviation**2).sum())[:components])
        space._bound(targets.float(), demonstrations.episode_ends)
        return space

    def _bound(self, targets: Tensor, episode_ends: Tensor) -> None:
        latents = self.encode(targets)
        first = torch.cat([torch.zeros_like(episode_ends[:1]), episode_ends[:-1]])
        self.smallest.copy_(latents.amin(dim=0))
        self.start.copy_(latents[first].mean(dim=0))
        self.largest.copy_(latents.amax(dim=0))

    def encode(self, fingers: Tensor) -> Tensor:
        """Latents (n, C) of finger targets (n, 16)."""
        return (fingers - self.mean) @ self.basis.T

    def decode(self, latents: Tensor) -> Tensor:
        """Finger targets (n, 16), rad, of latents (n, C)."""
        return self.mean + latents @ self.basis

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        latents = spread(u[:, ARM_DIM:], self.smallest, self.start, self.largest)
        return self._with_arm(u, self.decode(latents)[:, None])


def _principal_axes(targets: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Standard deviations along the principal axes, falling, and the axes, (16, 16), of targets (T, 16).

    The sign of an axis is such that its largest entry is positive, so that it does not depend on the library.
    """
    if len(targets) <= components:
        raise ValueError(
            f"PCA with {components} components needs at least {components + 1} steps of demonstrations, "
            f"there are {len(targets)}: collect more (demonstrations.count)"
        )
    _, singular, axes = torch.linalg.svd(targets - targets.mean(dim=0), full_matrices=False)
    deviation = singular / len(targets) ** 0.5
    varied = int((deviation > _MIN_DEVIATION).sum())
    if varied < components:
        raise ValueError(
            f"PCA with {components} components needs finger targets that vary in {components} directions, "
            f"these demonstrations vary in {varied}: collect others (demonstrations.noise, objects)"
        )
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return deviation, axes * largest.sign()
