"""Everything random about an episode, drawn from its seed before it starts (paper, appendix A.2.1)."""

from dataclasses import dataclass

import numpy as np
from rfs_description.robot import ARM_HOME, ARM_LOWER, ARM_UPPER, HAND_HOME, HAND_LOWER, HAND_UPPER

from rfs_sim_bridge.engine import Array, Start
from rfs_sim_bridge.objects import ObjectSpec
from rfs_sim_bridge.task_config import ActuationConfig, DisturbanceConfig, TaskConfig

_DROP = 0.001  # m: objects start a little over the table
# Each factor has its own stream, so that changing one leaves the others as they were.
_STREAMS = ("robot", "object", "physics", "disturbance", "camera", "picture", "viewpoint", "actuation")


@dataclass(frozen=True)
class Episode:
    """Draws of one episode.

    disturbance: (max_steps, 23) N m, added to the joints during each control step.
    camera_positions: (c, 3) m, base frame, where a perfect calibration would find the cameras.
    camera_translation (c, 3) m and camera_rotation (c, 3) rotation vectors, rad: errors of the camera poses.
    cloud_key: picks the rays and the depth noise of each frame.
    picture_translation, picture_rotation (3,), picture_key: the same for the camera that takes pictures.
    latency, hand_lag: s, of the motors (`actuation.Actuation`).
    """

    start: Start
    disturbance: Array
    camera_positions: Array
    camera_translation: Array
    camera_rotation: Array
    cloud_key: int
    picture_translation: Array
    picture_rotation: Array
    picture_key: int
    latency: float
    hand_lag: float


def draw(seed: int, spec: ObjectSpec, config: TaskConfig) -> Episode:
    """The episode of a seed (>= 0). Equal seed, object and config give equal arrays, bit for bit."""
    streams = np.random.SeedSequence(int(seed)).spawn(len(_STREAMS))
    rng = {name: np.random.default_rng(s) for name, s in zip(_STREAMS, streams, strict=True)}
    position, quaternion = _object_pose(rng["object"], spec, config)
    reset, cloud, camera = config.reset, config.cloud, config.camera
    start = Start(
        object=spec,
        joint_positions=_joints(rng["robot"], reset.arm_std, reset.hand_std),
        object_position=position,
        object_quaternion=quaternion,
        mass_scale=float(rng["physics"].uniform(*reset.mass_scale)),
        friction_scale=float(rng["physics"].uniform(*reset.friction_scale)),
    )
    cameras = len(cloud.cameras)
    spread = cloud.camera_spread * rng["viewpoint"].uniform(-1.0, 1.0, (cameras, 3))
    shift, turn = config.shift.camera_errors(cloud.cameras + spread)
    latency, hand_lag = _delays(rng["actuation"], config.actuation)
    return Episode(
        start=start,
        disturbance=_pulses(rng["disturbance"], config.max_steps, config.disturbance),
        camera_positions=cloud.cameras + spread,
        camera_translation=shift + cloud.extrinsics_translation * rng["camera"].standard_normal((cameras, 3)),
        camera_rotation=turn + cloud.extrinsics_rotation * rng["camera"].standard_normal((cameras, 3)),
        cloud_key=int(rng["camera"].integers(2**62)),
        picture_translation=camera.extrinsics_translation * rng["picture"].standard_normal(3),
        picture_rotation=camera.extrinsics_rotation * rng["picture"].standard_normal(3),
        picture_key=int(rng["picture"].integers(2**62)),
        latency=config.shift.latency + latency,
        hand_lag=config.shift.hand_lag + hand_lag,
    )


def _joints(rng: np.random.Generator, arm_std: float, hand_std: float) -> Array:
    noise = np.clip(rng.standard_normal(23), -2.0, 2.0)
    arm = np.clip(ARM_HOME + arm_std * noise[:7], ARM_LOWER + 0.05, ARM_UPPER - 0.05)
    hand = np.clip(HAND_HOME + hand_std * noise[7:], HAND_LOWER, HAND_UPPER)
    return np.concatenate([arm, hand])


def _object_pose(rng: np.random.Generator, spec: ObjectSpec, config: TaskConfig) -> tuple[Array, Array]:
    x, y = rng.uniform(*config.reset.object_x), rng.uniform(*config.reset.object_y)
    half = 0.5 * rng.uniform(-np.pi, np.pi)
    position = np.array([x, y, spec.rest_height + _DROP])
    return position, _turn(np.cos(half), np.sin(half), spec.rest_quaternion)


def _turn(w: float, z: float, quaternion: tuple[float, float, float, float]) -> Array:
    """Rotate a quaternion (xyzw) about the vertical by the quaternion (0, 0, z, w)."""
    a, b, c, d = quaternion
    return np.array([w * a - z * b, w * b + z * a, w * c + z * d, w * d - z * c])


def _delays(rng: np.random.Generator, config: ActuationConfig) -> tuple[float, float]:
    """Latency and lag of the fingers, s."""
    latency, hand_lag = float(rng.uniform(*config.latency)), float(rng.uniform(*config.hand_lag))
    return (latency, hand_lag) if rng.random() < config.share else (0.0, 0.0)


def _pulses(rng: np.random.Generator, steps: int, config: DisturbanceConfig) -> Array:
    """(steps, 23) torques: a pulse of one control step on all joints, then a pause of random length."""
    scale = np.repeat([config.arm_torque, config.hand_torque], [7, 16])
    torques = np.zeros((steps, 23))
    low, high = config.interval
    gaps = rng.integers(low, high + 1, size=steps)
    pulses = rng.standard_normal((steps, 23))
    when = np.cumsum(gaps)
    when = when[when < steps]
    torques[when] = scale * pulses[: len(when)]
    return torques
