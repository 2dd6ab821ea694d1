"""A scripted operator for the simulator: sees the object's pose, and pushes as a careful person would."""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rfs_control.residual_bounds import ResidualBounds

from rfs_teleop.devices import config
from rfs_teleop.devices.device import Axes, Change, Device, Reading
from rfs_teleop.devices.scripted_settings import ScriptedSettings

_LAPSE = 300_000_000  # ns; how long a hesitation or a mistake lasts
_LAG = 0.7  # share of the way to the wanted deflection that the hand makes in a tick
_TWITCH = 0.02  # smaller deflections are none
_FULL_PUSH = 0.015  # m; what a full deflection is expected to do
_GAP = 1_000_000_000  # ns between two observations that are not of one episode
_CARRIED = 0.10  # m; an object that is somewhere else in the next observation is that of a new episode
_LIFTED = 0.03  # m; an object that rose so far is in the hand
_POWER_CLOSED, _PINCH_CLOSED = 0.5, 1.65  # rad; of the index finger's second and first joint
_FELL = -0.03  # m; an object whose center is so far below the table's top has fallen off it


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to see at a stamp (ns), in the base frame.

    `palm` (3,) m and its `rotation` (3, 3), `fingers` (16,) rad as measured, `object` (3,) m.
    """

    stamp: int
    palm: NDArray[np.float64]
    rotation: NDArray[np.float64]
    fingers: NDArray[np.float64]
    object: NDArray[np.float64]


Push = tuple[int, NDArray[np.float64]]
"""When the palm was pushed, ns, and how far, horizontally (2,), m."""


@dataclass
class _Episode:
    """What the operator keeps in mind: error of the eye (2,), height at which the object rested, and the
    lowest since then (it may have been knocked over), m; stamps, ns."""

    rng: np.random.Generator
    eye: NDArray[np.float64]
    rest: float
    lowest: float
    began: int
    lapse_until: int = 0
    wrong: bool = False
    up_since: int | None = None
    judged: bool = False
    scenes: deque[Scene] = field(default_factory=lambda: deque(maxlen=30))
    pushes: deque[Push] = field(default_factory=lambda: deque(maxlen=30))


class ScriptedOperator(Device):
    """Looks at a scene for each observation, and answers with the axes of its device.

    Nothing but the scenes and the seed decides what it does: the same scenes again get the same answers. The
    noise of an episode comes from the seed and the episode's first scene.
    """

    name = "scripted"

    def __init__(self, loaded: config.DeviceConfig, seed: int = 0) -> None:
        self._settings = ScriptedSettings.checked(loaded.settings, loaded.source)
        self._seed = seed
        self._bounds = ResidualBounds.load()  # the view shows where pushes do nothing
        self._axes = np.zeros(6)
        self._episode: _Episode | None = None
        self._changes: list[Change] = []
        self.problem = ""

    # ---- the device ----
    @property
    def reading(self) -> Reading:
        return Reading(self._axes, time=time.monotonic(), problem=self.problem)

    def changes(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes

    def close(self) -> None:
        """Nothing is open."""

    def press(self, button: str) -> None:
        """Press a button and let it go."""
        now = time.monotonic()
        self._changes += [(now, frozenset([button])), (now, frozenset())]

    # ---- watching ----
    def forget(self) -> None:
        """The next scene is the first one of an episode; what was pressed for the last one is void."""
        self._episode = None
        self._changes = []

    def see(self, scene: Scene) -> None:
        """The scene of the next observation; the same one again changes nothing."""
        episode = self._episode
        if episode is not None and episode.scenes[-1].stamp == scene.stamp:
            return
        if episode is None or _elsewhere(episode.scenes[-1], scene):
            episode = self._episode = self._begin(scene)
        episode.scenes.append(scene)
        episode.lowest = min(episode.lowest, float(scene.object[2]))
        self._axes = self._moved(self._wanted(self._seen(episode), episode), scene.stamp, episode)
        if self._bounds.allows(float(scene.palm[2])):
            episode.pushes.append((scene.stamp, _FULL_PUSH * self._axes[:2]))
        self._judge(scene, episode)

    def _begin(self, scene: Scene) -> _Episode:
        self._axes, self._changes = np.zeros(6), []
        bits = np.concatenate([scene.object, scene.palm]).astype(np.float64).view(np.uint64)
        rng = np.random.default_rng([self._seed, *bits.tolist()])
        eye = self._settings.eye_noise * rng.standard_normal(2)
        height = float(scene.object[2])
        return _Episode(rng, eye, height, height, scene.stamp)

    def _seen(self, episode: _Episode) -> Scene | None:
        """The scene that the operator reacts to by now, or None for an episode that has just begun."""
        due = episode.scenes[-1].stamp - round(self._settings.reaction_seconds * 1e9)
        return next((scene for scene in reversed(episode.scenes) if scene.stamp <= due), None)

    def _wanted(self, scene: Scene | None, episode: _Episode) -> Axes:
        """Deflection (6,) that mends what is seen: push the palm to the object, close when it is there."""
        s, axes = self._settings, np.zeros(6)
        if scene is None or scene.palm[2] > s.watch_height:
            return axes
        if scene.object[2] < _FELL:
            return axes
        lifted = scene.object[2] - episode.lowest > _LIFTED
        error = self._error(scene, episode)
        distance = float(np.linalg.norm(error))
        if lifted or _closed(scene.fingers):
            axes[2] = -s.squeeze if lifted or distance < s.reach else 0.0
        elif distance > s.tolerance:
            axes[:2] = error * min(s.gain / _FULL_PUSH, 1.0 / distance)
        return axes

    def _error(self, scene: Scene, episode: _Episode) -> NDArray[np.float64]:
        """How far (2,) m the palm should go, horizontally, to have the object in its right spot, less what
        was pushed too lately to be seen."""
        spot = self._settings.pinch_spot if _pinches(scene.fingers) else self._settings.power_spot
        aim = scene.palm + scene.rotation @ np.array([*spot, 0.0])
        unseen = scene.stamp - round(self._settings.follow_seconds * 1e9)
        pushed = sum((push for stamp, push in episode.pushes if stamp > unseen), start=np.zeros(2))
        return (scene.object - aim)[:2] + episode.eye - pushed

    def _moved(self, wanted: Axes, stamp: int, episode: _Episode) -> Axes:
        """What a hand makes of it: a lag, tremor, hesitations, and sometimes the wrong direction."""
        s, chance, tremor = self._settings, episode.rng.random(), episode.rng.standard_normal(6)
        if wanted.any() and stamp >= episode.lapse_until and chance < s.hesitation + s.mistake:
            episode.wrong, episode.lapse_until = chance >= s.hesitation, stamp + _LAPSE
        if stamp < episode.lapse_until:
            wanted = -wanted if episode.wrong else np.zeros(6)
        axes = self._axes + _LAG * (wanted - self._axes) + s.hand_noise * tremor * (wanted != 0.0)
        return np.where(np.abs(axes) < _TWITCH, 0.0, np.clip(axes, -1.0, 1.0))

    def _judge(self, scene: Scene, episode: _Episode) -> None:
        """Call success or failure, once an episode."""
        s, lift = self._settings, scene.object[2] - episode.rest
        up = lift >= s.success_lift
        episode.up_since = (episode.up_since or scene.stamp) if up else None
        held = episode.up_since is not None and scene.stamp - episode.up_since >= 1e9 * s.judge_seconds
        hopeless = scene.object[2] < _FELL or scene.stamp - episode.began > 1e9 * s.patience_seconds
        if not episode.judged and (held or hopeless):
            episode.judged = True
            self.press("SUCCESS" if held else "FAILURE")


def _elsewhere(last: Scene, scene: Scene) -> bool:
    """Whether this scene is of another episode than the last one."""
    carried = float(np.linalg.norm((scene.object - last.object)[:2])) > _CARRIED
    return carried or not 0 < scene.stamp - last.stamp < _GAP


def _pinches(fingers: NDArray[np.float64]) -> bool:
    """Whether the index finger is bent at its root alone."""
    return bool(fingers[0] - fingers[2] > 0.7)


def _closed(fingers: NDArray[np.float64]) -> bool:
    """Whether the fingers are around the object, so that it is too late to push."""
    return bool(fingers[2] > _POWER_CLOSED or (_pinches(fingers) and fingers[0] > _PINCH_CLOSED))
