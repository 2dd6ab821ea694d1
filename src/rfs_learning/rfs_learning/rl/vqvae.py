"""VQ-VAE of finger motions: 1-D CNN encoder, eight codes, GRU decoder (paper, appendix A.2.3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from vector_quantize_pytorch import VectorQuantize

from rfs_learning.rl.action_space import ARM_DIM, HAND_DIM
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.features import COMMAND_FINGERS
from rfs_learning.rl.torch_threads import one_torch_thread

HORIZON = 2
_STEPS_PER_CODE = 16  # fewer demonstrated steps than this for each code are memorized, not clustered


@dataclass(frozen=True)
class VqVaeConfig:
    """Sizes and training.

    codes: entries of the codebook, of `latent` numbers each. commitment: weight of the pull of encoder
    outputs to their codes. pose_noise: rad, added to the previous finger pose while training, because
    residuals will push it off the demonstrated ones.
    """

    codes: int = 8
    latent: int = 8
    width: int = 64
    steps: int = 1000
    batch: int = 256
    learning_rate: float = 2.0e-3
    commitment: float = 0.25
    pose_noise: float = 0.03


class FingerVqVae(nn.Module):
    """Two finger poses (n, 2, 16) as two of `codes`, given the pose before them (n, 16); rad.

    The paper names a 1-D CNN encoder and a GRU decoder "conditioned on the previous joint pose". Here the CNN
    runs over the three poses in time, and its first layer makes one latent of each of the two changes; the
    GRU reads one code a step, with the previous pose beside it, and says how the pose changes. "Previous
    pose" is the last commanded one: the targets that were executed, free of tracking error.

    Attributes:
        mean, scale (16,): of demonstrated poses, rad. change (): root mean square change in a step, rad.
        use (2, codes): share of each code in the demonstrations, at the first and the second step.
        error (): root mean square error of reconstructed demonstrations, rad.
    """

    mean: Tensor
    scale: Tensor
    change: Tensor
    use: Tensor
    error: Tensor

    def __init__(self, config: VqVaeConfig) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(HAND_DIM, config.width, kernel_size=2),
            nn.ELU(),
            nn.Conv1d(config.width, config.width, kernel_size=3, padding=1),
            nn.ELU(),
            nn.Conv1d(config.width, config.latent, kernel_size=1),
        )
        self.quantizer = VectorQuantize(
            dim=config.latent,
            codebook_size=config.codes,
            decay=0.99,
            kmeans_init=True,
            threshold_ema_dead_code=1,  # a code that hardly anything uses starts again at a sample
            commitment_weight=config.commitment,
            rotation_trick=False,
        )
        self.decoder = nn.GRU(config.latent + HAND_DIM, config.width, batch_first=True)
        self.head = nn.Linear(config.width, HAND_DIM)
        self.register_buffer("mean", torch.zeros(HAND_DIM))
        self.register_buffer("scale", torch.ones(HAND_DIM))
        self.register_buffer("change", torch.ones(()))
        self.register_buffer("use", torch.full((HORIZON, config.codes), 1.0 / config.codes))
        self.register_buffer("error", torch.zeros(()))

    def encode(self, previous: Tensor, fingers: Tensor) -> Tensor:
        """Latents (n, 2, L) of poses (n, 2, 16) after `previous` (n, 16)."""
        poses = torch.cat([previous[:, None], fingers], dim=1)
        return self.encoder(((poses - self.mean) / self.scale).transpose(1, 2)).transpose(1, 2)

    def codes(self, previous: Tensor, fingers: Tensor) -> Tensor:
        """Numbers (n, 2) of the codes nearest to the latents of these poses; in evaluation mode."""
        return self.quantizer(self.encode(previous, fingers))[1]

    def decode(self, previous: Tensor, latents: Tensor) -> Tensor:
        """Poses (n, 2, 16) that follow `previous` (n, 16) with latents (n, 2, L)."""
        before = ((previous - self.mean) / self.scale)[:, None].expand(-1, HORIZON, -1)
        hidden, _ = self.decoder(torch.cat([latents, before], dim=2))
        return previous[:, None] + (self.change * self.head(hidden)).cumsum(dim=1)

    def decode_codes(self, previous: Tensor, codes: Tensor) -> Tensor:
        """Poses (n, 2, 16) that follow `previous` (n, 16) with codes numbered (n, 2)."""
        return self.decode(previous, self.quantizer.codebook[codes])

    def loss(self, previous: Tensor, fingers: Tensor) -> Tensor:
        """Squared reconstruction error in units of `change`, plus commitment."""
        latents, _, commitment = self.quantizer(self.encode(previous, fingers))
        error = (self.decode(previous, latents) - fingers) / self.change
        return error.square().mean() + commitment.sum()


def train_vqvae(demonstrations: Demonstrations, config: VqVaeConfig, seed: int) -> FingerVqVae:
    """A trained, frozen VQ-VAE of the demonstrations' fingers; equal seeds give equal weights.

    Raises:
        ValueError: too few steps for that many codes, or fingers that never move.
    """
    previous, fingers = _motions(demonstrations, config.codes)
    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FingerVqVae(config)
        _normalize(network, previous, fingers)
        _fit(network, previous, fingers, config)
    network.requires_grad_(False).eval()
    _measure(network, previous, fingers)
    return network


def _motions(demonstrations: Demonstrations, codes: int) -> tuple[Tensor, Tensor]:
    """Commanded pose (T, 16) before each step and the next two targets (T, 2, 16), rad."""
    steps, needed = len(demonstrations.actions), _STEPS_PER_CODE * codes
    if steps < needed:
        raise ValueError(
            f"a VQ-VAE with {codes} codes needs at least {needed} steps of demonstrations, there are "
            f"{steps}: collect more (demonstrations.count)"
        )
    previous = demonstrations.observations[:, COMMAND_FINGERS]
    fingers = demonstrations.chunks(HORIZON)[..., ARM_DIM:]
    if fingers.flatten(0, 1).std(dim=0).max() < 1e-4:
        raise ValueError("the fingers never move in these demonstrations: a VQ-VAE has nothing to learn")
    return previous, fingers


def _normalize(network: FingerVqVae, previous: Tensor, fingers: Tensor) -> None:
    network.mean.copy_(fingers[:, 0].mean(dim=0))
    network.scale.copy_(fingers[:, 0].std(dim=0).clamp(min=0.05))
    network.change.copy_((fingers[:, 0] - previous).square().mean().sqrt().clamp(min=1e-3))


def _fit(network: FingerVqVae, previous: Tensor, fingers: Tensor, config: VqVaeConfig) -> None:
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    for _ in range(config.steps):
        rows = torch.randint(len(previous), (config.batch,))
        pose = previous[rows]
        loss = network.loss(pose + config.pose_noise * torch.randn_like(pose), fingers[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _measure(network: FingerVqVae, previous: Tensor, fingers: Tensor) -> None:
    """Keep what a report needs: reconstruction error and use of the codes."""
    codes = network.codes(previous, fingers)
    network.error.copy_((network.decode_codes(previous, codes) - fingers).square().mean().sqrt())
    counts = torch.stack([torch.bincount(column, minlength=network.use.shape[1]) for column in codes.T])
    network.use.copy_(counts / len(codes))
