"""Gymnasium's vector interface: spaces, seeds, restarts."""

import gymnasium
import numpy as np
import pytest
from rfs_sim_bridge.gym_env import GraspVectorEnv
from rfs_sim_bridge.task_config import TaskConfig


@pytest.mark.parametrize("observation", ["cloud", "privileged"])
def test_observations_and_actions_fit_their_spaces(observation):
    envs = gymnasium.make_vec("rfs/Grasp-v0", num_envs=3, observation=observation)
    first, _ = envs.reset(seed=1)
    assert envs.observation_space.contains(first)
    envs.action_space.seed(0)
    action = envs.action_space.sample()
    assert envs.action_space.contains(action)
    observation_, reward, terminated, truncated, info = envs.step(action)
    assert envs.observation_space.contains(observation_)
    assert reward.shape == terminated.shape == truncated.shape == info["success"].shape == (3,)


def test_same_seed_same_run():
    runs = []
    for _ in range(2):
        envs = GraspVectorEnv(num_envs=2, observation="privileged")
        observation, _ = envs.reset(seed=5)
        rows = [observation["privileged"]]
        for _ in range(3):
            rows.append(envs.step(np.full((2, 22), 0.01))[0]["privileged"])
        runs.append(np.stack(rows))
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (envs.reset(seed=6)[0]["privileged"] != runs[0][0]).any()


def test_ended_episodes_restart_in_the_same_step():
    config = TaskConfig.from_dict({"episode_seconds": 0.2})
    envs = GraspVectorEnv(num_envs=2, observation="privileged", config=config)
    start, _ = envs.reset(seed=3)
    envs.step(np.zeros((2, 22)))
    observation, _, terminated, truncated, info = envs.step(np.zeros((2, 22)))
    assert truncated.all()
    assert not terminated.any()
    assert info["_final_obs"].all()
    assert (info["final_obs"]["privileged"] != observation["privileged"]).any()
    assert (observation["privileged"] != start["privileged"]).any()
    assert (envs.task.steps == 0).all()


def test_objects_can_be_chosen_at_reset():
    envs = GraspVectorEnv(num_envs=2)
    envs.reset(seed=0, options={"objects": ["mug"]})
    assert [o.name for o in envs.task.objects] == ["mug", "mug"]


def test_unknown_observation_is_named():
    with pytest.raises(ValueError, match="'cloud' or 'privileged', not 'images'"):
        GraspVectorEnv(observation="images")
