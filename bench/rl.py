"""Speed of reinforcement learning over a frozen flow policy: RFS, hand + arm, power grasps, end to end.

In the same run, turn by turn and with equal budgets: stable-baselines3's PPO on a subprocess vector of
single environments of the same task, once with its defaults and one process a core, once with our PPO's
settings and four processes a core. The faster one counts. Then where our time goes.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from rfs_learning.rl.features import policy_features
from rfs_learning.rl.flow_base import FlowBase, base_layout
from rfs_learning.rl.ingredients import HAND_ARM_FILE, Ingredients
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.steering_spaces import FlowSteering
from rfs_learning.rl.training import RlTraining
from rfs_sim_bridge.grasp_task import GraspTask
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import SubprocVecEnv

from rfs_sim_bridge import grasp_task

METHOD, TASK = "rfs_hand_arm", "power"
ENVS, THREADS, ITERATIONS, ROUNDS = 64, 2, 2, 2
GOAL, GOAL_RATIO = 2500, 3.0


class SingleGrasp(gymnasium.Env):
    """The same task, base and modulation, one environment, as one writes it for stable-baselines3. Each
    episode has the next object."""

    def __init__(self, config: RlConfig, base: Path, index: int) -> None:
        torch.set_num_threads(1)
        self._config, self._task, self._episode = config, config.task(TASK), index
        rate = self._task.task.control_rate
        flow = FlowBase.load(base, base_layout("hand_arm", config.base.horizon, rate))
        self._space = FlowSteering(flow, config.steering, rate, latent=True, residual=True)
        self._simulation = GraspTask(self._task.task, 1, self._task.objects[:1], threads=1)
        shape = self._observe().shape
        self.observation_space = Box(-np.inf, np.inf, shape)
        self.action_space = Box(-10.0, 10.0, (self._space.dim,))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict]:
        super().reset(seed=seed)
        name = self._task.objects[self._episode % len(self._task.objects)]
        self._episode += 1
        self._simulation.reset([int(self.np_random.integers(2**32))], [name])
        return self._observe(), {}

    def step(self, action: NDArray) -> tuple[NDArray, float, bool, bool, dict]:
        with torch.inference_mode():
            u = torch.from_numpy(action)[None] * self._space.initial_std
            chunk = self._space.decide(self._observation, u, None).numpy()
        result = self._simulation.step(chunk[:, 0])
        price = self._config.steering.residual_cost * u[:, self._space.residual].square().mean()
        reward = self._config.ppo.reward_scale * (result.reward[0] - float(price))
        success = bool(result.success[0])
        return self._observe(), float(reward), success, bool(result.done[0]) and not success, {}

    def _observe(self) -> NDArray[np.float32]:
        self._observation = torch.from_numpy(self._simulation.privileged())
        return policy_features(self._observation)[0].numpy()


class Clock:
    """Wall time by part of a program, without the parts called from within a part."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._parts: list[str] = []

    @contextmanager
    def watch(self, watched: list[tuple[Any, str, str]]) -> Iterator[None]:
        """While in it, count the time of calls: (owner, attribute, part)."""
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in watched]
        for (owner, name, original), (_, _, part) in zip(originals, watched, strict=True):
            setattr(owner, name, partial(self.call, part, original))
        try:
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def call(self, part: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """Count a call for its part, and not for the part that it is called from."""
        began = time.perf_counter()
        self._parts.append(part)
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.perf_counter() - began
            self._parts.pop()
            self.seconds[part] += spent
            if self._parts:
                self.seconds[self._parts[-1]] -= spent


def run() -> list[dict[str, Any]]:
    """Figures of this machine, now."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the peer's processes cannot import it
    config = _config()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.set_num_threads(1)  # of the networks, ours and the peer's: small, and cores are for physics
        ingredients = Ingredients.prepare(config.task(TASK), config, folder)
        ours, peers = _interleaved(config, ingredients, folder)
        shares = _shares(config, ingredients, folder)
    best = max(peers, key=lambda which: peers[which])
    ratio = ours / peers[best]
    print("stable-baselines3: " + ", ".join(f"{which}: {rate:.0f}/s" for which, rate in peers.items()))
    head = {
        "name": "rl.control_steps_per_s",
        "value": round(ours),
        "unit": "1/s",
        "goal": f">= {GOAL}, {GOAL_RATIO:g} x",
        "holds": ours >= GOAL and ratio >= GOAL_RATIO,
        "peer": f"stable-baselines3, {best}: {peers[best]:.0f}",
        "ratio": round(ratio, 2),
    }
    rows = [
        {"name": f"rl.share_of_{part}", "value": round(100 * share, 1), "unit": "%"}
        for part, share in shares.items()
    ]
    return [head, *({**row, "goal": None, "holds": None} for row in rows)]


def _config() -> RlConfig:
    """The packaged settings; demonstrations and base only as good as the speed of a grasp needs."""
    config = RlConfig.load().with_ppo(environments=ENVS, threads=THREADS)
    config = config.with_ppo(control_steps=ITERATIONS * ENVS * config.task(TASK).task.max_steps)
    return replace(
        config,
        demonstrations=replace(config.demonstrations, count=10, noise=1.0),
        base=replace(config.base, steps=500),
    )


def _interleaved(config: RlConfig, ingredients: Ingredients, folder: Path) -> tuple[float, dict[str, float]]:
    """Best control steps per second of ours and of each way to run the peer."""
    ppo, rollout = config.ppo, config.ppo.control_steps // ITERATIONS
    same = {
        "n_epochs": ppo.epochs,
        "batch_size": rollout // ppo.mini_batches,
        "policy_kwargs": {"net_arch": list(ppo.hidden)},
    }
    peers = {
        "2 processes, its defaults": partial(_peer, config, folder, THREADS, {}),
        "8 processes, our settings": partial(_peer, config, folder, 4 * THREADS, same),
    }
    ours, best = 0.0, dict.fromkeys(peers, 0.0)
    for turn in range(ROUNDS):
        ours = max(ours, _ours(config, ingredients, folder / f"run_{turn}"))
        for which, measure in peers.items():
            best[which] = max(best[which], measure())
    return ours, best


def _ours(config: RlConfig, ingredients: Ingredients, folder: Path) -> float:
    training = RlTraining(METHOD, TASK, config, folder, 0, ingredients)
    began = time.perf_counter()
    training.run()
    return float(training.control_steps / (time.perf_counter() - began))


def _peer(config: RlConfig, folder: Path, processes: int, settings: dict[str, Any]) -> float:
    """stable-baselines3 with the same budget and the same length of rollouts."""
    budget = config.ppo.control_steps
    base = folder / HAND_ARM_FILE
    envs = SubprocVecEnv([partial(SingleGrasp, config, base, index) for index in range(processes)])
    try:
        steps = budget // ITERATIONS // processes
        model = PPO("MlpPolicy", envs, n_steps=steps, device="cpu", **settings)
        began = time.perf_counter()
        model.learn(budget)
        return model.num_timesteps / (time.perf_counter() - began)
    finally:
        envs.close()


def _shares(config: RlConfig, ingredients: Ingredients, folder: Path) -> dict[str, float]:
    """Parts of the wall time of one iteration of ours, after one that is not counted."""
    training = RlTraining(METHOD, TASK, config, folder / "shares", 0, ingredients)
    training.iterate()
    env, clock = training.env, Clock()
    watched = [
        (env.simulation.engine, "step", "physics"),
        (grasp_task, "compose", "commands_and_ik"),
        (grasp_task, "solve", "commands_and_ik"),
        (env.simulation, "finish_step", "reward_and_success"),
        (env.simulation, "reward_terms", "reward_and_success"),
        (env.simulation, "reset", "resets"),
        (env.simulation, "privileged", "observations"),
        (env, "get_observations", "observations"),
        (env.space, "decide", "push"),
        (training.ppo, "act", "actor"),
        (training.ppo, "update", "update"),
        (training.ppo, "compute_returns", "update"),
    ]
    with clock.watch(watched):
        clock.call("the_rest", training.iterate)
    total = sum(clock.seconds.values())
    parts = sorted(clock.seconds.items(), key=lambda part: -part[1])
    return {part: spent / total for part, spent in parts}


if __name__ == "__main__":
    for row in run():
        print(row)
