"""`./rfs ablations`: what RFS depends on, one thing changed at a time.

Each variant is trained and evaluated like a cell of table 1. What is finished is kept: Ctrl-C at any time,
the same command goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.rl.ablations_report import write_report
from rfs_learning.rl.study import PACKAGED, Study
from rfs_learning.rl.table1 import FAILED, SEEDS, at_least, sit
from rfs_learning.rl.table1_cells import in_a_sentence


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs ablations`."""
    parser = argparse.ArgumentParser(
        prog="rfs ablations", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--study", default=PACKAGED[0], help=f"{', '.join(PACKAGED)} or a YAML file; default {PACKAGED[0]}"
    )
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="default: all of the study")
    parser.add_argument("--seeds", nargs="+", type=at_least(0), default=list(SEEDS), help="default: 0 1 2")
    parser.add_argument("--jobs", type=at_least(1), default=2, help="runs at once, one core each; default 2")
    parser.add_argument("--report", action="store_true", help="only draw the table of finished runs")
    parser.add_argument("--output", type=Path, help="weights and logs; default runs/STUDY")
    parser.add_argument("--results", type=Path, help="results and report; default results/STUDY")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 when a run failed."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        study = Study.load(args.study)
        names = args.variants or [variant.name for variant in study.variants]
        variants = [study.variant(name) for name in dict.fromkeys(names)]
        output = args.output or Path("runs", study.name)
        results = args.results or Path("results", study.name)
        seeds = dict.fromkeys(args.seeds)
        jobs = [study.job(variant, seed, output, results) for seed in seeds for variant in variants]
        whole, failed = (True, {}) if args.report else sit(jobs, args.jobs, console)
        page = write_report(study, output, results)
    except (ValueError, OSError) as error:
        print(f"rfs ablations: {in_a_sentence(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("rfs ablations: ended; what was finished is kept, the same command goes on", file=sys.stderr)
        return INTERRUPTED
    console.print(f"report  {page}", highlight=False, soft_wrap=True, markup=False)
    for which, problem in failed.items():
        console.print(f"failed  {which}: {problem}", highlight=False, soft_wrap=True, markup=False)
    if not whole:
        console.print("interrupted; the same command goes on")
        return INTERRUPTED
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
