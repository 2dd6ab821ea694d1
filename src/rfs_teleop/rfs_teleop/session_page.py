"""One self-contained HTML page about a session; ``./rfs bags report FOLDER`` makes it from the bags."""

import argparse
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from rfs_control.residual_bounds import ResidualBounds

from rfs_teleop.episode_figures import EpisodeFigures, line
from rfs_teleop.page import html_page
from rfs_teleop.session_findings import findings
from rfs_teleop.session_plots import interval_bar, reward_tile, use_plot
from rfs_teleop.session_record import SessionRecord, write_whole
from rfs_teleop.statistics import describe_rate

_STYLE = """
svg { max-width: 100%; height: auto; display: block; } td svg { width: 160px; }
ul.findings li { margin: .3rem 0; } td.number, th.number { text-align: right; }
.rewards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem 1.2rem; }
.rewards figcaption { line-height: 1.3; } .unknown { color: #5f6b7a; }
table.episodes { font-size: .85rem; } p.note { color: #5f6b7a; font-size: .85rem; margin: .4rem 0; }
"""


def write_page(record: SessionRecord) -> Path:
    """Write `report.html` in the session's folder, complete or not at all; its path."""
    rows = record.episodes
    body = [
        *_head(record),
        "<h2>What looks wrong</h2>",
        _findings(record),
        "<h2>Outcome by object</h2>",
        _table(rows),
        "<h2>Corrections over the approach</h2>",
        *_use(rows),
        "<h2>Reward of each episode</h2>",
        *_rewards(rows),
        "<h2>Episodes</h2>",
        _episodes(rows),
    ]
    path = record.folder / "report.html"
    write_whole(path, html_page(f"Session {record.name}", body, _STYLE))
    return path


def _head(record: SessionRecord) -> Iterator[str]:
    rows, tally = record.episodes, record.tally()
    of = f" of {record.planned}" if record.planned else ""
    words = [f"{tally.counted}{of} episodes: {describe_rate(tally.successes, tally.counted)}"]
    words += [f"{record.discarded} discarded"] if record.discarded else []
    words += [", ".join(sorted({row.operator for row in rows if row.operator}))]
    words += [", ".join(sorted({row.sim_time for row in rows if row.sim_time}))]
    words += ["robot: " + ", ".join(sorted({row.robot or "not noted" for row in rows}))] if rows else []
    if rows:
        words.append(time.strftime("%Y-%m-%d %H:%M", time.localtime(min(row.begun for row in rows))))
    yield f"<h1>Session {escape(record.name)}</h1>"
    yield f"<p class=lead>{escape(' · '.join(filter(None, words)))}</p>"


def _findings(record: SessionRecord) -> str:
    found = findings(record)
    if not found:
        return "<p>Nothing stands out.</p>"
    return "<ul class=findings>" + "".join(f"<li>{escape(text)}</li>" for text in found) + "</ul>"


def _table(rows: Sequence[EpisodeFigures]) -> str:
    numbers = "".join(f"<th class=number>{name}" for name in ("mean time", "corrected", "at a bound"))
    lines = [f"<table><tr><th>object<th>successes, rate [95 % interval]<th>{numbers}</tr>"]
    for name in [*sorted({row.object for row in rows}), ""]:
        chosen = [row for row in rows if row.outcome in ("success", "failure") and name in ("", row.object)]
        if chosen and (name or len({row.object for row in rows}) > 1):
            lines.append(_object_row(name or "all", chosen))
    return "\n".join([*lines, "</table>"])


def _object_row(name: str, rows: Sequence[EpisodeFigures]) -> str:
    times = [row.seconds for row in rows if row.outcome == "success"]
    successes = len(times)
    cells = [
        f"<td>{escape(name)}<td>{describe_rate(successes, len(rows))}",
        f"<td>{interval_bar(successes, len(rows))}",
        f"<td class=number>{sum(times) / successes:.1f} s" if times else "<td class=number>–",
        f"<td class=number>{_percent(sum(r.corrected for r in rows), sum(r.ticks for r in rows))}",
        f"<td class=number>{_percent(sum(r.saturated for r in rows), sum(r.ticks for r in rows))}",
    ]
    return f"<tr{' class=all' if name == 'all' else ''}>{''.join(cells)}</tr>"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _use(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    bounds = ResidualBounds.load()
    yield use_plot(rows, bounds.palm_height)
    yield (
        "<p class=note>Pale: in which part of the ticks at this height the operator corrected. Dark: mean "
        f"size of the residual there, in parts of its bound ({1e3 * bounds.translation:g} mm, "
        f"{bounds.finger:g} rad a finger). Corrections do not count above the dashed line "
        f"({100 * bounds.palm_height:g} cm).</p>"
    )


def _rewards(rows: Sequence[EpisodeFigures]) -> Iterator[str]:
    points = [point for row in rows for point in row.reward]
    if not points:
        yield "<p>No reward was recorded.</p>"
        return
    seconds = max(t for t, _ in points) or 1.0
    low, high = min(r for _, r in points), max(r for _, r in points)
    yield "<div class=rewards>"
    for number, row in enumerate(rows, start=1):
        words = (
            f"{number} {escape(row.object)} <span class={escape(row.outcome)}>{escape(row.outcome)}</span>"
        )
        yield f"<figure>{reward_tile(row, seconds, low, high)}<figcaption>{words}</figcaption></figure>"
    yield "</div>"
    yield f"<p class=note>Width: {seconds:.1f} s; height: reward from {low:.2f} to {high:.2f}.</p>"


def _episodes(rows: Sequence[EpisodeFigures]) -> str:
    names = (
        "#",
        "episode",
        "outcome",
        "time",
        "corrected",
        "at a bound",
        "cadence p50, p99",
        "drops",
        "notes",
    )
    lines = ["<table class=episodes><tr>" + "".join(f"<th>{name}" for name in names) + "</tr>"]
    for number, row in enumerate(rows, start=1):
        cells = (
            str(number),
            escape(row.id),
            f"<span class={escape(row.outcome)}>{escape(row.outcome)}</span>",
            f"{row.seconds:.1f} s",
            _percent(row.corrected, row.ticks),
            _percent(row.saturated, row.ticks),
            f"{row.cadence_p50:.1f}, {row.cadence_p99:.0f} ms",
            str(row.drops),
            escape(row.notes),
        )
        lines.append("<tr>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</table>"])


def main(argv: Sequence[str] | None = None) -> int:
    """Make session.json and report.html of a session's folder from its bags; 1 when a bag was skipped."""
    parser = argparse.ArgumentParser(prog="rfs bags report", description="Figures and page of a session.")
    parser.add_argument("folder", type=Path, help="the session's folder, which holds its bags")
    record = SessionRecord.open(parser.parse_args(argv).folder.expanduser().resolve(), afresh=True)
    if not record.episodes and not record.skipped:
        raise FileNotFoundError(f"no bag in {record.folder}: give the folder of a session, runs/bags/NAME")
    counted = 0
    for row in record.episodes:
        counted += row.outcome in ("success", "failure")
        print(line(row, counted, record.planned))
    for name, why in record.skipped.items():
        print(f"bag {name} is not counted: {why}")
    record.save()
    print(f"report  {write_page(record)}")
    return int(bool(record.skipped))


if __name__ == "__main__":
    raise SystemExit(main())
