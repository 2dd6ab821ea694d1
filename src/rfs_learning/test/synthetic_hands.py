"""Human hands made of the robot's own: keypoints where the joints and tips of a LEAP hand are."""

import mujoco
import numpy as np
from numpy.typing import NDArray
from rfs_description.mjcf import robot_spec
from rfs_description.robot import PALM_SITE

_BODIES = {
    "th": ("leap_th_mp", "leap_th_px", "leap_th_ds"),
    **{f: tuple(f"leap_{f}_{part}" for part in ("bs", "md", "ds")) for f in ("if", "mf", "rf")},
}


def hands(joints: NDArray, size: float = 1.0) -> NDArray:
    """Keypoints (T, 21, 3), base frame, of a hand `size` times as large as the robot's, whose palm is where
    that of a robot with joints (T, 23) is."""
    model = robot_spec().compile()
    data, frames = mujoco.MjData(model), []
    for row in joints:
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        frames.append(_hand(data, size))
    return np.array(frames)


def _hand(data: mujoco.MjData, size: float) -> NDArray:
    palm, axes = data.site(PALM_SITE).xpos, data.site(PALM_SITE).xmat.reshape(3, 3)
    points = np.zeros((21, 3))
    for finger, (name, bodies) in enumerate(_BODIES.items()):
        chain = [*(data.body(b).xpos for b in bodies), data.site(f"leap_{name}_tip").xpos]
        points[1 + 4 * finger : 5 + 4 * finger] = chain
    points[17:] = points[13:17] + 0.04 * axes[:, 1]
    points[0] = points[9] - 0.09 / size * axes[:, 0]  # 9 cm, as a person's
    return palm + size * (points - palm)


def as_openxr(keypoints: NDArray) -> NDArray:
    """The same hands (T, 21, 3) as OpenXR's 26 joints (T, 26, 7): position, quaternion."""
    joints = np.zeros((len(keypoints), 26, 7))
    joints[..., 6] = 1.0
    order = [1, 2, 3, 4, 5, *range(7, 11), *range(12, 16), *range(17, 21), *range(22, 26)]
    joints[:, order, :3] = keypoints
    joints[:, 0, :3] = keypoints[:, [0, 9]].mean(axis=1)
    for metacarpal, root in ((6, 5), (11, 9), (16, 13), (21, 17)):
        joints[:, metacarpal, :3] = keypoints[:, [0, root]].mean(axis=1)
    return joints
