"""``./rfs bags info|check|recover|play``: look at recorded episodes, repair them, play them again."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from rfs_teleop.bag_check import check
from rfs_teleop.bag_folders import find_bags, mcap_file
from rfs_teleop.bag_overview import overview
from rfs_teleop.bag_repair import repair

_EPILOG = (
    "PATH is a bag, or a folder that holds bags. Exit status: 0 all is well, 1 something is wrong, 2 misuse."
)


def main(argv: list[str]) -> int:
    """0 when all is well with all bags, 1 when not, 2 for a mistake in the arguments."""
    options = _parser().parse_args(argv)
    try:
        bags = find_bags(options.paths)
    except FileNotFoundError as error:
        print(f"rfs bags: {error}", file=sys.stderr)
        return 2
    sound = [_guarded(options.act, bag, options) for bag in bags]
    if options.act is _check and len(bags) > 1:
        print(f"{sum(sound)} of {len(bags)} bags are sound")
    return 0 if all(sound) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rfs bags", description="Recorded episodes.", epilog=_EPILOG)
    actions = parser.add_subparsers(required=True, metavar="info|check|recover|play")
    for act, text in (
        (_info, "contract, counts, rates"),
        (_check, "is it whole: end, checksums, counts, gaps, clocks"),
        (_recover, "give a bag that was cut off its end, in place"),
        (_play, "publish its messages again, byte for byte"),
    ):
        action = actions.add_parser(act.__name__[1:], help=text, description=text, epilog=_EPILOG)
        action.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        action.set_defaults(act=act)
        if act is _play:
            action.add_argument("--rate", type=_positive, default=1.0, help="times as fast as recorded")
            action.add_argument("--topics", nargs="+", default=[], metavar="TOPIC", help="only these")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _guarded(act: Callable[[Path, argparse.Namespace], bool], bag: Path, options: argparse.Namespace) -> bool:
    """One bag that cannot be read does not keep the others from their turn."""
    try:
        return act(bag, options)
    except (ValueError, OSError) as error:
        print(f"{bag}: {error}", file=sys.stderr)
        return False


def _info(bag: Path, _: argparse.Namespace) -> bool:
    for line in overview(bag).lines():
        print(line)
    return True


def _check(bag: Path, _: argparse.Namespace) -> bool:
    problems = check(bag)
    print(f"{bag}: {'sound' if not problems else ''}".rstrip())
    for problem in problems:
        print(f"  {problem}")
    return not problems


def _recover(bag: Path, _: argparse.Namespace) -> bool:
    file = mcap_file(bag)
    if not bag.is_dir():
        raise ValueError("give the bag's folder: metadata.yaml belongs beside the file")
    size = file.stat().st_size
    metadata = repair(bag)
    change = "was whole" if file.stat().st_size == size else "repaired"
    print(f"{bag}: {change}, {sum(metadata.counts.values())} messages")
    return True


def _play(bag: Path, options: argparse.Namespace) -> bool:
    from rfs_teleop.nodes.bag_player import play  # needs ROS, which the others do not

    print(f"{bag}: {play(bag, options.rate, options.topics)} messages played")
    return True
