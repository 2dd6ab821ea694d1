"""Evaluation in simulation: results do not depend on an episode's neighbors, and mean what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rfs_learning.rl import features
from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.episode_choices import EpisodeChoices, Unsteered
from rfs_learning.rl.evaluation import EpisodeResults, Evaluation, evaluate
from rfs_learning.rl.flow_base import empty_base
from rfs_learning.rl.rl_config import RlConfig, RlTask
from rfs_learning.rl.robustness import disturbed
from rfs_learning.rl.steering_spaces import FlowSteering
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig
from torch import Tensor, nn

P = len(PRIVILEGED_NAMES)


def task(seconds: float = 0.5, objects: tuple[str, ...] = ("box", "sphere")) -> RlTask:
    config = TaskConfig.from_dict({"control_rate": 20.0, "timestep": 0.005, "episode_seconds": seconds})
    return RlTask("test", objects, config)


class Wandering(ActionSpace):
    """A frozen network of observation and a0, so that every bit of either shows in the motion."""

    def __init__(self, latent: bool, execute: int = 1) -> None:
        super().__init__()
        self.execute, self.dim = execute, 22 + 6 * latent
        self.latent, self.residual = slice(22, self.dim), slice(6, 22)
        self.noise_shape = None if latent else (2, 3)
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(P + 6, 64, generator=generator) / 8)
        self.second = nn.Parameter(torch.randn(64, 44, generator=generator) / 8)

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        a0 = u[:, self.latent] if self.noise_shape is None else torch.zeros(len(u), 6)
        a0 = a0 if noise is None else noise.flatten(1)
        hidden = torch.tanh(torch.cat([observation, a0], dim=1) @ self.first)
        steps = 0.05 * torch.tanh(hidden @ self.second).reshape(-1, 2, 22) + 0.01 * u[:, None, :22]
        held = observation[:, None, features.COMMAND_FINGERS]
        return torch.cat([steps[..., :6], steps[..., 6:] + held], dim=2)


class Walker:
    """Steers with a network of the observation."""

    def __init__(self, latent: bool, execute: int = 1) -> None:
        self.space = Wandering(latent, execute).requires_grad_(False)
        self.std = torch.full((self.space.dim,), 0.5)
        self.weight = torch.randn(P, self.space.dim, generator=torch.Generator().manual_seed(1)) / 10

    def choose(self, observation: Tensor) -> Tensor:
        return torch.tanh(observation @ self.weight)


def equal(one: EpisodeResults, other: EpisodeResults) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))


# ---- episodes and their neighbors ----
@pytest.mark.parametrize(("latent", "execute"), [(True, 1), (False, 2)])
def test_results_do_not_depend_on_the_number_of_environments(latent, execute):
    seeds = [5, 3, 11, 4, 17, 8, 2]
    alone, three, many = (
        evaluate(Walker(latent, execute), task(), seeds, noise="sampled", environments=n) for n in (1, 3, 8)
    )
    assert equal(alone, three)
    assert equal(alone, many)
    assert alone.finger_roughness.std() > 0


def test_rows_of_a_block_do_not_know_each_other():
    policy = Walker(latent=True)
    observation = np.random.default_rng(0).standard_normal((40, P)).astype(np.float32)
    seeds = np.arange(40)

    def actions(order):
        choices = EpisodeChoices(policy, 40, 4, "sampled")
        choices.begin(np.arange(40), seeds[order])
        return choices.actions(observation[order], np.ones(40, bool))

    shuffled = np.random.default_rng(1).permutation(40)
    np.testing.assert_array_equal(actions(seeds)[shuffled], actions(shuffled))


def test_episodes_that_end_early_make_room():
    class Counting(Evaluation):
        steps = 0

        def _step(self):
            Counting.steps += 1
            if self._episode[0] == 0:  # the first episode ends at once
                self.simulation.success[0] = True
            super()._step()

    run = Counting(Walker(True), task(), [1, 2, 3], noise="mean", environments=2)
    results = run.run()
    assert results.success.tolist() == [True, False, False]
    assert results.seconds == pytest.approx([0.05, 0.5, 0.5])
    assert Counting.steps == 11  # not 20: the third episode began when the first had ended


def test_objects_follow_the_order_of_seeds():
    results = evaluate(Walker(True), task(0.1), [9, 8, 7], noise="mean", environments=2)
    assert results.objects.tolist() == ["box", "sphere", "box"]
    assert results.seeds.tolist() == [9, 8, 7]
    assert set(results.reasons.tolist()) == {"hand never closed"}


# ---- choices ----
def test_chunk_is_executed_before_the_next_choice():
    choices = EpisodeChoices(Walker(True, execute=2), 1, 4, "mean")
    choices.begin(np.array([0]), np.array([1]))
    observations = np.random.default_rng(0).standard_normal((3, 1, P)).astype(np.float32)
    acting = np.ones(1, bool)
    first, second, third = (choices.actions(seen, acting)[0] for seen in observations)
    policy = Walker(True, execute=2)

    def chunk(seen):
        seen = torch.from_numpy(seen)
        return policy.space.decide(seen, policy.choose(seen), None)[0]

    np.testing.assert_allclose([first, second], chunk(observations[0]), atol=1e-6)
    np.testing.assert_allclose(third, chunk(observations[2])[0], atol=1e-6)


def test_mean_draws_nothing_and_sampled_only_the_latent_part():
    seen = np.zeros((2, P), np.float32)

    def actions(latent, noise, seed):
        choices = EpisodeChoices(Walker(latent), 2, 4, noise)
        choices.begin(np.arange(2), np.array([seed, seed]))
        return choices.actions(seen, np.ones(2, bool))

    for latent in (True, False):
        np.testing.assert_array_equal(actions(latent, "mean", 1), actions(latent, "mean", 2))
        assert not np.array_equal(actions(latent, "sampled", 1), actions(latent, "sampled", 2))
    policy = Walker(True)
    policy.std[policy.space.latent] = 0.0  # what is left of the Gaussian is arm and residual
    choices = EpisodeChoices(policy, 2, 4, "sampled")
    choices.begin(np.arange(2), np.array([1, 2]))
    np.testing.assert_array_equal(choices.actions(seen, np.ones(2, bool)), actions(True, "mean", 1))


@pytest.mark.parametrize("latent", [True, False])
def test_modulated_flows_sample_their_noise(latent):
    config = RlConfig.load()
    torch.manual_seed(0)
    base = empty_base("hand_arm", replace(config.base, width=8), rate=20.0)
    space = FlowSteering(base, config.steering, 20.0, latent=latent, residual=True)
    policy = Unsteered(space)
    policy.std = space.initial_std

    def results(noise, environments):
        return evaluate(policy, task(0.2), [1, 2, 3], noise=noise, environments=environments)

    assert equal(results("sampled", 1), results("sampled", 3))
    sampled, mean = results("sampled", 3), results("mean", 3)
    assert not np.isclose(sampled.finger_roughness, mean.finger_roughness).any()


def test_base_alone_is_zero_choice():
    space = Wandering(latent=False).requires_grad_(False)
    seen = torch.randn(3, P, generator=torch.Generator().manual_seed(0))
    base = Unsteered(space)
    np.testing.assert_array_equal(base.choose(seen), torch.zeros(3, space.dim))
    sampled = evaluate(base, task(0.2), [1, 2], noise="sampled")
    assert not np.array_equal(
        sampled.finger_roughness, evaluate(base, task(0.2), [1, 2], noise="mean").finger_roughness
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"noise": "loud"}, "'loud'"), ({"seeds": []}, "0 episodes"), ({"environments": 0}, "0 environments")],
)
def test_bad_settings_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        evaluate(Walker(True), task(), **({"seeds": [1], "noise": "mean"} | settings))


def test_diverged_policy_is_named():
    policy = Walker(True)
    policy.weight[:] = torch.nan
    with pytest.raises(ValueError, match="episode of seed 41"):
        evaluate(policy, task(), [41], noise="mean")


# ---- results ----
def test_summary_counts():
    def column(*values):
        return np.array(values)

    results = EpisodeResults(
        objects=column("box", "can", "box"),
        seeds=column(1, 2, 3),
        success=column(True, False, False),
        lifted=column(True, True, False),
        infeasible=column(False, True, True),
        depth=column(0.0, 0.006, 0.009),
        seconds=column(1.5, 4.0, 4.0),
        finger_roughness=column(0.1, 0.2, 0.3),
        palm_roughness=column(0.0, 0.0, 0.0),
        reasons=column("", "infeasible pose", "weak grasp"),
    )
    summary = results.summary()
    assert (summary["episodes"], summary["successes"], summary["lifted"]) == (3, 1, 2)
    assert (summary["infeasible"], summary["infeasible_of_lifted"]) == (2, 1)
    assert summary["failures"] == {"infeasible pose": 1, "weak grasp": 1}
    assert summary["objects"]["box"] == {"episodes": 2, "successes": 1}
    assert summary["seconds_to_success"] == 1.5


def test_disturbances_show_in_the_motion():
    calm, shaken = (
        evaluate(Walker(True), disturbed(task(0.4), level), [1, 2], noise="mean") for level in (0.0, 8.0)
    )
    assert not np.array_equal(calm.finger_roughness, shaken.finger_roughness)
