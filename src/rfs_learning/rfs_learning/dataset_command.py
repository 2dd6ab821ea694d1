"""`./rfs dataset build|info|import|export`: bags to transitions for offline RL; other formats, in and out."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rfs_teleop.bag_folders import find_bags
from rich.console import Console

from rfs_learning.dataset_build import build
from rfs_learning.interrupt import INTERRUPTED
from rfs_learning.replay import writing
from rfs_learning.reward_labels import check_label
from rfs_learning.transitions import TransitionDataset

SKIPPED = 3
"""Exit code when some bags or episodes could not be used."""


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs dataset`."""
    parser = argparse.ArgumentParser(prog="rfs dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser(
        "build", help="bags to a dataset of transitions; run again, it goes on where it was interrupted"
    )
    make.add_argument("bags", nargs="+", type=Path, help="bags, or folders that hold some")
    make.add_argument(
        "-o", "--output", type=Path, required=True, help="dataset folder, e.g. runs/nudges.zarr"
    )
    make.add_argument(
        "--rewards",
        metavar="LABEL",
        default="",
        help="rewards that './rfs reward relabel' wrote beside the bags; without it, the recorded ones",
    )
    make.add_argument("--outcome", choices=("success", "failure"), help="these episodes alone; default: all")
    info = commands.add_parser("info", help="what is in a dataset")
    info.add_argument("dataset", type=Path)
    info.add_argument("--json", metavar="FILE", type=Path, help="also write it as JSON")
    _add_import(commands)
    export = commands.add_parser("export", help="write it in another project's format")
    export.add_argument("dataset", type=Path)
    export.add_argument(
        "--format",
        choices=("lerobot", "isaaclab"),
        required=True,
        help="lerobot: of transitions, a folder; isaaclab: of demonstrations, an .hdf5 file",
    )
    export.add_argument("-o", "--output", type=Path, required=True, help="does not exist yet")
    return parser


def _add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "import", help="demonstrations that Isaac Lab recorded to a dataset for './rfs train flow'"
    )
    parser.add_argument("recording", type=Path, help=".hdf5 of Isaac Lab's record_demos.py")
    parser.add_argument("-o", "--output", type=Path, required=True, help="dataset folder, e.g. runs/lab.zarr")
    parser.add_argument(
        "--object", default="", metavar="NAME", help="what was grasped, where it does not say"
    )
    parser.add_argument("--rate", type=float, metavar="HZ", help="control rate, where it does not say")


def main(argv: Sequence[str] | None = None) -> int:
    """0: done; 1: nothing usable; 3: done, but some bags or episodes were skipped."""
    options, console = build_parser().parse_args(argv), Console()
    try:
        if options.command == "build":
            return _build(options, console)
        if options.command == "info":
            return _info(options.dataset, options.json, console)
        if options.command == "import":
            return _import(options, console)
        return _export(options.dataset, options.output, options.format, console)
    except (ValueError, OSError) as error:
        print(f"rfs dataset {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


def _build(options: argparse.Namespace, console: Console) -> int:
    began, output = time.perf_counter(), options.output
    if options.rewards:
        check_label(options.rewards)
    bags = find_bags(options.bags)
    with writing(output):
        result = build(bags, output, console, options.rewards, options.outcome or "")
    if result.dataset is None:
        console.print("[red]no bag could be used, no dataset was written[/]")
        return 1
    added, known = f"{result.added} episodes added", f", {result.known} were in it" if result.known else ""
    skipped = f", {result.left_out} of another outcome left out" if result.left_out else ""
    skipped += f", {len(result.skipped)} skipped" if result.skipped else ""
    transitions, seconds = len(result.dataset.rows()), time.perf_counter() - began
    line = f"{output}: {added}{known}{skipped}; {len(result.dataset)} episodes, {transitions} transitions"
    console.print(f"{line}, {seconds:.1f} s", highlight=False, soft_wrap=True, markup=False)
    return SKIPPED if result.skipped else 0


def _info(path: Path, file: Path | None, console: Console) -> int:
    from rfs_learning.dataset_info import describe, show

    description = describe(TransitionDataset.open(path))
    show(description, console)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.tmp")
        temporary.write_text(json.dumps(description, indent=2) + "\n")
        temporary.replace(file)
    return 0


def _import(options: argparse.Namespace, console: Console) -> int:
    from rfs_learning.lab.importing import ImportChoices, import_recording

    began, choices = time.perf_counter(), ImportChoices(options.object, options.rate)
    result = import_recording(options.recording, options.output, choices, console)
    if not result.kept:
        console.print("[red]no episode could be used, no dataset was written[/]")
        return 1
    left = f", {result.failures} failures left out" if result.failures else ""
    left += f", {len(result.skipped)} skipped" if result.skipped else ""
    line = f"{options.output}: {result.kept} demonstrations, {result.steps} steps{left}"
    seconds = time.perf_counter() - began
    console.print(f"{line}, {seconds:.1f} s", highlight=False, soft_wrap=True, markup=False)
    return SKIPPED if result.skipped else 0


def _export(path: Path, output: Path, kind: str, console: Console) -> int:
    if kind == "isaaclab":
        from rfs_learning.dataset import DemoDataset
        from rfs_learning.lab.exporting import export as export_demonstrations

        counts = export_demonstrations(DemoDataset.open(path), output, console)
    else:
        from rfs_learning.lerobot_export import export

        counts = export(TransitionDataset.open(path), output, console)
    console.print(f"{output}: {counts}", highlight=False, soft_wrap=True, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
