"""`./rfs train finetune --data runs/nudges.zarr [--with runs/demos.zarr]`: BC fine-tuning of the base policy,
and co-training with simulated demonstrations (paper, section 6.2).

Both are what the paper compares RFS with: the base's weights change, by flow matching on corrected actions.
Successful episodes are what is imitated, with the actions a = a_b + a_r that the operator made of the
policy's. With demonstrations, every batch is half of the one and half of the other.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.layout import Layout
from torch import Tensor

from rfs_learning.entries import own_entries, packaged_entries
from rfs_learning.flow_config import FlowConfig
from rfs_learning.flow_data import Arrays, ChunkData
from rfs_learning.flow_training import FlowTraining
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.run_identity import contents_id
from rfs_learning.training_run import FAILURES, METRICS_FILE, alone_in, progress_display, tell_failure
from rfs_learning.transitions import TransitionDataset


class FinetuneTraining(FlowTraining):
    """Flow matching from a checkpoint on, with its normalization. `own` steps of the data are corrected ones,
    the others demonstrations."""

    def __init__(self, data: ChunkData, own: int, start: str, config: FlowConfig, output: Path) -> None:
        checkpoint = load_checkpoint(start)
        super().__init__(data, checkpoint.layout, config, output)
        self.name = "train finetune"
        self.start_from(start)
        corrected = self.train_index < own
        self._parts = [
            part for part in (self.train_index[corrected], self.train_index[~corrected]) if len(part)
        ]

    def draw(self) -> Tensor:
        """(B,) as many steps of each kind."""
        sizes = [len(part) for part in torch.arange(self.config.batch).tensor_split(len(self._parts))]
        generator = self.state.generator
        chosen = [
            part[torch.randint(len(part), (size,), generator=generator)]
            for part, size in zip(self._parts, sizes, strict=True)
        ]
        return torch.cat(chosen)


def corrected_demonstrations(dataset: TransitionDataset, layout: Layout) -> Arrays:
    """Clouds, states, actions a and ends of the chains of transitions in successful episodes.

    Raises:
        ValueError: another layout, or no successful episode.
    """
    layout.require_same(dataset.layout, what=f"dataset '{dataset.path}'")
    rows = dataset.rows()
    episode = np.searchsorted(dataset.episode_ends, rows, side="right")
    succeeded = np.array([str(o) == "success" for o in dataset.array("outcome")[: len(dataset)]], bool)
    kept = succeeded[episode] if len(rows) else np.zeros(0, bool)
    if not kept.any():
        raise ValueError(
            f"no episode of {dataset.path} succeeded, and failures are nothing to imitate: collect more, or "
            "learn from failures with './rfs train offline'"
        )
    rows, episode = rows[kept], episode[kept]
    breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(episode) != 0)) + 1
    clouds, states, actions = (
        dataset.array(name).get_orthogonal_selection((rows,)) for name in ("point_cloud", "state", "action")
    )
    return clouds.astype(np.float16), states, actions, np.append(breaks, len(rows))


def finetune_config(path: str | None = None, **overrides: Any) -> FlowConfig:
    """config/flow.yaml, config/finetune.yaml in its place, then a YAML file, then `overrides` that are not
    None.

    Raises:
        FileNotFoundError, ValueError: no such file, or an entry that does not exist.
    """
    values = packaged_entries("finetune") | own_entries(path)
    return FlowConfig.load(**(values | {key: value for key, value in overrides.items() if value is not None}))


def train(
    data: Path, demonstrations: Sequence[str], start: str, output: Path, config: FlowConfig, resume: bool
) -> FinetuneTraining:
    """Load, train or resume; everything is written below `output`.

    Raises:
        FileNotFoundError, ValueError: what is not there, or does not fit.
        DivergedError: training left the finite numbers; the last good checkpoint stays.
    """
    torch.set_num_threads(config.threads)
    checkpoint = load_checkpoint(start)
    layout = checkpoint.layout
    own = corrected_demonstrations(TransitionDataset.open(data), layout)
    parts = [ChunkData.from_arrays([own])]
    if demonstrations:
        parts.append(ChunkData.load(demonstrations, layout))
    training = FinetuneTraining(_joined(parts), len(own[0]), start, config, output)
    told = {"data": str(data), "with": list(demonstrations), "start": checkpoint.id}
    sources = {"policy": checkpoint.id, "data": contents_id(data), "with": contents_id(*demonstrations)}
    training.begin(sources, told | {"corrected_steps": len(own[0])}, resume)
    with progress_display() as progress:
        training.run(progress)
    return training


def _joined(parts: Sequence[ChunkData]) -> ChunkData:
    """Steps and episodes of several one after the other."""
    steps = np.cumsum([0, *(len(part) for part in parts)])
    episodes = np.cumsum([0, *(int(part.episodes[-1]) + 1 for part in parts)])
    return ChunkData(
        torch.cat([part.clouds for part in parts]),
        torch.cat([part.states for part in parts]),
        torch.cat([part.actions for part in parts]),
        torch.cat([part.last + int(n) for part, n in zip(parts, steps, strict=False)]),
        torch.cat([part.episodes + int(n) for part, n in zip(parts, episodes, strict=False)]),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 for a wrong request, 3 if the run diverged, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="rfs train finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="transitions (./rfs dataset build)")
    parser.add_argument(
        "--with", nargs="+", default=[], metavar="DEMOS", dest="demonstrations", help="(./rfs demos)"
    )
    parser.add_argument("--policy", default="default", help="base policy to begin with")
    parser.add_argument("--output", type=Path, default=Path("runs/finetune"), help="folder of the run")
    parser.add_argument("--config", help="YAML with settings that differ from config/finetune.yaml")
    parser.add_argument("--steps", type=int, help="optimizer steps")
    parser.add_argument("--seed", type=int, help="seed of every random choice")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    args = parser.parse_args(argv)
    try:
        config = finetune_config(args.config, steps=args.steps, seed=args.seed)
        with alone_in(args.output):
            training = train(args.data, args.demonstrations, args.policy, args.output, config, args.resume)
    except FAILURES as error:
        return tell_failure("train finetune", error)
    print(f"checkpoint: {args.output}/policy.safetensors, metrics: {args.output}/{METRICS_FILE}")
    return 0 if training.state.step >= config.steps else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
