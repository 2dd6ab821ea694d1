"""Report of a study in Markdown: README.md in its results folder, from the records of its runs alone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rfs_policy.checkpoint import write_atomically

from rfs_learning.estimates import mean_estimate, rate_difference, rate_estimate
from rfs_learning.markdown_tables import NOTHING, in_percent, signed, table, with_interval
from rfs_learning.rl.learning_curve import area, steps_to
from rfs_learning.rl.study import Study, Variant
from rfs_learning.rl.table1_plan import Cell
from rfs_learning.rl.table1_record import CellRecord, open_record

REPORT_FILE = "README.md"
_HEAD = (
    "variant",
    "seeds",
    "success, a0 mean",
    "difference",
    "a0 sampled",
    "steps to 80 %",
    "area",
    "infeasible",
    "fingers / mrad",
)


def write_report(study: Study, output: Path, results: Path) -> Path:
    """Draw everything that is known of runs in `output`; the page's path.

    Raises:
        ValueError: a file in the folder is no record of a run.
    """
    records = {variant.name: _records(study, variant, output, results) for variant in study.variants}
    write_atomically(results / REPORT_FILE, page(study, records).encode())
    return results / REPORT_FILE


def page(study: Study, records: Mapping[str, Sequence[CellRecord]]) -> str:
    """The whole page; records: of each variant, by its name."""
    steps, episodes = study.variants[0].config.ppo.control_steps, study.evaluation.final_episodes
    text = (
        f"Made by `./rfs ablations --study {study.name} --report` from the files beside it: {study.task} "
        f"grasps, {steps:,} control steps a run, {episodes} episodes in the last evaluation. Mean ± standard "
        "deviation over seeds and 95 % interval (Student's over seeds, Wilson's over one seed's episodes, "
        "the wider at each end; with one seed Wilson's alone). Difference: from the nearest row above "
        "without one, bold where 0 is outside and both have two seeds or more (an interval from one "
        "knows its episodes only, and training's chance is larger): of many comparisons some are bold by "
        "chance. Area: under the learning curve. Infeasible: fingers more than 0.5 cm in each other, of the "
        "episodes that lifted. Roughness as in table 1."
    )
    finished = {name: [record for record in found if record.finished] for name, found in records.items()}
    rows = [_row(variant, finished[variant.name], finished[variant.reference]) for variant in study.variants]
    failed = [
        f"**Failed**: `{name}`, seed {record.cell.seed}: {record.problem}"
        for name, found in records.items()
        for record in found
        if not record.finished
    ]
    return "\n\n".join([f"# {study.name.capitalize()}", text, table(_HEAD, rows), *failed]) + "\n"


def _records(study: Study, variant: Variant, output: Path, results: Path) -> list[CellRecord]:
    """By seed.

    Raises:
        ValueError: one was made with other settings.
    """
    plan = study.job(variant, 0, output, results).plan
    folder = plan.results / study.task / variant.method
    seeds = sorted(int(file.stem) for file in folder.glob("*.json"))
    cells = [Cell(study.task, variant.method, seed) for seed in seeds]
    found = [open_record(plan, cell, plan.result_file(cell)) for cell in cells]
    return [record for record in found if record]


def _row(variant: Variant, records: Sequence[CellRecord], usual: Sequence[CellRecord]) -> list[str]:
    name = f"`{variant.name}`: {variant.says}"
    if not records:
        return [name, "0", *[NOTHING] * (len(_HEAD) - 2)]
    counts = [record.count("mean") for record in records]
    compared = usual and records is not usual
    difference = rate_difference(counts, [r.count("mean") for r in usual]) if compared else None
    lifting = [(r.final["mean"]["infeasible_of_lifted"], r.final["mean"]["lifted"]) for r in records]
    infeasible = [count for count in lifting if count[1]]
    return [
        name,
        str(len(records)),
        with_interval(rate_estimate(counts)),
        signed(difference, min(len(records), len(usual))),
        with_interval(rate_estimate([record.count("sampled") for record in records])),
        _steps(records),
        f"{_mean(records, lambda record: area(record.rates)):.2f}",
        in_percent(rate_estimate(infeasible) if infeasible else None),
        f"{1e3 * _mean(records, lambda record: record.final['mean']['finger_roughness']):.0f}",
    ]


def _steps(records: Sequence[CellRecord]) -> str:
    """Mean over the seeds that got there."""
    reached = [steps for record in records if (steps := steps_to(record.rates)) is not None]
    if not reached:
        return "not reached"
    text = f"{sum(reached) / len(reached) / 1e3:.0f}k"
    return text if len(reached) == len(records) else f"{text} ({len(reached)} of {len(records)})"


def _mean(records: Sequence[CellRecord], value: Callable[[CellRecord], float]) -> float:
    return mean_estimate([value(record) for record in records]).mean
