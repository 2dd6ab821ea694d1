"""The executor node with an operator, in its own process, over DDS."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from executor_rig import STEP, T0, Rig  # noqa: E402
from rfs_policy.nodes import stamps  # noqa: E402

from rfs_msgs.msg import ExecutedAction  # noqa: E402


@pytest.fixture
def bounds(tmp_path: Path) -> Path:
    """Bounds with which corrections count where the rig's robot is."""
    path = tmp_path / "residual.yaml"
    path.write_text("{translation: 0.015, finger: 0.05, palm_height: 0.5}")
    return path


def in_diagnostics(rig: Rig, **figures: str) -> bool:
    """Whether the executor has told such figures."""
    statuses = [status for array in rig.received["diagnostics"] for status in array.status]
    told = [{pair.key: pair.value for pair in s.values} for s in statuses if s.name == "rfs executor"]
    return any(figures.items() <= values.items() for values in told)


def test_lockstep_with_corrections_a_pause_and_a_stop(rig: Rig, bounds: Path) -> None:
    rig.launch(sim_time="lockstep", operator=True, residual=bounds)
    rig.ready()
    rig.observe(T0)
    refused: list[str] = []

    def refused_for_the_operator() -> bool:
        refused.append(rig.engage().message)
        return "no correction received" in refused[-1]

    rig.wait(refused_for_the_operator)
    rig.be_there()
    rig.wait(lambda: rig.engage().success)
    count = len(rig.received["executed"])

    rig.act(T0)
    rig.correct(T0, dy=0.5)
    first = rig.answer(count + 1)
    assert first.state == ExecutedAction.STATE_CORRECTING
    assert first.limits == ExecutedAction.LIMIT_CORRECTION
    assert stamps.nanoseconds(first.correction_stamp) == T0 + 5
    total = np.array(first.base_action) + np.array(first.policy_residual) + np.array(first.human_residual)
    np.testing.assert_array_equal(np.array(first.action), total)
    rig.act(T0)
    assert rig.answer(count + 2) == first

    rig.act(T0 + STEP)
    rig.correct(T0 + STEP, residual=[0.0] * 21)
    held = rig.answer(count + 3)
    assert held.state == ExecutedAction.STATE_HOLDING
    assert held.reason == "operator: correction: residual has 21 numbers, not 22"
    assert held.target_pose == first.target_pose

    assert rig.call("pause").success
    paused = rig.answer(count + 4)
    assert (paused.state, paused.target_pose) == (ExecutedAction.STATE_PAUSED, first.target_pose)
    rig.act(T0 + 2 * STEP)
    assert rig.call("pause", False).success
    rig.act(T0 + 2 * STEP)
    rig.correct(T0 + 2 * STEP, active=False)
    resumed = rig.answer(count + 5)
    assert resumed.state == ExecutedAction.STATE_AUTONOMOUS
    assert resumed.target_pose.position.x == pytest.approx(first.target_pose.position.x + 0.01, abs=1e-6)

    rig.correct(0, active=False, residual=[0.0] * 3, stop=True)
    stopped = rig.answer(count + 6)
    assert stopped.state == ExecutedAction.STATE_STOPPED
    assert "the operator (scripted)" in stopped.reason
    assert stopped.target_pose == resumed.target_pose
    rig.wait(lambda: in_diagnostics(rig, state="stopped", corrected="1", refused="2"))
    assert "release the stop" in rig.engage().message
    assert rig.call("stop", False).success
    rig.be_there()
    rig.wait(lambda: rig.engage().success)


def test_realtime_without_answers_names_who_is_missing_and_a_stop_is_told_each_period(rig: Rig) -> None:
    rig.launch(sim_time="realtime", operator=True, max_joint_state_age=60.0)
    rig.ready()
    operator = rig.node.create_timer(0.05, rig.be_there)
    rig.engage_now()
    rig.act(rig.present())
    rig.wait(lambda: any(m.state == ExecutedAction.STATE_AUTONOMOUS for m in rig.received["executed"]))
    moved = [m for m in rig.received["executed"] if m.state == ExecutedAction.STATE_AUTONOMOUS]
    assert stamps.nanoseconds(moved[0].correction_stamp) == 0
    assert not any(moved[0].human_residual)

    lost = DiagnosticStatus(name="rfs policy", level=DiagnosticStatus.WARN, message="points: too old")
    rig.diagnostics.publish(DiagnosticArray(status=[lost]))
    rig.wait(lambda: rig.received["executed"][-1].reason == "policy: points: too old")
    operator.cancel()
    rig.wait(lambda: "operator: no correction for 0.5 s" in rig.received["executed"][-1].reason)

    assert rig.call("stop").success
    rig.received["executed"].clear()
    rig.received["pose"].clear()
    stood = rig.answer(3)
    assert stood.state == ExecutedAction.STATE_STOPPED
    rig.wait(lambda: len(rig.received["pose"]) >= 3)
    assert all(m.pose == stood.target_pose for m in rig.received["pose"])
