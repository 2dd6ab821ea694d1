"""`./rfs compare figure6 --output runs/mine --results runs/mine/results --data corrections=DATA.zarr ...`

Trains every method of a comparison on corrections, from several seeds, and evaluates all of them over the
same episodes on the simulated target robot. What is finished is kept: Ctrl-C at any time, the same command
goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rfs_learning.folder_lock import locked
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.offline.comparison import PACKAGED, Comparison
from rfs_learning.offline.comparison_report import write_report
from rfs_learning.offline.comparison_runs import ComparisonRuns, Run

FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs compare`."""
    parser = argparse.ArgumentParser(
        prog="rfs compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "comparison", nargs="?", default=PACKAGED[0], help=f"{', '.join(PACKAGED)} or a YAML file"
    )
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="NAME=FOLDER", help="the datasets that its methods name"
    )
    parser.add_argument("--policy", default="default", help="checkpoint of the base policy")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: all of the comparison")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, one core each; default 2")
    parser.add_argument("--report", action="store_true", help="only draw what is finished")
    parser.add_argument("--output", type=Path, help="weights and logs; default runs/COMPARISON")
    parser.add_argument("--results", type=Path, help="evaluations and report; default results/COMPARISON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 when a run failed."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        comparison = Comparison.load(args.comparison)
        results = args.results or Path("results", comparison.name)
        whole, failed = (True, {}) if args.report else _run(args, comparison, results, console)
        page = write_report(comparison, results)
    except (ValueError, OSError) as error:
        print(f"rfs compare: {error}", file=sys.stderr)
        return FAILED
    console.print(f"report  {page}", highlight=False, soft_wrap=True, markup=False)
    if not whole:
        console.print("interrupted; the same command goes on")
        return INTERRUPTED
    return FAILED if failed else 0


def _run(
    args: argparse.Namespace, comparison: Comparison, results: Path, console: Console
) -> tuple[bool, dict[Run, str]]:
    if args.jobs < 1 or min(args.seeds) < 0:
        raise ValueError("--jobs must be at least 1, and --seeds 0 or more")
    names = args.methods or [contender.name for contender in comparison.contenders]
    contenders = [comparison.contender(name) for name in dict.fromkeys(names)]
    output = args.output or Path("runs", comparison.name)
    work = ComparisonRuns(comparison, _datasets(args.data), args.policy, output, results)
    runs = [Run(contender, seed) for seed in dict.fromkeys(args.seeds) for contender in contenders]

    def tell(run: Run, what: str) -> None:
        console.print(f"{run}: {what}", highlight=False, soft_wrap=True, markup=False)

    busy = f"another comparison is at work in '{output}': wait for its end, or give another --output"
    with locked(output, busy):
        waiting = work.waiting(runs)
        console.print(f"{len(runs)} runs, {len(runs) - len(waiting)} of them done")
        return work.run(waiting, args.jobs, tell)


def _datasets(texts: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in texts:
        name, separator, folder = text.partition("=")
        if not separator or not name or not folder:
            raise ValueError(f"--data {text}: give NAME=FOLDER")
        found[name] = Path(folder)
    return found


if __name__ == "__main__":
    sys.exit(main())
