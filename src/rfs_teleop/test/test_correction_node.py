"""The correction node in its own process, over DDS."""

import itertools
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rfs_description.kinematics import forward  # noqa: E402
from rfs_description.robot import JOINTS  # noqa: E402
from rfs_policy.nodes.stamps import nanoseconds, time_message  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from rfs_msgs.msg import Correction, PolicyAction, SessionStatus  # noqa: E402
from rfs_msgs.srv import OperatorCommand  # noqa: E402

PATIENCE = 20.0
STEP = 100_000_000  # ns
_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))
LOW_ARM = np.array([0.0, 0.22, 0.0, -2.62, 0.0, 2.84, 0.0])
"""Palm 8 cm over the table."""
PROGRAM = ("-m", "rfs_teleop.nodes.correction_node")
HUNG = """
import sys, numpy
from rfs_teleop.devices.keyboard import Keyboard
from rfs_teleop.nodes import correction_node

def hang(keyboard):
    keyboard._put(numpy.zeros(6), frozenset())
    keyboard._ended.wait()

Keyboard._follow = hang
sys.exit(correction_node.main())
"""


class Rig:
    """Plays policy, session and simulator to one correction node."""

    def __init__(self, program: tuple[str, str] = PROGRAM, **parameters: object) -> None:
        domain = next(_DOMAINS)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("rig", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.corrections: list[Correction] = []
        self.commands: list[OperatorCommand.Request] = []
        self.node.create_subscription(Correction, "/rfs/correction", self.corrections.append, 100)
        self.actions = self.node.create_publisher(PolicyAction, "/rfs/policy_action", 10)
        self.joints = self.node.create_publisher(JointState, "/joint_states", 10)
        self.object = self.node.create_publisher(PoseStamped, "/sim/object_pose", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.session = self.node.create_publisher(SessionStatus, "/rfs/session", latched)
        self.node.create_service(OperatorCommand, "/rfs/session/command", self._on_command)
        command = [sys.executable, *program, "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def _on_command(
        self, request: OperatorCommand.Request, response: OperatorCommand.Response
    ) -> OperatorCommand.Response:
        self.commands.append(request)
        response.success = True
        return response

    def wait(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "nothing came"
            self.executor.spin_once(timeout_sec=0.1)

    def ready(self) -> None:
        self.wait(lambda: self.actions.get_subscription_count() and self.corrections)

    def be(self, state: int) -> None:
        self.session.publish(SessionStatus(state=state))
        assert self.session.wait_for_all_acked(Duration(seconds=PATIENCE))

    def act(self, stamp: int) -> Correction:
        """The answer to a policy action."""
        message = PolicyAction(observation_stamp=time_message(stamp))
        before = len(self.corrections)
        self.actions.publish(message)

        def answers() -> list[Correction]:
            return [c for c in self.corrections[before:] if nanoseconds(c.observation_stamp) == stamp]

        self.wait(answers)
        return answers()[0]

    def show(self, stamp: int, offset: tuple[float, float], height: float = 0.03) -> None:
        """A scene with the object beside the palm, by an offset (m) in the base frame."""
        joints = np.concatenate([LOW_ARM, np.zeros(16)])
        palm = forward(LOW_ARM[None])[0][0]
        state = JointState(name=JOINTS, position=joints.tolist())
        pose = PoseStamped()
        pose.pose.position.x, pose.pose.position.y = palm[0] + offset[0], palm[1] + offset[1]
        pose.pose.position.z = height
        state.header.stamp = pose.header.stamp = time_message(stamp)
        self.joints.publish(state)
        self.object.publish(pose)

    def close(self) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            text = self.process.communicate(timeout=10)[1]
        finally:
            self.process.kill()
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        return self.process.returncode, text


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(program: tuple[str, str] = PROGRAM, **parameters: object) -> Rig:
        rigs.append(Rig(program, **parameters))
        return rigs[-1]

    yield make
    for made in rigs:
        if made.context.ok():
            made.close()


def test_the_scripted_operator_pushes_to_the_object_and_answers_each_observation_once(rig):
    node = rig(device="scripted", sim_time="lockstep", seed=1)
    node.ready()
    assert "sim/object_pose" in node.corrections[-1].problem
    node.wait(node.joints.get_subscription_count)
    node.wait(node.object.get_subscription_count)
    answers = []
    for tick in range(12):
        stamp = (100 + tick) * STEP
        node.show(stamp, (0.05, 0.0))
        answers.append(node.act(stamp))
    assert not answers[0].active  # a person needs a moment
    pushed = np.array([answer.residual for answer in answers])
    assert pushed[:, 0].sum() > 0.03
    assert np.linalg.norm(pushed[:, :3], axis=1).max() <= 0.015
    assert not pushed[:, 3:6].any()
    last = answers[-1]
    assert last.device == "scripted"
    assert not last.problem
    assert not last.stop
    assert nanoseconds(last.header.stamp) == nanoseconds(last.observation_stamp)
    again = node.act(nanoseconds(last.observation_stamp))
    assert again == last


def test_in_lockstep_an_answer_waits_for_what_the_operator_sees(rig):
    node = rig(device="scripted", sim_time="lockstep")
    node.ready()
    node.wait(node.joints.get_subscription_count)
    node.wait(node.object.get_subscription_count)
    node.actions.publish(PolicyAction(observation_stamp=time_message(100 * STEP)))
    node.show(99 * STEP, (0.0, 0.0))
    count = len(node.corrections)
    node.wait(lambda: len(node.corrections) > count + 2)  # signs of life
    assert not any(nanoseconds(c.observation_stamp) for c in node.corrections)
    node.show(100 * STEP, (0.0, 0.0))
    node.wait(lambda: nanoseconds(node.corrections[-1].observation_stamp) == 100 * STEP)


def test_the_scripted_operator_begins_episodes_and_calls_a_success(rig):
    node = rig(device="scripted", sim_time="realtime")
    node.ready()
    node.be(SessionStatus.STATE_WAITING)
    node.wait(lambda: [c.command for c in node.commands] == [OperatorCommand.Request.START])
    assert node.commands[0].source == "scripted"
    node.be(SessionStatus.STATE_RUNNING)
    node.wait(node.object.get_subscription_count)
    for tick in range(12):
        node.show((1000 + tick) * STEP, (0.0, 0.0), height=0.03 if tick < 2 else 0.30)
        node.act((1000 + tick) * STEP)
    node.wait(lambda: node.commands[-1].command == OperatorCommand.Request.SUCCESS)


def test_keys_correct_command_and_stop(rig):
    person, line = pty.openpty()
    before = termios.tcgetattr(line)
    node = rig(device="keyboard", terminal=os.ttyname(line))
    node.ready()
    node.be(SessionStatus.STATE_RUNNING)
    node.wait(lambda: not node.corrections[-1].problem)
    os.write(person, b"w")
    stamps = itertools.count(1000)
    node.wait(lambda: node.act(next(stamps) * STEP).active)
    pushed = node.corrections[-1]
    assert pushed.residual[0] == pytest.approx(0.8 * 0.015)
    assert pushed.axes[0] == pytest.approx(0.8)
    assert not any(pushed.residual[1:])
    os.write(person, b" ")
    node.wait(lambda: node.corrections[-1].stop)
    node.wait(lambda: node.commands)
    node.wait(lambda: not node.corrections[-1].stop)  # or nobody could ever release it
    os.write(person, b" ")
    node.wait(lambda: node.corrections[-1].stop and len(node.commands) > 1)
    node.be(SessionStatus.STATE_STOPPED)
    os.write(person, b"u")  # at once: what is released shall not be stopped by the same key again
    node.wait(lambda: len(node.commands) > 2)
    released = len(node.corrections)
    node.wait(lambda: len(node.corrections) > released + 2)
    assert not any(correction.stop for correction in node.corrections[released + 1 :])
    node.be(SessionStatus.STATE_RUNNING)
    os.write(person, b"\r")
    node.wait(lambda: len(node.commands) > 3)
    request = OperatorCommand.Request
    wanted = [request.STOP, request.STOP, request.RELEASE, request.SUCCESS]
    assert [command.command for command in node.commands] == wanted
    assert node.close()[0] == 0
    assert termios.tcgetattr(line) == before
    os.close(person)
    os.close(line)


def test_a_device_that_hangs_is_in_the_diagnostics(rig):
    node = rig(("-c", HUNG), device="keyboard")
    found: list[DiagnosticStatus] = []
    node.node.create_subscription(DiagnosticArray, "/diagnostics", lambda m: found.extend(m.status), 10)
    node.wait(lambda: any("not read for 0.5 s" in status.message for status in found))
    assert {s.level for s in found if "not read" in s.message} == {DiagnosticStatus.WARN}


def test_what_is_wrong_with_a_configuration_is_one_sentence(rig, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("dead_band: 2\n")
    node = rig(device="spacemouse", config=file)
    code, text = node.process.wait(PATIENCE), node.process.stderr.read()
    assert code == 1
    assert text.startswith("correction: ")
    assert "mine.yaml lacks buttons, hold_seconds, residual, settings" in text
    assert "Traceback" not in text
