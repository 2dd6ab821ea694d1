"""`./rfs report zero-shot=a.json RFS=b.json RFS=c.json -o page.html`: evaluations side by side on one page.

Files of the same name are runs of one method from several training seeds; without a name, the one that the
file holds is taken. The first method is what the others are compared with.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rfs_policy.checkpoint import write_atomically
from rich.console import Console

from rfs_learning.evaluation_page import evaluation_page
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.evaluation_strips import EpisodesAgain, chosen_trials, strips_picture
from rfs_learning.method_results import MethodResults, by_method


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs report`."""
    parser = argparse.ArgumentParser(
        prog="rfs report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="[NAME=]FILE", help="from './rfs evaluate --json'")
    parser.add_argument("-o", "--output", type=Path, required=True, help="HTML page to write")
    parser.add_argument("--title", default="Evaluation")
    parser.add_argument(
        "--strips",
        type=int,
        default=2,
        metavar="N",
        help="successes and failures of each method that are run again and drawn (default: 2 of each)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; the exit code is 1 when it could not be written."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        if args.strips < 0:
            raise ValueError(f"--strips {args.strips}: give 0 or more")
        methods = by_method([_named(text) for text in args.files])
        strips = _strips(methods, args.strips, console) if args.strips else {}
        page = evaluation_page(methods, strips, args.title)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(args.output, page.encode())
    except (ValueError, OSError) as error:
        print(f"rfs report: {error}", file=sys.stderr)
        return 1
    console.print(f"{args.output}", highlight=False, soft_wrap=True)
    return 0


def _named(text: str) -> tuple[str, EvaluationRecord]:
    """A file may itself be named with '=': what is there as a whole counts as a file."""
    name, separator, file = text.partition("=")
    if not separator or Path(text).is_file():
        record = EvaluationRecord.read(Path(text))
        return record.name, record
    return name, EvaluationRecord.read(Path(file))


def _strips(methods: Sequence[MethodResults], each: int, console: Console) -> dict[str, bytes | str]:
    """Of each method's first run; what cannot be run again is said in place of the pictures."""
    found: dict[str, bytes | str] = {}
    for method in methods:
        record = method.records[0]
        with console.status(f"episodes of {method.name}"):
            try:
                again = EpisodesAgain(record)
                strips = [again.strip(trial) for trial in chosen_trials(record.trials, each)]
                found[method.name] = strips_picture(strips) if strips else "no episodes"
            except (ValueError, OSError) as error:
                found[method.name] = f"No pictures: {error}."
    return found


if __name__ == "__main__":
    sys.exit(main())
