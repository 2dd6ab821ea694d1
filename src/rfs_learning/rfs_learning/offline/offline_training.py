"""A run of offline learning: from a dataset in memory to a modulation, resumable bit for bit."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rfs_policy.modulation_checkpoint import FILE_NAME, save_modulation
from rfs_policy.torch_base import TorchBase
from rich.progress import Progress

from rfs_learning.offline.algorithm import OfflineAlgorithm, SteeringNetworks, first_state
from rfs_learning.offline.iql import Iql
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.rebrac import ReBrac
from rfs_learning.offline.td3_bc import Td3Bc
from rfs_learning.training_run import TrainingRun

ALGORITHMS: Mapping[str, type[OfflineAlgorithm]] = {"td3_bc": Td3Bc, "iql": Iql, "rebrac": ReBrac}
_JUDGED = 512
_NAMES = {
    "loss": "the critic's loss",
    "critic_gradient": "the gradient of the critic's loss",
    "q": "the critic's value",
    "actor_loss": "the modulation's loss",
    "actor_gradient": "the gradient of the modulation's loss",
    "behavior": "the distance of the residual to the data",
}


class OfflineTraining(TrainingRun[SteeringNetworks]):
    """One run. What is saved is the target modulation, an average over the last updates.

    Attributes:
        record: what config.json holds: settings, base, figures of the data.
    """

    RESULT = FILE_NAME
    CURE = f"{TrainingRun.CURE}, or look for wild numbers in the data with './rfs dataset info'"

    def __init__(self, data: OfflineData, base: TorchBase, config: OfflineConfig, output: Path) -> None:
        super().__init__("train offline", config, output, first_state(base, config))
        self.data, self.base = data, base
        self.algorithm = ALGORITHMS[config.algorithm](base, self.state, config)
        self.train_index, self.validation_index = data.split(config.validation, config.seed)
        if not len(self.train_index):
            raise ValueError("no episode is left to train on: lower 'validation' or collect more")
        self.record: dict[str, Any] = {
            "training": config.to_dict(),
            "base": base.id,
            "data": dict(data.told),
            "notes": list(data.notes),
        }

    def learning_rate(self) -> float:
        """Constant."""
        return float(self.config.learning_rate)

    def step(self) -> dict[str, float]:
        """One update.

        Raises:
            DivergedError: naming what is no longer finite. Nothing is saved then.
        """
        draw = torch.randint(len(self.train_index), (self.config.batch,), generator=self.state.generator)
        figures = self.algorithm.update(self.data.batch(self.train_index[draw]))
        updated = "actor_gradient" not in figures or self.state.step % self.config.policy_delay == 0
        for name, value in figures.items():
            if not math.isfinite(value) and (updated or name in ("loss", "critic_gradient")):
                raise self.diverged(_NAMES.get(name, name.replace("_", " ")))
        return figures

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Of the modulation on episodes kept out of training: distance of a_r to the data's, in units of its
        bounds; size of a0 and a_r; share of a0 near its bound.
        """
        index = self.validation_index if len(self.validation_index) else self.train_index
        batch = self.data.batch(index[torch.linspace(0, len(index) - 1, min(len(index), _JUDGED)).long()])
        now, algorithm = batch.now, self.algorithm
        noise, residual = self.state.average.modulation(now.cloud, now.state, now.context)
        zero = torch.zeros_like(residual)
        return {
            "validation_residual_error": algorithm.residual_error(residual, batch.residual).mean().item(),
            "residual_size": algorithm.residual_error(residual, zero).mean().sqrt().item(),
            "noise_size": noise.square().mean().sqrt().item(),
            "noise_at_bound": (noise.abs() > 0.95 * self.config.noise_bound).float().mean().item(),
        }

    def save_result(self) -> None:
        """The modulation."""
        told = {**self.record, "step": self.state.step}
        save_modulation(self.output, self.state.average.modulation.checkpoint(self.base.id, told))

    def run(self, progress: Progress, until: int | None = None) -> None:
        """As `TrainingRun.run`; the base's weights are as they were, or this is a fault of the program."""
        before = {name: tensor.clone() for name, tensor in self.base.network.state_dict().items()}
        super().run(progress, until)
        after = self.base.network.state_dict()
        changed = [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
        assert not changed, f"the frozen base changed: {changed[0]}"
