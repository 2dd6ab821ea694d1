"""From buttons to commands: taps, long presses, chords; their meaning may depend on the session."""

from collections.abc import Sequence
from dataclasses import dataclass

from rfs_teleop.devices.device import Change

COMMANDS = ("start", "success", "failure", "discard", "pause", "resume", "stop", "release", "finish")
"""Of `rfs_msgs/OperatorCommand`, in the order of its numbers from 1 on."""
STATES = ("waiting", "resetting", "running", "paused", "stopped", "finished")
"""Of `rfs_msgs/SessionStatus`, in the order of its numbers from 0 on."""
GESTURES = ("press", "tap", "hold")


@dataclass(frozen=True)
class Binding:
    """`gesture` on all of `buttons` at once means `command` while the session is in one of `states`.

    press: at once, when the last of them goes down. tap: released before it counts as held. hold: kept down.
    Without `states` it holds in each, and without a session.
    """

    gesture: str
    buttons: frozenset[str]
    command: str
    states: frozenset[str] = frozenset()


class ButtonReader:
    """Follows the buttons of a device and finds the commands in them.

    Args:
        bindings: what means what; the first that fits counts, a chord before a single button.
        hold_seconds: from here on a button counts as held.
    """

    def __init__(self, bindings: Sequence[Binding], hold_seconds: float) -> None:
        self._bindings = sorted(bindings, key=lambda binding: -len(binding.buttons))
        self._hold_seconds = hold_seconds
        self._down: dict[str, float] = {}
        self._used: set[str] = set()
        self._unplugged = False

    def stops(self) -> bool:
        """Whether a gesture that means stop is being made."""
        return any(b.command == "stop" and b.buttons <= self._down.keys() for b in self._bindings)

    def read(self, changes: Sequence[Change], now: float, state: str) -> list[str]:
        """Commands given by the changes up to monotonic time `now`, s; `state` of `STATES`, or empty."""
        commands = []
        for at, buttons in changes:
            commands += self._holds(at, state)
            commands += self._change(at, buttons, state)
        return commands + self._holds(now, state)

    def _change(self, at: float, buttons: frozenset[str] | None, state: str) -> list[str]:
        if buttons is None:  # unplugged: nothing was let go on purpose
            self._down.clear()
            self._used.clear()
            self._unplugged = True
            return []
        released, pressed = self._down.keys() - buttons, buttons - self._down.keys()
        taps = [name for name in sorted(released - self._used)]
        for name in released:
            del self._down[name]
        self._used -= released
        commands = self._fitting("tap", [frozenset([name]) for name in taps], state)
        self._down |= dict.fromkeys(pressed, at)
        if self._unplugged:  # the first state since then: what is down may have been pressed long ago
            self._unplugged = False
            self._used |= pressed
            return commands
        return commands + (self._pressed(pressed, state) if pressed else [])

    def _pressed(self, fresh: frozenset[str], state: str) -> list[str]:
        for binding in self._bindings:
            complete = binding.buttons <= self._down.keys() and binding.buttons & fresh
            if binding.gesture == "press" and complete and _holds_in(binding, state):
                self._used |= binding.buttons
                return [binding.command]
        return []

    def _holds(self, now: float, state: str) -> list[str]:
        held = [name for name, since in self._down.items() if now - since >= self._hold_seconds]
        held = [name for name in held if name not in self._used]
        self._used |= set(held)
        return self._fitting("hold", [frozenset([name]) for name in held], state)

    def _fitting(self, gesture: str, made: list[frozenset[str]], state: str) -> list[str]:
        """The command of the first binding that fits, for each button with which the gesture was made."""
        commands = []
        for buttons in made:
            fits = (b for b in self._bindings if b.gesture == gesture and b.buttons == buttons)
            commands += [b.command for b in fits if _holds_in(b, state)][:1]
        return commands


def _holds_in(binding: Binding, state: str) -> bool:
    return not binding.states or state in binding.states
