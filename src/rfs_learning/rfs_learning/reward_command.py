"""`./rfs reward relabel|strip|plot`: rewards of recorded episodes, computed again, beside their bags."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rfs_policy.checkpoint import write_atomically
from rfs_reward.reward_config import RewardConfig
from rfs_reward.trackers.registry import TRACKERS
from rfs_teleop.bag_folders import find_bags
from rfs_teleop.bag_index import IndexedBag
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.reward_label_file import read_labels
from rfs_learning.reward_labels import RewardLabels, check_label, labels_folder
from rfs_learning.reward_run import RECORDED, RewardRun

SKIPPED = 3
"""Exit code when some bags could not be used."""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs reward`."""
    parser = argparse.ArgumentParser(prog="rfs reward", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    relabel = commands.add_parser(
        "relabel",
        help="rewards of bags by any tracker and configuration; run again, it goes on where it ended",
        description="Writes rewards to the folder rewards/LABEL beside the bags. Without --tracker, terms "
        "and success come from the recorded distances and lifts, without looking at pictures.",
    )
    relabel.add_argument("bags", nargs="+", type=Path, help="bags, or folders that hold some")
    _add_run(relabel)
    relabel.add_argument("--label", help="name of these rewards; default: the tracker's, or 'recorded'")
    relabel.add_argument("--workers", type=_positive, default=1, help="processes; default 1")
    relabel.add_argument("--json", metavar="FILE", type=Path, help="also write the table as JSON")
    strip = commands.add_parser("strip", help="pictures of an episode with the tracked mask, as PNG")
    strip.add_argument("bag", type=Path)
    _add_run(strip)
    strip.add_argument("-o", "--output", type=Path, required=True)
    plot = commands.add_parser("plot", help="reward over time, mean and spread over episodes, as PNG")
    plot.add_argument("bags", nargs="+", type=Path, help="bags, or folders that hold some")
    plot.add_argument("--labels", nargs="+", required=True, help="of rewards beside them, to be compared")
    plot.add_argument("-o", "--output", type=Path, required=True)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tracker", choices=sorted(TRACKERS), default="")
    parser.add_argument("--weights", default="", help="of tracker sam2: folder, or name of './rfs weights'")
    parser.add_argument("--config", type=Path, help="YAML as config/reward.yaml; default: the package's")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """0: done; 1: nothing usable, or a mistake; 3: done, but some bags were skipped."""
    options, console = build_parser().parse_args(argv), Console()
    try:
        return {"relabel": _relabel, "strip": _strip, "plot": _plot}[options.command](options, console)
    except (ValueError, OSError) as error:
        print(f"rfs reward {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> RewardRun:
    if options.weights and options.tracker != "sam2":
        raise ValueError("--weights are those of SAM2: give --tracker sam2 with them")
    return RewardRun(options.tracker or RECORDED, options.weights, RewardConfig.load(options.config))


def _relabel(options: argparse.Namespace, console: Console) -> int:
    from rfs_learning.reward_page import overall, table, write_page
    from rfs_learning.reward_work import relabel_all

    run, began = _run(options), time.perf_counter()
    label = options.label or run.tracker
    check_label(label)
    bags = find_bags(options.bags)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("bags", total=len(bags))

        def on_bag(bag: Path, problem: str) -> None:
            if problem:
                text = f"[yellow]skipped[/] {escape(str(bag))}: {escape(problem)}"
                progress.console.print(text, highlight=False, soft_wrap=True)
            progress.advance(bar)
            if not console.is_terminal:  # there the bar shows at the end alone
                console.print(f"{progress.tasks[bar].completed:g}/{len(bags)}", bag.name, highlight=False)

        result = relabel_all(bags, label, run, options.workers, on_bag)
    rows = [result.rows[bag] for bag in bags if bag in result.rows]
    pages = [write_page(folder) for folder in sorted({labels_folder(bag, label) for bag in result.rows})]
    if options.json:
        content = {"label": label, "run": run.identity(), "episodes": [row.as_json() for row in rows]}
        content["skipped"] = {str(bag): why for bag, why in result.skipped.items()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.json, (json.dumps(content, indent=2) + "\n").encode())
    if not rows:
        console.print("[red]no bag could be used, no rewards were written[/]")
        return 1
    console.print(table(rows, f"rewards '{label}' by {run.tracker}"))
    known = f", {result.known} of them known" if result.known else ""
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    line = f"{overall(rows)}{known}{skipped}, {time.perf_counter() - began:.1f} s"
    for text in (line, *(f"report  {page}" for page in pages)):
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    return SKIPPED if result.skipped else 0


def _strip(options: argparse.Namespace, console: Console) -> int:
    from rfs_learning.reward_episode import judged
    from rfs_learning.reward_plots import strip_plot
    from rfs_learning.reward_strip import Strip

    run, strip = _run(options), Strip()
    if run.tracker == RECORDED:
        raise ValueError(f"--tracker says who looks at the pictures: one of {', '.join(sorted(TRACKERS))}")
    with IndexedBag(options.bag) as bag:
        judged(bag, run, strip)
    write_atomically(options.output, strip_plot(strip.shots(), strip.start))
    console.print(str(options.output), highlight=False, soft_wrap=True, markup=False)
    return 0


def _plot(options: argparse.Namespace, console: Console) -> int:
    from rfs_learning.reward_plots import progress_plot

    groups: dict[str, list[RewardLabels]] = {}
    for path in find_bags(options.bags):
        with IndexedBag(path) as bag:
            for label in dict.fromkeys(options.labels):
                groups.setdefault(label, []).append(read_labels(bag, path, label))
    write_atomically(options.output, progress_plot(groups))
    console.print(str(options.output), highlight=False, soft_wrap=True, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
