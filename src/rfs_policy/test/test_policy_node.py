"""The policy node in its own process, spoken to over ROS topics as simulator and executor would."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs")

from policy_partner import (
    ENOUGH,
    NOTHING,
    PERIOD,
    POSITION,
    Partner,
    cloud_of,
    node_process,
    partner_of,
    stamp,
)
from random_policies import random_network
from rfs_description.robot import ARM_HOME, HAND_HOME
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_policy.modulation_checkpoint import load_modulation, save_modulation
from rfs_policy.modulation_config import ModulationConfig
from rfs_policy.observation import proprioception
from rfs_policy.policy import FlowPolicy, PolicyOutput
from rfs_policy.torch_base import TorchBase

from rfs_msgs.msg import ExecutedAction

pytestmark = pytest.mark.ros

_DOMAINS = itertools.cycle(map(int, os.environ["RFS_TEST_DOMAINS"].split(",")))


@pytest.fixture
def domain(monkeypatch) -> None:
    """A DDS domain of this test's own, so that nothing else that runs here is heard."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(next(_DOMAINS)))


@pytest.fixture
def checkpoint_folder(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "policy", checkpoint)
    return tmp_path / "policy"


@pytest.fixture
def modulation_folder(tmp_path, checkpoint_folder):
    """A modulation with random weights for the policy of `checkpoint_folder`."""
    base = TorchBase.from_checkpoint(load_checkpoint(checkpoint_folder))
    network = random_network(base, ModulationConfig(encoder="own", hidden=(8,)))
    save_modulation(tmp_path / "modulation", network.checkpoint(base.id, {}))
    return tmp_path / "modulation"


@pytest.fixture
def lockstep(domain, checkpoint_folder) -> Iterator[Partner]:
    """A partner of a node in lockstep."""
    yield from partner_of(node_process(checkpoint_folder, "sim_time:=lockstep", "seed:=3"))


@pytest.fixture
def modulated(domain, checkpoint_folder, modulation_folder) -> Iterator[Partner]:
    """A partner of a node in lockstep that runs a modulation."""
    settings = (f"modulation:={modulation_folder}", "sim_time:=lockstep", "seed:=3")
    yield from partner_of(node_process(checkpoint_folder, *settings))


@pytest.fixture
def realtime(domain, checkpoint_folder) -> Iterator[Partner]:
    """A partner of a node in realtime."""
    yield from partner_of(node_process(checkpoint_folder))


def test_lockstep_protocol(lockstep, checkpoint_folder):
    """One answer per complete observation, the same one when asked again, from the documented noise."""
    start = 10**10
    lockstep.reset(7)
    lockstep.observe(start)
    assert lockstep.silent(), "acted before it was engaged"
    lockstep.command(start, latched=True)
    first = lockstep.answers(1)[0]
    assert first.observation_stamp == stamp(start)
    lockstep.observe(start)
    assert lockstep.answers(2)[1] == first
    lockstep.observe(start + 2 * PERIOD)
    assert lockstep.silent(), "acted on a command that is two periods old"
    lockstep.command(start + PERIOD)
    second = lockstep.answers(3)[2]
    assert (first.joint_stamp, first.command_stamp) == (stamp(start), stamp(start))
    assert (second.joint_stamp, second.command_stamp) == (stamp(start + 2 * PERIOD), stamp(start + PERIOD))

    policy, noise = FlowPolicy.load(checkpoint_folder, runtime="onnx"), np.random.default_rng([3, 7])
    for message in (first, second):
        expected = decision(policy, lockstep, policy.draw_noise(noise))
        np.testing.assert_array_equal(np.array(message.noise), expected.noise.ravel())
        np.testing.assert_allclose(np.array(message.base_action), expected.base_action.ravel(), atol=1e-6)
        assert (message.checkpoint, message.modulation) == (load_checkpoint(checkpoint_folder).id, "")
        assert (message.horizon, message.action_dim, message.layout) == (2, 22, "delta_pose_22")


def decision(policy: FlowPolicy, partner: Partner, noise: np.ndarray) -> PolicyOutput:
    """What the policy answers in this process to the partner's observation, for drawn noise (H, D)."""
    joints, rotation = np.concatenate([ARM_HOME, HAND_HOME]), np.diag([1.0, -1.0, -1.0])
    state = proprioception(joints, POSITION, rotation, HAND_HOME)
    return policy.act(partner.cloud.astype(np.float32)[None], state[None], noise[None])


