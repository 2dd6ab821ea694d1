"""When the policy acts, on what, and why it does not."""

import numpy as np
import pytest
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from rfs_policy.command_state import CommandState
from rfs_policy.control_tick import Answer, Cloud, PolicyTick
from rfs_policy.onnx_base import OnnxBase
from rfs_policy.policy import FlowPolicy

START, PERIOD = 10**10, 100_000_000
POINTS = np.random.default_rng(0).uniform([0.4, -0.1, 0.02], [0.6, 0.1, 0.1], (1024, 3)).astype(np.float32)


class Inputs:
    """Feeds a PolicyTick; monotonic time follows the stamps."""

    def __init__(self, policy: FlowPolicy, lockstep: bool) -> None:
        self.tick = PolicyTick(policy, lockstep, policy_seed=3)

    def latched(self, stamp: int) -> None:
        self.command(stamp, latched=True)

    def command(self, stamp: int, latched: bool = False, x: float = 0.5) -> None:
        position = np.array([x, 0.0, 0.3])
        self.tick.take_command(CommandState(stamp, position, np.eye(3), HAND_HOME, latched))

    def cloud(self, stamp: int, points: np.ndarray | None = POINTS, problem: str = "") -> None:
        self.tick.take_cloud(Cloud(stamp, stamp * 1e-9, points, problem))

    def joints(self, stamp: int, count: int = 23) -> None:
        positions = np.concatenate([ARM_HOME, HAND_HOME]).tolist()
        self.tick.take_joints(list(JOINTS)[:count], positions[:count], stamp, stamp * 1e-9)

    def all(self, stamp: int) -> None:
        self.latched(stamp)
        self.joints(stamp)
        self.cloud(stamp)

    def act(self, stamp: int) -> Answer | None:
        return self.tick.act(stamp * 1e-9, stamp)


@pytest.fixture
def lockstep(checkpoint) -> Inputs:
    return Inputs(FlowPolicy(OnnxBase(checkpoint)), lockstep=True)


@pytest.fixture
def realtime(checkpoint) -> Inputs:
    return Inputs(FlowPolicy(OnnxBase(checkpoint)), lockstep=False)


@pytest.mark.parametrize("order", [("latched", "joints", "cloud"), ("cloud", "joints", "latched")])
def test_lockstep_acts_once_all_is_there_in_any_order(lockstep, order):
    for name in order:
        assert lockstep.act(START) is None
        getattr(lockstep, name)(START)
    answer = lockstep.act(START)
    assert answer.stamp == START
    assert lockstep.act(START) is None


def test_lockstep_repeats_its_answer_and_draws_noise_once_a_stamp(lockstep):
    lockstep.all(START)
    first = lockstep.act(START)
    lockstep.command(START)
    lockstep.cloud(START)
    assert lockstep.act(START) is first
    lockstep.cloud(START + PERIOD)
    lockstep.joints(START + PERIOD)
    second = lockstep.act(START + PERIOD)
    noise = np.random.default_rng([3, 0])
    for answer in (first, second):
        np.testing.assert_array_equal(answer.output.noise[0], lockstep.tick.policy.draw_noise(noise))


def test_lockstep_waits_for_joints_and_command_of_the_stamp(lockstep):
    lockstep.all(START)
    lockstep.act(START)
    lockstep.cloud(START + 2 * PERIOD)
    assert lockstep.act(START) is None
    assert "one stamp" in lockstep.tick.problem
    lockstep.joints(START + 2 * PERIOD)
    assert lockstep.act(START) is None
    assert "executor's command" in lockstep.tick.problem
    lockstep.command(START + PERIOD)
    assert lockstep.act(START) is not None


def test_lockstep_acts_on_the_command_that_stood_at_the_observation_in_whatever_order_they_come(lockstep):
    """The second observation of an episode may overtake the answer to the first."""
    lockstep.all(START)
    lockstep.act(START)
    lockstep.joints(START + PERIOD)
    lockstep.cloud(START + PERIOD)
    assert lockstep.act(START) is None, "acted on the latched command, which was followed by another one"
    lockstep.command(START, x=0.51)
    answer = lockstep.act(START)
    assert (answer.stamp, answer.command_stamp) == (START + PERIOD, START)


def test_what_is_left_of_the_last_episode_draws_no_noise(lockstep):
    """The service calls that begin an episode may overtake its first observation."""
    last, first = START, START + 100 * PERIOD
    lockstep.all(last)
    lockstep.act(last)
    lockstep.tick.reset(8)
    lockstep.latched(last)
    assert lockstep.act(last) is None, "answered what was answered in the last episode"
    lockstep.latched(first)
    lockstep.cloud(last)
    assert lockstep.act(last) is None, "acted on a command of another episode"
    lockstep.joints(first)
    lockstep.cloud(first)
    noise = np.random.default_rng([3, 8])
    expected = lockstep.tick.policy.draw_noise(noise)
    np.testing.assert_array_equal(lockstep.act(first).output.noise[0], expected)


