"""The viewer node in its own process, watched by a real browser. The executor is real too."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.ros

from geometry_msgs.msg import PointStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rfs_description.robot import ARM_HOME, BASE_FRAME, HAND_HOME, JOINTS  # noqa: E402
from rfs_policy.layout import DELTA_POSE  # noqa: E402
from sensor_msgs.msg import Image, JointState, PointCloud2, PointField  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from rfs_msgs.msg import ExecutedAction, PolicyAction, SessionStatus  # noqa: E402
from rfs_msgs.srv import OperatorCommand  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox"]
PATIENCE = 40.0
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")


class Rig:
    """Plays robot, camera and policy at 10 Hz to an executor and viewers of one ROS domain."""

    def __init__(self, domain: int) -> None:
        self.environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executed: list[ExecutedAction] = []
        self.prompts: list[PointStamped] = []
        self.node.create_subscription(ExecutedAction, "/rfs/executed_action", self.executed.append, 10)
        self.node.create_subscription(PointStamped, "/rfs/reward/prompt", self.prompts.append, 10)
        self.publishers = {
            kind: self.node.create_publisher(kind, topic, 10)
            for kind, topic in {
                JointState: "/joint_states",
                PointCloud2: "/camera/points",
                Image: "/camera/color/image_raw",
                PolicyAction: "/rfs/policy_action",
            }.items()
        }
        self.engaging = self.node.create_client(SetBool, "/rfs/engage")
        self.node.create_timer(0.1, self.play)
        self.processes: list[subprocess.Popen] = []

    def launch(self, module: str, log: Path, **parameters: object) -> subprocess.Popen:
        command = [sys.executable, "-u", "-m", module, "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        with log.open("w") as file:
            process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def play(self) -> None:
        """One period of a robot that stands still and a policy that wants nothing."""
        stamp = self.node.get_clock().now().to_msg()
        messages = (joint_states(), cloud(), picture(), action())
        for message in messages:
            message.header.stamp = stamp
            if isinstance(message, PolicyAction):
                message.observation_stamp = stamp
            self.publishers[type(message)].publish(message)

    def wait(self, done: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"this never came: {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def engage(self) -> None:
        """Until the executor follows the policy."""
        self.wait(self.engaging.service_is_ready, "the executor's service")
        self.wait(lambda: self.publishers[JointState].get_subscription_count(), "the executor")

        def engaged() -> bool:
            answer = self.engaging.call_async(SetBool.Request(data=True))
            self.wait(answer.done, "an answer of the executor")
            return answer.result().success

        self.wait(engaged, "a robot to engage")
        self.wait(lambda: self.state() == ExecutedAction.STATE_AUTONOMOUS, "the policy is followed")

    def state(self) -> int:
        return self.executed[-1].state if self.executed else -1

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


def joint_states() -> JointState:
    return JointState(name=JOINTS, position=np.concatenate([ARM_HOME, HAND_HOME]).tolist())


def cloud() -> PointCloud2:
    points = np.random.default_rng(0).uniform([0.4, -0.2, 0], [0.6, 0.2, 0.3], (512, 3)).astype(np.float32)
    message = PointCloud2(height=1, width=512, point_step=12, row_step=12 * 512, data=points.tobytes())
    message.header.frame_id = BASE_FRAME
    message.fields = [PointField(name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")]
    return message


def picture() -> Image:
    pixels = np.full((120, 160, 3), 200, np.uint8)
    return Image(height=120, width=160, encoding="rgb8", step=480, data=pixels.tobytes())


def action() -> PolicyAction:
    base = np.zeros((2, 22), np.float32)
    message = PolicyAction(
        layout=DELTA_POSE.name, horizon=2, action_dim=22, base_action=base.ravel().tolist()
    )
    message.residual = [0.0] * 44
    message.header.frame_id = BASE_FRAME
    return message


def address_in(log: Path) -> str:
    """Of the page, once the node named it."""
    return log.read_text().partition("the page is at ")[2].split("\n")[0].strip()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def rig(logs: Path) -> Iterator[Rig]:
    """With all processes, which start side by side."""
    made = Rig(int(os.environ["RFS_TEST_DOMAINS"].split(",")[0]))
    made.launch("rfs_control.nodes.executor_node", logs / "executor")
    made.launch("rfs_viewer.nodes.viewer_node", logs / "viewer", port=0)
    made.launch("rfs_viewer.nodes.viewer_node", logs / "guarded", port=0, address="0.0.0.0")
    made.launch("rfs_viewer.nodes.viewer_node", logs / "wrong", port=70000)
    yield made
    made.close()


@pytest.fixture(scope="module")
def page() -> Iterator["playwright.Page"]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_GL)
        page = browser.new_page(viewport={"width": 1000, "height": 480})
        page.set_default_timeout(1e3 * PATIENCE)
        yield page
        browser.close()


def drawn_colors(page: "playwright.Page") -> int:
    """How many different colors the middle of the canvas has."""
    box = canvas(page)
    middle = {"x": box["x"] + box["width"] / 4, "y": box["y"] + box["height"] / 4}
    size = {"width": box["width"] / 2, "height": box["height"] / 2}
    shot = imageio.imread(page.screenshot(clip=middle | size))
    return len(np.unique(shot[..., :3].reshape(-1, 3), axis=0))


def canvas(page: "playwright.Page") -> dict[str, float]:
    """Where the scene is drawn: the largest canvas; the others hold plots."""
    boxes = [element.bounding_box() for element in page.locator("canvas").all()]
    return max(filter(None, boxes), key=lambda box: box["width"] * box["height"])


def clicked(rig: Rig, page: "playwright.Page") -> bool:
    """Click an eighth of the canvas' height right of and below its middle; whether that was a prompt."""
    box = canvas(page)
    aside = box["height"] / 8
    page.mouse.click(box["x"] + box["width"] / 2 + aside, box["y"] + box["height"] / 2 + aside)
    return bool(rig.prompts)


