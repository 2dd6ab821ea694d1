"""A recording of Isaac Lab to a demonstration dataset, completely or not at all."""

import json
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rfs_control.limits import Limits
from rfs_policy.layout import DELTA_POSE, Layout
from rfs_policy.observation import crop, fit_cloud, require_finite
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from rfs_learning.dataset import DemoDataset, EpisodeData
from rfs_learning.lab import scene_states
from rfs_learning.lab.demo_file import LabDemo, LabFile
from rfs_learning.lab.hand_keypoints import find_hand
from rfs_learning.lab.posed_clouds import PosedClouds
from rfs_learning.lab.robot_session import ACTION_SIZES, follow

CLOUD = "obs/point_cloud"
STATE, LABEL = "obs/state", "rfs/action"
"""Where an export keeps what other recordings do not have, so that it comes back bit for bit."""
RATES = (10.0, 20.0)
_FLUSH = 16  # episodes written at a time


@dataclass(frozen=True)
class ImportChoices:
    """What the file may leave open: the object's name, and the control rate in Hz."""

    object: str = ""
    rate: float | None = None


@dataclass
class ImportResult:
    """What became of the recorded episodes: kept ones, failures left out, skipped ones and why."""

    kept: int = 0
    steps: int = 0
    failures: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def import_recording(
    source: Path, output: Path, choices: ImportChoices, console: Console | None = None
) -> ImportResult:
    """Read source into a new dataset at output. Failed episodes are left out; unusable ones are skipped with
    a line that says why; without any usable one, no dataset is written.

    Raises:
        FileExistsError: something is at output already.
        FileNotFoundError, ValueError: no usable recording; the text says what to do.
    """
    if output.exists():
        raise FileExistsError(f"{output} exists; give another output")
    console = console or Console(quiet=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder,
        LabFile.open(source) as file,
    ):
        partial = Path(folder, output.name)
        result = _Importer(file, choices, partial, console).run()
        if result.kept:
            partial.rename(output)
    return result


class _Importer:
    def __init__(self, file: LabFile, choices: ImportChoices, output: Path, console: Console) -> None:
        self._file, self._choices, self._console = file, choices, console
        self.result = ImportResult()
        rate = _rate(file, choices)
        self._task = replace(TaskConfig.default(), control_rate=rate)
        self._limits = Limits.load(period=self._task.period)
        self._clouds: PosedClouds | None = None
        layout, settings = _layout_and_settings(file, self._task)
        self._dataset = DemoDataset.create(output, layout, settings)

    def run(self) -> ImportResult:
        names, result = self._file.names, self.result
        if not names:
            raise ValueError(f"{self._file.path} has no episode; record some and mark them as a success")
        ready: list[EpisodeData] = []
        for number, name in enumerate(track(names, "episodes", console=self._console)):
            try:
                episode = self._episode(self._file.read(name), number)
            except ValueError as error:
                result.skipped.append((name, str(error)))
                line = f"[yellow]skipped[/] {escape(name)}: {escape(str(error))}"
                self._console.print(line, highlight=False, soft_wrap=True)
                continue
            if episode is None:
                result.failures += 1
                continue
            ready.append(episode)
            result.kept, result.steps = result.kept + 1, result.steps + len(episode)
            if len(ready) >= _FLUSH:
                ready = self._write(ready)
        self._write(ready)
        return result

    def _write(self, episodes: list[EpisodeData]) -> list[EpisodeData]:
        self._dataset.append(episodes, [(e.object, e.seed, e.success) for e in episodes])
        return []

    def _episode(self, demo: LabDemo, number: int) -> EpisodeData | None:
        """As a demonstration; None if it failed."""
        own = LABEL in demo.observations
        if demo.success is False and not own:  # an export has what its dataset had
            return None
        name = scene_states.object_name(demo, self._file.environment, self._choices.object)
        if own:
            return self._own(demo, name)
        if demo.actions.shape[1] not in ACTION_SIZES and find_hand(demo) is not None:
            return self._by_hand(demo, name, number)
        joints = scene_states.robot_joints(demo, self._file.environment)
        state, action, executed = follow(joints, demo.actions, self._limits)
        cloud = self._cloud(demo, name, number, joints)
        return EpisodeData(cloud, state, action, executed, object=name, seed=number, success=True)

    def _cloud(self, demo: LabDemo, name: str, seed: int, joints: np.ndarray) -> np.ndarray:
        """The recorded clouds, brought to size; without any, those that our cameras would have seen."""
        points = self._dataset.layout.cloud_points
        if CLOUD in demo.observations:
            recorded = demo.observations[CLOUD]
            if recorded.ndim != 3 or recorded.shape[2] != 3:
                raise ValueError(f"{demo.name}/{CLOUD} has shape {recorded.shape}, not (steps, points, 3)")
            rng = np.random.default_rng(seed)
            clouds = (frame[np.isfinite(frame).all(axis=1)] for frame in recorded)
            return np.stack([fit_cloud(crop(cloud), points, rng) for cloud in clouds])
        pose = scene_states.object_pose(demo, name)
        if self._clouds is None:
            self._clouds = PosedClouds(self._task)
        return self._clouds.cast(name, seed, joints[:-1], pose[:-1])

    def _by_hand(self, demo: LabDemo, name: str, seed: int) -> EpisodeData:
        from rfs_learning.lab.hand_session import HandSession  # needs optional packages

        return HandSession(self._task).demonstrate(demo, name, seed)

    def _own(self, demo: LabDemo, name: str) -> EpisodeData:
        """An episode of an export, bit for bit."""
        layout, seen = self._dataset.layout, {**demo.observations, "actions": demo.actions}
        sizes = {
            CLOUD: (layout.cloud_points, 3),
            STATE: (layout.state_dim,),
            LABEL: (layout.action_dim,),
            "actions": (layout.action_dim,),
        }
        for path, size in sizes.items():
            if path not in seen or seen[path].shape[1:] != size:
                raise ValueError(f"{demo.name}/{path} is missing, or its rows are not of shape {size}")
            require_finite(seen[path], f"{demo.name}/{path}")
        arrays = (seen[path].astype(np.float32, copy=False) for path in sizes)
        return EpisodeData(*arrays, object=name, seed=demo.seed, success=bool(demo.success))


def _rate(file: LabFile, choices: ImportChoices) -> float:
    rate = choices.rate or file.rate
    if rate is None:
        raise ValueError(
            f"{file.path} does not say how fast it was recorded: add --rate 10 or --rate 20 (Hz)"
        )
    near = min(RATES, key=lambda known: abs(known - rate))
    if abs(near - rate) > 0.01 * near:
        raise ValueError(
            f"{file.path} was recorded at {rate:g} Hz, demonstrations are at 10 or 20 Hz: choose sim.dt and "
            "decimation of the environment so that their product is 0.1 or 0.05 s, and record again"
        )
    return near


def _layout_and_settings(file: LabFile, task: TaskConfig) -> tuple[Layout, dict[str, Any]]:
    """Those that an export notes; for other recordings, ours."""
    noted = file.environment.get("rfs")
    if isinstance(noted, dict) and {"layout", "config"} <= noted.keys():
        return Layout.from_json(str(noted["layout"])), dict(noted["config"])
    layout = replace(DELTA_POSE, rate_hz=task.control_rate, cloud_points=task.cloud.points)
    settings = {
        "imported": {"file": file.path.name, "env_args": file.environment},
        "task": task.to_dict(),
        "versions": {name: version(name) for name in ("h5py", "mujoco", "numpy", "zarr")},
    }
    return layout, json.loads(json.dumps(settings))
