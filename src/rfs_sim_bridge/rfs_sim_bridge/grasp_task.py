"""The grasp task: n episodes side by side, stepped by palm deltas and finger targets or by composed
commands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rfs_control.command import Command, compose
from rfs_control.inverse_kinematics import solve
from rfs_control.limits import Limit, Limits
from rfs_policy.observation import proprioception

from rfs_description import kinematics
from rfs_sim_bridge import feasibility, observations, rewards
from rfs_sim_bridge.actuation import Actuation
from rfs_sim_bridge.camera_noise import Exposure
from rfs_sim_bridge.cloud import CloudCaster
from rfs_sim_bridge.engine import Array, Engine
from rfs_sim_bridge.engines import make_engine
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.interpenetration import interpenetration
from rfs_sim_bridge.linear_motion import LinearMotion
from rfs_sim_bridge.objects import ObjectSpec, find_objects
from rfs_sim_bridge.snapshot import Snapshot
from rfs_sim_bridge.step_result import StepResult
from rfs_sim_bridge.task_config import TaskConfig


class GraspTask:
    """Grasp and lift one object per environment.

    An episode follows from (seed, object, config) bit for bit, whatever runs beside it. Environment i gets
    `objects[i % len(objects)]` (all training objects by default) unless `reset` says otherwise.
    """

    def __init__(
        self,
        config: TaskConfig | None = None,
        num_envs: int = 1,
        objects: Sequence[str] | None = None,
        threads: int = 2,
        engine: Engine | None = None,
    ):
        self.config = config or TaskConfig.default()
        self.num_envs = num_envs
        chosen = find_objects(objects)
        self.objects: list[ObjectSpec] = [chosen[i % len(chosen)] for i in range(num_envs)]
        self.engine = engine or make_engine(self.config, num_envs, threads)
        self.limits = Limits.load(period=self.config.period).slowed(self.config.speed)
        self._caster = CloudCaster(self.config.cloud, num_envs, threads)
        self._exposures: dict[int, Exposure] = {}
        self._disturbance = np.zeros((num_envs, self.config.max_steps, 23))
        self._motion = LinearMotion(num_envs, self.config.substeps)
        self._actuation = _actuation(self.config, num_envs)
        self.command = self._composed = Command.from_joints(np.zeros((num_envs, 23)))
        self.steps, self._ticks, self._held = (np.zeros(num_envs, np.int64) for _ in range(3))
        self._rest = np.zeros((num_envs, 3))
        self._at_limit, self.success = np.zeros(num_envs, bool), np.zeros(num_envs, bool)
        self.reset(np.arange(num_envs))

    # ---- episodes ----
    def reset(
        self,
        seeds: Sequence[int] | NDArray,
        objects: Sequence[str] | None = None,
        env_ids: Sequence[int] | NDArray | None = None,
    ) -> None:
        """Begin episodes with these seeds, one per environment of env_ids (all by default)."""
        ids = np.arange(self.num_envs) if env_ids is None else np.asarray(env_ids, np.intp)
        if len(seeds) != len(ids):
            raise ValueError(f"{len(ids)} environments need {len(ids)} seeds, got {len(seeds)}")
        known = [self.objects[env] for env in ids] if objects is None else find_objects(objects)
        chosen = [known[index % len(known)] for index in range(len(ids))]
        episodes = [draw(seed, spec, self.config) for seed, spec in zip(seeds, chosen, strict=True)]
        self.engine.reset(ids, [e.start for e in episodes])  # may refuse an object: then nothing has changed
        for env, episode in zip(ids, episodes, strict=True):
            self.objects[env] = episode.start.object
            self._disturbance[env] = episode.disturbance
            self._caster.reset(int(env), episode)
            self._exposures[int(env)] = Exposure.of(episode, self.config.camera, self.config.shift)
            self._rest[env] = episode.start.object_position
            self._rest[env, 2] = episode.start.object.rest_height
        delays = np.array([(episode.latency, episode.hand_lag) for episode in episodes]).reshape(-1, 2)
        self._actuation.begin(ids, *delays.T)
        for counter in (self.steps, self._ticks, self._held):
            counter[ids] = 0
        self.success[ids] = self._at_limit[ids] = False
        self._latch(ids)

    def _latch(self, ids: NDArray) -> None:
        """The command is where the robot is."""
        joints = self.engine.state.joint_positions[ids]
        self._motion.latch(ids, joints)
        self._actuation.latch(ids, joints)
        latched, old = Command.from_joints(joints), self._composed
        parts = (old.position.copy(), old.rotation.copy(), old.fingers.copy())
        for part, new in zip(parts, (latched.position, latched.rotation, latched.fingers), strict=True):
            part[ids] = new
        self._composed = Command(*parts)
        self.command = self._composed.as_sent()

    # ---- stepping ----
    def step(self, action: Array) -> StepResult:
        """Compose actions (n, 22) with the last command, within limits, and simulate one control period."""
        executed, flags = self.begin_step(action)
        self.advance(self.config.substeps)
        self.finish_step()
        return self.result(executed, flags)

    def begin_step(self, action: Array) -> tuple[Array, NDArray[np.uint32]]:
        """Aim at the command that actions (n, 22) make of the last one; then `advance` (or simulate what
        `next_drive` gives), `finish_step`, and `result` of what this returns: as in a StepResult."""
        command, executed, flags = compose(self._composed, np.asarray(action, np.float64), self.limits)
        self.track(command.as_sent())
        self._composed = command
        return executed, flags | (self._at_limit * np.uint32(Limit.ARM_JOINT))

    def limited(self, action: Array) -> Array:
        """What the limits leave of actions (n, 22) now, as `step` would execute them; nothing moves."""
        return compose(self._composed, np.asarray(action, np.float64), self.limits)[1]

    def result(self, executed: Array, flags: NDArray[np.uint32]) -> StepResult:
        """Of the control step that has just been finished."""
        done = self.success | (self.steps >= self.config.max_steps) | self.engine.state.unstable
        return StepResult(rewards.total(self.reward_terms()), self.success.copy(), done, executed, flags)

    def apply(self, command: Command) -> None:
        """Simulate one control period towards a command; updates success."""
        self.track(command)
        self.advance(self.config.substeps)
        self.finish_step()

    def track(self, command: Command) -> None:
        """Take a new command: solve for joint targets, to be reached linearly over one control period."""
        self.command = self._composed = command
        arm, self._at_limit = solve(self.joint_targets[:, :7], command.position, command.rotation)
        self._motion.aim(np.concatenate([arm, command.fingers], axis=1))

    def advance(self, substeps: int) -> None:
        """Simulate some physics steps of the current control period (then towards the same targets)."""
        self.drive(self._motion.advance(substeps))

    def drive(self, targets: Array) -> None:
        """Simulate as many physics steps as there are joint targets (n, substeps, 23), rad."""
        self.engine.step(*self._driven(targets))

    def next_drive(self, substeps: int) -> tuple[Array, Array]:
        """For whoever simulates by itself: targets (n, substeps, 23) rad and torques N m of the next physics
        steps, as `engine.step` takes them."""
        return self._driven(self._motion.advance(substeps))

    def _driven(self, targets: Array) -> tuple[Array, Array]:
        pulse = self._pulses()
        self._ticks += targets.shape[1]
        return self._actuation.reach(targets), np.broadcast_to(pulse[:, None], targets.shape)

    def finish_step(self) -> None:
        """Close the control period: count it and judge success."""
        self.steps += 1
        success = self.config.success
        good = (self.lift >= success.lift) & ~self.engine.state.unstable
        good &= np.linalg.norm(self.object_velocity[:, :3], axis=1) < success.max_object_speed
        if good.any():
            good[good] = self.feasible(good)
        self._held = np.where(good, self._held + 1, 0)
        self.success = self.success | (self._held >= self.config.hold_steps)

    def _pulses(self) -> Array:
        """Disturbing torques (n, 23) of this control step; none after the longest episode."""
        last = self.config.max_steps - 1
        pulses = self._disturbance[np.arange(self.num_envs), np.minimum(self.steps, last)]
        return np.where((self.steps <= last)[:, None], pulses, 0.0)

    # ---- quantities ----
    @property
    def joint_targets(self) -> Array:
        """(n, 23) where the last command leads to, rad."""
        return self._motion.targets

    @property
    def joint_positions(self) -> Array:
        """(n, 23) measured, rad."""
        return self.engine.state.joint_positions

    @property
    def joint_velocities(self) -> Array:
        """(n, 23) measured, rad/s."""
        return self.engine.state.joint_velocities

    @property
    def time(self) -> Array:
        """(n,) simulated seconds since each reset."""
        return self._ticks.astype(np.float64) * self.config.timestep

    @property
    def object_pose(self) -> tuple[Array, Array]:
        """Position (n, 3) m and quaternion (n, 4) xyzw in the base frame."""
        return self.engine.state.object_position, self.engine.state.object_quaternion

    @property
    def object_velocity(self) -> Array:
        """(n, 6) linear m/s, angular rad/s."""
        return self.engine.state.object_velocity

    @property
    def lift(self) -> Array:
        """(n,) m over the object's rest height."""
        return self.engine.state.object_position[:, 2] - self._rest[:, 2]

    @property
    def target_position(self) -> Array:
        """(n, 3) m: where the object should end, above where it stood."""
        return self._rest + np.array([0.0, 0.0, rewards.TARGET_LIFT])

    def joint_margin(self) -> Array:
        """(n,) rad to the nearest arm joint limit."""
        return feasibility.joint_margin(self.joint_positions)

    def interpenetration(self) -> Array:
        """(n,) m, deepest overlap between different fingers' links."""
        return interpenetration(self.joint_positions[:, 7:])

    def feasible(self, envs: NDArray[np.bool_] | slice = slice(None)) -> NDArray[np.bool_]:
        """Of these environments: the arm is away from its limits and the fingers do not sink into each
        other."""
        return feasibility.feasible(self.joint_positions[envs], self.config.success)

    def reward_terms(self) -> dict[str, Array]:
        """Unweighted reward terms by name, each (n,)."""
        margin, lifted = self.joint_margin(), self.config.success.lift
        return rewards.terms(self.engine.state, self.objects, self.lift, margin, lifted)

    # ---- observations ----
    def state(self) -> NDArray[np.float32]:
        """(n, 48) proprioceptive state, as the policy node sees it."""
        command = self.command
        return proprioception(self.joint_positions, command.position, command.rotation, command.fingers)

    def clouds(self) -> NDArray[np.float32]:
        """(n, points, 3) m, base frame: cropped to the workspace, without the table, finite."""
        palm, rotation = kinematics.forward(self.joint_positions[:, :7])
        return self._caster.cast(self.engine, palm, rotation, self._ticks)

    def exposure(self, env: int = 0) -> Exposure:
        """How one environment's camera errs in this frame, for `camera_noise`."""
        return self._exposures[env].at(int(self._ticks[env]))

    def snapshot(self, env: int = 0) -> Snapshot:
        """The present pose of one environment, for `camera` and `render`."""
        state = self.engine.state
        pose = (state.joint_positions, state.object_position, state.object_quaternion)
        return Snapshot(self.objects[env].name, *(part[env].copy() for part in pose))

    def privileged(self) -> NDArray[np.float32]:
        """(n, p) what only a simulator knows; columns are `observations.PRIVILEGED_NAMES`."""
        return observations.privileged(self.engine.state, self.state(), self.target_position)


def _actuation(config: TaskConfig, num_envs: int) -> Actuation:
    """With room for the longest latency that an episode may have."""
    latency, hand_lag = config.actuation.latency[1], config.actuation.hand_lag[1]
    shift = config.shift
    return Actuation(num_envs, config.timestep, shift.latency + latency, shift.hand_lag + hand_lag)
