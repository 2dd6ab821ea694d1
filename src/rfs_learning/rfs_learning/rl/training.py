"""PPO over a modulated base policy: `./rfs train rl --method rfs_hand --task power --output runs/rl`."""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rfs_policy.checkpoint import write_atomically
from rich.progress import Progress
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from rfs_learning.diverged import DivergedError
from rfs_learning.flow_state import require_state
from rfs_learning.interrupt import Interrupt
from rfs_learning.rl.ingredients import Ingredients
from rfs_learning.rl.methods import make_space
from rfs_learning.rl.modulated_env import ModulatedGrasp
from rfs_learning.rl.policy import FILE_NAME, SteeredPolicy
from rfs_learning.rl.ppo import make_actor, make_ppo
from rfs_learning.rl.rl_config import RlConfig, RlTask
from rfs_learning.rl.training_state import restore_state, save_state
from rfs_learning.run_identity import RUN_FILE, require_same_run
from rfs_learning.training_run import CONFIG_FILE, METRICS_FILE, forget_metrics

_SAVE_EVERY = 10  # iterations


@dataclass(frozen=True)
class Iteration:
    """One line of metrics.jsonl.

    success: share of the environments' first episodes, with sampled choices; reward: mean of a choice,
    scaled; std: mean deviation of the actor; seconds: since this sitting began, evaluations included.
    """

    iteration: int
    control_steps: int
    episodes: int
    success: float
    reward: float
    value_loss: float
    learning_rate: float
    std: float
    seconds: float


