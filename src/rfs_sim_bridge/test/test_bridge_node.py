"""The bridge node in its own process, over DDS."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from builtin_interfaces.msg import Time  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseStamped, TransformStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rfs_description.robot import BASE_FRAME, HAND_JOINTS, JOINTS  # noqa: E402
from rfs_policy.cadence import Cadence  # noqa: E402
from rfs_policy.nodes import stamps  # noqa: E402
from rfs_sim_bridge.camera import take_picture  # noqa: E402
from rfs_sim_bridge.grasp_task import GraspTask  # noqa: E402
from rfs_sim_bridge.nodes import messages  # noqa: E402
from rfs_sim_bridge.nodes.lockstep import Lockstep  # noqa: E402
from rfs_sim_bridge.nodes.realtime import Realtime  # noqa: E402
from rfs_sim_bridge.pictures import OBJECT, Camera  # noqa: E402
from rfs_sim_bridge.targets import Targets  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402
from sensor_msgs.msg import JointState, PointCloud2  # noqa: E402

from rfs_msgs.msg import GraspReward  # noqa: E402
from rfs_msgs.srv import ResetScene  # noqa: E402

PATIENCE = 20.0
STEP = 100_000_000  # ns
_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


class Rig:
    """Plays executor and runner to a bridge."""

    def __init__(self, sim_time: str, *parameters: str, reward_topic: str = "/rfs/reward") -> None:
        domain = next(_DOMAINS)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.joints: dict[int, JointState] = {}
        self.clouds: dict[int, PointCloud2] = {}
        self.rewards: dict[int, GraspReward] = {}
        self.node.create_subscription(JointState, "/joint_states", self._keep(self.joints), 100)
        reliability = ReliabilityPolicy.RELIABLE if sim_time == "lockstep" else ReliabilityPolicy.BEST_EFFORT
        camera = QoSProfile(depth=100, reliability=reliability)
        self.node.create_subscription(PointCloud2, "/camera/points", self._keep(self.clouds), camera)
        self.node.create_subscription(GraspReward, reward_topic, self._keep(self.rewards), 100)
        self.judge = self.node.create_publisher(GraspReward, "/rfs/reward", 10)
        self.complaint = ""
        self.figures: dict[str, str] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)
        self.arm = self.node.create_publisher(PoseStamped, "/arm/target_pose", 10)
        self.hand = self.node.create_publisher(JointState, "/hand/target_joints", 10)
        self.resetting = self.node.create_client(ResetScene, "/rfs/sim/reset")
        command = [sys.executable, "-m", "rfs_sim_bridge.nodes.bridge_node", "--ros-args"]
        for parameter in (
            f"sim_time:={sim_time}",
            "images:=false",
            f"reward_topic:={reward_topic}",
            *parameters,
        ):
            command += ["-p", parameter]
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.wait(self.resetting.service_is_ready)
        self.wait(lambda: self.arm.get_subscription_count() and self.hand.get_subscription_count())

    @staticmethod
    def _keep(store: dict) -> Callable:
        return lambda message: store.__setitem__(stamps.nanoseconds(message.header.stamp), message)

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "rfs bridge":
                self.complaint = status.message
                self.figures = {pair.key: pair.value for pair in status.values}

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.1)

    def reset(self, seed: int, name: str) -> ResetScene.Response:
        request = ResetScene.Request(seed=seed, object=name)
        futures = []
        while not any(future.done() for future in futures):  # a first answer may find no listener yet
            futures.append(self.resetting.call_async(request))
            self.executor.spin_until_future_complete(futures[-1], PATIENCE / 4)
            assert len(futures) < 4, "no answer"
        return futures[-1].result()

    def send(self, stamp: int, task: GraspTask, fingers: np.ndarray, frame: str = BASE_FRAME) -> None:
        """The task's command pose with these finger targets (16,)."""
        time_message = stamps.time_message(stamp)
        quaternion = Rotation.from_matrix(task.command.rotation[0]).as_quat()
        pose = messages.pose(time_message, task.command.position[0], quaternion)
        pose.header.frame_id = frame
        hand = JointState(name=HAND_JOINTS, position=fingers.tolist())
        hand.header.stamp = time_message
        self.arm.publish(pose)
        self.hand.publish(hand)

    def judged(self, stamp: int, success: bool = False) -> None:
        """Another judge's reward."""
        message = GraspReward(success=success)
        message.header.stamp = stamps.time_message(stamp)
        self.judge.publish(message)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert "nanobind" not in errors, "objects of ruckig are alive at the end"
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def lockstep() -> Iterator[Rig]:
    rig = Rig("lockstep")
    yield rig
    rig.close()


@pytest.fixture
def realtime() -> Iterator[Rig]:
    rig = Rig("realtime")
    yield rig
    rig.close()


def points(message: PointCloud2) -> np.ndarray:
    return np.frombuffer(message.data, np.float32).reshape(-1, 3)


