"""One browser's page: state and buttons on the left, the scene, pictures and plots on the right."""

from typing import Any

import numpy as np
import viser
import viser.uplot
from rfs_control.executor import State
from rfs_control.residual_bounds import ResidualBounds
from rfs_teleop.session_commands import Command
from viser._gui_api import LiteralColor

from rfs_viewer import panel, picture
from rfs_viewer.operator import Operator
from rfs_viewer.robot_model import RobotModel
from rfs_viewer.scene import Scene
from rfs_viewer.traces import SPAN, Trace
from rfs_viewer.view import Array, SessionState, View

_PANEL_EVERY, _TRACES_EVERY = 2, 5  # updates
_BUTTONS: tuple[tuple[Command, str, LiteralColor, str], ...] = (
    (Command.START, "Start episode", "green", "PLAYER_PLAY"),
    (Command.PAUSE, "Pause", "violet", "PLAYER_PAUSE"),
    (Command.SUCCESS, "Success", "teal", "CHECK"),
    (Command.FAILURE, "Failure", "orange", "X"),
    (Command.DISCARD, "Discard", "gray", "TRASH"),
    (Command.RELEASE, "Release stop", "dark", "LOCK_OPEN"),
)


class Page:
    """Built for a browser that may see the robot; `update` is called ten times a second."""

    def __init__(
        self, client: viser.ClientHandle, robot: RobotModel, bounds: ResidualBounds, operator: Operator
    ) -> None:
        self._client, self._bounds, self._operator = client, bounds, operator
        self._count = 0
        self._view = View()
        self._pictured: tuple[object, ...] = ()
        client.gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        client.gui.set_panel_label("RFS operator")
        client.gui.main_panel.dock_left()
        client.gui.main_panel.set_width(340)
        self._add_state()
        self._add_sight()
        self.scene = Scene(client, robot)

    # ---- building ----
    def _add_state(self) -> None:
        gui = self._client.gui
        style = gui.add_html("")
        self._banner = gui.add_html(panel.banner(None, 0.0, 0))
        stop = gui.add_button(
            "STOP", color="red", hint="Latches at once, with or without a session. Key: space"
        )
        stop.on_click(lambda _: self._operator.press(Command.STOP))
        gui.add_command("Stop the robot", hotkey="space").on_trigger(
            lambda _: self._operator.press(Command.STOP)
        )
        self._session = gui.add_html("")
        self._buttons: dict[Command, Any] = {}
        for command, label, color, icon in _BUTTONS:
            button = gui.add_button(label, color=color, icon=getattr(viser.Icon, icon))
            button.on_click(lambda _, command=command: self._operator.press(self._meant(command)))
            self._buttons[command] = button
        identifiers = [button._impl.uuid for button in self._buttons.values()]
        style.content = panel.style(stop._impl.uuid, identifiers)

    def _add_sight(self) -> None:
        gui = self._client.gui
        side = gui.add_panel()
        with side.add_tab("Watch", viser.Icon.CAMERA):
            self._image = gui.add_image(np.full((120, 160, 3), 40, np.uint8), jpeg_quality=80)
            self._mark = gui.add_button("Show the object to the tracker", icon=viser.Icon.CLICK)
            self._mark.on_click(lambda _: self._on_mark())
            self._sight = gui.add_html(panel.sight(None, None, 0.0))
            self._residual = gui.add_html(panel.residual([], self._bounds))
            self._reward = self._add_plot("Reward", "#f0a30a")
            self._period = self._add_plot("Time between ticks, ms", "#3fb950", range=(0.0, 250.0))
        side.dock_right()
        side.set_width(340)

    def _add_plot(self, title: str, color: str, **y: Any) -> Any:
        series = viser.uplot.Series
        axis = viser.uplot.Axis(
            stroke="#9aa4b2", size=46, grid={"stroke": "#8883"}, ticks={"stroke": "#8883"}
        )
        return self._client.gui.add_uplot(
            Trace().data(0.0),
            (series(label="s"), series(label=title, stroke=color, width=1.5)),
            title=title,
            scales={"x": viser.uplot.Scale(time=False, range=(-SPAN, 0.0)), "y": viser.uplot.Scale(**y)},
            axes=(axis, axis),
            legend=viser.uplot.Legend(show=False),
            height=130,
        )

    # ---- pressing ----
    def _meant(self, command: Command) -> Command:
        """The pause button resumes what is paused."""
        return Command.RESUME if command is Command.PAUSE and self._paused() else command

    def _paused(self) -> bool:
        session, tick = self._view.session, self._view.tick
        if session is not None:
            return session.state == SessionState.PAUSED
        return tick is not None and tick.state == State.PAUSED

    def _stopped(self) -> bool:
        session, tick = self._view.session, self._view.tick
        by_session = session is not None and session.state == SessionState.STOPPED
        return by_session or (tick is not None and tick.state == State.STOPPED)

    def _on_mark(self) -> None:
        if self.scene.looks_through:
            self.scene.leave()
        else:
            self.scene.look_through(self._view, self._on_pixel)
        self._name_mark()

    def _on_pixel(self, pixel: tuple[float, float]) -> None:
        self._operator.prompt(pixel)
        self.scene.leave()
        self._name_mark()

    def _name_mark(self) -> None:
        looks = self.scene.looks_through
        self._mark.label = "Click the object, or go back" if looks else "Show the object to the tracker"

    # ---- updates ----
    def update(self, view: View, now: float, positions: Array | None, wxyz: Array | None) -> None:
        """Show the view at monotonic time `now` (s), with the poses of the robot's links."""
        self._view = view
        self.scene.update(view, positions, wxyz)
        if self._count % _PANEL_EVERY == 0:
            self._update_panels(view, now)
        if self._count % _TRACES_EVERY == 0:
            self._reward.data = view.traces.reward.data(now)
            self._period.data = view.traces.period.data(now)
        self._count += 1

    def _update_panels(self, view: View, now: float) -> None:
        self._banner.content = panel.banner(view.tick, now, self._count)
        self._session.content = panel.session(view.session, view.notice, view.silent)
        self._buttons[Command.PAUSE].label = "Resume" if self._paused() else "Pause"
        self._buttons[Command.RELEASE].disabled = not self._stopped()
        self._sight.content = panel.sight(view.sight, view.tracker, now)
        residual = [] if view.tick is None else view.tick.residual.tolist()
        self._residual.content = panel.residual(residual, self._bounds)
        shown = (view.picture, view.mask, view.prompt)
        if view.picture is not None and list(map(id, shown)) != list(map(id, self._pictured)):
            self._pictured = shown
            self._image.image = picture.with_cross(picture.with_mask(view.picture, view.mask), view.prompt)
