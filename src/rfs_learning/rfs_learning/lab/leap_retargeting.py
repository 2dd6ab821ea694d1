"""From a human hand to the LEAP hand: finger joints by dex-retargeting's vector optimizer (Qin et al.,
AnyTeleop, RSS 2023), and the palm so that the fingertips are where the person's were.

Matched are the vectors from each finger's root to its tip, scaled by how much longer the LEAP's fingers are,
and those from the thumb's tip to the other tips. The latter keep their true length where the hand closes, or
a pinch would stop short of the object.
"""

import importlib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_description.robot import ARM_HOME, FINGERTIPS, HAND_JOINTS
from rfs_description.urdf import FILE

from rfs_description import kinematics
from rfs_learning.lab.hand_keypoints import THUMB_TIP, palm_frame

Array = NDArray[np.float64]

# Joint bodies of the robot from root to tip beside the keypoints of the person, finger by finger.
_CHAINS = (
    (("leap_if_bs", "leap_if_md", "leap_if_ds", "leap_if_tip"), (5, 6, 7, 8)),
    (("leap_mf_bs", "leap_mf_md", "leap_mf_ds", "leap_mf_tip"), (9, 10, 11, 12)),
    (("leap_rf_bs", "leap_rf_md", "leap_rf_ds", "leap_rf_tip"), (13, 14, 15, 16)),
    (("leap_th_mp", "leap_th_px", "leap_th_ds", "leap_th_tip"), (1, 2, 3, 4)),
)
_TIPS = (8, 12, 16, THUMB_TIP)
_CLOSED, _OPEN = 0.03, 0.09  # m between thumb and fingertip: from true to scaled lengths


class LeapRetargeting:
    """Turns keypoints of one recording, frame after frame, into commands; each starts from the last."""

    def __init__(self) -> None:
        self._solver = _solver()
        self._robot = self._solver.optimizer.robot
        self._palm, self._palm_axes = kinematics.forward(ARM_HOME)
        flat = self._positions(np.zeros(len(HAND_JOINTS)))
        self._lengths = np.array([_length(np.stack([flat[n] for n in names])) for names, _ in _CHAINS])

    def retarget(self, keypoints: Array) -> tuple[Array, Array, Array]:
        """Fingers (T, 16) in rad, palm positions (T, 3) in m and axes (T, 3, 3) for hands (T, 21, 3)."""
        middle, axes = palm_frame(keypoints)
        local = np.einsum("tij,tkj->tki", axes.transpose(0, 2, 1), keypoints - middle[:, None])
        human = [np.median([_length(hand[list(points)]) for hand in local]) for _, points in _CHAINS]
        scales = self._lengths / np.array(human)
        fingers, centers = [], []
        for hand in local:
            fingers.append(self._solve(_vectors(hand, scales)))
            centers.append(self._center(fingers[-1]))
        taken = keypoints[:, [8, 12, THUMB_TIP]].mean(axis=1)
        palm = taken - np.einsum("tij,tj->ti", axes, np.array(centers))
        return np.array(fingers), palm, axes

    def _solve(self, vectors: Array) -> Array:
        turned = vectors @ self._palm_axes.T  # the optimizer works in the frame of the robot's foot
        joints = self._solver.retarget(turned, fixed_qpos=ARM_HOME)
        order = [self._robot.dof_joint_names.index(joint) for joint in HAND_JOINTS]
        return np.asarray(joints, np.float64)[order]

    def _center(self, fingers: Array) -> Array:
        """Mean of the tips of index, middle finger and thumb in the palm frame (3,), m."""
        found = self._positions(fingers)
        return np.mean([found[FINGERTIPS[i]] for i in (0, 1, 3)], axis=0)

    def _positions(self, fingers: Array) -> dict[str, Array]:
        """Positions in the palm frame (3,) of the bodies in _CHAINS, m."""
        names = self._robot.dof_joint_names
        joints = np.zeros(len(names))
        joints[[names.index(f"fr3_joint{i}") for i in range(1, 8)]] = ARM_HOME
        joints[[names.index(joint) for joint in HAND_JOINTS]] = fingers
        self._robot.compute_forward_kinematics(joints)
        found = {}
        for body in (body for bodies, _ in _CHAINS for body in bodies):
            place = self._robot.get_link_pose(self._robot.get_link_index(body))[:3, 3]
            found[body] = self._palm_axes.T @ (place - self._palm)
        return found


def _vectors(hand: Array, scales: Array) -> Array:
    """(7, 3) m: root to tip of the four fingers, thumb's tip to the other three."""
    along = [s * (hand[points[-1]] - hand[points[0]]) for s, (_, points) in zip(scales, _CHAINS, strict=True)]
    across = np.stack([hand[tip] - hand[THUMB_TIP] for tip in _TIPS[:3]])
    distance = np.linalg.norm(across, axis=1, keepdims=True)
    share = np.clip((distance - _CLOSED) / (_OPEN - _CLOSED), 0.0, 1.0)
    return np.concatenate([along, across * (1.0 + share * (scales.mean() - 1.0))])


def _length(points: Array) -> float:
    """m along a chain of points (k, 3)."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _solver() -> Any:
    try:
        config = importlib.import_module("dex_retargeting.retargeting_config").RetargetingConfig
    except ModuleNotFoundError as error:
        raise ValueError(
            f"hands need the package '{error.name}': run "
            "`.venv/bin/pip install -r requirements-retargeting.txt`"
        ) from error
    roots, tips = [bodies[0] for bodies, _ in _CHAINS], [bodies[-1] for bodies, _ in _CHAINS]
    settings = config(
        type="vector",
        urdf_path=os.fspath(FILE),
        target_joint_names=list(HAND_JOINTS),
        target_origin_link_names=roots + [tips[3]] * 3,
        target_task_link_names=tips + tips[:3],
        target_link_human_indices=np.zeros((2, 7), int),  # given as vectors, so not looked up
        normal_delta=1e-3,
        low_pass_alpha=1.0,  # recordings are not filtered: it would delay them
    )
    return settings.build()
