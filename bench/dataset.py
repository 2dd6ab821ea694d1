"""From bags to transitions: how much faster than real time, and how much memory, for 50 episodes.

A few episodes are recorded by the real stack, in lockstep and in real time, and copied under other names.
`./rfs dataset build` then runs on them as a process of its own, imports included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rfs_learning.transitions import TransitionDataset

DOMAIN = "86"
RECORDED, EPISODES = 4, 50
FACTOR_GOAL, PEAK_GOAL = 20.0, 500.0  # times real time; MB
_LAUNCH = "import sys; from rfs_bringup.launching import main; sys.exit(main(sys.argv[1:]))"
_BUILD = [sys.executable, "-m", "rfs_bringup.forward", "dataset", "rfs_learning.dataset_command", "build"]


def run(recorded: int = RECORDED, episodes: int = EPISODES) -> list[dict]:
    """Figures of this machine, now.

    Raises:
        RuntimeError: the stack recorded nothing, or the build failed.
    """
    figures = []
    for sim_time, suffix in (("lockstep", ""), ("realtime", "_of_realtime_bags")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            mb = _copies(_record(folder / "recorded", sim_time, recorded), folder / "bags", episodes)
            seconds, peak = _build(folder)
            dataset = TransitionDataset.open(folder / "d.zarr")
            if len(dataset) < episodes:
                raise RuntimeError(f"only {len(dataset)} of {episodes} bags became episodes")
            length = _length(dataset)
            note = f"{episodes} episodes, {length:.0f} s, {mb:.0f} MB of bags in {seconds:.2f} s"
        factor = length / seconds
        figures += [
            _figure(
                f"dataset.realtime_factor{suffix}", factor, "x", FACTOR_GOAL, factor >= FACTOR_GOAL, note
            ),
            _figure(f"dataset.peak_mb{suffix}", peak, "MB", PEAK_GOAL, peak < PEAK_GOAL, "of the process"),
        ]
    return figures


def _figure(name: str, value: float, unit: str, goal: float, holds: bool, note: str) -> dict:
    sign = ">=" if unit == "x" else "<"
    number, wanted = round(value, 1), f"{sign} {goal:g}"
    return {"name": name, "value": number, "unit": unit, "goal": wanted, "holds": bool(holds), "note": note}


def _record(folder: Path, sim_time: str, trials: int) -> list[Path]:
    """Bags of some grasp trials."""
    words = [f"sim_time:={sim_time}", f"trials:={trials}", f"bags:={folder}", "seed:=1000000"]
    log = folder.with_suffix(".log")
    with log.open("w") as stream:
        command = [sys.executable, "-c", _LAUNCH, "grasp", *words]
        environment = os.environ | {"ROS_DOMAIN_ID": DOMAIN}
        status = subprocess.run(
            command, env=environment, stdout=stream, stderr=stream, check=False
        ).returncode
    bags = sorted(path.parent for path in folder.rglob("metadata.yaml"))
    if len(bags) < trials:
        raise RuntimeError(f"the stack stopped (status {status}): {log.read_text()[-500:]}")
    return bags


def _copies(bags: list[Path], folder: Path, count: int) -> float:
    """Copy bags until there are `count`; returns their size in MB."""
    for number in range(count):
        source = bags[number % len(bags)]
        shutil.copytree(source, folder / f"{number:03d}-{source.name}")
    return sum(file.stat().st_size for file in folder.rglob("*.mcap")) / 1e6


def _build(folder: Path) -> tuple[float, float]:
    """Wall time (s) and largest resident memory (MB) of the build."""
    began = time.perf_counter()
    process = subprocess.Popen([*_BUILD, str(folder / "bags"), "-o", str(folder / "d.zarr")])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"./rfs dataset build ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1e3


def _length(dataset: TransitionDataset) -> float:
    """Seconds from first to last observation, of all episodes."""
    stamps = dataset.array("stamp")[:]
    ends = dataset.episode_ends
    return float(np.sum(stamps[ends - 1] - stamps[np.concatenate([[0], ends[:-1]])]) * 1e-9)
