"""Offline learning of the modulation: recovery of a0, training from fifty episodes, updates per second.

Episodes are those of the shipped policy in lockstep. Beside our updates, turn by turn, torchrl's TD3BCLoss
with the same networks (actor through Push, twin critics), batch, delay and optimizers.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from _offline_data import record
from _offline_peer import torchrl_update
from rfs_learning.offline.algorithm import first_state
from rfs_learning.offline.noise_recovery import RecoveredNoise, recover_noise
from rfs_learning.offline.offline_batch import OfflineBatch
from rfs_learning.offline.offline_command import train
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.td3_bc import Td3Bc
from rfs_policy.flow import push
from rfs_policy.torch_base import TorchBase
from torch import Tensor

EPISODES, RECOVERED = 50, 5000
ROUNDS, UPDATES = 3, 20
GOAL_TRAIN_MIN, GOAL_RECOVERY_S, GOAL_ERROR = 10.0, 60.0, 1e-3


def run() -> list[dict[str, Any]]:
    """Figures of this machine, now."""
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name), OfflineConfig.load(noise_source="recovered")
        torch.set_num_threads(config.threads)
        dataset = record(folder / "d.zarr", EPISODES)
        began = time.perf_counter()
        training = train(dataset.path, "default", config, folder / "run")
        minutes = (time.perf_counter() - began) / 60
        told = training.data.told
        recovered = _recovery(training.base, training.data.seen.context)
        ours, theirs = _interleaved(training.base, training.data, config)
    median = float(recovered.error.median())
    note = f"{told['transitions']} transitions; encoding, recovery and {config.steps} updates"
    return [
        _figure("offline.train_min", minutes, "min", GOAL_TRAIN_MIN, note),
        _figure(
            "offline.a0_recovery_s", recovered.seconds, "s", GOAL_RECOVERY_S, f"{RECOVERED} base actions"
        ),
        _figure("offline.a0_error_median", median, "of action_std", GOAL_ERROR, "RMS over the chunk"),
        {
            "name": "offline.updates_per_s",
            "value": round(ours, 2),
            "unit": "1/s",
            "goal": None,
            "holds": None,
            "peer": f"torchrl's TD3BCLoss: {theirs:.2f}",
            "ratio": round(ours / theirs, 2),
        },
    ]


def _figure(name: str, value: float, unit: str, goal: float, note: str) -> dict[str, Any]:
    number = float(f"{value:.3g}")
    return {
        "name": name,
        "value": number,
        "unit": unit,
        "goal": f"< {goal:g}",
        "holds": value < goal,
        "note": note,
    }


def _recovery(base: TorchBase, context: Tensor) -> RecoveredNoise:
    """Of base actions with noise drawn anew, for as many observations as there are, again and again."""
    context = context.repeat(1 + RECOVERED // len(context), 1)[:RECOVERED]
    shape = (RECOVERED, base.layout.horizon, base.layout.action_dim)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    parts = zip(context.split(256), noise.split(256), strict=True)
    with torch.no_grad():
        chunk = torch.cat([push(base.network.velocity(c), n, base.steps) for c, n in parts])
        return recover_noise(base, context, base.network.denormalize_action(chunk))


def _interleaved(base: TorchBase, data: OfflineData, config: OfflineConfig) -> tuple[float, float]:
    """Best updates per second of ours and of torchrl's."""
    config = replace(config, warmup=0)
    makers: list[Callable[[], Callable[[OfflineBatch], None]]] = [
        lambda: _ours(base, config),
        lambda: torchrl_update(base, config),
    ]
    updates, best = [make() for make in makers], [0.0, 0.0]
    generator = torch.Generator().manual_seed(0)
    for turn in range(1 + ROUNDS):  # the first one warms up
        for which, update in enumerate(updates):
            began = time.perf_counter()
            for _ in range(UPDATES):
                update(data.batch(torch.randint(len(data), (config.batch,), generator=generator)))
            rate = UPDATES / (time.perf_counter() - began)
            best[which] = max(best[which], rate if turn else 0.0)
    return best[0], best[1]


def _ours(base: TorchBase, config: OfflineConfig) -> Callable[[OfflineBatch], None]:
    learner = Td3Bc(base, first_state(base, config), config)

    def update(batch: OfflineBatch) -> None:
        learner.update(batch)

    return update


if __name__ == "__main__":
    for row in run():
        print(row)
