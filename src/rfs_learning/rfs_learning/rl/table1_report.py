"""Report of table 1 in Markdown: README.md in the results folder, from the cells' records alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rfs_policy.checkpoint import write_atomically

from rfs_learning.markdown_tables import NOTHING
from rfs_learning.rl.table1_plan import BASE, NOISES
from rfs_learning.rl.table1_plots import figures
from rfs_learning.rl.table1_results import ROWS, Results
from rfs_learning.rl.table1_tables import (
    differences,
    efficiency,
    failures,
    objects,
    quality,
    robustness,
    success,
)

REPORT_FILE = "README.md"


def write_report(folder: Path, tasks: Iterable[str], seeds: int) -> Path:
    """Draw everything that is known; the page's path.

    Raises:
        ValueError: a file in the folder is no record of a cell.
    """
    results = Results.read(folder, tasks, seeds)
    drawn = figures(results)
    for name, png in drawn.items():
        write_atomically(folder / name, png)
    write_atomically(folder / REPORT_FILE, page(results, list(drawn)).encode())
    return folder / REPORT_FILE


def page(results: Results, drawn: Sequence[str] = ()) -> str:
    """The whole page; drawn: names of figures that lie beside it."""
    sections = [
        "# Table 1: success of every method\n\nMade by `./rfs table1 --report` from the files beside it.",
        _state(results),
        "## Success",
        *(success(results, noise) for noise in NOISES),
        differences(results),
        efficiency(results),
        quality(results),
        robustness(results),
        *(objects(results, task) for task in results.tasks),
        *(failures(results, task) for task in results.tasks),
        "\n".join(f"![{Path(name).stem}]({name})" for name in drawn),
        _settings(results),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _state(results: Results) -> str:
    lines = [
        "Mean ± standard deviation over seeds (divided by n, as in the paper) and 95 % interval. Intervals "
        "hold both Student's over seeds and Wilson's over the episodes, which are the same for all seeds; "
        "with one seed they know its episodes only. Overall is the mean of the tasks, its deviation that "
        "over tasks and seeds, as in the paper."
    ]
    missing = results.missing(ROWS)
    if missing:
        lines.append("**Not complete**: " + "; ".join(missing) + ".")
    lines += [f"**Failed**: {record.cell}: {record.problem}" for record in results.failed]
    if results.mixed():
        tasks = ", ".join(results.mixed())
        lines.append(f"**Not comparable**: records of {tasks} were made with more than one set of settings.")
    return "\n\n".join(lines)


def _settings(results: Results) -> str:
    done = [record for record in results.records if record.finished]
    if not done:
        return ""
    changed = sorted({entry for record in done for entry in record.changed})
    versions = sorted({f"{name} {value}" for record in done for name, value in record.versions.items()})
    budget = sorted({record.control_steps for record in done if record.cell.method != BASE})
    episodes = sorted({record.count("mean")[1] for record in done})
    lines = [
        f"- control steps of a cell: {_spread(budget)}; episodes of a final evaluation: {_spread(episodes)}",
        f"- settings that differ from the packaged ones: {', '.join(changed) or 'none'}",
        f"- wall time of all cells, one process each: {sum(r.seconds for r in done) / 3600:.1f} h",
        f"- {', '.join(versions)}",
    ]
    return "## How it was made\n\n" + "\n".join(lines)


def _spread(values: Sequence[int]) -> str:
    return " to ".join(f"{value:,}" for value in sorted({min(values), max(values)})) if values else NOTHING
