"""`./rfs train rl --method rfs_hand --task power`: train one modulation policy with PPO."""

import argparse
import errno
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from rich.progress import Progress

from rfs_learning.diverged import DivergedError
from rfs_learning.folder_lock import locked
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.rl.ingredients import Ingredients
from rfs_learning.rl.methods import METHODS, find_method
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.training import RlTraining
from rfs_learning.training_run import DIVERGED, alone_in


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs train rl`."""
    parser = argparse.ArgumentParser(prog="rfs train rl", description=__doc__)
    parser.add_argument("--method", default="rfs_hand_arm", help=f"one of {', '.join(METHODS)}")
    parser.add_argument("--task", default="power", help="a task of config/rl.yaml")
    parser.add_argument("--output", type=Path, default=Path("runs/rl"), help="folder of the run")
    parser.add_argument(
        "--bases", type=Path, help="folder of demonstrations and bases; default: OUTPUT/bases"
    )
    parser.add_argument("--config", help="YAML with settings that differ from the packaged config/rl.yaml")
    parser.add_argument("--control-steps", type=int, help="budget, over all environments")
    parser.add_argument("--environments", type=int)
    parser.add_argument("--threads", type=int, help="threads of physics and networks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 for a wrong request, 3 if the run diverged, 130 after Ctrl-C."""
    args = build_parser().parse_args(argv)
    try:
        find_method(args.method)
        if args.seed < 0:
            raise ValueError(f"--seed must not be below 0, got {args.seed}")
        config = _config(args)
        config.task(args.task)
        torch.set_num_threads(config.ppo.threads)
        with alone_in(args.output):
            training = _train(args, config)
    except DivergedError as error:
        print(f"rfs train rl: {error}", file=sys.stderr)
        return DIVERGED
    except (ValueError, OSError, ImportError) as error:
        print(f"rfs train rl: {_in_a_sentence(error)}", file=sys.stderr)
        return 1
    if training.interrupted:
        print(f"stopped after {training.control_steps} control steps; saved: go on with --resume")
    print(f"policy: {args.output}/policy.safetensors, metrics: {args.output}/metrics.jsonl")
    return INTERRUPTED if training.interrupted else 0


def _train(args: argparse.Namespace, config: RlConfig) -> RlTraining:
    """Begin or go on, until the budget is spent or an interrupt."""
    print("demonstrations and bases ...", flush=True)
    bases = args.bases or args.output / "bases"
    ours = bases.resolve() == args.output.resolve()
    with nullcontext() if ours else locked(bases):  # another run may be making them
        ingredients = Ingredients.prepare(config.task(args.task), config, bases)
    training = RlTraining(args.method, args.task, config, args.output, args.seed, ingredients, args.resume)
    with Progress() as progress:
        training.run(progress=progress)
    return training


def _config(args: argparse.Namespace) -> RlConfig:
    config = RlConfig.load(args.config)
    given = {name: getattr(args, name) for name in ("control_steps", "environments", "threads")}
    return config.with_ppo(**{name: value for name, value in given.items() if value is not None})


def _in_a_sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: make room, then run it again, with --resume if training had begun"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
