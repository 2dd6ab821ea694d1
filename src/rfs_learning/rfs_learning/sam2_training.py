"""Training of a small SAM2 on pictures of the simulated grasp task, so that a promptable tracker of SAM2's
architecture can be tested and shown without the published weights: `./rfs train sam2 --output runs/sam2`.

Clips of the scripted expert's episodes with the training objects are drawn anew for every step, in random
colors and sizes, from random cameras, with noise, distractors, occluders and frames without the object. The
result is a folder for `Sam2VideoModel.from_pretrained`: OUTPUT/model.
"""

import argparse
import copy
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import Sam2VideoModel

from rfs_learning.flow_state import TrainingState
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.sam2_batch import Batch, make_batch
from rfs_learning.sam2_clips import draw_clip
from rfs_learning.sam2_config import Sam2Config
from rfs_learning.sam2_evaluation import report
from rfs_learning.sam2_folder import save_model
from rfs_learning.sam2_network import make_network, parameters
from rfs_learning.sam2_objective import Sam2Objective
from rfs_learning.sam2_poses import Poses, record_poses
from rfs_learning.training_run import (
    FAILURES,
    METRICS_FILE,
    TrainingRun,
    alone_in,
    progress_display,
    tell_failure,
)

MODEL_FOLDER = "model"


class Sam2Training(TrainingRun[Sam2VideoModel]):
    """One run with poses to draw clips of."""

    RESULT = MODEL_FOLDER

    def __init__(self, poses: Poses, config: Sam2Config, output: Path) -> None:
        self.poses = poses
        torch.manual_seed(config.seed)
        network = make_network(config)
        self.objective = Sam2Objective(network, config)
        optimizer = torch.optim.AdamW(
            network.parameters(),
            config.learning_rate,
            betas=(0.9, 0.98),  # the first gradients are far larger than all others: forget them soon
            weight_decay=config.weight_decay,
            fused=True,
        )
        generator = torch.Generator().manual_seed(config.seed)
        state = TrainingState(network, copy.deepcopy(network), optimizer, generator)
        super().__init__("train sam2", config, output, state)

    def learning_rate(self) -> float:
        """As `learning_rate` says."""
        return learning_rate(self.state.step, self.config)

    def step(self) -> dict[str, float]:
        """One optimizer step; returns loss, and IoU of prompted and of tracked frames."""
        figures = self.objective.loss(self.draw(), self.state.step, self.state.generator)
        self.descend(figures["loss"])
        return {name: value.item() for name, value in figures.items()}

    def draw(self) -> Batch:
        """The next step's clips."""
        seed = int(torch.randint(2**62, (), generator=self.state.generator))
        rng = np.random.default_rng(seed)
        near = self.objective.near(self.state.step)
        clips = [draw_clip(self.poses, self.config, near, rng) for _ in range(self.config.batch)]
        return make_batch(clips, self.objective.image_size(self.state.step), rng)

    def save_result(self) -> None:
        """The averaged model."""
        save_model(self.state.average, self.output / MODEL_FOLDER)


def learning_rate(step: int, config: Sam2Config) -> float:
    """Linear warm-up, constant, linear decay to zero over the last steps."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    left = (config.steps - step) / max(1, math.ceil(config.decay * config.steps))
    return config.learning_rate * min(warm, left, 1.0)


def train(output: Path, config: Sam2Config, resume: bool) -> int:
    """Record poses, train or resume, write everything below `output`. Returns the steps done."""
    torch.set_num_threads(config.threads)
    training = Sam2Training(record_poses(config.episodes, config.first_seed), config, output)
    training.begin({}, {}, resume)
    with progress_display() as progress:
        count = parameters(training.state.network) / 1e6
        progress.console.print(f"{count:.2f} million parameters, writing to {output}")
        training.run(progress)
    return training.state.step


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 for a wrong request, 3 if the run diverged, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="rfs train sam2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("runs/sam2"), help="folder of the run")
    parser.add_argument("--config", help="YAML with settings that differ from the packaged config/sam2.yaml")
    parser.add_argument("--steps", type=int, help="optimizer steps")
    parser.add_argument("--batch", type=int, help="clips a step")
    parser.add_argument("--seed", type=int, help="seed of every random choice")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    parser.add_argument("--evaluate", metavar="FOLDER", type=Path, help="only judge this model: IoU a object")
    parser.add_argument("--episodes", type=int, default=1, help="episodes of each object to judge it by")
    args = parser.parse_args(argv)
    try:
        if args.evaluate:
            torch.set_num_threads(1)
            report(args.evaluate, args.episodes, args.output)
            return 0
        config = Sam2Config.load(args.config, steps=args.steps, batch=args.batch, seed=args.seed)
        with alone_in(args.output):
            done = train(args.output, config, args.resume)
    except FAILURES as error:
        return tell_failure("train sam2", error)
    print(f"model: {args.output}/{MODEL_FOLDER}, metrics: {args.output}/{METRICS_FILE}")
    return 0 if done >= config.steps else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
