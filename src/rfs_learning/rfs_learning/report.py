"""One self-contained HTML page about a run of recorded trials: table, pictures, reward and cadence."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rfs_sim_bridge.pictures import Camera
from rfs_sim_bridge.render import render
from rfs_teleop.page import html_page
from rfs_teleop.statistics import describe_rate

from rfs_learning.episode_trace import EpisodeTrace, read_trace
from rfs_learning.report_plots import cadence_plot, picture_png, reward_plot

_CAMERA = Camera(position=(1.3, 0.62, 0.62), target=(0.47, 0.0, 0.25), fovy=0.66, width=320, height=240)
_STYLE = """
.trial { display: grid; grid-template-columns: 11rem repeat(3, 1fr); gap: .5rem; margin: .5rem 0; }
.trial img { width: 100%; border-radius: 4px; display: block; } .trial div { font-size: .9rem; }
"""


@dataclass(frozen=True)
class ReportTrial:
    """One trial of a report. bag: folder, or None where nothing was recorded."""

    number: int
    object: str
    seed: int
    outcome: str
    seconds: float
    bag: Path | None
    problem: str = ""


def write_report(
    path: Path, rows: Sequence[Mapping[str, Any]], trials: Sequence[ReportTrial], config: Mapping[str, Any]
) -> None:
    """Write the page, complete or not at all.

    rows: as `evaluation_table.rows_of` makes them. config: what the run was, shown as it is.
    """
    traces = {trial.number: trace for trial in trials if (trace := _trace(trial)) is not None}
    body = [_head(rows, config), "<h2>Results</h2>", _table(rows)]
    if traces:
        body += ["<h2>Reward</h2>", _image(reward_plot(list(traces.values())), "plot")]
        cadence = _image(cadence_plot(list(traces.values())), "plot")
        body += ["<h2>Cadence</h2>", _cadence_text(config), cadence]
    body += ["<h2>Trials</h2>", *(_strip(trial, traces.get(trial.number)) for trial in trials)]
    body += ["<h2>Configuration</h2>", f"<pre>{escape(json.dumps(config, indent=2))}</pre>"]
    temporary = path.with_suffix(".tmp")
    temporary.write_text(html_page("Grasp trials", body, _STYLE), encoding="utf-8")
    temporary.replace(path)


def _trace(trial: ReportTrial) -> EpisodeTrace | None:
    """None for a trial without a bag, or one whose robot never moved."""
    if trial.bag is None:
        return None
    try:
        return read_trace(trial.bag)
    except (FileNotFoundError, ValueError):
        return None


def _head(rows: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> str:
    total = next((row for row in rows if row["object"] == "all"), None)
    rate = describe_rate(total["successes"], total["trials"]) if total else "no trials"
    robot = f"target robot, severity {config['severity']:g}" if config.get("robot") == "target" else ""
    words = [f"{rate} (95 % Wilson interval)", robot, config.get("sim_time", ""), config.get("date", "")]
    text = " · ".join(filter(None, words))
    return f"<h1>Grasp trials</h1><p class=lead>{escape(text)}</p>"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["<table><tr><th>object<th>successes, rate [95 % interval]<th>mean time of successes</tr>"]
    for row in rows:
        seconds = "" if row["mean_seconds"] is None else f"{row['mean_seconds']:.1f} s"
        cells = (escape(row["object"]), describe_rate(row["successes"], row["trials"]), seconds)
        kind = " class=all" if row["object"] == "all" else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _cadence_text(config: Mapping[str, Any]) -> str:
    if config.get("sim_time") == "lockstep":
        return "<p>Lockstep: simulated time waits for each command, so periods are those of the machine.</p>"
    return "<p>Realtime: the wall clock paces the simulator; the latency is from stamp to command.</p>"


def _strip(trial: ReportTrial, trace: EpisodeTrace | None) -> str:
    words = f"<b>{trial.number}. {escape(trial.object)}</b><br>"
    words += f"<span class={trial.outcome}>{trial.outcome}</span>, {trial.seconds:.1f} s<br>"
    words += f"seed {trial.seed}<br>{escape(trial.problem)}"
    pictures = [] if trace is None else [_picture(trace, name, at) for name, at in trace.moments().items()]
    return f"<div class=trial><div>{words}</div>{''.join(pictures)}</div>"


def _picture(trace: EpisodeTrace, name: str, seconds: float) -> str:
    picture = _image(picture_png(render(trace.snapshot(seconds), _CAMERA)), "")
    return f"<figure>{picture}<figcaption>{name}, {seconds:.1f} s</figcaption></figure>"


def _image(png: bytes, kind: str) -> str:
    return f'<img class="{kind}" alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
