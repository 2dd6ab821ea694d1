"""The executor node in its own process, over DDS."""

import signal

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from executor_rig import PATIENCE, STEP, T0, Rig  # noqa: E402
from rfs_policy.nodes import stamps  # noqa: E402

from rfs_msgs.msg import ExecutedAction  # noqa: E402


def test_lockstep_episode_with_bad_messages_in_between(rig: Rig) -> None:
    process = rig.launch(sim_time="lockstep")
    rig.ready()
    refused = rig.engage()
    assert not refused.success
    assert "nothing received" in refused.message

    rig.observe(T0)
    rig.wait(lambda: rig.engage().success)
    latched = rig.answer(1)
    assert len(latched.executed) == 0
    assert latched.target_pose.position.x == pytest.approx(0.5, abs=1e-6)

    before = len(rig.received["executed"])
    rig.act(T0)
    first = rig.answer(before + 1)
    assert first.state == ExecutedAction.STATE_AUTONOMOUS
    assert stamps.nanoseconds(first.header.stamp) == T0
    rig.act(T0)
    assert rig.answer(before + 2) == first

    rig.act(T0 + STEP, layout="arm_joints_23")
    held = rig.answer(before + 3)
    assert held.state == ExecutedAction.STATE_HOLDING
    assert "arm_joints_23" in held.reason
    assert held.target_pose == first.target_pose

    rig.act(T0 + 2 * STEP)
    assert rig.answer(before + 4).target_pose.position.x == pytest.approx(0.52, abs=1e-6)
    rig.wait(lambda: len(rig.received["pose"]) >= 4 and len(rig.received["fingers"]) >= 4)
    assert stamps.nanoseconds(rig.received["pose"][-1].header.stamp) == T0 + 2 * STEP

    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert "Traceback" not in process.stderr.read()


def test_realtime_holds_when_the_policy_or_the_joint_states_stop(rig: Rig) -> None:
    process = rig.launch(sim_time="realtime", max_joint_state_age=1.0)
    rig.ready()
    rig.engage_now()
    rig.act(rig.present())
    reasons = ["policy is late and its chunk is used up", "joint states: older than 1.0 s: all joints"]
    for reason in reasons:
        rig.wait(lambda reason=reason: any(m.reason == reason for m in rig.received["executed"]))
    done = [m for m in rig.received["executed"] if m.state == ExecutedAction.STATE_AUTONOMOUS]
    assert [m.chunk_index for m in done] == [0, 1]
    assert rig.engage(False).success

    process.send_signal(signal.SIGINT)
    code, errors = process.wait(PATIENCE), process.stderr.read()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert all(errors.count(f"holding: {reason}") == 1 for reason in reasons)


def test_a_second_executor_leaves_and_the_first_stays(rig: Rig) -> None:
    first = rig.launch()
    rig.ready()
    second = rig.launch()
    assert second.wait(PATIENCE) == 1
    assert "another executor" in second.stderr.read()
    seen = len(rig.received["diagnostics"])
    rig.wait(lambda: len(rig.received["diagnostics"]) > seen + 1)
    assert first.poll() is None


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("sim_time", "never", "sim_time"),
        ("rate", "-1.0", "rate"),
        ("limits", "nowhere.yaml", "nowhere.yaml"),
        ("operator", "perhaps", "operator"),
        ("residual", "nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_and_a_failure(rig: Rig, name: str, value: str, named: str) -> None:
    process = rig.launch(**{name: value})
    assert process.wait(PATIENCE) == 1
    errors = process.stderr.read()
    assert named in errors
    assert "Traceback" not in errors
