"""The HTML of the page's panels. Whatever comes from messages is escaped."""

from collections.abc import Sequence
from html import escape

from rfs_control.executor import State
from rfs_control.residual_bounds import ResidualBounds

from rfs_viewer import wording
from rfs_viewer.view import Notice, Session, Sight, Tick, TrackerReport

_COLORS = {
    State.HOLDING: "#8a6100",
    State.AUTONOMOUS: "#1a7f37",
    State.CORRECTING: "#0b62c4",
    State.PAUSED: "#6f42a8",
    State.STOPPED: "#c1121f",
}
_SILENT_COLOR = "#5b616b"

# The page's frozen state is drawn by the browser alone: it shows when the banner was not replaced for 3 s.
_STYLE = """<style>
.rfs{padding:0 .6rem .5rem;font-size:.85rem;line-height:1.35}
.rfs-banner{position:relative;margin:-.1rem .6rem .5rem;padding:.7rem .9rem;border-radius:6px;color:#fff;
  min-height:8.6rem}
.rfs-banner h1{margin:0;font-size:2.1rem;line-height:1.15;letter-spacing:.02em}
.rfs-banner p{margin:.3rem 0 0;font-size:.95rem;line-height:1.3}
.rfs-banner ul{margin:.35rem 0 0;padding-left:1.1rem;font-size:.85rem}
.rfs-frozen{position:absolute;inset:0;border-radius:6px;background:#5b616b;padding:.7rem .9rem;
  font-size:1.2rem;font-weight:700;visibility:hidden;animation:rfs-frozen 0s linear 3s forwards}
@keyframes rfs-frozen{to{visibility:visible}}
.rfs-progress{font-size:1.1rem;font-weight:700}
.rfs-dim{opacity:.7}
.rfs-message{margin-top:.35rem;padding:.35rem .6rem;border-left:4px solid #d98e04;background:#d98e0422}
.rfs-refused{border-color:#e5383b;background:#e5383b22}
.rfs svg{display:block;width:100%;height:auto}
.rfs text{fill:currentColor;font-size:10px}
img[src^="blob:"]{width:100%;border-radius:4px}
#STOP{height:4.6rem!important}
#STOP *{font-size:2.2rem!important;font-weight:800!important;letter-spacing:.12em;color:#fff!important;
  line-height:1.2!important}
BUTTONS{height:2.4rem!important;font-size:.95rem!important}
:is(BUTTONS):not(:disabled){color:#fff!important}
</style>"""


def style(stop: str, buttons: Sequence[str]) -> str:
    """The page's style sheet; takes the ids of the stop button, which is large, and of the other buttons."""
    others = ",".join(_id(button) for button in buttons)
    return _STYLE.replace("#STOP", _id(stop)).replace("BUTTONS", others)


def _id(identifier: str) -> str:
    return f'[id="{escape(identifier)}"]'


def banner(tick: Tick | None, now: float, count: int) -> str:
    """The executor's state, large. A new `count` makes the browser see that the page is alive."""
    silent = tick is None or wording.is_silent(tick, now)
    color = _SILENT_COLOR if tick is None or silent else _COLORS[tick.state]
    limits = [] if tick is None or silent else wording.limits_in_words(tick.limits)
    phrases = "".join(f"<li>{escape(words)}</li>" for words in limits)
    return (
        f'<div class="rfs-banner" data-count="{count}" style="background:{color}">'
        f"<h1>{wording.headline(tick, now)}</h1><p>{escape(wording.explanation(tick, now))}</p>"
        f"{f'<ul>{phrases}</ul>' if phrases else ''}"
        '<div class="rfs-frozen">PAGE FROZEN<p>It is not updated any more: what it shows is old, and its '
        "buttons may do nothing.</p></div></div>"
    )


