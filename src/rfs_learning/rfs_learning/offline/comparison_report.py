"""Report of a comparison in Markdown, with plots beside it, from the evaluations in its results folder."""

from collections.abc import Sequence
from pathlib import Path

from rfs_policy.checkpoint import write_atomically

from rfs_learning.estimates import Estimate
from rfs_learning.evaluation_plots import region_maps, reward_curves, success_bars
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.failure_modes import MODES
from rfs_learning.markdown_tables import NOTHING, table
from rfs_learning.method_results import MethodResults, compare, groups_of, objects_of_methods
from rfs_learning.offline.comparison import Comparison
from rfs_learning.protocol import Protocol

REPORT_FILE = "README.md"
_NOTE = (
    "All trials ran in simulation; the simulated target robot stands in for a real one. Mean over training "
    "seeds with a 95 % interval (Student's over seeds or Wilson's over one seed's trials, the wider at each "
    "end). Differences are paired by episode (object and seed), bootstrap over episodes and training seeds "
    "or Welch's over seeds, the wider at each end; bold where 0 is outside."
)


def write_report(comparison: Comparison, results: Path) -> Path:
    """Draw all that is known; the page's path.

    Raises:
        ValueError: a file in the folder is no evaluation, or not one of the same kind as those beside it.
    """
    methods = [_results(results / c.name, c.label) for c in comparison.contenders]
    known = [method for method in methods if method.records]
    results.mkdir(parents=True, exist_ok=True)
    if known:
        protocol = Protocol.load(comparison.protocol)
        write_atomically(results / "success.png", success_bars(known, groups_of(known)))
        write_atomically(results / "regions.png", region_maps(known, protocol.region))
        write_atomically(results / "reward.png", reward_curves(known))
    write_atomically(results / REPORT_FILE, page(comparison, methods).encode())
    return results / REPORT_FILE


def _results(folder: Path, label: str) -> MethodResults:
    seeds = sorted(int(file.stem) for file in folder.glob("*.json") if file.stem.isdigit())
    return MethodResults.of(label, [EvaluationRecord.read(folder / f"{seed}.json") for seed in seeds])


def page(comparison: Comparison, methods: Sequence[MethodResults]) -> str:
    """The whole page; methods: the results of each contender, in their order."""
    known = [method for method in methods if method.records]
    made = f"Made by `./rfs compare {comparison.name} --report` from the files beside it. {_NOTE}"
    parts = [f"# {comparison.title}", made]
    if not known:
        return "\n\n".join([*parts, "Nothing is finished yet.\n"])
    groups = groups_of(known)
    parts += ["## Success", table(["method", "seeds", *groups], [_success(m, groups) for m in methods])]
    parts += ["![success](success.png)", *_differences(comparison, methods, groups)]
    objects = {name: (name,) for name in objects_of_methods(known)}
    parts += ["## By object", table(["method", *objects], [_by_object(m, objects) for m in known])]
    modes = [mode for mode in MODES if any(method.failures()[mode] for method in known)]
    parts += ["## Failures, of all trials", table(["method", *modes], [_failures(m, modes) for m in known])]
    parts += ["## By region of the table", "![regions](regions.png)", "## Reward", "![reward](reward.png)"]
    return "\n\n".join(parts) + "\n"


def _success(method: MethodResults, groups: dict[str, tuple[str, ...]]) -> list[str]:
    rates = [method.rate(objects) if method.records else None for objects in groups.values()]
    return [method.name, str(len(method.records)), *(_percent(rate) for rate in rates)]


def _differences(
    comparison: Comparison, methods: Sequence[MethodResults], groups: dict[str, tuple[str, ...]]
) -> list[str]:
    by_name = {c.name: method for c, method in zip(comparison.contenders, methods, strict=True)}
    reference = by_name[comparison.against]
    others = [method for method in methods if method is not reference and method.records]
    if not reference.records or not others:
        return []
    rows = [[m.name, *(_difference(reference, m, objects) for objects in groups.values())] for m in others]
    return [f"## What {reference.name} is ahead, in points", table(["of", *groups], rows)]


def _difference(first: MethodResults, second: MethodResults, objects: Sequence[str]) -> str:
    difference = compare(first, second, objects)
    if difference is None:
        return NOTHING
    low, mean, high = (100 * v for v in (getattr(difference.estimate, n) for n in ("low", "mean", "high")))
    text = f"{mean:+.0f} [{low:+.0f}, {high:+.0f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def _by_object(method: MethodResults, objects: dict[str, tuple[str, ...]]) -> list[str]:
    counts = [method.counts(names) for names in objects.values()]
    return [method.name, *(f"{sum(s for s, _ in runs)} of {sum(n for _, n in runs)}" for runs in counts)]


def _failures(method: MethodResults, modes: Sequence[str]) -> list[str]:
    trials, found = len(method.trials()), method.failures()
    return [method.name, *(f"{100 * found[mode] / trials:.0f} %" if trials else NOTHING for mode in modes)]


def _percent(rate: Estimate | None) -> str:
    if rate is None:
        return NOTHING
    low, mean, high = (100 * value for value in (rate.low, rate.mean, rate.high))
    return f"{mean:.0f} % [{low:.0f}, {high:.0f}]"