class RlTraining:
    """One run, in one folder. An iteration is one whole episode in every environment and PPO's update on it.

    Every iteration restarts environments and generators from (seed, iteration): a resumed run equals an
    uninterrupted one bit for bit.
    """

    def __init__(
        self,
        method: str,
        task: str,
        config: RlConfig,
        folder: Path,
        seed: int,
        ingredients: Ingredients,
        resume: bool = False,
    ) -> None:
        self.method, self.task, self.config, self.folder, self.seed = method, task, config, folder, seed
        chosen: RlTask = config.task(task)
        self.space = make_space(method, config, chosen, ingredients)
        self._identity = self._identify()
        torch.manual_seed(seed)
        self.env = ModulatedGrasp(self.space, chosen, config.ppo, config.steering.residual_cost, seed)
        self.ppo = make_ppo(self.env, config.ppo)
        self.ppo.train_mode()
        self.iteration = self.control_steps = 0
        self.interrupted = False
        self._begin_folder(resume)
        self._started = time.monotonic()

    def run(self, until: int | None = None, progress: Progress | None = None) -> None:
        """Train until `until` control steps (the budget by default); an interrupt saves and ends early.

        Raises:
            DivergedError: a number is no longer finite.
        """
        last = self.config.ppo.control_steps if until is None else until
        interrupted = Interrupt()
        try:
            self._iterate_until(last, interrupted, progress)
            self.save()
        finally:
            interrupted.restore()
        self.interrupted = interrupted.seen

    def _iterate_until(self, last: int, interrupted: Interrupt, progress: Progress | None) -> None:
        bar = progress.add_task(f"{self.method} {self.task}", total=last) if progress else None
        with SummaryWriter(str(self.folder), purge_step=self.control_steps) as board:
            while self.control_steps < last and not interrupted.seen:
                self._record(self.iterate(), board)
                if progress and bar is not None:
                    progress.update(bar, completed=self.control_steps)
                if self.iteration % _SAVE_EVERY == 0:
                    self.save()

    def iterate(self) -> Iteration:
        """One episode in every environment, and PPO's update."""
        self._seed_iteration()
        self.env.begin(self.iteration)
        reward = self._roll_out()
        losses = self._update()
        self.iteration += 1
        env = self.env
        self.control_steps += env.num_envs * env.decisions * self.space.execute
        self._tell_progress()
        return Iteration(
            iteration=self.iteration,
            control_steps=self.control_steps,
            episodes=env.ended,
            success=env.succeeded / max(env.ended, 1),
            reward=reward,
            value_loss=losses["value"],
            learning_rate=self.ppo.learning_rate,
            std=float(self.ppo.actor.output_std.detach().mean()),
            seconds=time.monotonic() - self._started,
        )

    def policy(self) -> SteeredPolicy:
        """The modulation as it is now, on its own copy of the weights."""
        actor = make_actor(self.ppo.actor.obs_dim, self.space, self.config.ppo.hidden)
        actor.load_state_dict(self.ppo.actor.state_dict())
        return SteeredPolicy(self.method, self.task, self.config, self.space, actor)

    def save(self) -> None:
        """Write the policy and what a resumed run needs, each by renaming."""
        self.policy().save(self.folder / FILE_NAME)
        save_state(self.folder, self.ppo, self.iteration, self.control_steps)

    def _roll_out(self) -> float:
        """Fill PPO's storage; returns the mean reward of a choice."""
        observation, rewards = self.env.get_observations(), []
        with torch.inference_mode():
            for _ in range(self.env.decisions):
                choice = self.ppo.act(observation)
                self._require_finite({"policy's choice": choice})
                observation, reward, done, extras = self.env.step(choice)
                seen = {"reward": reward, **dict(observation.items())}
                self._require_finite({f"environment's {name}": value for name, value in seen.items()})
                self.ppo.process_env_step(observation, reward, done, extras)
                rewards.append(reward.mean())
            self.ppo.compute_returns(observation)
        if not torch.isfinite(self.ppo.storage.returns).all():
            raise self._diverged("the critic's value")
        return float(torch.stack(rewards).mean())

    def _update(self) -> dict[str, float]:
        try:
            losses = self.ppo.update()
        except RuntimeError:  # torch refuses to draw from a Gaussian that is not finite
            self._require_finite_weights()
            raise
        for what, value in losses.items():
            if not math.isfinite(value):
                raise self._diverged(f"PPO's {what} loss")
        self._require_finite_weights()
        return losses

    def _tell_progress(self) -> None:
        self.space.progress(self.control_steps / self.config.ppo.control_steps)

    def _seed_iteration(self) -> None:
        words = np.random.SeedSequence([self.seed, self.iteration, 2])
        torch.manual_seed(int(words.generate_state(1)[0]))

    def _require_finite(self, values: Mapping[str, Tensor]) -> None:
        for what, value in values.items():
            if not torch.isfinite(value).all():
                raise self._diverged(f"the {what}")

    def _require_finite_weights(self) -> None:
        for network in ("actor", "critic"):
            weights = getattr(self.ppo, network).named_parameters()
            self._require_finite({f"{network}'s weight {name}": weight for name, weight in weights})

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} is no longer finite in iteration {self.iteration}: the checkpoint in {self.folder} is "
            "from before, and going on from it would end here again: begin another run, with another seed or "
            "a lower ppo.learning_rate"
        )

    def _begin_folder(self, resume: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume:
            require_state(self.folder)
            require_same_run(self.folder, self._identity)
            self.iteration, self.control_steps = restore_state(self.folder, self.ppo)
            forget_metrics(self.folder / METRICS_FILE, self.iteration, "iteration")
        elif (self.folder / METRICS_FILE).exists():
            raise ValueError(
                f"'{self.folder}' holds a run already: go on with --resume, or choose another --output"
            )
        for name, values in ((CONFIG_FILE, self.config.to_dict()), (RUN_FILE, self._identity)):
            write_atomically(self.folder / name, (json.dumps(values, indent=2) + "\n").encode())
        self._tell_progress()
        if not resume:
            self.save()  # so that there is something to go on from, whenever the run ends

    def _identify(self) -> dict[str, Any]:
        """All that may not differ; the budget may grow where nothing depends on it. The space: its base, or
        what was fitted instead."""
        settings = self.config.deciding(self.task)
        if not self.space.paced:
            settings["ppo"].pop("control_steps")
        space = hashlib.sha256(save_tensors(self.space.state_dict())).hexdigest()
        return {"method": self.method, "task": self.task, "seed": self.seed, "space": space, **settings}

    def _record(self, entry: Iteration, board: SummaryWriter) -> None:
        values = asdict(entry)
        with (self.folder / METRICS_FILE).open("a") as stream:
            stream.write(json.dumps(values) + "\n")
        for name, value in values.items():
            board.add_scalar(name, value, entry.control_steps)
