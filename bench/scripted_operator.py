"""What the scripted operator's corrections do for the shipped policy: grasps with and without.

In lockstep, in one process. A shifted cloud, as of a badly calibrated camera, makes the policy aim badly.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rfs_control.residual_bounds import ResidualBounds
from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.rollout import Rollout
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from rfs_teleop.correction import Corrector
from rfs_teleop.devices.config import DeviceConfig
from rfs_teleop.devices.scripted import Scene, ScriptedOperator
from rfs_teleop.statistics import describe_rate

from rfs_description import kinematics

SETTINGS = (  # object, shift of the cloud in m
    ("dumbbell", (0.0, 0.0, 0.0)),
    ("sphere", (0.03, 0.0, 0.0)),
    ("sphere", (0.04, 0.0, 0.0)),
)
EPISODES = 60
_FIRST_STAMP, _STEP = 10_000_000_000, 100_000_000  # ns


class CorrectedRollout(Rollout):
    """Episodes of a policy that sees a shifted cloud, corrected by an operator in each where there is one."""

    def __init__(self, policy: FlowPolicy, task: GraspTask, shift: Sequence[float], operators: int) -> None:
        super().__init__(policy, task)
        loaded = DeviceConfig.load("scripted")
        self._shift, self._bounds = np.array(shift, np.float32), ResidualBounds.load()
        self._operators = [ScriptedOperator(loaded, seed) for seed in range(operators)]
        self._corrector = Corrector(loaded.residual, self._bounds)
        self._stamp = _FIRST_STAMP
        self.ticks = self.corrected = 0

    def _actions(self, acting: NDArray[np.bool_], noise: list[np.random.Generator]) -> NDArray[np.float64]:
        task, clouds, states = self.task, self.task.clouds() + self._shift, self.task.state()
        actions = np.concatenate([np.zeros((task.num_envs, 6)), task.command.fingers], axis=1)
        palms, rotations = kinematics.forward(task.joint_positions[:, :7])
        for env in np.nonzero(acting)[0]:
            drawn = self.policy.draw_noise(noise[env])[None]
            output = self.policy.act(clouds[env : env + 1], states[env : env + 1], drawn)
            actions[env] = output.action[0, 0] + self._correction(env, palms[env], rotations[env])
        self._stamp += _STEP
        return actions

    def _correction(self, env: int, palm: NDArray, rotation: NDArray) -> NDArray[np.float32]:
        """The residual (22,) as the executor takes it."""
        self.ticks += 1
        if not self._operators:
            return np.zeros(DELTA_POSE.action_dim, np.float32)
        operator, task = self._operators[env], self.task
        seen = task.joint_positions[env, 7:], task.object_pose[0][env]
        operator.see(Scene(self._stamp, palm, rotation, *seen))
        residual = self._corrector.residual(operator.reading.axes)
        taken = self._bounds.allows(float(task.command.position[env, 2]))
        self.corrected += bool(taken and residual.any())
        return residual * np.float32(taken)


def run(episodes: int = EPISODES) -> list[dict]:
    """One figure for each setting: successes with the operator beside those without."""
    policy = FlowPolicy.load("default", DELTA_POSE, runtime="onnx")
    return [figure(policy, name, shift, episodes) for name, shift in SETTINGS]


def figure(policy: FlowPolicy, name: str, shift: tuple[float, float, float], episodes: int) -> dict:
    """Successes with and without the operator for one object and one shift of the cloud (m)."""
    began = time.monotonic()
    alone, _ = successes(policy, name, shift, episodes, operators=0)
    helped, share = successes(policy, name, shift, episodes, operators=episodes)
    rates = f"{describe_rate(helped, episodes)}, alone {describe_rate(alone, episodes)}"
    return {
        "name": f"operator.{name}_{round(shift[0] * 100)}cm_successes",
        "value": helped,
        "unit": f"of {episodes}",
        "goal": None,
        "holds": None,
        "peer": alone,
        "ratio": helped / max(alone, 1),
        "note": f"{rates}; {share:.0%} of the ticks corrected; {time.monotonic() - began:.0f} s",
    }


def successes(
    policy: FlowPolicy, name: str, shift: tuple[float, float, float], episodes: int, operators: int
) -> tuple[int, float]:
    """How many episodes succeed, and the share of their ticks that was corrected."""
    names = [name] * episodes
    rollout = CorrectedRollout(policy, GraspTask(TaskConfig.default(), episodes, names), shift, operators)
    trials = rollout.run(range(FIRST_SEED, FIRST_SEED + episodes), names)
    return sum(trial.success for trial in trials), rollout.corrected / rollout.ticks