def test_lockstep_is_the_task_bit_for_bit(lockstep: Rig) -> None:
    task = GraspTask(objects=["box"])
    task.reset([7])
    response = lockstep.reset(7, "box")
    assert response.success, response.message
    stamp = stamps.nanoseconds(response.stamp)
    for step in range(5):
        lockstep.wait(lambda at=stamp: at in lockstep.joints and at in lockstep.clouds)
        assert tuple(lockstep.joints[stamp].name) == JOINTS
        np.testing.assert_array_equal(lockstep.joints[stamp].position, task.joint_positions[0])
        np.testing.assert_array_equal(points(lockstep.clouds[stamp]), task.clouds()[0])
        fingers = np.full(16, 0.05 * step)
        lockstep.send(stamp, task, fingers)
        task.step(np.concatenate([np.zeros(6), fingers])[None])
        stamp += STEP
    lockstep.wait(lambda: stamp in lockstep.rewards)


def test_lockstep_waits_for_valid_targets_and_repeats_itself(lockstep: Rig) -> None:
    task = GraspTask(objects=["box"])
    task.reset([7])
    stamp = stamps.nanoseconds(lockstep.reset(7, "box").stamp)
    lockstep.wait(lambda: stamp in lockstep.joints)
    lockstep.send(stamp, task, np.full(16, np.nan), frame="world")
    lockstep.joints.clear()
    lockstep.wait(lambda: "/arm/target_pose is in frame 'world'" in lockstep.complaint)
    lockstep.wait(lambda: lockstep.joints)
    assert set(lockstep.joints) == {stamp}
    lockstep.send(stamp, task, np.zeros(16))
    lockstep.wait(lambda: stamp + STEP in lockstep.joints)


def test_stamps_of_another_episode_are_older(lockstep: Rig) -> None:
    """By the same time whenever the last one was ended, so that two runs have the same stamps."""
    task = GraspTask(objects=["box"])
    task.reset([1])
    first = stamps.nanoseconds(lockstep.reset(1, "box").stamp)
    second = stamps.nanoseconds(lockstep.reset(1, "box").stamp)
    lockstep.send(second, task, np.zeros(16))
    lockstep.wait(lambda: second + STEP in lockstep.joints)
    third = stamps.nanoseconds(lockstep.reset(1, "box").stamp)
    assert third - second == second - first >= 10_000_000_000


def test_the_simulators_reward_says_what_it_is_made_of(lockstep: Rig) -> None:
    stamp = stamps.nanoseconds(lockstep.reset(7, "box").stamp)
    lockstep.wait(lambda: stamp in lockstep.rewards)
    reward = lockstep.rewards[stamp]
    assert reward.reward == pytest.approx(np.dot(reward.terms, reward.weights), abs=1e-5)
    assert len(reward.term_names) == len(reward.terms)
    assert reward.tracking == GraspReward.TRACKING_SEEN


def test_another_judge_is_waited_for_and_its_success_ends_the_episode() -> None:
    rig = Rig("lockstep", "await_reward:=true", reward_topic="/sim/reward")
    try:
        rig.wait(rig.judge.get_subscription_count)
        task = GraspTask(objects=["box"])
        task.reset([7])
        stamp = stamps.nanoseconds(rig.reset(7, "box").stamp)
        rig.wait(lambda: stamp in rig.rewards)
        rig.send(stamp, task, np.zeros(16))
        del rig.joints[stamp]
        rig.wait(lambda: stamp in rig.joints)  # the observation again, as nobody has judged it
        assert max(rig.joints) == stamp
        rig.wait(lambda: "waiting for the reward" in rig.complaint)
        rig.judged(stamp + 50 * STEP)  # of no observation that there was
        rig.judged(stamp - 50 * STEP, success=True)
        rig.judged(stamp)
        rig.wait(lambda: stamp + STEP in rig.joints)
        rig.judged(stamp, success=True)  # whenever it is said, it counts
        rig.judged(stamp + STEP)
        rig.send(stamp + STEP, task, np.zeros(16))
        rig.wait(lambda: rig.complaint == "episode ended")
        assert max(rig.joints) == stamp + STEP
        second = stamps.nanoseconds(rig.reset(7, "box").stamp)
        rig.judged(second)
        rig.send(second, task, np.zeros(16))
        rig.wait(lambda: second + STEP in rig.joints)
    finally:
        rig.close()


def test_unknown_objects_are_refused_with_the_known_ones(lockstep: Rig) -> None:
    response = lockstep.reset(1, "cow")
    assert not response.success
    assert "unknown object 'cow'" in response.message
    assert "cylinder" in response.message
    assert lockstep.reset(1, "").success
    assert not lockstep.reset(-1, "").success


