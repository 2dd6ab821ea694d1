"""Why a grasp failed, from the course of joints and object alone: the same in simulation and from a bag.

The paper names three failure modes (figure 5): early closure, weak grasp, wrong place. They are told apart
at the first attempt, which ends when the palm has risen 5 cm from its lowest point near the object:

    early closure   the hand was closed while the palm still had 2 cm or more to go down, or the fingers
                    closed 3 cm or more over the object's center
    wrong place     in the half second in which the hand closed, the middle between thumb and fingers was
                    always 3 cm or more beside the object's center
    weak grasp      the object was picked up (5 cm) and lost again, or the hand closed at the right place and
                    the object slipped out

Failures that are none of them: the hand never closed; the object was still on its way up when the time was
over; it was up, but arm or fingers were in an infeasible pose, or it was not held still for long enough.
"""

import numpy as np
from rfs_sim_bridge.feasibility import feasible
from rfs_sim_bridge.fingertips import fingertips
from rfs_sim_bridge.task_config import SuccessConfig

from rfs_description import kinematics
from rfs_learning.episode_course import Array, EpisodeCourse

EARLY_CLOSURE, WEAK_GRASP, WRONG_PLACE = "early closure", "weak grasp", "wrong place"
NOT_CLOSED, TIME_OVER = "hand never closed", "time over"
INFEASIBLE, NOT_STILL = "infeasible pose", "not held still"
PAPER_MODES = (EARLY_CLOSURE, WEAK_GRASP, WRONG_PLACE)
"""Those of figure 5."""
MODES = (*PAPER_MODES, NOT_CLOSED, TIME_OVER, INFEASIBLE, NOT_STILL)

PICKED_UP = 0.05
"""m of lift from which the object counts as picked up; tipping over raises it by less."""
_NEAR = 0.20  # m from palm to object: an attempt has begun
_RISEN = 0.05  # m over the palm's lowest point: the attempt is over
_OPEN = 0.15  # m from thumb to fingers: more than around any object
_NEARLY = 0.01  # m from thumb to fingers over the least of the attempt: the hand counts as closed
_TO_GO = 0.02  # m that the palm goes on down with a closed hand
_CLOSING = 0.5  # s that closing takes
_ABOVE = 0.03  # m from the object's center up to the middle between thumb and fingers
_BESIDE = 0.03  # m, the same horizontally


def failure_mode(course: EpisodeCourse, success: SuccessConfig) -> str:
    """One of `MODES` for an episode that failed."""
    lift = course.lift
    if lift[-1] >= success.lift:
        return NOT_STILL if feasible(course.joints[-1:], success)[0] else INFEASIBLE
    if lift[-1] >= PICKED_UP and lift[-1] >= lift.max() - _NEARLY:
        return TIME_OVER
    if lift.max() >= PICKED_UP:
        return WEAK_GRASP
    return _first_attempt(course)


def _first_attempt(course: EpisodeCourse) -> str:
    """How the hand missed an object that was never picked up."""
    palm, _ = kinematics.forward(course.joints[:, :7])
    tips = fingertips(course.joints)
    fingers = tips[:, :2].mean(axis=1)  # index and middle finger, which face the thumb
    opening = np.linalg.norm(tips[:, 3] - fingers, axis=1)
    end = _end_of_attempt(palm, course.positions) + 1
    if opening[:end].min() > _OPEN:
        return NOT_CLOSED
    closed = int(np.argmax(opening[:end] <= opening[:end].min() + _NEARLY))
    gap = 0.5 * (tips[:, 3] + fingers) - course.positions
    if palm[closed, 2] - palm[closed:end, 2].min() > _TO_GO or gap[closed, 2] > _ABOVE:
        return EARLY_CLOSURE
    first = max(0, closed - round(_CLOSING / course.period))
    beside = np.linalg.norm(gap[first : closed + 1, :2], axis=1).min()
    return WRONG_PLACE if beside > _BESIDE else WEAK_GRASP


def _end_of_attempt(palm: Array, positions: Array) -> int:
    """Row at which the palm (T + 1, 3) has come up again from the object, or the last one."""
    height = palm[:, 2]
    near = np.maximum.accumulate(np.linalg.norm(palm - positions, axis=1) < _NEAR)
    risen = near & (height > np.minimum.accumulate(height) + _RISEN)
    return int(np.argmax(risen)) if risen.any() else len(height) - 1
