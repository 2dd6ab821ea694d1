"""A run of offline learning: from a dataset in memory to a modulation, resumable bit for bit."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rfs_policy.checkpoint import write_atomically
from rfs_policy.modulation_checkpoint import save_modulation
from rfs_policy.torch_base import TorchBase
from rich.progress import Progress

from rfs_learning.differing_settings import differences
from rfs_learning.diverged import DivergedError
from rfs_learning.offline.algorithm import OfflineAlgorithm, SteeringNetworks, first_state
from rfs_learning.offline.iql import Iql
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.rebrac import ReBrac
from rfs_learning.offline.td3_bc import Td3Bc
from rfs_learning.training_run import CONFIG_FILE, METRICS_FILE, TrainingRun, forget_metrics, versions

ALGORITHMS: Mapping[str, type[OfflineAlgorithm]] = {"td3_bc": Td3Bc, "iql": Iql, "rebrac": ReBrac}
_JUDGED = 512
_MAY_CHANGE = ("steps", "threads", "log_every", "save_every")
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

    def begin(self, resume: bool) -> None:
        """Start in the output folder, or go on with what is in it.

        Raises:
            FileNotFoundError, ValueError: nothing to go on with, or a run of other settings, base or data.
        """
        file = self.output / CONFIG_FILE
        if resume:
            self.state.restore(self.output)
            self._require_same_run(file)
        self.output.mkdir(parents=True, exist_ok=True)
        forget_metrics(self.output / METRICS_FILE, after=self.state.step)
        write_atomically(file, json.dumps(self.record | versions(), indent=2).encode())

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
                raise self._diverged(_NAMES.get(name, name.replace("_", " ")))
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

    def save(self) -> None:
        """Training state, then the modulation.

        Raises:
            DivergedError: a weight is not finite; what was saved before stays.
        """
        for name, tensor in self.state.network.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise self._diverged(f"weight '{name}'")
        self.state.save(self.output)
        told = {**self.record, "step": self.state.step}
        save_modulation(self.output, self.state.average.modulation.checkpoint(self.base.id, told))

    def run(self, progress: Progress, until: int | None = None) -> None:
        """As `TrainingRun.run`; the base's weights are as they were, or this is a fault of the program."""
        before = {name: tensor.clone() for name, tensor in self.base.network.state_dict().items()}
        super().run(progress, until)
        after = self.base.network.state_dict()
        changed = [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
        assert not changed, f"the frozen base changed: {changed[0]}"

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} is no longer finite at step {self.state.step}: what was saved in {self.output} is from "
            "before. Begin with a lower learning_rate or gradient_clip, or look for wild numbers in the data "
            "with './rfs dataset info'"
        )

    def _require_same_run(self, file: Path) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"nothing to resume: '{file}' is missing. Leave --resume out")
        before, now = json.loads(file.read_text()), json.loads(json.dumps(self.record))
        for record in (before, now):
            record["training"] = {k: v for k, v in record["training"].items() if k not in _MAY_CHANGE}
            record["data"] = {name: record["data"].get(name) for name in ("transitions", "episodes")}
        parts = ("training", "base", "data")
        different = differences({p: before.get(p) for p in parts}, {p: now.get(p) for p in parts})
        if different:
            raise ValueError(
                f"the run in {self.output} is another one: {'; '.join(different)}. Resume with the same "
                "settings and data, or give another --output"
            )
