"""Reads demonstrations that Isaac Lab recorded: the HDF5 layout of its `HDF5DatasetFileHandler`.

    data                             attributes total, env_args (JSON: env_name, sim_args, ...)
    data/demo_N                      attributes num_samples, seed, success
    data/demo_N/actions (T, D)       what the environment was given
    data/demo_N/obs/... (T, ...)     what was seen before each step
    data/demo_N/initial_state, states/{articulation, rigid_object}/NAME/root_pose, joint_position, ...
                                     before the first step (1, ...), and after each one (T, ...)

Poses are relative to the environment's origin, m; quaternions xyzw, or wxyz in files without the attribute
format_version, as Isaac Lab wrote them before 3.0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_RECORDER = "record with Isaac Lab's ActionStateRecorderManagerCfg, as its record_demos.py does"


@dataclass(frozen=True)
class LabDemo:
    """One recorded episode of T steps.

    actions: (T, D). observations: (T, ...) by path below the episode, "obs/..." and our own "rfs/...".
    states: (T + 1, ...) by path, e.g. "articulation/robot/joint_position"; row t is before action t. Empty
    where none were recorded. success: None where the file does not say. seed: 0 and object: empty where not.
    """

    name: str
    actions: Array
    observations: Mapping[str, NDArray]
    states: Mapping[str, Array]
    success: bool | None
    seed: int
    object: str

    def __len__(self) -> int:
        return len(self.actions)


class LabFile:
    """An open file; a context manager. `environment`: its env_args."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file, self.path = file, path
        data = file.get("data")
        if not isinstance(data, h5py.Group):
            raise ValueError(f"{path} has no group 'data': not a recording of Isaac Lab; {_RECORDER}")
        self._data: Any = data  # h5py's types allow for much that is not in such files
        self.environment = _environment(data, path)
        self._xyzw = _number(file, "format_version", 0) >= 1

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a recording.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: it is not HDF5, it is cut short, or it is no recording of Isaac Lab.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no file {path}; give the .hdf5 that Isaac Lab's recorder wrote")
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(
                f"{path} is not a whole HDF5 file ({error}): copy it again, or end the recording with its "
                "own key, which closes the file"
            ) from error
        try:
            return cls(file, path)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def names(self) -> list[str]:
        """Episodes in the order of their numbers."""
        found = [name for name in self._data if isinstance(self._data[name], h5py.Group)]
        return sorted(found, key=lambda name: (len(name), name))

    @property
    def rate(self) -> float | None:
        """Control steps per second, Hz; None where the file does not say."""
        arguments: Any = self.environment.get("sim_args")
        try:
            return 1.0 / (float(arguments["dt"]) * float(arguments["decimation"]))
        except (TypeError, KeyError, ValueError, ZeroDivisionError):
            return None

    def read(self, name: str) -> LabDemo:
        """One episode.

        Raises:
            ValueError: something is missing, has the wrong length, is damaged or not finite; it is named.
        """
        group = self._data[name]
        try:
            demo = self._demo(name, group)
        except (OSError, KeyError) as error:  # a damaged piece of the file
            raise ValueError(f"{name} cannot be read ({error}); copy the file again") from error
        return demo

    def _demo(self, name: str, group: Any) -> LabDemo:
        actions = group.get("actions")
        if not isinstance(actions, h5py.Dataset) or len(actions.shape) != 2 or not len(actions):
            raise ValueError(f"{name} has no 'actions' of shape (steps, numbers); {_RECORDER}")
        actions = _numbers(actions, f"{name}/actions")
        seen = {path: _checked(item, name, len(actions)) for path, item in _seen(group)}
        return LabDemo(
            name=name,
            actions=actions,
            observations=seen,
            states=self._states(group, name, len(actions)),
            success=bool(group.attrs["success"]) if "success" in group.attrs else None,
            seed=_number(group, "seed", 0),
            object=str(group.attrs.get("object", "")),
        )

    def _states(self, group: Any, name: str, steps: int) -> dict[str, Array]:
        if not all(isinstance(group.get(part), h5py.Group) for part in ("initial_state", "states")):
            return {}
        first, later = (dict(_leaves(group[part])) for part in ("initial_state", "states"))
        states = {}
        for path in first.keys() & later.keys():
            before = _numbers(first[path], f"{name}/initial_state/{path}")
            after = _numbers(later[path], f"{name}/states/{path}")
            if before.shape[:1] != (1,) or after.shape[:1] != (steps,) or before.shape[1:] != after.shape[1:]:
                rows = len(after) if after.ndim else 0
                raise ValueError(f"{name}/states/{path} has {rows} rows for {steps} actions")
            if after.ndim < 2:
                raise ValueError(f"{name}/states/{path} has no numbers beside each other in a row")
            states[path] = np.concatenate([before, after])
            if path.endswith("/root_pose"):
                states[path] = _pose(states[path], self._xyzw, f"{name}/states/{path}")
        return states


def _environment(data: Any, path: Path) -> dict[str, Any]:
    try:
        environment = json.loads(data.attrs["env_args"])
    except KeyError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: its attribute env_args is not JSON ({error}); {_RECORDER}") from error
    if not isinstance(environment, dict):
        raise ValueError(f"{path}: its attribute env_args is no JSON object; {_RECORDER}")
    return environment


def _number(item: Any, attribute: str, otherwise: int) -> int:
    """An attribute; recorders differ in which they write."""
    try:
        return int(item.attrs.get(attribute, otherwise))
    except (TypeError, ValueError):
        return otherwise


def _leaves(group: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Datasets below a group by path."""
    found = []
    for key in group:
        item, path = group[key], f"{prefix}{key}"
        found += _leaves(item, f"{path}/") if isinstance(item, h5py.Group) else [(path, item)]
    return found


def _seen(group: Any) -> list[tuple[str, Any]]:
    """What is kept beside actions and states; `obs` is one array where its terms were concatenated."""
    found = []
    for part in ("obs", "rfs", "processed_actions"):
        if part in group:
            item = group[part]
            found += _leaves(item, f"{part}/") if isinstance(item, h5py.Group) else [(part, item)]
    return found


def _checked(item: Any, name: str, steps: int) -> NDArray:
    if item.ndim == 0 or len(item) != steps:
        raise ValueError(f"{name}{item.name.rpartition(name)[2]} has not one row for each of {steps} actions")
    return item[:]


def _numbers(item: Any, what: str) -> Array:
    if item.dtype.kind not in "biuf":
        raise ValueError(f"{what} holds no numbers but {item.dtype}")
    values = np.asarray(item[()], np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"{what} is not finite in row {row}: record this episode again")
    return values


def _pose(pose: Array, xyzw: bool, what: str) -> Array:
    """Poses (n, 7) with unit quaternions xyzw."""
    quaternion = pose[:, 3:] if xyzw else np.roll(pose[:, 3:], -1, axis=1)
    length = np.linalg.norm(quaternion, axis=1, keepdims=True)
    if pose.shape[1:] != (7,) or not np.all(np.abs(length - 1.0) < 0.01):
        raise ValueError(f"{what} holds no poses of position and unit quaternion")
    return np.concatenate([pose[:, :3], quaternion / length], axis=1)