def test_a_modulation_acts_and_is_named(modulated, checkpoint_folder, modulation_folder):
    """a0 and a_r of the message are the modulation's, and everybody is told which one it is."""
    modulated.reset(7)
    modulated.command(10**10, latched=True)
    modulated.observe(10**10)
    message = modulated.answers(1)[0]
    policy = FlowPolicy.load(checkpoint_folder, runtime="onnx", modulation=modulation_folder)
    expected = decision(policy, modulated, policy.draw_noise(np.random.default_rng([3, 7])))
    for name in ("noise", "base_action", "residual"):
        np.testing.assert_array_equal(np.array(getattr(message, name)), getattr(expected, name).ravel())
    assert any(message.residual)
    assert message.checkpoint == load_checkpoint(checkpoint_folder).id
    assert message.modulation == load_modulation(modulation_folder).id
    assert modulated.spin_until(lambda: message.modulation in diagnosed(modulated), ENOUGH)


def diagnosed(partner: Partner) -> set[str]:
    """Values that the node told on /diagnostics so far."""
    return {pair.value for array in partner.told for status in array.status for pair in status.values}


def test_bad_input_gives_no_action(lockstep):
    """Each kind of bad input silences the policy; good input brings it back."""
    when = 10**10
    lockstep.command(when, latched=True)
    lockstep.observe(when, order=np.random.default_rng(0).permutation(23))
    reordered = lockstep.answers(1)[0]
    nan = lockstep.cloud.copy()
    nan[5, 1] = np.nan
    other_fields = cloud_of(lockstep.cloud, when)
    other_fields.fields = other_fields.fields[:2]
    lockstep.command(when)
    bad = {
        "empty": cloud_of(lockstep.cloud[:0], when + PERIOD),
        "nan": cloud_of(nan, when + PERIOD),
        "frame": cloud_of(lockstep.cloud, when + PERIOD, frame="camera"),
        "fields": other_fields,
        "outside": cloud_of(lockstep.cloud + 5.0, when + PERIOD),
    }
    for name, cloud in bad.items():
        cloud.header.stamp = stamp(when + PERIOD)
        lockstep.observe(when + PERIOD, cloud)
        assert lockstep.silent(), name
    broken = ExecutedAction()
    broken.target_pose.orientation.w = 0.0
    lockstep.executed.publish(broken)
    later = when + 2 * PERIOD
    lockstep.command(when + PERIOD)
    lockstep.observe(later, count=20)
    assert lockstep.silent(), "short joint states"
    lockstep.reset(0)
    lockstep.command(later, latched=True)
    lockstep.observe(later)
    again = lockstep.answers(2)[1]
    assert again.base_action == reordered.base_action, "order of joint names mattered"


def test_realtime_acts_while_observed(realtime):
    def now() -> int:
        return realtime.node.get_clock().now().nanoseconds

    def observed_enough() -> bool:
        realtime.observe(now())
        return len(realtime.actions) >= 5

    realtime.command(now())
    assert realtime.spin_until(observed_enough, ENOUGH)
    stamps = [a.observation_stamp.sec * 10**9 + a.observation_stamp.nanosec for a in realtime.actions]
    assert all(later > earlier for earlier, later in pairwise(stamps))
    realtime.spin_until(lambda: False, 2 * NOTHING)  # what is still under way
    assert realtime.silent(), "acted on an observation that is no longer fresh"
    changes = [message.status[0].message for message in realtime.told if len(message.status) == 1]
    assert changes[-1] == "points: older than 0.25 s; is the camera still running?"


def test_a_negative_seed_is_refused_and_the_node_lives_on(lockstep):
    refused = lockstep.ask_to_reset(-1)
    assert not refused.success
    assert refused.message == "seed -1 is negative: give 0 or more"
    lockstep.reset(0)


def test_an_error_in_the_control_thread_is_the_end_of_the_node_and_no_success(domain, checkpoint_folder):
    failing = "def act(*_): raise RuntimeError('out of order')\npolicy_node.PolicyTick.act = act"
    process = node_process(checkpoint_folder, before=failing)
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 1
    assert "policy stopped: out of order" in errors


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("policy:=/nowhere", "no checkpoint at"),
        ("rate:=20.0", "rate is 20.0 Hz"),
        ("sim_time:=fast", "realtime or lockstep"),
        ("modulation:=/nowhere", "no modulation at"),
    ],
)
def test_start_up_error_is_one_sentence(domain, checkpoint_folder, parameter, words):
    process = node_process(checkpoint_folder, parameter)
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 1
    assert words in errors
    assert "Traceback" not in errors


def test_a_modulation_of_another_policy_is_refused(domain, tmp_path, checkpoint, modulation_folder):
    other = replace(checkpoint, config={**checkpoint.config, "note": "other"})
    save_checkpoint(tmp_path / "other", other)
    process = node_process(tmp_path / "other", f"modulation:={modulation_folder}")
    _, errors = process.communicate(timeout=ENOUGH)
    assert process.returncode == 1
    assert "was trained for base policy" in errors
    assert "Traceback" not in errors
