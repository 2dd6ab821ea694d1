"""Targets for arm and hand as they come from outside: checked, paired by stamp, and turned into a command."""

from collections.abc import Sequence

import numpy as np
from rfs_control.command import Command
from rfs_description.robot import BASE_FRAME, HAND_JOINTS
from scipy.spatial.transform import Rotation


class Targets:
    """Keeps the newest valid target of arm and hand. Refused ones change nothing: the robot holds.

    `problem` says what was wrong with the last refused target, until a valid one of its kind comes.
    """

    def __init__(self) -> None:
        self._arm: tuple[int, np.ndarray, np.ndarray] | None = None
        self._hand: tuple[int, np.ndarray] | None = None
        self._problems = {"arm": "", "hand": ""}
        self.refused = 0

    @property
    def problem(self) -> str:
        """Why targets are refused at present; empty if they are not."""
        return next(filter(None, self._problems.values()), "")

    def clear(self) -> None:
        """Forget all targets: a new episode begins."""
        self.__init__()

    def take_arm(
        self, stamp: int, frame: str, position: Sequence[float], quaternion: Sequence[float]
    ) -> None:
        """A palm pose: m, quaternion xyzw, in `frame`; stamp in ns."""
        numbers = np.array([*position, *quaternion], np.float64)
        if frame != BASE_FRAME:
            self._refuse("arm", f"/arm/target_pose is in frame '{frame}': send it in '{BASE_FRAME}'")
        elif not np.isfinite(numbers).all():
            self._refuse("arm", "/arm/target_pose holds NaN or infinite numbers")
        elif abs(np.linalg.norm(numbers[3:]) - 1.0) > 1e-3:
            self._refuse("arm", "/arm/target_pose has a quaternion that is not of length 1")
        else:
            self._problems["arm"] = ""
            self._arm = (stamp, numbers[:3], Rotation.from_quat(numbers[3:]).as_matrix())

    def take_hand(self, stamp: int, names: Sequence[str], positions: Sequence[float]) -> None:
        """Joint positions of the hand, rad, in the order of HAND_JOINTS; stamp in ns."""
        if tuple(names) != HAND_JOINTS:
            missing = [name for name in HAND_JOINTS if name not in names]
            what = f"lacks {', '.join(missing)}" if missing else "has its joints in another order or twice"
            self._refuse("hand", f"/hand/target_joints {what}: send the {len(HAND_JOINTS)} joints in order")
        elif len(positions) != len(names):
            self._refuse("hand", f"/hand/target_joints has {len(positions)} positions for {len(names)} names")
        elif not np.isfinite(positions).all():
            self._refuse("hand", "/hand/target_joints holds NaN or infinite numbers")
        else:
            self._problems["hand"] = ""
            self._hand = (stamp, np.array(positions, np.float64))

    def command(self) -> tuple[int, Command] | None:
        """The newest command and its stamp, once arm and hand have targets of the same stamp."""
        if self._arm is None or self._hand is None or self._arm[0] != self._hand[0]:
            return None
        stamp, position, rotation = self._arm
        return stamp, Command(position[None], rotation[None], self._hand[1][None])

    def _refuse(self, kind: str, problem: str) -> None:
        self._problems[kind] = problem
        self.refused += 1