def test_extrinsics_place_the_camera_for_those_who_come_late(lockstep: Rig) -> None:
    """A known point, taken through the message and the intrinsics, lies where the picture shows it."""
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heard: list[TransformStamped] = []
    lockstep.node.create_subscription(TransformStamped, "/camera/color/extrinsics", heard.append, latched)
    lockstep.wait(lambda: heard)
    assert (heard[0].header.frame_id, heard[0].child_frame_id) == (BASE_FRAME, messages.CAMERA_FRAME)
    task, camera = GraspTask(objects=["sphere"]), Camera()
    t, q = heard[0].transform.translation, heard[0].transform.rotation
    to_camera = Rotation.from_quat([q.x, q.y, q.z, q.w]).inv()
    seen = to_camera.apply(task.object_pose[0][0] - [t.x, t.y, t.z])
    assert seen[2] > 0.5  # in front
    rows, columns = np.nonzero(take_picture(task.snapshot(), camera).segmentation == OBJECT)
    pixel = (camera.intrinsics @ seen / seen[2])[:2]
    np.testing.assert_allclose(pixel, [columns.mean(), rows.mean()], atol=1.0)


def test_realtime_follows_targets(realtime: Rig) -> None:
    task = GraspTask(objects=["box"])
    task.reset([7])
    assert realtime.reset(7, "box").success
    realtime.wait(lambda: realtime.joints and realtime.clouds and realtime.rewards)
    wanted = np.full(16, 0.3)
    realtime.send(time.time_ns() + 3600 * 10**9, task, np.zeros(16))
    realtime.wait(lambda: "arm_velocity_share" in realtime.figures)
    realtime.send(time.time_ns(), task, wanted)
    index = JOINTS.index("leap_mf_pip")
    realtime.wait(lambda: abs(realtime.joints[max(realtime.joints)].position[index] - 0.3) < 0.1)
    stamps = sorted(realtime.joints)
    assert all(b > a for a, b in itertools.pairwise(stamps))
    assert points(realtime.clouds[max(realtime.clouds)]).shape == (1024, 3)
    realtime.wait(lambda: float(realtime.figures.get("finger_acceleration_share", 0)) > 0.1)
    assert all(float(value) <= 1.0 for key, value in realtime.figures.items() if key.endswith("_share"))


class Shown:
    """Stands in for the bridge's publishers: keeps the stamps of the rewards."""

    def __init__(self) -> None:
        self.rewards: list[int] = []

    def publish_object(self, stamp: Time) -> None:
        self.rewards.append(stamps.nanoseconds(stamp))

    def __getattr__(self, name: str) -> Callable:
        return lambda *_: None


def blow_up(task: GraspTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next physics step does."""
    step = task.engine.step

    def blowing_up(targets: np.ndarray, torques: np.ndarray) -> None:
        step(targets, torques)
        task.engine.state.unstable[:] = True

    monkeypatch.setattr(task.engine, "step", blowing_up)


def test_in_lockstep_the_time_of_an_episode_whose_physics_blow_up_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, shown, targets = GraspTask(objects=["box"]), Shown(), Targets()
    task.reset([7])
    mode = Lockstep(task, shown, targets, Cadence(0.0), threading.Lock(), images=False, await_reward=False)  # type: ignore[arg-type]
    first = mode.on_reset()
    quaternion = Rotation.from_matrix(task.command.rotation[0]).as_quat()

    def command(stamp: int) -> None:
        targets.take_arm(stamp, BASE_FRAME, task.command.position[0], quaternion)
        targets.take_hand(stamp, HAND_JOINTS, np.zeros(16))
        mode.on_target()

    command(first)
    assert shown.rewards[-1] == first + STEP
    blow_up(task, monkeypatch)
    command(first + STEP)
    over = first + task.config.max_steps * STEP
    assert shown.rewards[-1] == over
    assert "blew up" in mode.describe()
    command(over)
    assert shown.rewards[-1] == over
    task.reset([7])
    assert mode.on_reset() - over >= 10_000_000_000
    assert "waiting" in mode.describe()


def test_in_realtime_physics_that_blow_up_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    task, shown = GraspTask(objects=["box"]), Shown()
    task.reset([7])
    mode = Realtime(task, shown, Targets(), Cadence(0.01), threading.Lock(), images=False, points_period=1.0)  # type: ignore[arg-type]
    assert mode.describe() == "running"
    blow_up(task, monkeypatch)
    task.advance(1)
    assert "blew up" in mode.describe()


@pytest.mark.parametrize(
    "parameter", ["object:=cow", "sim_time:=sometime", "rate:=7.0", "await_reward:=true"]
)
def test_start_up_errors_are_one_sentence(parameter: str) -> None:
    command = [sys.executable, "-m", "rfs_sim_bridge.nodes.bridge_node", "--ros-args", "-p", parameter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 1
    assert done.stderr.startswith("bridge: ")
    assert "Traceback" not in done.stderr