def test_reset_begins_the_noise_anew_and_forgets_the_command(lockstep):
    lockstep.tick.reset(8)
    lockstep.all(START)
    first = lockstep.act(START)
    lockstep.tick.reset(8)
    assert lockstep.act(START) is None
    lockstep.cloud(START)
    assert lockstep.act(START) is None
    assert "engaged" in lockstep.tick.problem
    lockstep.latched(START)
    np.testing.assert_array_equal(lockstep.act(START).output.noise, first.output.noise)


def test_realtime_acts_on_fresh_input_only(realtime):
    realtime.all(START)
    assert realtime.act(START + PERIOD).observation_age == pytest.approx(0.1)
    assert realtime.act(START + 3 * PERIOD) is None
    assert "points: older than" in realtime.tick.problem
    realtime.cloud(START + 3 * PERIOD)
    assert realtime.act(START + 3 * PERIOD) is None
    assert "joint states: older than" in realtime.tick.problem


def test_joint_states_of_one_stamp_over_and_over_are_not_acted_on(realtime):
    realtime.all(START)
    later = START + 3 * PERIOD
    positions = np.concatenate([ARM_HOME, HAND_HOME]).tolist()
    realtime.tick.take_joints(list(JOINTS), positions, START, later * 1e-9)
    realtime.cloud(later)
    assert realtime.act(later) is None
    assert "no new stamp for 0.25 s" in realtime.tick.problem


def test_joint_states_in_degrees_are_not_acted_on(realtime):
    realtime.all(START)
    degrees = np.degrees(np.concatenate([ARM_HOME, HAND_HOME])).tolist()
    realtime.tick.take_joints(list(JOINTS), degrees, START + 1, START * 1e-9)
    assert realtime.act(START) is None
    assert "fr3_joint2 is at -20.9 rad" in realtime.tick.problem


@pytest.mark.parametrize("old", ["joints", "cloud"])
def test_realtime_begins_with_what_was_observed_since_it_was_engaged(realtime, old):
    """What is older may show the scene before its reset."""
    for name in ("joints", "cloud"):
        getattr(realtime, name)(START - (name == old))
    realtime.latched(START)
    assert realtime.act(START) is None
    assert realtime.tick.problem == "waiting for points and joint states since it was engaged"
    getattr(realtime, old)(START)
    assert realtime.act(START) is not None


def test_clocks_out_of_step_are_told(realtime):
    realtime.all(START)
    assert realtime.tick.act(START * 1e-9, START + 10 * PERIOD) is None
    assert "clocks" in realtime.tick.problem


def test_other_sizes_are_cropped_and_resampled(realtime):
    realtime.all(START)
    outside = np.full((500, 3), 3.0, np.float32)
    for points in (POINTS[:100], np.concatenate([POINTS, POINTS + 0.01, outside])):
        realtime.cloud(START, points)
        assert np.isfinite(realtime.act(START).output.action).all()
        realtime.cloud(START, outside)
        assert realtime.act(START) is None
        assert "workspace" in realtime.tick.problem


def test_an_answer_names_what_was_observed(realtime):
    realtime.command(START)
    realtime.joints(START + 2)
    realtime.cloud(START + 1)
    answer = realtime.act(START + 3)
    assert (answer.stamp, answer.joint_stamp, answer.command_stamp) == (START + 1, START + 2, START)


def test_what_the_policy_makes_of_a_cloud_depends_on_the_cloud_alone(realtime):
    """Whatever was seen before: so an observation can be rebuilt from a recording."""
    realtime.all(START)
    points = np.concatenate([POINTS, POINTS + 0.01])
    answers = []
    for before in (0, 3):
        realtime.tick.reset(1)
        realtime.command(START)
        for index in range(before):
            realtime.cloud(START + index, points)
            assert realtime.act(START + index) is not None
        realtime.tick.reset(1)
        realtime.command(START)
        realtime.cloud(START + 9, points)
        answers.append(realtime.act(START + 9).output.base_action)
    np.testing.assert_array_equal(*answers)


def test_a_problem_of_the_cloud_is_passed_on(realtime):
    realtime.all(START)
    realtime.cloud(START, None, "points: the cloud is empty")
    assert realtime.act(START) is None
    assert realtime.tick.problem == "points: the cloud is empty"


def test_short_joint_states_are_named(realtime):
    realtime.command(START)
    realtime.cloud(START)
    realtime.joints(START, count=22)
    assert realtime.act(START) is None
    assert "leap_th_ipl" in realtime.tick.problem
