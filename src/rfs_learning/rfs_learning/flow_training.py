"""Flow-matching training (paper, equation 3): `./rfs train flow --data runs/demos.zarr --output
runs/flow`.
"""

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rfs_policy.checkpoint import FILE_NAME, load_checkpoint, save_checkpoint
from rfs_policy.flow import flow_matching_loss, push
from rfs_policy.layout import DELTA_POSE, Layout
from rfs_policy.network import FlowNetwork
from rfs_policy.torch_base import checkpoint_of, network_of
from torch import Tensor

from rfs_learning.flow_config import FlowConfig
from rfs_learning.flow_data import ChunkData, augment, subset
from rfs_learning.flow_normalization import fit_normalization
from rfs_learning.flow_plot import plot_losses
from rfs_learning.flow_state import TrainingState
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.run_identity import contents_id
from rfs_learning.training_run import (
    FAILURES,
    METRICS_FILE,
    TrainingRun,
    alone_in,
    progress_display,
    tell_failure,
)


class FlowTraining(TrainingRun[FlowNetwork]):
    """One run on some data; a resumed run equals an uninterrupted one bit for bit."""

    RESULT = FILE_NAME

    def __init__(self, data: ChunkData, layout: Layout, config: FlowConfig, output: Path) -> None:
        self.data, self.layout = data, layout
        self.train_index, self.validation_index = data.split(config.validation, config.seed)
        if not len(self.train_index):
            raise ValueError("no episode is left to train on: lower 'validation' or collect more")
        torch.manual_seed(config.seed)
        network = FlowNetwork(layout, config.network)
        fit_normalization(network, data, self.train_index)
        super().__init__("train flow", config, output, _first_state(network, config))

    def start_from(self, path: str) -> None:
        """Begin with the weights and the normalization of another checkpoint."""
        self.state = _first_state(network_of(load_checkpoint(path, self.layout)), self.config)

    def learning_rate(self) -> float:
        """As `learning_rate` says."""
        return learning_rate(self.state.step, self.config)

    def step(self) -> dict[str, float]:
        """One optimizer step; returns the flow-matching loss."""
        state, config = self.state, self.config
        index = self.draw()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            loss = self.loss(state.network, index, state.generator, augmented=True)
        self.descend(loss)
        return {"loss": loss.item()}

    def draw(self) -> Tensor:
        """(B,) steps that the next optimizer step sees."""
        size = (self.config.batch,)
        choice = torch.randint(len(self.train_index), size, generator=self.state.generator)
        return self.train_index[choice]

    def loss(
        self, network: FlowNetwork, index: Tensor, generator: torch.Generator, augmented: bool
    ) -> Tensor:
        """Equation 3 for the steps index (B,), each with `draws` noises and flow times."""
        config = self.config
        cloud = subset(self.data.clouds, index, config.points, generator)
        state = self.data.states[index]
        if augmented:
            cloud, state = augment(cloud, state, config, generator)
        context = network.encode(cloud, state)
        a1 = network.normalize_action(self.data.chunks(index, self.layout.horizon))
        a1, context = (x.repeat_interleave(config.draws, dim=0) for x in (a1, context))
        a0 = torch.randn(a1.shape, generator=generator)
        t = torch.rand(len(a1), generator=generator)
        return flow_matching_loss(network.velocity(context), a1, a0, t)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and mean error of Push's first action on episodes kept out of training, of the averaged
        network.
        """
        if not len(self.validation_index):
            return {}
        generator = torch.Generator().manual_seed(0)
        choice = torch.randint(len(self.validation_index), (512,), generator=generator)
        index = self.validation_index[choice]
        network, layout = self.state.average, self.layout
        loss = self.loss(network, index, generator, augmented=False)
        context = network.encode(
            subset(self.data.clouds, index, self.config.points, generator), self.data.states[index]
        )
        a0 = torch.randn(len(index), layout.horizon, layout.action_dim, generator=generator)
        action = network.denormalize_action(push(network.velocity(context), a0, self.config.push_steps))
        error = (action - self.data.chunks(index, layout.horizon))[:, 0].abs().mean(dim=0)
        return {
            "validation_loss": loss.item(),
            "arm_error": error[:-16].mean().item(),
            "finger_error": error[-16:].mean().item(),
        }

    def save_result(self) -> None:
        """Checkpoint of the averaged network, and loss plot."""
        record = {"training": self.config.to_dict(), "step": self.state.step}
        save_checkpoint(
            self.output, checkpoint_of(self.state.average, self.layout, self.config.push_steps, record)
        )
        plot_losses(self.output / METRICS_FILE, self.output / "loss.png")


def _first_state(network: FlowNetwork, config: FlowConfig) -> TrainingState[FlowNetwork]:
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    generator = torch.Generator().manual_seed(config.seed)
    return TrainingState(network, copy.deepcopy(network), optimizer, generator)


def learning_rate(step: int, config: FlowConfig) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    return config.learning_rate * warm * 0.5 * (1 + np.cos(np.pi * min(1.0, step / config.steps)))


def train(
    paths: Sequence[str], output: Path, config: FlowConfig, layout: Layout, resume: bool, start: str | None
) -> int:
    """Load the data, train or resume, write everything below `output`. Returns the steps done, fewer than
    `config.steps` after an interrupt.

    Raises:
        FileNotFoundError, ValueError: what is not there, or does not fit.
        DivergedError: training left the finite numbers; the last good checkpoint stays.
    """
    if resume and start:
        raise ValueError("--start begins a run and --resume goes on with one: leave one of them out")
    torch.set_num_threads(config.threads)
    data = ChunkData.load(paths, layout)
    training = FlowTraining(data, layout, config, output)
    if start:
        training.start_from(start)
    told = {"data": [str(path) for path in paths], "layout": layout.name}
    training.begin({"layout": layout.name, "data": contents_id(*paths)}, told, resume)
    with progress_display() as progress:
        progress.console.print(
            f"{len(data)} steps of {int(data.episodes[-1]) + 1} episodes, writing to {output}"
        )
        training.run(progress)
    return training.state.step


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 for a wrong request, 3 if the run diverged, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="rfs train flow", description=__doc__)
    parser.add_argument("--data", nargs="+", default=["runs/demos.zarr"], help="Zarr data sets (./rfs demos)")
    parser.add_argument("--output", type=Path, default=Path("runs/flow"), help="folder of the run")
    parser.add_argument("--config", help="YAML with settings that differ from the packaged config/flow.yaml")
    parser.add_argument("--steps", type=int, help="optimizer steps")
    parser.add_argument("--batch", type=int, help="observations a step")
    parser.add_argument("--seed", type=int, help="seed of every random choice")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    parser.add_argument("--start", help="checkpoint whose weights and normalization to begin with")
    args = parser.parse_args(argv)
    try:
        config = FlowConfig.load(args.config, steps=args.steps, batch=args.batch, seed=args.seed)
        with alone_in(args.output):
            done = train(args.data, args.output, config, DELTA_POSE, args.resume, args.start)
    except FAILURES as error:
        return tell_failure("train flow", error)
    print(f"checkpoint: {args.output}/policy.safetensors, metrics: {args.output}/{METRICS_FILE}")
    return 0 if done >= config.steps else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
