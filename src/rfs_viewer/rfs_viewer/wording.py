"""What the executor and the session say, in words for the person who watches."""

from rfs_control.executor import State
from rfs_control.limits import Limit
from rfs_reward.tracking import Tracking

from rfs_viewer.view import Session, SessionState, Sight, Tick

_SILENT_AFTER, _IDLE_SILENT_AFTER = 1.5, 3.0
"""s without a word from the executor, moving or not, after which its last state is not shown any more."""
_SLOW_AFTER, _UNTOLD_AFTER = 1.5, 15.0
"""s without a reward after which it is said how old the last one is, and that none comes: without a GPU, SAM2
takes seconds for a picture."""

_LIMITS = {
    Limit.TRANSLATION: "palm speed limited",
    Limit.ROTATION: "palm turning speed limited",
    Limit.WORKSPACE: "palm kept inside the workspace",
    Limit.FINGER_RANGE: "a finger is at the end of its range",
    Limit.FINGER_SPEED: "finger speed limited",
    Limit.ARM_JOINT: "an arm joint is at its limit",
    Limit.CORRECTION: "correction shortened to its bound",
    Limit.HEIGHT: "correction not taken: the palm is too high over the table",
}
_EXPLANATIONS = {
    State.HOLDING: "The robot holds its last command.",
    State.AUTONOMOUS: "The robot follows the policy.",
    State.CORRECTING: "The robot follows the policy and your correction.",
    State.PAUSED: "Paused. Resume to go on.",
    State.STOPPED: "The stop is latched. Release it to go on.",
}
_TRACKING = {
    Tracking.SEEN: "seen",
    Tracking.HELD: "held where it was last seen",
    Tracking.WITH_PALM: "moves with the palm",
    Tracking.LOST: "lost: click it in the picture",
    Tracking.NONE: "not known: click it in the picture",
}
_SESSION_STATES = {
    SessionState.WAITING: "waiting for you",
    SessionState.RESETTING: "getting ready",
    SessionState.RUNNING: "running",
    SessionState.PAUSED: "paused",
    SessionState.STOPPED: "stopped",
    SessionState.FINISHED: "all episodes done",
}


def is_silent(tick: Tick | None, now: float) -> bool:
    """Whether what the executor said last (monotonic times, s) tells nothing about the present."""
    if tick is None:
        return True
    moves = tick.state in (State.AUTONOMOUS, State.CORRECTING)
    return now - tick.heard > (_SILENT_AFTER if moves else _IDLE_SILENT_AFTER)


def headline(tick: Tick | None, now: float) -> str:
    """The state in a word or two."""
    return "NO SIGNAL" if tick is None or is_silent(tick, now) else tick.state.name


def explanation(tick: Tick | None, now: float) -> str:
    """Why it is so."""
    if tick is None:
        return "Nothing heard from the executor yet. Is the stack running?"
    if is_silent(tick, now):
        was = f"It was {tick.state.name.lower()}" + (f": {tick.reason}" if tick.reason else "")
        return f"Nothing heard from the executor for {now - tick.heard:.0f} s. {was}."
    return tick.reason or _EXPLANATIONS[tick.state]


def limits_in_words(limits: Limit) -> list[str]:
    """A phrase for each limit that acted."""
    return [words for limit, words in _LIMITS.items() if limits & limit]


def sight(seen: Sight | None, now: float) -> str:
    """How the object is known, at monotonic time `now` (s)."""
    if seen is None or now - seen.heard > _UNTOLD_AFTER:
        return "Nobody tells where the object is."
    if seen.source == "simulator":
        return "The simulator tells where the object is."
    words = _TRACKING[seen.tracking]
    if seen.tracking in (Tracking.HELD, Tracking.WITH_PALM):
        words += f" (hidden for {seen.age:.1f} s)"
    if now - seen.heard > _SLOW_AFTER:
        words += f", told {now - seen.heard:.0f} s ago"
    return f"Object: {words} · {seen.source}, confidence {seen.confidence:.2f}"


def progress(session: Session) -> str:
    """Which episode it is, of what, and what the session does."""
    count = f"Episode {session.episode}" + (f" of {session.planned}" if session.planned else "")
    return " · ".join(filter(None, [count, session.object, _SESSION_STATES[session.state]]))


def tally(session: Session) -> str:
    """Outcomes so far."""
    parts = f"{session.successes} succeeded · {session.failures} failed · {session.discarded} discarded"
    return f"{parts} · {session.name}" + (f" · {session.operator}" if session.operator else "")
