"""Whatever node dies, hangs or comes back, and whatever stands on a topic: the commanded pose never jumps,
the executor holds and names the cause, and goes on when the cause is gone."""

import os
import signal
from collections.abc import Callable, Iterator
from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from fault_motion import assert_sound  # noqa: E402
from fault_rig import FaultRig  # noqa: E402
from rfs_control.residual_bounds import ResidualBounds  # noqa: E402
from rfs_control.tick import MOVING, State  # noqa: E402
from rfs_description.robot import BASE_FRAME, JOINTS  # noqa: E402
from rfs_policy.nodes.stamps import time_message  # noqa: E402
from rfs_sim_bridge.nodes.messages import point_cloud  # noqa: E402
from sensor_msgs.msg import JointState, PointCloud2  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from rfs_msgs.msg import Correction, PolicyAction  # noqa: E402

CAUSES = {
    "bridge": ("joint states: older", "points: older"),
    "policy": ("policy",),
    "correction": ("operator: no correction",),
}
HOUR = 3_600_000_000_000  # ns


@pytest.fixture(scope="module")
def stack() -> Iterator[FaultRig]:
    rig = FaultRig(int(os.environ["RFS_TEST_DOMAINS"].split(",")[0]))
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def rig(stack: FaultRig) -> FaultRig:
    stack.begin()
    return stack


@pytest.mark.parametrize("name", CAUSES)
def test_a_node_that_hangs_or_dies_holds_the_robot_until_it_is_back(rig: FaultRig, name: str) -> None:
    named = rig.says(*CAUSES[name])
    rig.send_signal(name, signal.SIGSTOP)
    rig.wait(named, f"{CAUSES[name]} after SIGSTOP")
    moves = rig.moves(3)
    rig.send_signal(name, signal.SIGCONT)
    rig.wait(moves, "motion after SIGCONT")
    named = rig.says(*CAUSES[name])
    rig.kill(name)
    rig.wait(named, f"{CAUSES[name]} after SIGKILL")
    moves = rig.moves(3)
    rig.restart(name)
    rig.wait(moves, "motion after the restart")
    assert_sound(rig.heard)


def test_an_executor_that_hangs_goes_on_without_a_jump(rig: FaultRig) -> None:
    rig.send_signal("executor", signal.SIGSTOP)
    missed = rig.actions + 8
    rig.wait(lambda: rig.actions >= missed, "policy actions")
    moves = rig.moves(3)
    rig.send_signal("executor", signal.SIGCONT)
    rig.wait(moves, "motion after SIGCONT")
    assert_sound(rig.heard)


def test_an_executor_that_dies_stands_still_until_somebody_engages(rig: FaultRig) -> None:
    rig.kill("executor")
    rig.restart("executor")
    rig.call("stop", SetBool.Request(data=False))  # what the killed one sent is here
    before = rig.heard
    last, seen = before.commands[-1][1], rig.actions + 5
    rig.wait(lambda: rig.actions >= seen, "policy actions that an engaged executor would follow")
    assert rig.heard.commands[-1][1] is last, "moved before it was engaged"
    assert_sound(before)
    rig.engage()
    rig.wait(rig.moves(3), "motion")
    first = rig.heard.commands[0][1]
    assert np.linalg.norm(first.position - last.position) < 0.06 + 0.03  # a step, and where the arm sags
    assert_sound(rig.heard)


# ---- topics ----
def stamped(message: object, stamp: int) -> object:
    message.header.stamp = time_message(stamp)  # type: ignore[attr-defined]
    return message


def joint_states(rig: FaultRig, kind: str) -> JointState:
    positions = np.array(rig.joints.position)
    if kind == "nan":
        positions[3] = np.nan
    if kind == "contradiction":
        positions[:7] += 0.5
    message = JointState(name=JOINTS, position=positions[: 20 if kind == "length" else 23].tolist())
    return stamped(message, rig.present() - (HOUR if kind == "old" else 0))


def points(rig: FaultRig, kind: str) -> PointCloud2:
    cloud = np.full((1024, 3), np.nan if kind == "nan" else 0.5, np.float32)
    message = point_cloud(time_message(rig.present() - (HOUR if kind == "old" else 0)), cloud)
    if kind == "frame":
        message.header.frame_id = "camera"
    if kind == "length":
        message.data = message.data[:100]
    return message


