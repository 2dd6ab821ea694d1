"""Terms of the three-stage grasp reward as functions of batched arrays (paper, appendix A.2.1).

Stage one draws palm and fingers to the object, stage two asks for a stable hold by thumb, fingers and palm,
stage three lifts it to the target height. Unsafe behavior costs: lifting too high, arm joints at their
limits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rfs_description import kinematics
from rfs_sim_bridge.engine import Array, EngineState
from rfs_sim_bridge.objects import ObjectSpec

TARGET_LIFT = 0.25  # m
_FREE_LIFT = 0.35  # m: above this, lifting is excessive
GRASP_SPOTS = {"power": (0.0, 0.0, 0.0), "pinch": (-0.064, -0.0125, 0.079)}
"""Where the hand takes an object, m in the palm frame: a pinch does it between the fingertips."""
GRASP_FINGERS = {"power": (1.0, 1.0, 1.0, 1.0), "pinch": (1.0, 1.0, 0.0, 1.0)}
"""Fingers that take part, in the order of the contact flags: a pinch leaves the ring finger out."""
WEIGHTS = {
    "palm_proximity": 0.15,
    "finger_proximity": 0.15,
    "touch": 0.05,
    "hold": 0.10,
    "lift": 1.00,
    "lifted": 1.00,
    "excessive_lift": -0.50,
    "joint_limits": -0.20,
}


def palm_proximity(spot: Array, object_position: Array) -> Array:
    """(n,) in 0..1: 1 where the hand's grasp spot (n, 3) and the object (n, 3) meet."""
    return 1.0 - np.tanh(6.0 * np.linalg.norm(spot - object_position, axis=-1))


def finger_proximity(fingertips: Array, object_position: Array, taking: Array) -> Array:
    """(n,) in 0..1: mean over those fingertips (n, 4, 3) that take part, `taking` (n, 4) of 0 or 1; 1 within
    3 cm of the object's origin."""
    distance = np.linalg.norm(fingertips - object_position[:, None], axis=-1)
    far = taking * np.maximum(distance - 0.03, 0.0)
    return 1.0 - np.tanh(8.0 * far.sum(-1) / taking.sum(-1))


def touch(contacts: NDArray[np.bool_]) -> Array:
    """(n,) in 0..1: share of fingers and palm that touch the object; contacts (n, 5)."""
    return contacts.mean(-1)


def hold(contacts: NDArray[np.bool_]) -> Array:
    """(n,) 0 or 1: the thumb opposes at least one finger."""
    return (contacts[:, 3] & contacts[:, :3].any(-1)).astype(np.float64)


def lift_progress(lift: Array, contacts: NDArray[np.bool_]) -> Array:
    """(n,) in 0..1: height (n,) m relative to the target while the hand touches the object."""
    return np.clip(lift / TARGET_LIFT, 0.0, 1.0) * contacts.any(-1)


def excessive_lift(lift: Array) -> Array:
    """(n,) in 0..2: decimeters above the free height."""
    return np.clip(lift - _FREE_LIFT, 0.0, 0.2) / 0.1


def joint_limits(margin: Array) -> Array:
    """(n,) in 0..1: grows from 0 to 1 over the last 0.1 rad before an arm joint's limit; margin (n,) rad."""
    return np.clip(1.0 - margin / 0.1, 0.0, 1.0)


def terms(
    state: EngineState, objects: Sequence[ObjectSpec], lift: Array, margin: Array, lifted: float
) -> dict[str, Array]:
    """Unweighted terms by name, each (n,): of lifts (n,) m and arm joint margins (n,) rad; `lifted` (m) is
    the lift that counts."""
    palm, rotation = kinematics.forward(state.joint_positions[:, :7])
    spots = np.array([GRASP_SPOTS[spec.grasp] for spec in objects])
    taking = np.array([GRASP_FINGERS[spec.grasp] for spec in objects])
    spot = palm + (rotation @ spots[:, :, None])[:, :, 0]
    return {
        "palm_proximity": palm_proximity(spot, state.object_position),
        "finger_proximity": finger_proximity(state.fingertips, state.object_position, taking),
        "touch": touch(state.contacts),
        "hold": hold(state.contacts),
        "lift": lift_progress(lift, state.contacts),
        "lifted": (lift >= lifted).astype(np.float64),
        "excessive_lift": excessive_lift(lift),
        "joint_limits": joint_limits(margin),
    }


def total(terms: dict[str, Array]) -> Array:
    """(n,) weighted sum of the named terms."""
    return sum((WEIGHTS[name] * value for name, value in terms.items()), start=np.zeros(1))
