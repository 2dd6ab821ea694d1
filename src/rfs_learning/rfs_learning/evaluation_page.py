"""One self-contained HTML page about evaluations: tables, plots, and strips of successes and failures."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from rfs_sim_bridge.robot_shift import TRAINING_ROBOT
from rfs_teleop.page import html_page
from rfs_teleop.statistics import describe_rate

from rfs_learning.estimates import Estimate
from rfs_learning.evaluation_plots import region_maps, reward_curves, success_bars
from rfs_learning.evaluation_table import ALL
from rfs_learning.failure_modes import MODES
from rfs_learning.method_results import Difference, MethodResults, compare, groups_of, objects_of_methods
from rfs_learning.table_region import TableRegion

_STYLE = (
    "td, th { font-size: .9rem; } img.plot { max-width: 100%; margin: .6rem 0; } p.note { color: #5f6b7a; }"
)
Strips = Mapping[str, bytes | str]
"""By method: a picture, or why there is none."""


def evaluation_page(methods: Sequence[MethodResults], strips: Strips, title: str = "Evaluation") -> str:
    """The page. Methods are compared with the first one, group by group."""
    groups, objects = groups_of(methods), {name: (name,) for name in objects_of_methods(methods)}
    body = [f"<h1>{escape(title)}</h1>", _robots(methods), "<h2>Success</h2>"]
    body += [_success(methods, groups), _note(methods), _image(success_bars(methods, groups))]
    if len(methods) > 1:
        body += [f"<h2>Difference from {escape(methods[0].name)}</h2>", _differences(methods, groups)]
    body += ["<h2>By object</h2>", _success(methods, objects), _image(success_bars(methods, objects))]
    body += ["<h2>Failures</h2>", _failures(methods)]
    body += ["<h2>By region of the table</h2>", _image(region_maps(methods, _region(methods)))]
    if any(trial.rewards for method in methods for trial in method.trials()):
        body += ["<h2>Reward</h2>", _image(reward_curves(methods)), _paragraph(_REWARD)]
    body += ["<h2>Episodes</h2>", *(_strip(name, strip) for name, strip in strips.items())]
    body += ["<h2>What ran</h2>", _provenance(methods)]
    return html_page(title, body, _STYLE)


_REWARD = "Mean over episodes, with its 95 % band. After its end an episode counts with its last reward."


def _robots(methods: Sequence[MethodResults]) -> str:
    """Never leaves open that all of this is simulation."""
    records = [record for method in methods for record in method.records]
    names = " and ".join(dict.fromkeys(record.robot_words for record in records))
    target = any(record.task.shift != TRAINING_ROBOT for record in records)
    words = f"All trials ran in simulation: simulated {names}."
    if target:
        words += (
            " The simulated target robot stands in for a real one; nothing here was measured on hardware."
        )
    return f"<p class=lead>{escape(words)}</p>"


def _note(methods: Sequence[MethodResults]) -> str:
    runs = max(len(method.records) for method in methods)
    words = "In brackets: 95 % Wilson intervals over a run's trials"
    if runs > 1:
        words += "; with several training seeds, wide enough for Student's over seeds as well"
    return _paragraph(f"{words}.")


def _success(methods: Sequence[MethodResults], groups: Mapping[str, Sequence[str]]) -> str:
    if len(groups) <= 4:
        head = ["method", *groups]
        rows = [[m.name, *(_rate(m, objects) for objects in groups.values())] for m in methods]
    else:
        head = ["object", *(method.name for method in methods)]
        rows = [[name, *(_rate(m, objects) for m in methods)] for name, objects in groups.items()]
    return _table(head, rows)


def _rate(method: MethodResults, objects: Sequence[str]) -> str:
    counts, rate = method.counts(objects), method.rate(objects)
    if rate is None:
        return ""
    if len(counts) == 1:
        return describe_rate(*counts[0])
    return f"{_percent(rate)}, {len(counts)} seeds"


def _percent(estimate: Estimate) -> str:
    low, mean, high = (100 * value for value in (estimate.low, estimate.mean, estimate.high))
    return f"{mean:.0f} % [{low:.0f}, {high:.0f}]"


def _differences(methods: Sequence[MethodResults], groups: Mapping[str, Sequence[str]]) -> str:
    first, *others = methods
    rows, paired = [], True
    for method in others:
        found = {name: compare(method, first, objects) for name, objects in groups.items()}
        rows.append([method.name, *(_difference(difference) for difference in found.values())])
        paired &= all(difference.paired for difference in found.values() if difference)
    how = "Paired by episode (object and seed): bootstrap over episodes and training seeds, or Welch's over "
    how += "seeds where that is wider. "
    how += "Episodes in which only the one or the other succeeded: McNemar's exact test."
    other = "Not all methods faced the same episodes: those intervals are Newcombe's and Welch's, unpaired."
    return _table(["method", *groups], rows) + _paragraph(how if paired else f"{how} {other}")


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    low, mean, high = (
        100 * v for v in (difference.estimate.low, difference.estimate.mean, difference.estimate.high)
    )
    words = f"{mean:+.0f} [{low:+.0f}, {high:+.0f}] points"
    if difference.test is not None:
        test = difference.test
        words += f", {test.only_first} : {test.only_second} episodes, p = {test.p:.2g}"
    return words if difference.paired else f"{words} (unpaired)"


def _failures(methods: Sequence[MethodResults]) -> str:
    found = {method.name: method.failures() for method in methods}
    modes = [mode for mode in MODES if any(mode in counts for counts in found.values())]
    modes += sorted({mode for counts in found.values() for mode in counts} - set(modes))
    rows = []
    for method in methods:
        trials, counts = len(method.trials()), found[method.name]
        cells = (f"{counts[mode]}  {100 * counts[mode] / trials:.0f} %" if trials else "" for mode in modes)
        rows.append([method.name, str(trials), *cells])
    return _table(["method", "trials", *modes], rows)


def _region(methods: Sequence[MethodResults]) -> TableRegion:
    protocols = [record.protocol for method in methods for record in method.records if record.protocol]
    return protocols[0].region if protocols else TableRegion()


def _strip(name: str, strip: bytes | str) -> str:
    shown = _paragraph(strip) if isinstance(strip, str) else _image(strip)
    return f"<h3>{escape(name)}</h3>{shown}"


def _provenance(methods: Sequence[MethodResults]) -> str:
    head = ["method", "policy", "modulation", "robot", "through", "trials"]
    rows = [
        [
            method.name,
            f"{record.checkpoint} {record.policy[:12]}",
            f"{record.modulation_file} {record.modulation[:12]}",
            record.robot_words,
            record.through,
            str(len(record.trials)),
        ]
        for method in methods
        for record in method.records
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}" for cell in head) + "</tr>"]
    for row in rows:
        kind = " class=all" if row[0] == ALL else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{escape(cell)}" for cell in row) + "</tr>")
    return "\n".join(["<table>", *lines, "</table>"])


def _paragraph(words: str) -> str:
    return f"<p class=note>{escape(words)}</p>"


def _image(png: bytes) -> str:
    return f'<img class=plot alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
