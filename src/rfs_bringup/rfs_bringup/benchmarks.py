"""``./rfs bench [NAME...] [--json FILE]``: run ``bench/NAME.py`` and show each figure beside its goal.

A benchmark is a module with ``run() -> list[dict]``; each has ``name``, ``value``, ``unit``, ``goal`` and
``holds``, and ``peer`` and ``ratio`` where something else was measured beside it in the same run.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

REQUIRED = {"name", "value", "unit", "goal", "holds"}
OPTIONAL = {"peer", "ratio", "note"}
Figure = dict[str, Any]


def main(argv: list[str]) -> int:
    """0 when all ran; 1 when a benchmark failed to run; 2 for an unknown name. Missed goals do not fail."""
    folder = Path(os.environ["RFS_ROOT"]) / "bench"
    known = benchmark_names(folder)
    parser = argparse.ArgumentParser(
        prog="rfs bench", description="Run benchmarks; each alone on the machine."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, default all: {', '.join(known)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures as a list")
    options = parser.parse_args(argv)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1) or known
        print(f"rfs bench: unknown benchmark '{unknown[0]}'; known: {', '.join(near)}", file=sys.stderr)
        return 2
    figures, failed = [], []
    for name in options.names or known:
        print(f"== {name}", flush=True)
        try:
            figures += load(folder, name)
        except ImportError as error:
            way_out = "bench/README.md says what to install for it"
            print(f"rfs bench: {name}: {error}; {way_out}", file=sys.stderr)
            failed.append(name)
        except (RuntimeError, ValueError, OSError) as error:
            print(f"rfs bench: {name}: {error}", file=sys.stderr)
            failed.append(name)
    print(table(figures))
    if options.json:
        write_json(options.json, figures)
    return int(bool(failed))


def benchmark_names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def load(folder: Path, name: str) -> list[Figure]:
    """Import one benchmark and run it; ValueError when a figure lacks a field."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"bench/{name}.py cannot be imported")
    module = importlib.util.module_from_spec(spec)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # modules beside it whose names begin with _
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    figures: list[Figure] = module.run()
    for figure in figures:
        check(figure)
    return figures


def check(figure: Figure) -> None:
    """ValueError when a figure is not of the agreed form."""
    missing, extra = REQUIRED - figure.keys(), figure.keys() - REQUIRED - OPTIONAL
    if missing or extra:
        raise ValueError(
            f"figure {figure.get('name', '?')}: missing {sorted(missing)}, unknown {sorted(extra)}"
        )


def table(figures: list[Figure]) -> str:
    """Aligned text, one line a figure."""
    rows = [("figure", "value", "unit", "goal", "holds", "beside it")]
    for figure in figures:
        peer = (
            f"{_number(figure['peer'])} ({figure['ratio']:.2f} x)" if figure.get("peer") is not None else ""
        )
        holds = {True: "yes", False: "NO", None: ""}[figure["holds"]]
        goal = "" if figure["goal"] is None else str(figure["goal"])
        rows.append((figure["name"], _number(figure["value"]), figure["unit"], goal, holds, peer))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _number(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def write_json(file: Path, figures: list[Figure]) -> None:
    """Write to a temporary name and rename."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps(figures, indent=1) + "\n")
    temporary.replace(file)
