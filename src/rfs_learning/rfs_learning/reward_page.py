"""The page of a label: every episode's rewards, old against new; and the table that the terminal shows."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from rfs_reward.judge import Tracking
from rfs_teleop.page import html_page
from rfs_teleop.session_record import write_whole
from rich import box
from rich.markup import escape as plain
from rich.table import Table

from rfs_learning.reward_episode import EpisodeSummary, summary
from rfs_learning.reward_label_file import read_label_file
from rfs_learning.reward_labels import LabelError, RewardLabels
from rfs_learning.reward_strip import state_words

_HEAD = ("bag", "frames", "recorded", "judged", "conf.", "object, %")
_STYLE = "td.differs { color: #b5453c; font-weight: 600; } figure { margin: 1.2rem 0; }"


def write_page(folder: Path) -> Path:
    """Write `report.html` about all rewards in a label's folder, complete or not at all; its path."""
    episodes = list(_episodes(folder))
    rows = [summary(labels, {}) for _, labels in episodes]
    run = episodes[0][1].run if episodes else {}
    body = [
        f"<h1>Rewards '{escape(folder.name)}'</h1>",
        f"<p class=lead>{escape(overall(rows))} · tracker {escape(str(run.get('tracker', '')))}</p>",
        _html_table(rows),
        "<h2>Old against new</h2>",
        "<p>Dashed: recorded; solid: computed afterwards. Colored spans: the object was not seen.</p>",
        *(_figure(file.with_suffix(".png"), labels) for file, labels in episodes),
    ]
    page = folder / "report.html"
    write_whole(page, html_page(f"Rewards {folder.name}", body, _STYLE))
    return page


def overall(rows: Sequence[EpisodeSummary]) -> str:
    """One line on all episodes."""
    told = [row.agrees for row in rows if row.agrees is not None]
    share = f"{sum(told)} of {len(told)} outcomes judged as recorded" if told else "no outcomes recorded"
    return f"{len(rows)} episodes, {sum(row.frames for row in rows)} frames, {share}"


def table(rows: Sequence[EpisodeSummary], title: str) -> Table:
    """For the terminal."""
    shown = Table(title=plain(title), box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for name in _HEAD:
        left = name in ("bag", "object, %")
        shown.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for row in rows:
        style = "red" if row.agrees is False else ""
        shown.add_row(*map(plain, _cells(row)), style=style)
    return shown


def _cells(row: EpisodeSummary) -> list[str]:
    judged = "success" if row.success else "failure"
    confidence = "-" if row.confidence is None else f"{row.confidence:.2f}"
    shares = {state_words(Tracking[name]): 100 * share for name, share in row.shares.items() if share}
    states = ", ".join(f"{name} {share:.0f}" for name, share in shares.items())
    return [row.bag, str(row.frames), row.recorded, judged, confidence, states]


def _html_table(rows: Sequence[EpisodeSummary]) -> str:
    lines = ["<table><tr>" + "".join(f"<th>{name}" for name in _HEAD) + "</tr>"]
    for row in rows:
        kind = " class=differs" if row.agrees is False else ""
        cells = "".join(f"<td{kind if i == 3 else ''}>{escape(c)}" for i, c in enumerate(_cells(row)))
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def _episodes(folder: Path) -> Iterator[tuple[Path, RewardLabels]]:
    """What is there and can be read."""
    for file in sorted(folder.glob("*.parquet")):
        try:
            yield file, read_label_file(file)
        except LabelError:
            continue


def _figure(file: Path, labels: RewardLabels) -> str:
    if not file.is_file():
        return f"<p>{escape(labels.bag.name)}: its picture is gone.</p>"
    data = base64.b64encode(file.read_bytes()).decode()
    name = escape(labels.bag.name)
    return f'<figure><img class="plot" alt="{name}" src="data:image/png;base64,{data}"></figure>'
