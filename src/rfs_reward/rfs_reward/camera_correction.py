"""The calibrated camera corrected by what is known better: where the robot is, and how high the table."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rfs_description import rotations
from rfs_reward.camera import PinholeCamera
from rfs_reward.camera_registration import register
from rfs_reward.frame import Frame
from rfs_reward.leveling import leveled
from rfs_reward.robot_shapes import RobotShapes
from rfs_reward.table import find_table

Array = NDArray[np.float64]

_FRAMES = 3  # of an episode that are looked at
_WIDE = 80  # pixels are enough to find the robot


class CameraCorrection:
    """Looks at the first frames that show robot or table; from the first on it says where the camera is.

    The calibration's errors are the same in all pictures of an episode, and as large as a whole centimeter of
    the object's place. Where robot or table do not show, the calibration stays.
    """

    def __init__(self, table_height: float):
        self._table_height = table_height
        self._shapes = RobotShapes()
        self.reset()

    def reset(self) -> None:
        """The camera may have been calibrated anew."""
        self._shifts: list[Array] = []
        self._turns: list[Array] = []
        self._looked: int | None = None
        self._given: PinholeCamera | None = None
        self._corrected: PinholeCamera | None = None

    def camera(self, frame: Frame) -> PinholeCamera:
        """The frame's camera, corrected."""
        if len(self._shifts) < _FRAMES and frame.stamp != self._looked:
            self._look(frame)
            self._looked = frame.stamp
        if self._corrected is None or frame.camera is not self._given:
            self._given, self._corrected = frame.camera, self._moved(frame.camera)
        return self._corrected

    def _look(self, frame: Frame) -> None:
        camera = self._on_robot(frame)
        table = find_table(replace(frame, camera=camera))
        if table.found:
            camera = leveled(camera, table, self._table_height)
        if camera is frame.camera:
            return
        self._shifts.append(camera.position - frame.camera.position)
        self._turns.append(rotations.to_vector(camera.rotation @ frame.camera.rotation.T))
        self._corrected = None

    def _on_robot(self, frame: Frame) -> PinholeCamera:
        """The frame's camera where its depth shows the robot on its shapes; itself where it does not."""
        thin = frame.thinned(_WIDE)
        self._shapes.place(thin.joints)
        found = register(self._shapes, thin.camera, thin.depth)
        if found is thin.camera:
            return frame.camera
        return replace(frame.camera, position=found.position, rotation=found.rotation)

    def _moved(self, camera: PinholeCamera) -> PinholeCamera:
        if not self._shifts:
            return camera
        turn = rotations.from_vector(np.mean(self._turns, 0))
        position = camera.position + np.mean(self._shifts, 0)
        return replace(camera, position=position, rotation=turn @ camera.rotation)