def policy_action(rig: FaultRig, kind: str) -> PolicyAction:
    message = deepcopy(rig.action)
    base = np.full(44, {"nan": np.nan, "huge": 1e3}.get(kind, 0.0), np.float32)
    message.base_action = base[: 40 if kind == "length" else 44]
    message.header.frame_id = "camera" if kind == "frame" else BASE_FRAME
    message.observation_stamp = time_message(rig.present() + {"old": -HOUR, "future": HOUR}.get(kind, 0))
    return message


def correction(rig: FaultRig, kind: str) -> Correction:
    residual = np.full(22, {"nan": np.nan, "huge": 1e3}.get(kind, 0.01), np.float32)
    message = Correction(active=True, device="intruder")
    message.residual = residual[: 20 if kind == "length" else 22]
    message.header.frame_id = "camera" if kind == "frame" else BASE_FRAME
    message.observation_stamp = rig.action.observation_stamp
    return stamped(message, rig.present())


ATTACKS: dict[str, tuple[Callable, dict[str, str]]] = {
    "/joint_states": (
        joint_states,
        {
            "nan": "position is not finite",
            "length": "23 names but 20 positions",
            "old": "older than the one before",
            "contradiction": "jump to and fro",
        },
    ),
    "/camera/points": (
        points,
        {"nan": "points", "frame": "points", "length": "points", "old": "points"},
    ),
    "/rfs/policy_action": (
        policy_action,
        {
            "nan": "not finite",
            "length": "40 numbers",
            "frame": "frame 'camera'",
            "future": "in the future",
        },
    ),
    "/rfs/correction": (
        correction,
        {"nan": "not finite", "length": "20 numbers", "frame": "frame 'camera'"},
    ),
}


@pytest.mark.parametrize("topic", ATTACKS)
def test_a_flood_of_what_is_corrupt_holds_the_robot_until_it_ends(rig: FaultRig, topic: str) -> None:
    make, kinds = ATTACKS[topic]
    publish = rig.publishers[topic].publish
    for kind, cause in kinds.items():
        if topic == "/rfs/correction":  # else the intruder's answer comes when the tick is over
            rig.send_signal("correction", signal.SIGSTOP)
        rig.wait(rig.says(cause), f"'{cause}'", lambda kind=kind: publish(make(rig, kind)))
        rig.send_signal("correction", signal.SIGCONT)
        rig.wait(rig.moves(2), f"motion after {kind}")
    assert_sound(rig.heard)


def test_a_flood_of_huge_actions_and_corrections_moves_the_robot_within_its_bounds(rig: FaultRig) -> None:
    bounds = ResidualBounds.load()

    def flood() -> None:
        rig.publishers["/rfs/policy_action"].publish(policy_action(rig, "huge"))
        rig.publishers["/rfs/correction"].publish(correction(rig, "huge"))

    began = len(rig.heard.executed)
    rig.wait(lambda: len(rig.heard.executed) >= began + 10, "ticks", flood)
    moved = [tick for tick in rig.heard.executed[began:] if tick.state in MOVING]
    for tick in moved:
        human = np.array(tick.human_residual, np.float32)
        np.testing.assert_array_equal(bounds.bounded(human), human)
    rig.wait(rig.moves(3), "motion of the policy itself")
    assert_sound(rig.heard)


def test_a_stop_latches_through_any_flood(rig: FaultRig) -> None:
    rig.publishers["/rfs/correction"].publish(Correction(stop=True, device="intruder"))
    rig.wait(lambda: rig.heard.executed[-1].state == State.STOPPED, "the stop")
    standing, since = rig.heard.commands[-1][1], len(rig.heard.executed)

    def flood() -> None:
        rig.publishers["/rfs/policy_action"].publish(policy_action(rig, "huge"))

    rig.wait(lambda: len(rig.heard.executed) >= since + 4, "four periods", flood)
    assert all(tick.state == State.STOPPED for tick in rig.heard.executed[since:])
    assert all(np.array_equal(c.position, standing.position) for _, c in rig.heard.commands[-3:])
    assert not rig.call("engage", SetBool.Request(data=True)).success
    assert_sound(rig.heard)