class FakeSession:
    """A session that refuses everything."""

    def __init__(self, rig: Rig) -> None:
        self.commands: list[int] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        publisher = rig.node.create_publisher(SessionStatus, "/rfs/session", latched)
        publisher.publish(SessionStatus(session="monday", state=0, episode=3, planned=50, object="mug"))
        rig.node.create_service(OperatorCommand, "/rfs/session/command", self._answer)

    def _answer(self, request: OperatorCommand.Request, answer: OperatorCommand.Response) -> object:
        self.commands.append(request.command)
        answer.message = "no episode is running"
        return answer


@needs_browser
def test_another_address_asks_for_the_printed_token(rig: Rig, page: "playwright.Page", logs: Path) -> None:
    log, viewer = logs / "guarded", rig.processes[2]
    rig.wait(lambda: "asks for this token: " in log.read_text(), "the token")
    page.goto(address_in(log).replace("0.0.0.0", "127.0.0.1"))
    page.get_by_role("button", name="Open").wait_for()
    assert page.get_by_text("STOP", exact=True).count() == 0
    page.get_by_role("textbox").fill(log.read_text().partition("asks for this token: ")[2].split()[0])
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="STOP").wait_for()
    viewer.send_signal(signal.SIGTERM)
    assert viewer.wait(PATIENCE) == 0
    assert "Traceback" not in log.read_text()


@needs_browser
def test_an_operator_watches_stops_and_releases(rig: Rig, page: "playwright.Page", logs: Path) -> None:
    rig.engage()
    rig.wait(lambda: address_in(logs / "viewer"), "the page's address")
    page.goto(address_in(logs / "viewer"))

    def text(wanted: str) -> Callable[[], bool]:
        return lambda: page.get_by_text(wanted, exact=True).count() > 0

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    rig.wait(text("AUTONOMOUS"), "the state on the page")
    rig.wait(lambda: drawn_colors(page) > 50, "a robot on the canvas")

    press("Start episode")
    rig.wait(lambda: page.get_by_text("no session is running").count(), "the refusal on the page")
    press("STOP")
    rig.wait(lambda: rig.state() == ExecutedAction.STATE_STOPPED, "the executor stops")
    rig.wait(text("STOPPED"), "the stop on the page")
    press("Release stop")
    rig.wait(text("HOLDING"), "the release on the page")
    assert page.get_by_text("not engaged").count()

    press("Show the object to the tracker")
    rig.wait(lambda: clicked(rig, page), "a prompt")
    point = rig.prompts[-1].point
    pixels_off_center = 120 * 2 * 0.52 / 8  # the picture fills the canvas' height but for a margin
    assert point.x == pytest.approx(79.5 + pixels_off_center, abs=3)
    assert point.y == pytest.approx(59.5 + pixels_off_center, abs=3)
    assert rig.prompts[-1].header.frame_id == "camera_color_optical_frame"

    session = FakeSession(rig)
    rig.wait(lambda: page.get_by_text("Episode 3 of 50").count(), "the session on the page")
    press("Success")
    rig.wait(lambda: page.get_by_text("Success: no episode is running").count(), "the session's refusal")
    assert session.commands == [OperatorCommand.Request.SUCCESS]

    rig.engage()
    rig.processes[1].kill()
    rig.processes[1].wait()
    heard = len(rig.executed)
    rig.wait(lambda: len(rig.executed) > heard + 10, "the loop goes on")
    assert rig.state() == ExecutedAction.STATE_AUTONOMOUS


def test_a_wrong_parameter_is_one_sentence(rig: Rig, logs: Path) -> None:
    assert rig.processes[3].wait(PATIENCE) == 1
    printed = (logs / "wrong").read_text()
    assert "port must be a number from 0 to 65535" in printed
    assert "Traceback" not in printed
