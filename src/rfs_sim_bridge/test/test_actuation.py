"""Latency and lag between joint targets and motors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_sim_bridge.actuation import Actuation
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig

STEP = 0.0025


def targets(envs: int, steps: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((envs, steps, 23))


def actuation(latency: list[float], hand_lag: list[float]) -> Actuation:
    """One environment for each entry, in its episode."""
    made = Actuation(len(latency), STEP, max(latency), max(hand_lag))
    made.begin(np.arange(len(latency)), np.array(latency), np.array(hand_lag))
    return made


def test_the_training_robots_targets_pass_unchanged():
    given_ = targets(2, 40)
    assert actuation([0.0, 0.0], [0.0, 0.0]).reach(given_) is given_


@given(delay=st.integers(0, 90), pieces=st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_latency_moves_targets_by_whole_steps_however_they_come(delay, pieces):
    made, start = actuation([delay * STEP, delay * STEP], [0.0, 0.0]), targets(2, 1)
    made.latch(np.arange(2), start[:, 0])
    sent = targets(2, sum(pieces))
    reached = np.concatenate([made.reach(part) for part in np.split(sent, np.cumsum(pieces[:-1]), 1)], 1)
    expected = np.concatenate([np.repeat(start, delay, 1), sent], 1)[:, : sum(pieces)]
    np.testing.assert_array_equal(reached, expected)


@pytest.mark.parametrize("lag", [0.02, 0.1])
def test_fingers_follow_a_step_exponentially_and_the_arm_at_once(lag):
    made = actuation([0.0], [lag])
    made.latch(np.arange(1), np.zeros((1, 23)))
    reached = np.concatenate([made.reach(np.ones((1, 20, 23))) for _ in range(4)], 1)[0]
    after = STEP * np.arange(1, 81)
    np.testing.assert_allclose(reached[:, 7:], np.tile((1 - np.exp(-after / lag))[:, None], 16), rtol=1e-9)
    np.testing.assert_array_equal(reached[:, :7], 1.0)


def test_an_environment_that_begins_anew_forgets_what_was_under_way():
    made = actuation([0.05, 0.05], [0.1, 0.1])
    made.latch(np.arange(2), np.zeros((2, 23)))
    made.reach(np.ones((2, 30, 23)))
    made.latch(np.array([1]), np.full((1, 23), 0.5))
    reached = made.reach(np.full((2, 10, 23), 0.5))
    np.testing.assert_array_equal(reached[1], 0.5)
    assert (reached[0, :, :7] == 1.0).all()


@given(
    delays=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    lags=st.lists(st.sampled_from([0.0, 0.01, 0.2]), min_size=4, max_size=4),
    pieces=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_every_environment_has_its_own_latency_and_lag_as_if_it_were_alone(delays, lags, pieces):
    count = len(delays)
    sent, start = targets(count, sum(pieces)), targets(count, 1)
    latency = [delay * STEP for delay in delays]

    def reached(made: Actuation, envs: slice) -> np.ndarray:
        made.latch(np.arange(len(sent[envs])), start[envs, 0])
        parts = np.split(sent[envs], np.cumsum(pieces[:-1]), 1)
        return np.concatenate([made.reach(part) for part in parts], 1)

    together = reached(actuation(latency, lags[:count]), slice(None))
    for env in range(count):
        alone = reached(actuation([latency[env]], [lags[env]]), slice(env, env + 1))
        np.testing.assert_allclose(together[env], alone[0], rtol=0, atol=1e-12)


def test_an_episode_draws_its_actuation_from_its_seed_and_nothing_else_changes():
    varied = {"latency": [0.02, 0.1], "hand_lag": [0.0, 0.15]}
    entries = TaskConfig.default().to_dict()
    task = TaskConfig.from_dict({**entries, "actuation": varied})
    assert TaskConfig.from_dict(task.to_dict()) == task
    assert "actuation" not in entries, "records of earlier runs name no actuation"
    spec = GraspTask(task, 1).objects[0]
    plain, drawn = draw(5, spec, TaskConfig.default()), [draw(seed, spec, task) for seed in range(5, 45)]
    np.testing.assert_array_equal(plain.disturbance, drawn[0].disturbance)
    assert plain.cloud_key == drawn[0].cloud_key
    assert (plain.latency, plain.hand_lag) == (0.0, 0.0)
    for name, (low, high) in varied.items():
        values = [getattr(episode, name) for episode in drawn]
        assert low <= min(values) < max(values) <= high
        assert len(set(values)) == len(values)


def test_a_share_of_the_episodes_meets_the_training_robot_itself():
    some = {"latency": [0.02, 0.1], "hand_lag": [0.01, 0.15], "share": 0.5}
    task = TaskConfig.from_dict({**TaskConfig.default().to_dict(), "actuation": some})
    spec = GraspTask(task, 1).objects[0]
    episodes = [draw(seed, spec, task) for seed in range(60)]
    late = [each for each in episodes if (each.latency, each.hand_lag) != (0.0, 0.0)]
    assert 15 < len(late) < 45
    assert all(each.latency >= 0.02 and each.hand_lag >= 0.01 for each in late)


def test_an_episode_with_latency_moves_later_and_does_not_depend_on_its_neighbors():
    late = TaskConfig.from_dict(
        {**TaskConfig.default().to_dict(), "actuation": {"latency": [0.05, 0.1], "hand_lag": [0.05, 0.1]}}
    )
    several = GraspTask(late, 3)
    alone, punctual = (
        GraspTask(config, 1, [several.objects[1].name]) for config in (late, TaskConfig.default())
    )
    several.reset([7, 8, 9])
    alone.reset([8])
    punctual.reset([8])
    start, action = alone.joint_positions.copy(), np.full((3, 22), 0.02)
    punctual.step(action[:1])
    for step in range(5):
        several.step(action)
        alone.step(action[:1])
        if step == 0:  # before the first disturbance
            moved, usual = (np.abs(task.joint_positions - start).sum() for task in (alone, punctual))
            assert moved < 0.8 * usual
    np.testing.assert_array_equal(several.joint_positions[1], alone.joint_positions[0])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"latency": [0.1, 0.0]}, r"actuation\.latency is \[0\.1, 0\.0\]: two times"),
        ({"hand_lag": [-0.1, 0.0]}, r"actuation\.hand_lag"),
        ({"latency": "soon"}, r"actuation\.latency must be 2 numbers"),
        ({"share": 1.5}, r"actuation\.share must be 0 to 1"),
        ({"lag": [0, 1]}, r"unknown setting 'task\.actuation\.lag'"),
    ],
)
def test_actuation_that_makes_no_sense_is_named(entries, message):
    with pytest.raises(ValueError, match=message):
        TaskConfig.from_dict({"actuation": entries})
