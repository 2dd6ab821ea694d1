"""`./rfs train offline --data runs/nudges.zarr`: learn a modulation from corrected episodes."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch
from rfs_policy.checkpoint import load_checkpoint
from rfs_policy.modulation_checkpoint import FILE_NAME
from rfs_policy.torch_base import TorchBase
from rich.console import Console

from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.offline.offline_config import Algorithm, CriticInput, Method, OfflineConfig
from rfs_learning.offline.offline_data import OfflineData
from rfs_learning.offline.offline_training import OfflineTraining
from rfs_learning.run_identity import contents_id
from rfs_learning.training_run import FAILURES, METRICS_FILE, alone_in, progress_display, tell_failure
from rfs_learning.transitions import TransitionDataset


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs train offline`."""
    parser = argparse.ArgumentParser(prog="rfs train offline", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="transitions (./rfs dataset build)")
    parser.add_argument("--policy", default="default", help="base policy that acted in them")
    parser.add_argument("--output", type=Path, default=Path("runs/offline"), help="folder of the run")
    parser.add_argument("--config", help="YAML with settings that differ from config/offline.yaml")
    parser.add_argument("--method", choices=get_args(Method), help="what is learned: a0 and a_r, or one")
    parser.add_argument("--critic", choices=get_args(CriticInput), help="what the critic sees of an action")
    parser.add_argument("--algorithm", choices=get_args(Algorithm))
    parser.add_argument("--encoder", choices=("base", "own"), help="whose features the modulation looks at")
    parser.add_argument("--steps", type=int, help="updates")
    parser.add_argument("--seed", type=int, help="seed of every random choice")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    return parser


def train(
    data: Path, policy: str, config: OfflineConfig, output: Path, resume: bool = False
) -> OfflineTraining:
    """Load, recover, train; everything is written below `output`. `state.step` tells how far it came.

    Raises:
        ValueError, OSError: what does not fit, or is not there.
        DivergedError: training left the finite numbers; the last good checkpoint stays.
    """
    torch.set_num_threads(config.threads)
    base = TorchBase.from_checkpoint(load_checkpoint(policy))
    dataset = TransitionDataset.open(data)
    console = Console()
    console.print(f"{data}: encoding {dataset.steps} observations, a0 of {len(dataset.rows())} actions ...")
    loaded = OfflineData.load(dataset, base, config)
    describe(loaded, console)
    training = OfflineTraining(loaded, base, config, output)
    training.begin({"base": base.id, "data": contents_id(data)}, training.record, resume)
    with progress_display() as progress:
        training.run(progress)
    return training


def describe(data: OfflineData, console: Console) -> None:
    """What there is to learn from, in some lines."""
    told, noise = data.told, data.told["noise"]
    lines = [
        f"{told['transitions']} transitions of {told['episodes']} episodes, {told['failures']} failures, "
        f"{told['corrected']} corrected",
        f"a0: {noise['logged']} logged, {noise['recovered']} recovered, {noise['not_recovered']} not",
    ]
    if noise["recovered"]:
        lines.append(
            f"recovery ({noise['method']}): median error {noise['error_median']:.1e} of the action scale, "
            f"{noise['seconds']:.1f} s"
        )
    compared = noise["against_logged"]
    if compared:
        lines.append(
            f"recovered against {compared['compared']} logged: median error {compared['error_median']:.1e}, "
            f"a0 differs by {compared['noise_difference_median']:.3f} (median)"
        )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
    for note in data.notes:
        console.print(f"[yellow]note[/] {note}", highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 for a wrong request, 3 if the run diverged, 130 after Ctrl-C."""
    args = build_parser().parse_args(argv)
    names = ("method", "critic", "algorithm", "encoder", "steps", "seed")
    try:
        config = OfflineConfig.load(args.config, **{name: getattr(args, name) for name in names})
        with alone_in(args.output):
            training = train(args.data, args.policy, config, args.output, args.resume)
    except FAILURES as error:
        return tell_failure("train offline", error)
    print(f"modulation: {args.output}/{FILE_NAME}, metrics: {args.output}/{METRICS_FILE}")
    return 0 if training.state.step >= config.steps else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