def session(status: Session | None, notice: Notice | None, silent: Sequence[str] = ()) -> str:
    """Where the session stands, what it asks of the operator, and the answer to the last button; then which
    inputs are `silent`."""
    if status is None:
        lines = [
            '<div class="rfs-progress">No session</div><div class="rfs-dim">Only stop and release work.</div>'
        ]
    else:
        lines = [
            f'<div class="rfs-progress">{escape(wording.progress(status))}</div>',
            f"<div>{escape(wording.tally(status))}</div>",
            f'<div class="rfs-dim">{escape(status.last)}</div>' if status.last else "",
            f'<div class="rfs-message">{escape(status.message)}</div>' if status.message else "",
        ]
    if notice is not None:
        kind = "rfs-message rfs-refused" if notice.refused else "rfs-message"
        lines.append(f'<div class="{kind}">{escape(notice.text)}</div>')
    if silent:
        lines.append(f'<div class="rfs-message">Old, not heard lately: {escape(", ".join(silent))}.</div>')
    return f'<div class="rfs">{"".join(lines)}</div>'


def sight(seen: Sight | None, tracker: TrackerReport | None, now: float) -> str:
    """How the object is known at monotonic time `now` (s), or why not, and the answer to the last click."""
    lines = [f"<div>{escape(wording.sight(seen, now))}</div>"]
    if tracker is not None and tracker.problem:
        lines.append(f'<div class="rfs-message">{escape(tracker.problem)}</div>')
    if tracker is not None and tracker.answer:
        lines.append(f'<div class="rfs-dim">To the last prompt: {escape(tracker.answer)}</div>')
    return f'<div class="rfs">{"".join(lines)}</div>'


def residual(values: Sequence[float], bounds: ResidualBounds) -> str:
    """The operator's residual (22 numbers, or none) as bars between its bounds."""
    numbers = list(values) or [0.0] * 22
    length = sum(value * value for value in numbers[:3]) ** 0.5
    rows = [_row(axis, numbers[axis], bounds.translation) for axis in range(3)]
    fingers = [_finger(joint, numbers[6 + joint], bounds.finger) for joint in range(16)]
    head = (
        '<b>Your correction</b> <span class="rfs-dim">'
        f"palm {1e3 * length:.1f} of {1e3 * bounds.translation:g} mm · "
        f"fingers {max(map(abs, numbers[6:])):.3f} of {bounds.finger:g} rad</span>"
    )
    drawing = "".join([*rows, *fingers, *_finger_names()])
    return f'<div class="rfs">{head}<svg viewBox="0 0 320 142">{drawing}</svg></div>'


_CENTER, _HALF = 140, 118  # of the bars of the translation, in units of the drawing
_TOP, _FINGER_HALF = 92, 30


def _row(axis: int, value: float, bound: float) -> str:
    y = 8 + 16 * axis
    part = max(-1.0, min(1.0, value / bound))
    x, width = _CENTER + min(0.0, part) * _HALF, abs(part) * _HALF
    return (
        f'<text x="6" y="{y + 9}">{"xyz"[axis]}</text>'
        f'<rect x="{_CENTER - _HALF}" y="{y}" width="{2 * _HALF}" height="11" rx="2" fill="#8883"/>'
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="11" rx="2" fill="{_bar(part)}"/>'
        f'<line x1="{_CENTER}" x2="{_CENTER}" y1="{y - 2}" y2="{y + 13}" stroke="currentColor"/>'
        f'<text x="{_CENTER + _HALF + 6}" y="{y + 9}">{1e3 * value:+.1f} mm</text>'
    )


def _finger_x(joint: int) -> float:
    return 26 + 17 * joint + 8 * (joint // 4)


def _finger(joint: int, value: float, bound: float) -> str:
    part = max(-1.0, min(1.0, value / bound))
    x, middle = _finger_x(joint), _TOP
    y, height = middle - max(0.0, part) * _FINGER_HALF, abs(part) * _FINGER_HALF
    top, size = middle - _FINGER_HALF, 2 * _FINGER_HALF
    return (
        f'<rect x="{x}" y="{top}" width="12" height="{size}" rx="2" fill="#8883"/>'
        f'<rect x="{x}" y="{y:.1f}" width="12" height="{height:.1f}" rx="2" fill="{_bar(part)}"/>'
        f'<line x1="{x - 2}" x2="{x + 14}" y1="{middle}" y2="{middle}" stroke="currentColor"/>'
    )


def _finger_names() -> list[str]:
    names = ("index", "middle", "ring", "thumb")
    return [f'<text x="{_finger_x(4 * i)}" y="{_TOP + 44}">{name}</text>' for i, name in enumerate(names)]


def _bar(part: float) -> str:
    """At the bound a bar is red."""
    return "#e5383b" if abs(part) > 0.99 else "#2f81f7"
