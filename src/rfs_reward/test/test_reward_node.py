"""The reward node in its own process, shown a rendered scene by a camera that does everything wrong once."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PointStamped, TransformStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rfs_policy.nodes.stamps import nanoseconds, time_message  # noqa: E402
from rfs_sim_bridge.camera import take_picture  # noqa: E402
from rfs_sim_bridge.grasp_task import GraspTask  # noqa: E402
from rfs_sim_bridge.nodes import messages  # noqa: E402
from rfs_sim_bridge.pictures import OBJECT, Camera  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, JointState  # noqa: E402

from rfs_msgs.msg import EpisodeStatus, GraspReward, TrackerPrompt  # noqa: E402
from rfs_msgs.srv import PromptTracker  # noqa: E402

PATIENCE = 30.0
MS = 1_000_000
CAMERA = Camera()
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
Kind = PromptTracker.Request


@dataclass
class Faults:
    """What the camera does wrong."""

    clock: int = 0  # ns that everything is stamped later
    depth_delay: int = 0  # ns that depth is stamped later
    depth: Callable[[np.ndarray], Image | None] = field(default=lambda depth: as_image(depth))


def as_image(pixels: np.ndarray) -> Image:
    """Depth in m, or, for whole numbers, in mm."""
    if pixels.dtype == np.float32:
        return messages.image(time_message(0), pixels)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="16UC1", step=2 * pixels.shape[1])
    message.header.frame_id = messages.CAMERA_FRAME
    message.data = pixels.tobytes()
    return message


class Rig:
    """Camera and robot of a scene that stands still, at 10 Hz, and whoever listens to the reward node."""

    def __init__(self) -> None:
        self.domain = int(os.environ["RFS_TEST_DOMAINS"].split(",")[0])
        task = GraspTask(objects=["box"])
        task.reset([3])
        self.joints, self.truth = task.joint_positions[0].copy(), task.object_pose[0][0].copy()
        self.picture = take_picture(task.snapshot(), CAMERA)
        rows, columns = np.nonzero(self.picture.segmentation == OBJECT)
        self.pixel = (float(np.median(columns)), float(np.median(rows)))
        self.box = [float(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
        self.context = Context()
        rclpy.init(context=self.context, domain_id=self.domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.faults = Faults()
        self.rewards: list[GraspReward] = []
        self.prompted: list[TrackerPrompt] = []
        self.masks: list[Image] = []
        self.debug: list[Image] = []
        self.status: dict[str, str] = {}
        self.message = ""
        self.prompts = 0
        self._offer()
        self._listen()
        self.processes = [self.launch(), self.launch("tracker:=eyes")]
        self.node.create_timer(0.1, self._play)

    def _offer(self) -> None:
        create = self.node.create_publisher
        self.color = create(Image, "/camera/color/image_raw", BEST_EFFORT)
        self.depth = create(Image, "/camera/depth/image_rect", BEST_EFFORT)
        self.info = create(CameraInfo, "/camera/color/camera_info", BEST_EFFORT)
        self.states = create(JointState, "/joint_states", 10)
        self.clicks = create(PointStamped, "/rfs/reward/prompt", 10)
        self.episodes = create(EpisodeStatus, "/rfs/episode", LATCHED)
        self.extrinsics = create(TransformStamped, "/camera/color/extrinsics", LATCHED)
        self.prompter = self.node.create_client(PromptTracker, "/rfs/reward/set_prompt")

    def _listen(self) -> None:
        create = self.node.create_subscription
        create(GraspReward, "/rfs/reward", self.rewards.append, 10)
        create(TrackerPrompt, "/rfs/reward/prompted", self.prompted.append, 10)
        create(Image, "/rfs/reward/mask", self.masks.append, BEST_EFFORT)
        create(Image, "/rfs/reward/debug_image", self.debug.append, BEST_EFFORT)
        create(DiagnosticArray, "/diagnostics", self._hear, 10)

    def _hear(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name == "rfs reward":
                self.message = status.message
                self.status = {pair.key: pair.value for pair in status.values}

    def launch(self, *parameters: str) -> subprocess.Popen:
        given = [part for parameter in parameters for part in ("-p", parameter)]
        command = [sys.executable, "-m", "rfs_reward.nodes.reward_node", "--ros-args", *given]
        environment = os.environ | {"ROS_DOMAIN_ID": str(self.domain)}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def _play(self) -> None:
        faults = self.faults
        stamp = time.time_ns() + faults.clock
        at = time_message(stamp)
        # Joints before and after the picture, which is a little old when it comes.
        self.states.publish(
            messages.joint_states(time_message(stamp - 30 * MS), self.joints, 0 * self.joints)
        )
        self.color.publish(messages.image(at, self.picture.color))
        depth = faults.depth(self.picture.depth)
        if depth is not None:
            depth.header.stamp = time_message(stamp + faults.depth_delay)
            self.depth.publish(depth)
        self.info.publish(messages.camera_info(at, CAMERA))
        self.states.publish(
            messages.joint_states(time_message(stamp + 10 * MS), self.joints, 0 * self.joints)
        )

    def wait(self, done: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert self.processes[0].poll() is None, self.processes[0].communicate()[1]
            assert time.monotonic() < end, f"this never came: {what}; {self.message}; {self.status}"
            self.executor.spin_once(timeout_sec=0.1)

    def wait_for_problem(self, words: str) -> None:
        self.wait(lambda: words in self.message, words)

    def wait_for_object(self) -> GraspReward:
        """A reward from now on, of an object that is seen where it is."""
        del self.rewards[:]

        def seen() -> list[GraspReward]:
            return [r for r in self.rewards if r.tracking == r.TRACKING_SEEN]

        self.wait(seen, "the object")
        reward = seen()[-1]
        c = reward.centroid
        np.testing.assert_allclose([c.x, c.y, c.z], self.truth, atol=0.02)
        assert reward.header.frame_id == "fr3_link0"
        return reward

    def prompt(self, kind: int, coordinates: list[float]) -> PromptTracker.Response:
        self.prompts += 1
        self.wait(self.prompter.service_is_ready, "the service")
        future = self.prompter.call_async(PromptTracker.Request(kind=kind, coordinates=coordinates))
        self.wait(future.done, "an answer")
        return future.result()

    def click(self, x: float, y: float) -> str:
        """Its answer."""
        self.wait(self.clicks.get_subscription_count, "somebody to click for")
        self.prompts += 1
        message = PointStamped()
        message.point.x, message.point.y = x, y
        self.clicks.publish(message)
        self.wait(lambda: self.status.get("prompts") == str(self.prompts), "an answer to a click")
        return self.status["answer"]

    def close(self) -> None:
        # First: Fast DDS may crash at the end of a participant to which a killed process was just writing.
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def test_every_fault_of_the_camera_is_named_and_the_object_is_found_again(rig: Rig) -> None:
    rig.faults.depth = lambda depth: None
    rig.wait_for_problem("no depth comes")
    rig.faults.depth = as_image
    rig.wait_for_problem("nothing says where the camera is")
    assert not rig.rewards
    rig.extrinsics.publish(messages.extrinsics(time_message(0), CAMERA))
    first = rig.wait_for_object()
    assert first.source == "rgbd"
    assert first.reward == pytest.approx(np.dot(first.terms, first.weights), abs=1e-5)

    rig.faults.depth = lambda depth: as_image(np.nan_to_num(1e3 * depth).astype(np.uint16))
    rig.wait_for_object()
    rig.faults.depth = lambda depth: as_image(depth.repeat(2, 0).repeat(2, 1))
    rig.wait_for_object()
    holes = np.random.default_rng(0).random((120, 160)) < 0.1
    rig.faults.depth = lambda depth: as_image(np.where(holes, np.nan, depth).astype(np.float32))
    rig.wait_for_object()

    rig.faults.depth = lambda depth: as_image(depth[:, :100])
    rig.wait_for_problem("alignment of depth to color")
    rig.faults = Faults(depth_delay=50 * MS)
    rig.wait_for_problem("picture and depth are not of the same time")
    rig.faults = Faults()
    rig.wait_for_object()


def test_a_camera_whose_clock_was_set_back_is_followed(rig: Rig) -> None:
    rig.wait_for_object()
    rig.faults = Faults(clock=-3_600_000 * MS)
    ago = time.time_ns() - 1_800_000 * MS
    del rig.rewards[:]
    rig.wait(lambda: any(nanoseconds(r.header.stamp) < ago for r in rig.rewards), "a reward of then")
    rig.faults = Faults()
    rig.wait_for_object()


def test_prompts_are_answered(rig: Rig) -> None:
    rig.wait_for_object()
    outside = rig.prompt(Kind.PIXEL, [400.0, 10.0])
    assert not outside.success
    assert "outside the picture" in outside.message
    assert np.isnan(outside.centroid.x)
    assert "x and y" in rig.prompt(Kind.PIXEL, [1.0]).message
    assert "four numbers" in rig.prompt(Kind.BOX, [1.0]).message
    assert "7 is no kind of prompt" in rig.prompt(7, []).message
    rig.wait_for_object()  # a refused prompt changes nothing
    prompts = [(Kind.PIXEL, list(rig.pixel)), (Kind.BOX, rig.box), (Kind.AUTOMATIC, [])]
    for kind, coordinates in prompts:
        answer = rig.prompt(kind, coordinates)
        assert answer.success, answer.message
        assert answer.confidence > 0.3
        assert answer.centroid.z == pytest.approx(rig.truth[2], abs=0.02)
    assert rig.click(*rig.pixel) == "taken"
    assert "outside the picture" in rig.click(-5.0, 0.0)
    rig.wait(lambda: len(rig.prompted) >= 3, "the prompts that were taken, to be recorded")
    taken = [(prompt.kind, prompt.coordinates.tolist()) for prompt in rig.prompted]
    assert taken == [(kind, np.float32(places).tolist()) for kind, places in prompts]  # no refused, no click
    stamps = {nanoseconds(reward.header.stamp) for reward in rig.rewards}
    assert {nanoseconds(prompt.header.stamp) for prompt in rig.prompted} <= stamps


def test_mask_and_debug_picture_belong_to_the_picture(rig: Rig) -> None:
    """An episode that begins finds its object anew."""
    rig.wait_for_object()
    rig.episodes.publish(EpisodeStatus(id="second", state=EpisodeStatus.STATE_RECORDING))
    rig.wait_for_object()
    del rig.masks[:], rig.debug[:]
    rig.wait(lambda: rig.masks and rig.debug, "pictures")
    mask = np.frombuffer(rig.masks[-1].data, np.uint8).reshape(120, 160)
    shown = rig.picture.segmentation == OBJECT
    assert set(np.unique(mask)) == {0, 255}
    assert (shown & (mask > 0)).sum() / (shown | (mask > 0)).sum() > 0.6
    stamp = nanoseconds(rig.masks[-1].header.stamp)
    rig.wait(lambda: stamp in {nanoseconds(r.header.stamp) for r in rig.rewards}, "its reward")
    assert (rig.debug[-1].encoding, rig.debug[-1].width, rig.debug[-1].height) == ("rgb8", 640, 480)


def test_a_start_up_error_is_one_sentence(rig: Rig) -> None:
    _, errors = rig.processes[1].communicate(timeout=PATIENCE)
    assert rig.processes[1].returncode == 1
    assert errors.startswith("reward: unknown tracker 'eyes'")
    assert "Traceback" not in errors


def test_it_ends_cleanly(rig: Rig) -> None:
    rig.processes[0].terminate()
    _, errors = rig.processes[0].communicate(timeout=PATIENCE)
    assert rig.processes[0].returncode == 0, errors
    assert "Traceback" not in errors
