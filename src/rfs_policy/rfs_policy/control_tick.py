"""One tick of the policy node without ROS: newest inputs, when to act, and what to answer.

Stamps are ns (simulation time in lockstep, wall time in realtime), `now` is monotonic time in s. Inputs may
be set from other threads than the one that acts.
"""

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfs_policy.command_state import CommandState
from rfs_policy.measured_joints import MeasuredJoints
from rfs_policy.observation import crop, observed_cloud, proprioception
from rfs_policy.policy import FlowPolicy, PolicyOutput


@dataclass(frozen=True)
class Cloud:
    """Newest cloud: points (m, 3) in m, base frame; or `problem`, why it cannot be used."""

    stamp: int
    arrived: float
    points: NDArray[np.float32] | None
    problem: str = ""


@dataclass(frozen=True)
class Answer:
    """A decision for the observation of `stamp`; times in s, `output` for one robot (batch of 1).

    `joint_stamp` and `command_stamp` name the joint states and the command that entered the state, so that
    the observation can be rebuilt from a recording.
    """

    stamp: int
    joint_stamp: int
    command_stamp: int
    output: PolicyOutput
    inference_time: float
    observation_age: float


class PolicyTick:
    """Keeps the newest inputs and decides when the policy acts.

    In realtime it acts on whatever is newest, as long as it is fresh. In lockstep it acts once per stamp,
    when cloud, joints and the last command of that stamp are all there, and gives the same answer again when
    the observation is sent again; so nothing depends on how fast anything runs.

    Args:
        policy: acts for one robot.
        lockstep: inputs are gated by stamps instead of age.
        policy_seed: with each episode's seed, seeds the noise a0.
        max_age: in realtime, s: older clouds and joint states are not acted on.
    """

    def __init__(
        self, policy: FlowPolicy, lockstep: bool, policy_seed: int = 0, max_age: float = 0.25
    ) -> None:
        self.policy, self.lockstep, self.max_age = policy, lockstep, max_age
        self.policy_seed = policy_seed
        self.problem = "waiting for the first observation"
        self._lock = threading.Lock()
        self._joints = MeasuredJoints(None if lockstep else max_age)
        self._cloud: Cloud | None = None
        self._asked = False
        self._episode = 0
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin an episode: seed the noise, forget the last command and answer.

        Clouds and joint states stay: they carry stamps, and the first observation may have come before this.
        One that was answered in the last episode is not answered again unless it is sent again.
        """
        with self._lock:
            self._noise = np.random.default_rng([self.policy_seed, seed])
            self._command: CommandState | None = None
            self._answer: Answer | None = None
            self._episode += 1

    def take_cloud(self, cloud: Cloud) -> None:
        """A new cloud, or the same one again."""
        with self._lock:
            self._cloud, self._asked = cloud, True

    def take_joints(self, names: list[str], positions: list[float], stamp: int, now: float) -> None:
        """Joint states in any order."""
        with self._lock:
            self._joints.update(names, positions, stamp, now)

    def take_command(self, command: CommandState) -> None:
        """What the executor commands now."""
        with self._lock:
            self._command = command

    def act(self, now: float, present: int) -> Answer | None:
        """Decide if there is something to decide on; `present` is the time now in ns on the stamps' clock."""
        with self._lock:
            if self.lockstep and not self._asked:
                return None
            cloud, command = self._cloud, self._command
            self.problem = self._problem(now, present)
            if self.problem or cloud is None or cloud.points is None or command is None:
                return None
            self._asked = False
            if self._answered(cloud):
                return self._answer
            joints, joint_stamp = self._joints.positions.copy(), self._joints.stamp
            noise, episode = self.policy.draw_noise(self._noise)[None], self._episode
        answer = self._infer(cloud, joints, joint_stamp, command, noise, present)
        with self._lock:
            if episode != self._episode:  # reset meanwhile: this answers an observation of the last episode
                return None
            self._answer = answer
        return answer

    def _infer(
        self,
        cloud: Cloud,
        joints: NDArray,
        joint_stamp: int,
        command: CommandState,
        noise: NDArray[np.float32],
        present: int,
    ) -> Answer:
        began = time.perf_counter()
        assert cloud.points is not None
        points = observed_cloud(cloud.points, self.policy.layout.cloud_points, cloud.stamp)
        state = proprioception(joints, command.position, command.rotation, command.fingers)
        output = self.policy.act(points[None], state[None], noise)
        age = 0.0 if self.lockstep else (present - cloud.stamp) * 1e-9
        duration = time.perf_counter() - began
        return Answer(cloud.stamp, joint_stamp, command.stamp, output, duration, age)

    def _problem(self, now: float, present: int) -> str:
        """Why the policy cannot act now; empty when it can. The text changes only with the cause."""
        cloud, command = self._cloud, self._command
        if cloud is None:
            return "points: nothing received; is the simulator or camera running?"
        if cloud.problem:
            return cloud.problem
        if cloud.points is None or not len(crop(cloud.points)):
            return "points: nothing lies in the workspace; check the camera and its extrinsics"
        if not self.lockstep and now - cloud.arrived > self.max_age:
            return f"points: older than {self.max_age} s; is the camera still running?"
        if not self.lockstep and abs(present - cloud.stamp) > 1e9 * self.max_age:
            return f"points: stamped more than {self.max_age} s from now; are the clocks in step?"
        joints = self._joints.problem(now)
        if joints:
            return joints
        if self.lockstep and self._joints.stamp != cloud.stamp:
            return "waiting for joint states and points of one stamp"
        if command is None:
            return "waiting to be engaged"
        if not self.lockstep and command.latched and min(cloud.stamp, self._joints.oldest) < command.stamp:
            return "waiting for points and joint states since it was engaged"  # older: perhaps another scene
        answerable = self._answered(cloud) or command.precedes(cloud.stamp, 1.0 / self.policy.layout.rate_hz)
        return "waiting for the executor's command" if self.lockstep and not answerable else ""

    def _answered(self, cloud: Cloud) -> bool:
        """Whether this observation was answered before, in lockstep."""
        return self.lockstep and self._answer is not None and self._answer.stamp == cloud.stamp
