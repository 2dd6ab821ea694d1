"""The figures of one recorded episode, in one pass over its bag with flat memory. No ROS."""

import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rfs_control.residual_bounds import ResidualBounds
from rfs_description.robot import HAND_CLOSING

from rfs_teleop.bag_index import IndexedBag
from rfs_teleop.bag_reader import Recorded

AXES = ("x", "y", "z", "closing")
"""What an operator corrects: palm translation in the base frame, and the closing of the fingers."""
HEIGHT_BIN = 0.02
"""Palm heights are told in bins of this many m."""
_TOPICS = ("/rfs/executed_action", "/rfs/reward", "/joint_states")
_STATES_THAT_MOVE = (1, 2)  # AUTONOMOUS, CORRECTING of ExecutedAction
_SATURATED = 0.99  # of the bound
_USED = 1e-3  # of the bound; less is nothing
_JUMP = 0.25  # s by which two clocks must part at once
_HIGHEST = 2.0  # m; also of a palm whose height is not known yet
_SAMPLES = 120  # of a reward trace


@dataclass
class EpisodeFigures:
    """What came of an episode. Times in s, cadence in ms, heights in m.

    corrected: ticks with a human residual that counted. saturated: those at a bound. use: for each of `AXES`,
    by height bin (text of its number), [ticks, corrected ticks, sum of |residual| / bound]. reward: [time,
    reward] pairs. jumps: sentences on clocks. drops: messages that were sent and are not in the bag.
    """

    id: str
    bag: str
    object: str = ""
    seed: int = -1
    operator: str = ""
    session: str = ""
    sim_time: str = ""
    robot: str = ""
    outcome: str = "unknown"
    notes: str = ""
    begun: float = 0.0
    seconds: float = 0.0
    ticks: int = 0
    corrected: int = 0
    saturated: int = 0
    held: int = 0
    cadence_p50: float = 0.0
    cadence_p99: float = 0.0
    drops: int = 0
    axes: list[int] = field(default_factory=lambda: [0] * len(AXES))
    use: dict[str, list[list[float]]] = field(default_factory=dict)
    reward: list[list[float]] = field(default_factory=list)
    jumps: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Share of the executed ticks that the operator corrected, 0 to 1."""
        return self.corrected / self.ticks if self.ticks else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "EpisodeFigures":
        """What `as_json` gave.

        Raises:
            TypeError, KeyError: it is something else.
        """
        return cls(**{entry.name: data[entry.name] for entry in fields(cls)})


def line(figures: EpisodeFigures, number: int, planned: int) -> str:
    """One episode in one line."""
    head = f"episode {number}/{planned}" if planned else f"episode {number}"
    cadence = f"cadence p50 {figures.cadence_p50:.1f} p99 {figures.cadence_p99:.0f} ms"
    words = [
        head,
        figures.object or "-",
        figures.outcome,
        f"{figures.seconds:.1f} s",
        f"corrected {100 * figures.share:.0f} %",
        cadence,
        f"drops {figures.drops}",
    ]
    return "  ".join(words)


def read_figures(bag: Path, bounds: ResidualBounds | None = None) -> EpisodeFigures:
    """Figures of a closed bag.

    Raises:
        ValueError: there is no bag that can be read.
    """
    with IndexedBag(bag) as source:
        figures = _from_contract(source.contract, bag)
        reader = _Reader(figures, bounds or ResidualBounds.load())
        for raw in source.raw(_TOPICS):
            reader.take(Recorded(raw.topic, raw.log_time, source.decode(raw)))
    reader.finish()
    return figures


def _from_contract(contract: dict[str, str], bag: Path) -> EpisodeFigures:
    received, lost = (
        sum(int(value) for key, value in contract.items() if key.startswith(f"{kind} "))
        for kind in ("received", "lost")
    )
    return EpisodeFigures(
        id=bag.name,
        bag=str(bag),
        object=contract.get("object", ""),
        seed=int(contract.get("seed") or -1),
        operator=contract.get("operator", ""),
        session=contract.get("session", ""),
        sim_time=contract.get("sim_time", ""),
        robot=contract.get("robot", ""),
        outcome=contract.get("outcome", "unknown"),
        notes=contract.get("notes", ""),
        drops=max(0, received - _written(bag)) + lost,
    )


def _written(bag: Path) -> int:
    """Messages in the bag, as its metadata.yaml counts them; 0 where there is none."""
    file = bag / "metadata.yaml"
    if not file.is_file():
        return 0
    return int(yaml.safe_load(file.read_text())["rosbag2_bagfile_information"]["message_count"])


class _Reader:
    """Takes the messages of an episode in the order in which they were recorded."""

    def __init__(self, figures: EpisodeFigures, bounds: ResidualBounds) -> None:
        self._figures, self._bounds = figures, bounds
        self._lockstep = figures.sim_time == "lockstep"
        self._start: int | None = None
        self._last_moved = self._last_sent = 0
        self._height = math.inf
        self._periods: list[float] = []
        self._offsets: dict[str, int] = {}
        self._stamps: dict[str, int] = {}

    def take(self, recorded: Recorded) -> None:
        message = recorded.message
        if recorded.topic == "/rfs/executed_action":
            self._executed(message, recorded.log_time)
        if self._start is None:
            return
        self._watch_clock(recorded)
        if recorded.topic == "/rfs/reward" and math.isfinite(message.reward):
            at = (_ns(message.header.stamp) - self._start) * 1e-9
            if at >= 0:
                self._figures.reward.append([round(at, 3), round(float(message.reward), 4)])

    def _executed(self, message: Any, log_time: int) -> None:
        figures, stamp = self._figures, _ns(message.header.stamp)
        # What was commanded before an action decides whether its correction counts.
        height, self._height = self._height, float(message.target_pose.position.z)
        if message.state not in _STATES_THAT_MOVE or not len(message.action):
            figures.held += self._start is not None
            self._last_sent = 0  # a pause is no late tick
            return
        if self._start is None:
            self._start, figures.begun = stamp, log_time * 1e-9
        elif stamp <= self._last_moved:
            return  # the same answer again
        sent = log_time if self._lockstep else _ns(message.sent_stamp)
        if self._last_sent:
            self._periods.append((sent - self._last_sent) * 1e-6)
            figures.seconds += (stamp - self._last_moved) * 1e-9
        self._last_moved, self._last_sent = stamp, sent
        figures.ticks += 1
        self._residual(np.asarray(message.human_residual), min(height, _HIGHEST))

    def _residual(self, residual: np.ndarray, height: float) -> None:
        """Use of the bounds in a tick: (22,) residual, m and rad; palm height in m."""
        figures = self._figures
        parts = np.zeros(len(AXES))
        if residual.size:
            parts[:3] = residual[:3] / self._bounds.translation
            parts[3] = (residual[6:] * HAND_CLOSING).sum() / np.abs(HAND_CLOSING).sum() / self._bounds.finger
        used = np.abs(parts) > _USED
        at_bound = max(np.linalg.norm(parts[:3]), abs(parts[3])) >= _SATURATED
        figures.corrected += bool(used.any())
        figures.saturated += bool(at_bound)
        bins = figures.use.setdefault(str(int(height // HEIGHT_BIN)), [[0, 0, 0.0] for _ in AXES])
        for axis, entry in enumerate(bins):
            figures.axes[axis] += int(used[axis])
            entry[0] += 1
            entry[1] += int(used[axis])
            entry[2] = round(entry[2] + abs(float(parts[axis])), 5)

    def _watch_clock(self, recorded: Recorded) -> None:
        topic, stamp = recorded.topic, _ns(recorded.message.header.stamp)
        before = self._stamps.get(topic, stamp)
        if stamp < before and topic != "/rfs/executed_action":
            self._jump(f"stamps of {topic} ran back by {(before - stamp) * 1e-9:.2f} s")
        self._stamps[topic] = stamp
        if topic == "/rfs/reward" and recorded.message.source != "simulator":
            return  # a tracker takes its time, now more, now less
        offset = recorded.log_time - stamp
        change = (offset - self._offsets.get(topic, offset)) * 1e-9
        self._offsets[topic] = offset
        if not self._lockstep and abs(change) > _JUMP:
            self._jump(f"the clock of {topic} moved by {-change:+.2f} s against the recorder's")

    def _jump(self, text: str) -> None:
        if len(self._figures.jumps) < 20:
            self._figures.jumps.append(text)

    def finish(self) -> None:
        """Figures that need the whole episode."""
        figures = self._figures
        if self._periods:
            p50, p99 = np.percentile(self._periods, [50, 99])
            figures.cadence_p50, figures.cadence_p99 = round(float(p50), 2), round(float(p99), 2)
        figures.seconds = round(figures.seconds, 3)
        figures.reward = _thinned(figures.reward)


def _thinned(points: list[list[float]]) -> list[list[float]]:
    step = max(1, math.ceil(len(points) / _SAMPLES))
    return points[::step] + (points[-1:] if points and (len(points) - 1) % step else [])


def _ns(stamp: Any) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec
