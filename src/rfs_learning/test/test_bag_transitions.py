"""From a bag to transitions: every tick becomes one or is counted, and none joins what does not belong."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy")
pytest.importorskip("rfs_msgs.msg")
pytestmark = pytest.mark.ros

from builtin_interfaces.msg import Time  # noqa: E402
from recorded_episode import PERIOD, START, Recording, ordinary  # noqa: E402
from rfs_description.robot import ARM_JOINTS, HAND_JOINTS  # noqa: E402
from rfs_learning.bag_transitions import read_episode  # noqa: E402
from rfs_learning.dataset_command import main  # noqa: E402
from rfs_learning.transitions import EpisodeTransitions, TransitionDataset  # noqa: E402
from rfs_policy.command_state import read_command  # noqa: E402
from rfs_policy.control_tick import PolicyTick  # noqa: E402
from rfs_policy.layout import DELTA_POSE  # noqa: E402
from rfs_policy.nodes.messages import read_cloud  # noqa: E402
from rfs_policy.policy import PolicyOutput  # noqa: E402
from rfs_policy.stamps import nanoseconds  # noqa: E402
from rfs_teleop.bag_index import IndexedBag  # noqa: E402


def episode_of(recording: Recording, folder, **contract: str) -> EpisodeTransitions:
    return read_episode(IndexedBag(recording.write(folder / "episode", **contract)))[1]


def test_an_ordinary_episode(tmp_path):
    recording = ordinary(6, corrected=2, success=True)
    episode = episode_of(recording, tmp_path, outcome="success", session="s", operator="ada")
    c = episode.columns
    assert c["transition"].tolist() == [True] * 5 + [False]
    assert c["done"].tolist() == [False] * 4 + [True, False]
    assert c["intervened"].tolist() == [True] * 2 + [False] * 4
    assert not episode.dropped
    executed = [m for topic, m in recording.messages if topic == "/rfs/executed_action"][1:]
    rewards = [m for topic, m in recording.messages if topic == "/rfs/reward"]
    decided = [m for topic, m in recording.messages if topic == "/rfs/policy_action"]
    for k in range(5):
        for name in ("base_action", "policy_residual", "human_residual", "action", "executed"):
            np.testing.assert_array_equal(c[name][k], np.array(getattr(executed[k], name), np.float32))
        assert c["reward"][k] == np.float32(rewards[k + 1].reward)
        assert c["stamp"][k] == START + k * PERIOD
        for name, logged in (("noise", decided[k].noise), ("base_chunk", decided[k].base_action)):
            np.testing.assert_array_equal(c[name][k], np.array(logged, np.float32).reshape(2, 22))
    meta = episode.meta()
    assert (meta["outcome"], meta["session"], meta["operator"], meta["seed"]) == ("success", "s", "ada", 7)


@dataclass(frozen=True)
class Fate:
    """What happens at a tick. gap: periods to the next one."""

    state: int = 1
    gap: float = 1.0
    answered: bool = True
    cloud: bool = True
    reward: bool = True
    late: bool = False


fates = st.lists(
    st.builds(
        Fate,
        state=st.sampled_from([0, 1, 1, 1, 2, 3, 4]),
        gap=st.sampled_from([0.9, 1.0, 1.0, 1.0, 1.2, 2.0, 7.0]),
        answered=st.sampled_from([True, True, True, False]),
        cloud=st.sampled_from([True, True, True, False]),
        reward=st.sampled_from([True, True, True, False]),
        late=st.sampled_from([False, False, False, True]),
    ),
    min_size=2,
    max_size=12,
)


@given(fates)
@example([Fate(cloud=False)] * 2)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_tick_is_a_transition_to_its_true_successor_or_counted(tmp_path_factory, script):
    recording, stamp, command = Recording(), START, START
    recording.engaged(START)
    stamps, expected = [], []
    for fate, following in zip(script, [*script[1:], None], strict=True):
        stamps.append(stamp)
        recording.joints(stamp)
        if fate.cloud:
            recording.cloud(stamp)
        if fate.reward:
            recording.reward(stamp)
        recording.action(stamp, command)
        if fate.answered:
            recording.executed(stamp, fate.state)
            command = stamp
        if fate.late:  # a later action of the chunk, or a hold, before the next tick
            command = stamp + PERIOD // 2
            recording.executed(command, index=1)
        moved = fate.answered and fate.state in (1, 2) and not fate.late
        linked = following is not None and 0.5 <= fate.gap <= 1.5 and following.cloud and following.reward
        expected.append(bool(moved and fate.cloud and linked))
        stamp += round(fate.gap * PERIOD)
    folder = tmp_path_factory.mktemp("bags")
    if not any(expected):
        with pytest.raises(ValueError, match="no transition in it"):
            episode_of(recording, folder)
        return
    episode = episode_of(recording, folder)
    c = episode.columns
    begins = np.flatnonzero(c["transition"])
    assert c["stamp"][begins].tolist() == [s for s, wanted in zip(stamps, expected, strict=True) if wanted]
    assert not c["transition"][-1]
    later = dict(pairwise(stamps))
    assert all(c["stamp"][k + 1] == later[c["stamp"][k]] for k in begins)
    # The last tick has no successor; it counts only when it could not even be rebuilt.
    assert len(begins) + sum(episode.dropped.values()) == len(script) - script[-1].cloud
    used = c["transition"] | np.concatenate([[False], c["transition"][:-1]])
    assert used.all(), "a cloud is kept that no transition needs"


def test_the_last_action_leads_to_an_observation_that_was_not_acted_on(tmp_path):
    recording = ordinary(4)
    stamp = START + 4 * PERIOD - PERIOD // 5
    recording.joints(stamp - 10)
    recording.cloud(stamp)
    recording.reward(stamp, success=True)
    c = episode_of(recording, tmp_path, outcome="success").columns
    assert c["transition"].tolist() == [True] * 4 + [False]
    assert c["stamp"][-1] == stamp
    assert c["joint_stamp"][-1] == stamp - 10
    assert c["command_stamp"][-1] == START + 3 * PERIOD
    assert c["done"].tolist() == [False] * 3 + [True, False]


@pytest.mark.parametrize(
    ("outcome", "measured", "done"),
    [("success", False, 4), ("failure", True, None), ("unknown", True, 2), ("success", True, 2)],
)
def test_success_ends_an_episode_and_failure_does_not(tmp_path, outcome, measured, done):
    recording = ordinary(6)
    rewards = [m for topic, m in recording.messages if topic == "/rfs/reward"]
    rewards[3].success = measured
    episode = episode_of(recording, tmp_path, outcome=outcome)
    assert np.flatnonzero(episode.columns["done"]).tolist() == ([] if done is None else [done])
    left = 5 if done is None else done + 1
    assert episode.columns["transition"].sum() == left
    assert sum(episode.dropped.values()) == 5 - left


class Witness:
    """Stands in for a policy and keeps what it is shown."""

    layout = DELTA_POSE

    def __init__(self) -> None:
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []

    def act(self, cloud, state, noise) -> PolicyOutput:
        self.seen.append((cloud[0].copy(), state[0].copy()))
        return PolicyOutput(noise, noise, noise, noise)

    def draw_noise(self, rng) -> np.ndarray:
        return rng.standard_normal((2, 22), dtype=np.float32)


@pytest.mark.parametrize("sizes", [(1024,), (300, 1024, 5000)])
@pytest.mark.parametrize("publishers", [1, 2])
def test_what_the_policy_saw_is_rebuilt_bit_for_bit(tmp_path, sizes, publishers):
    """The live code and the rebuilding one see the same messages, joint states and clouds far more often."""
    recording, witness = Recording(), Witness()
    tick = PolicyTick(witness, lockstep=False)
    recording.engaged(START)
    tick.take_command(read_command(recording.messages[-1][1]))
    groups = [[*ARM_JOINTS, *HAND_JOINTS]] if publishers == 1 else [ARM_JOINTS, HAND_JOINTS]
    command = START
    for number in range(8):
        start = START + number * PERIOD
        for fraction in range(5):
            stamp = start + fraction * PERIOD // 5
            for offset, names in enumerate(groups):
                message = recording.joints(stamp + offset, names)
                tick.take_joints(
                    message.name, message.position, nanoseconds(message.header.stamp), stamp * 1e-9
                )
            tick.take_cloud(read_cloud(recording.cloud(stamp, sizes[number % len(sizes)]), stamp * 1e-9))
        answer = tick.act(stamp * 1e-9, stamp)
        assert answer is not None, tick.problem
        recording.action(answer.stamp, answer.command_stamp, answer.joint_stamp)
        tick.take_command(read_command(recording.executed(answer.stamp)))
        recording.reward(answer.stamp)
        command = answer.stamp
    assert command > START
    columns = episode_of(recording, tmp_path).columns
    assert columns["transition"].sum() == 7
    for row, (cloud, state) in enumerate(witness.seen):
        np.testing.assert_array_equal(columns["point_cloud"][row], cloud)
        np.testing.assert_array_equal(columns["state"][row], state)


def test_bags_that_cannot_be_used_say_why(tmp_path):
    old, other = ordinary(3), ordinary(3)
    for topic, message in old.messages:
        if topic == "/rfs/policy_action":
            message.joint_stamp = Time()
    for topic, message in other.messages:
        if topic == "/rfs/policy_action":
            message.layout = "eef_6"
    cases = {"too old": old, "'eef_6' is unknown": other, "never acted": Recording()}
    for words, recording in cases.items():
        with pytest.raises(ValueError, match=words):
            read_episode(IndexedBag(recording.write(tmp_path / words[:8].strip("'"))))


def test_bags_of_equal_names_are_two_episodes(tmp_path):
    for number in range(2):
        ordinary(3, number).write(tmp_path / "bags" / str(number) / "same", began=START + number)
    assert main(["build", str(tmp_path / "bags"), "-o", str(tmp_path / "d.zarr")]) == 0
    assert len(TransitionDataset.open(tmp_path / "d.zarr")) == 2
