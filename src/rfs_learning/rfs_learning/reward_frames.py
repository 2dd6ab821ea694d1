"""The frames of a recorded episode, rebuilt from its pictures, depth, calibration and joint states.

Messages go through the live node's own matching, in the order in which they were recorded. Prompts count
again: a click of the operator for the next frame, one that the service took for that very frame.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from rfs_reward.calibration import Calibration
from rfs_reward.frame import Frame
from rfs_reward.frame_match import SCENE_GAP, FrameMatcher, Match
from rfs_reward.measurements import RobotMask, make_frame, read_color, read_depth
from rfs_reward.prompt_places import PIXEL, Places, prompt_places
from rfs_teleop.bag_index import IndexedBag, RawMessage

COLOR, DEPTH = "/camera/color/image_raw", "/camera/depth/image_rect"
INFO, EXTRINSICS = "/camera/color/camera_info", "/camera/color/extrinsics"
JOINT_STATES = "/joint_states"
CLICKS, PROMPTS = "/rfs/reward/prompt", "/rfs/reward/prompted"
_TYPES = {
    COLOR: "sensor_msgs/msg/Image",
    DEPTH: "sensor_msgs/msg/Image",
    INFO: "sensor_msgs/msg/CameraInfo",
    EXTRINSICS: "geometry_msgs/msg/TransformStamped",
    JOINT_STATES: "sensor_msgs/msg/JointState",
}
_PROMPT_TYPES = {CLICKS: "geometry_msgs/msg/PointStamped", PROMPTS: "rfs_msgs/msg/TrackerPrompt"}


@dataclass(frozen=True, eq=False)
class RecordedFrame:
    """A frame, and where somebody said that the object is in it; None where nobody did."""

    frame: Frame
    prompt: Places | None = None


class RecordedFrames:
    """Iterates over the frames of a bag, one in memory at a time.

    `skipped` counts, by reason, pictures that gave no frame.

    Raises:
        ValueError: the bag lacks what frames are made of; one sentence.
    """

    def __init__(self, bag: IndexedBag, robot: RobotMask) -> None:
        self.skipped: Counter[str] = Counter()
        self._bag, self._robot = bag, robot
        self._click: Places | None = None
        self._earliest = newest_scene(bag, COLOR)
        firsts = {topic: raw for topic in _TYPES if (raw := _first(bag, topic))}
        missing = [topic for topic in _TYPES if topic not in firsts]
        if missing:
            raise ValueError(f"no frames to judge: nothing was recorded on {', '.join(missing)}")
        self._calibration = Calibration()
        for topic in (EXTRINSICS, INFO):  # in lockstep the first picture comes before its own calibration
            self._take_calibration(firsts[topic])

    def __iter__(self) -> Iterator[RecordedFrame]:
        """Frames in the order of their stamps. ValueError where the camera's clock was set back."""
        last, prompts = -1, self._prompts()
        for match in self._matches():
            if match.restarted:
                raise ValueError("the camera was restarted with another clock during the episode")
            if match.stamp <= last or match.stamp < self._earliest:
                continue  # in lockstep, what may not have been heard is said again
            frame = self._frame(match)
            if frame is not None:
                last, prompt, self._click = match.stamp, self._click, None
                while prompts and prompts[0][0] <= match.stamp:
                    _, prompt = prompts.popleft()
                yield RecordedFrame(frame, prompt)

    def _prompts(self) -> deque[tuple[int, Places]]:
        """What the service took in this episode, with stamps (ns), in their order."""
        taken = []
        for raw in self._bag.raw(self._recorded(PROMPTS)):
            message = self._bag.decode(raw)
            taken.append((raw.stamp, prompt_places(message.kind, message.coordinates)))
        return deque(sorted((pair for pair in taken if pair[0] >= self._earliest), key=itemgetter(0)))

    def _recorded(self, topic: str) -> list[str]:
        """The topic of prompts, or nothing where the bag lacks it or has another type there."""
        return [topic] if self._bag.types.get(topic) == _PROMPT_TYPES[topic] else []

    def _matches(self) -> Iterator[Match]:
        matcher = FrameMatcher.for_time(_lockstep(self._bag))
        for raw in self._bag.raw([*_TYPES, *self._recorded(CLICKS)]):
            now = raw.log_time * 1e-9
            if raw.topic in (INFO, EXTRINSICS):
                self._take_calibration(raw)
                continue
            message = self._bag.decode(raw)
            if raw.topic == CLICKS:
                self._click = prompt_places(PIXEL, [message.point.x, message.point.y])
                continue
            if raw.topic == JOINT_STATES:
                matcher.take_joints(message.name, message.position, raw.stamp, now)
            else:
                take = matcher.take_color if raw.topic == COLOR else matcher.take_depth
                take(raw.stamp, message, now)
            match = matcher.newest(now)
            if match is not None:
                yield match

    def _take_calibration(self, raw: RawMessage) -> None:
        message = self._bag.decode(raw)
        take = self._calibration.take_info if raw.topic == INFO else self._calibration.take_extrinsics
        take(message)

    def _frame(self, match: Match) -> Frame | None:
        """None for what no camera should send; `skipped` then says why."""
        try:
            camera = self._calibration.camera
            color, depth = read_color(match.color), read_depth(match.depth)
            return make_frame(match.stamp, color, depth, camera, match.joints, self._robot)
        except ValueError as error:
            self.skipped[str(error)] += 1
            return None


def newest_scene(bag: IndexedBag, topic: str) -> int:
    """Stamp (ns) at which the episode begins: in lockstep a bag may begin with a picture of the scene before,
    and stamps tell. 0 in realtime."""
    if not _lockstep(bag):
        return 0
    stamps = sorted({raw.stamp for raw in bag.raw([topic])})
    return max((late for early, late in pairwise(stamps) if late - early > SCENE_GAP), default=0)


def _lockstep(bag: IndexedBag) -> bool:
    return bag.contract.get("sim_time") == "lockstep"


def _first(bag: IndexedBag, topic: str) -> RawMessage | None:
    """The first message of a topic; None without one, or where it is of another type."""
    right = bag.types.get(topic) == _TYPES[topic]
    return next(iter(bag.raw([topic])), None) if right else None
