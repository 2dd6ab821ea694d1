"""Tables of table 1's report, in Markdown."""

import math

from rfs_learning.markdown_tables import NOTHING, in_percent, signed, table, with_interval
from rfs_learning.rl.episode_choices import Noise
from rfs_learning.rl.learning_curve import REACHED
from rfs_learning.rl.methods import METHODS, MeanStd
from rfs_learning.rl.table1_plan import BASE, NOISES
from rfs_learning.rl.table1_results import ROWS, Results, label

PAIRS = (
    ("rfs_hand_arm", "dsrl_hand_arm"),
    ("rfs_hand_arm", "residual_hand_arm"),
    ("dsrl_hand_arm", "residual_hand_arm"),
    ("rfs_hand", "dsrl_hand"),
    ("rfs_chunk_hand", "rfs_hand"),
    ("rfs_chunk_hand", "vqvae"),
)
"""Methods that differ in one thing."""
OVERALL = "overall"
_REACHED = f"{100 * REACHED:.0f} %"
_NOISES = {
    "mean": "Without sampling: a0 is the actor's mean, or 0 where none is chosen (residual RL, base)",
    "sampled": "With a0 sampled: from the actor's Gaussian, or from N(0, I) where none is chosen",
}


def success(results: Results, noise: Noise) -> str:
    """Table 1 of the paper, and the paper's numbers beside ours."""
    head, rows = ["method"], []
    for column in _columns(results):
        head += [column or OVERALL, "paper"]
    for method in ROWS:
        row = [label(method)]
        for column in _columns(results):
            row += [_with_count(results, method, column, noise), _paper(method, column or OVERALL)]
        rows.append(row)
    return f"{_NOISES[noise]}.\n\n" + table(head, rows)


def _columns(results: Results) -> list[str | None]:
    """Overall (None), where that is more than one task, and the tasks."""
    return [*([None] if len(results.tasks) > 1 else []), *results.tasks]


def _with_count(results: Results, method: str, task: str | None, noise: Noise) -> str:
    estimate = results.success(method, task, noise)
    if estimate is None or method == BASE or estimate.count >= results.seeds:
        return with_interval(estimate)
    return f"{with_interval(estimate)} ({estimate.count} of {results.seeds} seeds)"


def _paper(method: str, column: str) -> str:
    """Mean and deviation of the paper; `-` where it has none."""
    numbers: MeanStd | None = None if method == BASE else getattr(METHODS[method], column, None)
    return NOTHING if numbers is None else f"{numbers[0]:.3f} ± {numbers[1]:.3f}"


def _paper_difference(first: str, second: str, column: str) -> str:
    """Of the paper's means; `-` where it has none."""
    means = [getattr(METHODS[method], column, (math.nan, math.nan))[0] for method in (first, second)]
    difference = means[0] - means[1]
    return NOTHING if math.isnan(difference) else f"{difference:+.3f}"


def differences(results: Results) -> str:
    """Pairs of methods that differ in one thing."""
    head, rows = ["difference"], []
    for column in _columns(results):
        name = column or OVERALL
        head += [*(f"{name}, a0 {noise}" for noise in NOISES), "area", "paper"]
    for first, second in PAIRS:
        row = [f"{label(first)} - {label(second)}"]
        for column in _columns(results):
            found = [results.difference(first, second, column, noise) for noise in NOISES]
            found.append(results.area_difference(first, second, column))
            tasks = results.tasks if column is None else (column,)
            seeds = min(len(results.of(each, task)) for each in (first, second) for task in tasks)
            row += [signed(difference, seeds) for difference in found]
            row.append(_paper_difference(first, second, column or OVERALL))
        rows.append(row)
    text = (
        "95 % intervals (Welch over seeds, Newcombe over episodes, the wider at each end); bold: 0 is "
        "outside, with two seeds or more. Of many comparisons some are bold by chance. Area: under the "
        "learning curve."
    )
    return f"## Differences\n\n{text}\n\n" + table(head, rows)


def efficiency(results: Results) -> str:
    """Steps to 80 %, area under the curve, time."""
    head = ["method"]
    for task in results.tasks:
        head += [
            f"{task}: steps to {_REACHED}",
            f"{task}: area",
            f"{task}: minutes a cell",
        ]
    rows = []
    for method in METHODS:
        row = [label(method)]
        for task in results.tasks:
            minutes = results.mean(method, task, lambda record: record.seconds / 60)
            row += [_steps(results, method, task), with_interval(results.areas(method, task))]
            row.append(NOTHING if minutes is None else f"{minutes.mean:.1f}")
        rows.append(row)
    text = (
        f"Control steps at which the mean policy first succeeds in {_REACHED} of the episodes, straight "
        "between evaluations; area under the learning curve over its length; wall time of one process, "
        "evaluation included."
    )
    return f"## Sample efficiency\n\n{text}\n\n" + table(head, rows)


def _steps(results: Results, method: str, task: str) -> str:
    """Mean over the seeds that got there, and how many those are."""
    found, records = results.steps(method, task), results.of(method, task)
    reached = [steps for steps in found if steps is not None]
    if not records:
        return NOTHING
    if not reached:
        return f"not in {max(record.control_steps for record in records) / 1e3:.0f}k"
    text = f"{sum(reached) / len(reached) / 1e3:.0f}k"
    return text if len(reached) == len(found) else f"{text} ({len(reached)} of {len(found)} seeds)"


def quality(results: Results) -> str:
    """What was lifted in whatever way, interpenetration and smoothness."""
    head = ["method"]
    for task in results.tasks:
        columns = ("lifted", "infeasible", "fingers / mrad", "palm / mm")
        head += [f"{task}: {column}" for column in columns]
    rows = []
    for method in ROWS:
        row = [label(method)]
        for task in results.tasks:
            row.append(with_interval(results.lifted(method, task)))
            row.append(in_percent(results.infeasible(method, task)))
            for name in ("finger_roughness", "palm_roughness"):
                found = results.mean(method, task, lambda record, name=name: record.final["mean"][name])
                row.append(NOTHING if found is None else f"{1e3 * found.mean:.1f}")
        rows.append(row)
    text = (
        "Lifted: of all episodes, those that lifted and held, in whatever way. Success here asks for a "
        "feasible pose and for fingers that are not in each other as well. The paper's cannot have: it is "
        "98 % for relative joint pose, at least 55 % of whose motions are infeasible. Infeasible: of the "
        "episodes that lifted and held, those in which fingers went more than 0.5 cm into each other (paper: "
        "5 % for RFS). Roughness: root mean square of the second difference of commands from step to step. "
        "Without sampling."
    )
    return f"## Feasibility and smoothness\n\n{text}\n\n" + table(head, rows)


def robustness(results: Results) -> str:
    """Success under growing disturbances; empty where nothing is known."""
    levels = sorted({level for m in ROWS for task in results.tasks for level in results.levels(m, task)})
    if not levels:
        return ""
    head = ["method", *(f"{task} x{level:g}" for task in results.tasks for level in levels)]
    rows = []
    for method in ROWS:
        row = [label(method)]
        for task in results.tasks:
            found = results.levels(method, task)
            row += [f"{found[level].mean:.2f}" if level in found else NOTHING for level in levels]
        rows.append(row)
    text = (
        "Success with torque pulses on every joint, as factors of those of the task. Without sampling. x1 is "
        "the whole last evaluation, the others are its first episodes alone (128 of 1,024 as packaged): a "
        "rise from x1 to a stronger one is theirs."
    )
    return f"## Robustness\n\n{text}\n\n" + table(head, rows)


def objects(results: Results, task: str) -> str:
    """Success by object; empty where nothing is known."""
    names = results.objects(task)
    if not names:
        return ""

    def cell(method: str, name: str) -> str:
        found = results.on_object(method, task, name)
        return NOTHING if found is None else f"{found.mean:.2f}"

    rows = [[label(method), *(cell(method, name) for name in names)] for method in ROWS]
    return f"## Objects of {task}\n\nSuccess without sampling.\n\n" + table(["method", *names], rows)


def failures(results: Results, task: str) -> str:
    """Reasons of failures; empty where nothing is known."""
    found = {method: results.reasons(method, task) for method in ROWS}
    names = sorted({name for reasons in found.values() for name in reasons})
    if not names:
        return ""
    rows = [
        [label(method), *(f"{100 * found[method].get(name, 0.0):.0f} %" for name in names)]
        for method in ROWS
        if results.of(method, task)
    ]
    return f"## Why episodes of {task} fail\n\nShare of all episodes.\n\n" + table(["method", *names], rows)
