"""`./rfs figures rollouts --policies FILE ...` and `./rfs figures noise --bases FOLDER`: pictures of what
reinforcement learning does."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rfs_policy.checkpoint import load_checkpoint, write_atomically

from rfs_learning.differing_settings import differences
from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.flow_base import FlowBase, base_layout
from rfs_learning.rl.ingredients import DEMONSTRATIONS_FILE, HAND_ARM_FILE, HAND_FILE
from rfs_learning.rl.methods import find_method
from rfs_learning.rl.noise_figure import noise_figure, spread_postures
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.rollout_figure import film, rollout_figure

_BASE_FILES = {"hand": HAND_FILE, "hand_arm": HAND_ARM_FILE}


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs figures`."""
    parser = argparse.ArgumentParser(prog="rfs figures", description=__doc__)
    figures = parser.add_subparsers(dest="figure", required=True)
    rollouts = figures.add_parser("rollouts", help="episodes of several policies from one start")
    rollouts.add_argument("--policies", nargs="+", type=Path, required=True, help="policy.safetensors")
    rollouts.add_argument("--object", help="default: the first of the policies' task")
    rollouts.add_argument("--seed", type=int, default=FIRST_SEED, help="of the episode")
    rollouts.add_argument("--noise", choices=("mean", "sampled"), default="mean", help="of a0")
    rollouts.add_argument("--columns", type=int, default=6, help="moments that are shown")
    rollouts.add_argument("--output", type=Path, default=Path("runs/rollouts.png"))
    rollouts.set_defaults(draw=draw_rollouts)
    noise = figures.add_parser("noise", help="what a base predicts from one posture under several a0")
    noise.add_argument("--bases", type=Path, required=True, help="folder of demonstrations and bases")
    noise.add_argument("--kind", choices=tuple(_BASE_FILES), default="hand")
    noise.add_argument("--episode", type=int, default=0, help="demonstration that gives the postures")
    noise.add_argument("--noises", type=int, default=2, help="draws of a0")
    noise.add_argument("--seed", type=int, default=0, help="of a0")
    noise.add_argument("--output", type=Path, default=Path("runs/noise.png"))
    noise.set_defaults(draw=draw_noise)
    return parser


def draw_rollouts(args: argparse.Namespace) -> bytes:
    """PNG of one episode of every policy. ValueError: their tasks differ, or the object is unknown."""
    policies = [SteeredPolicy.load(path) for path in args.policies]
    for path, policy in zip(args.policies, policies, strict=True):
        _require_same_task(policies[0], policy, path)
    task, films = policies[0].config.task(policies[0].task), {}
    labels = [find_method(policy.method).label for policy in policies]
    for number, (path, policy, label) in enumerate(
        zip(args.policies, policies, labels, strict=True), start=1
    ):
        if labels.count(label) > 1:
            label = f"{label}, {number}\n({path.parent.name}/{path.name})"
        films[label] = film(policy, task, args.seed, args.object or task.objects[0], args.noise)
    return rollout_figure(films, args.columns)


def _require_same_task(first: SteeredPolicy, policy: SteeredPolicy, path: Path) -> None:
    if first.task != policy.task:
        raise ValueError(f"policies of the tasks {first.task} and {policy.task}: give those of one task")
    usual, present = (each.config.deciding(each.task)["tasks"] for each in (first, policy))
    if other := differences(usual, present):
        raise ValueError(f"'{path}' learned another task than the first policy: {', '.join(other)}")


def draw_noise(args: argparse.Namespace) -> bytes:
    """PNG of the hands that a base predicts. ValueError: no draw of a0 is asked for."""
    if args.noises < 1:
        raise ValueError(f"--noises must be at least 1, got {args.noises}")
    demonstrations = Demonstrations.load(args.bases / DEMONSTRATIONS_FILE)
    file = args.bases / _BASE_FILES[args.kind]
    horizon = load_checkpoint(file).layout.horizon
    base = FlowBase.load(file, base_layout(args.kind, horizon, demonstrations.rate))
    postures = spread_postures(demonstrations, episode=args.episode)
    return noise_figure(base, postures, args.noises, args.seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw one figure; the exit code is 1 when it could not be drawn."""
    args = build_parser().parse_args(argv)
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.output, args.draw(args))
    except (ValueError, OSError) as error:
        print(f"rfs figures: {error}", file=sys.stderr)
        return 1
    print(args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
