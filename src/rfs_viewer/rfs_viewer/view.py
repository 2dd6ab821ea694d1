"""What the page shows: the newest of everything that was heard. Plain data; frames are `fr3_link0`."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from rfs_control.executor import State
from rfs_control.limits import Limit
from rfs_reward.tracking import Tracking

from rfs_viewer.traces import Traces

Array = NDArray[np.float64]
_ACTS_WITHIN = 0.5  # s: an executor at work was heard within this time


class SessionState(IntEnum):
    """STATE_* of `rfs_msgs/SessionStatus`."""

    WAITING = 0
    RESETTING = 1
    RUNNING = 2
    PAUSED = 3
    STOPPED = 4
    FINISHED = 5


@dataclass(frozen=True)
class Sight:
    """How well the object is known. `centroid`: (3,) m, None where it is not; `age`: s since it was last
    seen; `source`: simulator, or the name of the tracker; `heard`: monotonic time, s."""

    tracking: Tracking
    centroid: Array | None
    confidence: float
    age: float
    source: str
    heard: float


@dataclass(frozen=True)
class TrackerReport:
    """What the reward node tells of itself: why the object is not known, and what it said to the last prompt,
    of `prompts` in all."""

    problem: str
    answer: str
    prompts: int


@dataclass(frozen=True)
class Tick:
    """What the executor said last. `residual`: (22,) of the operator, m and rad, or empty. Target pose:
    `position` (3,) in m, NaN where none was said, `wxyz` (4,). `heard`: monotonic time, s."""

    state: State
    reason: str
    heard: float
    limits: Limit = Limit.NONE
    residual: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    position: Array = field(default_factory=lambda: np.full(3, np.nan))
    wxyz: Array = field(default_factory=lambda: np.array([1.0, 0.0, 0.0, 0.0]))


@dataclass(frozen=True)
class Session:
    """`rfs_msgs/SessionStatus`, which explains the fields."""

    name: str
    operator: str
    state: SessionState
    episode: int
    planned: int
    successes: int
    failures: int
    discarded: int
    object: str
    last: str
    message: str


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera: `intrinsics` (3, 3), pixels; optical frame: `position` (3,), m, `wxyz` (4,)."""

    intrinsics: Array
    position: Array
    wxyz: Array


@dataclass(frozen=True)
class Notice:
    """An answer to a press of a button."""

    text: str
    refused: bool = False


@dataclass
class View:
    """Everything at one time; None where nothing was heard yet.

    `joints`: (23,) rad, order of JOINTS. `points`: (n, 3) m. `picture`: (h, w, 3) uint8.
    `mask`: (h, w) uint8, the tracker's. `prompt`: pixel (x, y) that was clicked, until the reward node
    answers. `silent`: what is drawn and was not heard lately.
    """

    joints: Array | None = None
    points: NDArray[np.float32] | None = None
    picture: NDArray[np.uint8] | None = None
    mask: NDArray[np.uint8] | None = None
    prompt: tuple[float, float] | None = None
    intrinsics: Array | None = None
    camera_position: Array | None = None
    camera_wxyz: Array | None = None
    sight: Sight | None = None
    tracker: TrackerReport | None = None
    tick: Tick | None = None
    session: Session | None = None
    notice: Notice | None = None
    silent: tuple[str, ...] = ()
    traces: Traces = field(default_factory=Traces)

    def hear(self, tick: Tick) -> None:
        """The executor acted."""
        self.tick = tick
        self.traces.tick(tick.heard)

    def hear_of(self, state: State, reason: str, now: float) -> None:
        """The executor's state by its diagnostics, at monotonic time `now` (s): all there is while it does
        not act."""
        last = self.tick
        if last is None or last.state != state or now - last.heard > _ACTS_WITHIN:
            self.tick = Tick(state, reason, now)

    def report(self, tracker: TrackerReport) -> None:
        """The reward node told of itself."""
        if self.tracker is None or tracker.prompts != self.tracker.prompts:
            self.prompt = None
        self.tracker = tracker

    @property
    def camera(self) -> CameraModel | None:
        """The color camera, once both its intrinsics and its pose are known."""
        if self.intrinsics is None or self.camera_position is None or self.camera_wxyz is None:
            return None
        return CameraModel(self.intrinsics, self.camera_position, self.camera_wxyz)
