"""What the panels say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_control.executor import State
from rfs_control.limits import Limit
from rfs_control.residual_bounds import ResidualBounds
from rfs_reward.tracking import Tracking
from rfs_viewer.traces import SPAN, Trace, Traces
from rfs_viewer.view import (
    Notice,
    Session,
    SessionState,
    Sight,
    Tick,
    TrackerReport,
    View,
)

from rfs_viewer import panel, wording

BOUNDS = ResidualBounds.load()


def tick(state: State = State.AUTONOMOUS, reason: str = "", limits: Limit = Limit.NONE) -> Tick:
    return Tick(state, reason, 10.0, limits)


def session(**changes: object) -> Session:
    fields = {
        "name": "monday",
        "operator": "ada",
        "state": SessionState.RUNNING,
        "episode": 3,
        "planned": 50,
        "successes": 2,
        "failures": 0,
        "discarded": 0,
        "object": "mug",
        "last": "",
        "message": "",
    }
    return Session(**(fields | changes))


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_name_and_a_sentence(state: State) -> None:
    html = panel.banner(tick(state), 10.1, 0)
    assert state.name in html
    assert wording.explanation(tick(state), 10.1) in html


@pytest.mark.parametrize("limit", [limit for limit in Limit if limit])
def test_every_limit_has_words(limit: Limit) -> None:
    assert len(wording.limits_in_words(limit)) == 1
    assert wording.limits_in_words(limit)[0] in panel.banner(tick(limits=limit), 10.1, 0)


def test_an_executor_that_fell_silent_is_not_shown_as_if_it_ran() -> None:
    html = panel.banner(tick(State.AUTONOMOUS, limits=Limit.ROTATION), 13.0, 0)
    assert "NO SIGNAL" in html
    assert "AUTONOMOUS" not in html
    assert "It was autonomous" in html
    assert "palm turning" not in html
    assert "NO SIGNAL" in panel.banner(None, 13.0, 0)


def test_text_of_messages_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    status = session(name=evil, operator=evil, object=evil, last=evil, message=evil)
    seen = Sight(Tracking.SEEN, None, 1.0, 0.0, evil, 10.0)
    for html in (
        panel.banner(tick(reason=evil), 10.0, 0),
        panel.session(status, Notice(evil, refused=True)),
        panel.sight(seen, TrackerReport(evil, evil, 1), 10.0),
    ):
        assert "<img" not in html
        assert "&lt;img" in html


def test_session_in_words() -> None:
    html = panel.session(session(last="mug success 3.1 s"), Notice("Start: not now", refused=True))
    for text in (
        "Episode 3 of 50",
        "mug",
        "2 succeeded",
        "mug success 3.1 s",
        "rfs-refused",
        "Start: not now",
    ):
        assert text in html
    assert "Episode 3 ·" in panel.session(session(planned=0), None)
    assert "No session" in panel.session(None, None)
    assert "point cloud" in panel.session(None, None, ("joint states", "point cloud"))


@pytest.mark.parametrize(
    ("tracking", "says"),
    [
        (Tracking.SEEN, "seen"),
        (Tracking.HELD, "hidden for 1.2 s"),
        (Tracking.WITH_PALM, "moves with the palm"),
        (Tracking.LOST, "lost: click it in the picture"),
        (Tracking.NONE, "not known: click it in the picture"),
    ],
)
def test_how_the_object_is_known(tracking: Tracking, says: str) -> None:
    seen = Sight(tracking, None, 0.5, 1.2, "rgbd", 10.0)
    assert says in wording.sight(seen, 10.1)
    assert "told 4 s ago" in wording.sight(seen, 14.0)
    assert "Nobody tells" in wording.sight(seen, 30.0)
    html = panel.sight(seen, TrackerReport("two things look alike", "nothing there", 1), 10.1)
    assert "two things look alike" in html
    assert "To the last prompt: nothing there" in html


def test_a_click_is_marked_until_it_is_answered() -> None:
    view = View()
    view.report(TrackerReport("", "", 0))
    view.prompt = (3.0, 4.0)
    view.report(TrackerReport("", "", 0))
    assert view.prompt == (3.0, 4.0)
    view.report(TrackerReport("", "taken", 1))
    assert view.prompt is None


@given(st.lists(st.floats(-1, 1, width=32), min_size=22, max_size=22))
def test_bars_never_leave_their_bounds(values: list[float]) -> None:
    html = panel.residual(values, BOUNDS)
    widths = [
        float(part.split('"')[0])
        for part in html.split('height="11" rx="2" fill="#8883"/>')[0].split('width="')[1:]
    ]
    assert all(width <= 320 for width in widths)
    assert ("#e5383b" in html) == any(
        abs(v) > 0.99 * b
        for v, b in zip(values[:3] + values[6:], [BOUNDS.translation] * 3 + [BOUNDS.finger] * 16, strict=True)
    )


def test_traces_keep_a_minute() -> None:
    trace = Trace()
    assert np.isnan(trace.data(0.0)[1]).all()
    for second in range(200):
        trace.add(float(second), float(second))
    ages, values = trace.data(199.0)
    assert ages[0] == -SPAN
    assert ages[-1] == 0.0
    assert values[-1] == 199.0


def test_ticks_are_traced_as_milliseconds_between_them() -> None:
    traces = Traces()
    for now in (1.0, 1.1, 1.3):
        traces.tick(now)
    assert traces.period.data(1.3)[1] == pytest.approx([100.0, 200.0])


def test_the_executor_is_known_by_its_diagnostics_while_it_does_not_act() -> None:
    view = View()
    view.hear_of(State.HOLDING, "not engaged", 1.0)
    assert view.tick is not None
    assert view.tick.reason == "not engaged"
    acted = Tick(State.CORRECTING, "", 2.0, Limit.CORRECTION)
    view.hear(acted)
    view.hear_of(State.CORRECTING, "following the policy", 2.1)
    assert view.tick is acted
    view.hear_of(State.STOPPED, "stopped by request", 2.2)
    assert view.tick.state is State.STOPPED
