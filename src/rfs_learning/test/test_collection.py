"""Recording episodes: which are run, also after an interruption, and what of them is kept."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_learning.collection import Collector, Quota, record
from rfs_learning.dataset import DemoDataset
from rfs_learning.expert import Expert
from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console

QUICK = TaskConfig.from_dict({"timestep": 0.005, "episode_seconds": 0.6})


def run(quota: Quota, envs: int, steps: Callable[[str, int], int], stop: int | None = None) -> list:
    """Attempts that ended, all of them kept, `envs` side by side until nothing is left, or a tick."""
    ended, running, tick = [], {}, 0
    while tick != stop:
        for env in range(envs):
            if env not in running and (job := quota.next()):
                running[env] = [*job, steps(*job)]
        if not running:
            break
        tick += 1
        for env, job in list(running.items()):
            job[2] -= 1
            if not job[2]:
                ended.append((job[0], job[1], True))
                quota.report(job[0], True)
                del running[env]
    return ended


@given(
    lengths=st.lists(st.integers(1, 9), min_size=4, max_size=12),
    envs=st.integers(1, 5),
    stops=st.lists(st.integers(0, 30), max_size=3),
)
def test_interruptions_do_not_change_which_episodes_are_run(lengths, envs, stops):
    """Not even the longest, which are those under way when it comes."""

    def steps(name: str, seed: int) -> int:
        return lengths[(seed + len(name)) % len(lengths)]

    names, ended = ["box", "mug"], []
    for stop in [*stops, None]:
        ended += run(Quota(names, 14, 100, ended), envs, steps, stop)
    assert sorted(ended) == [(name, 100 + i, True) for name in names for i in range(7)]


def test_an_object_named_twice_has_one_share():
    assert Quota(["box", "mug", "box"], 10).wanted == {"box": 5, "mug": 5}


class BlowingUp:
    """Sends the label; in the third step of an episode the simulation of environment 0 diverges."""

    def __init__(self, task: GraspTask):
        self.task = task

    def reset(self, env_ids, seeds):
        pass

    def drive(self, clouds, states, label):
        if self.task.steps[0] == 2:
            self.task.engine.physics[0, 1 + 30 : 1 + 40] = 1e12
        return label


@pytest.mark.parametrize("keep", [True, False])
def test_physics_that_blew_up_end_an_episode_as_a_failure(keep):
    task = GraspTask(QUICK, 1, ["box"], threads=1)
    collector = Collector(task, Expert(task, 0), BlowingUp(task), keep_failures=keep)
    episode = next(collector.episodes(Quota(["box"], 1)))
    assert (len(episode), episode.success, collector.keeps(episode)) == (3, False, keep)
    assert np.abs(np.diff(episode.state[:, :23], axis=0)).max() < 1.0, "nothing of what came after"


def test_ctrl_c_while_episodes_are_written_loses_none(tmp_path: Path, monkeypatch):
    task = GraspTask(QUICK, 2, ["box"], threads=1)
    dataset = DemoDataset.create(tmp_path / "d.zarr", DELTA_POSE, {})
    append, at_once = DemoDataset.append, []

    def interrupted(self: DemoDataset, *parts: list) -> None:
        if not at_once:
            signal.raise_signal(signal.SIGINT)
        at_once.append(len(parts[0]))
        append(self, *parts)

    monkeypatch.setattr(DemoDataset, "append", interrupted)
    monkeypatch.setattr("rfs_learning.collection._FLUSH", 2)
    collector = Collector(task, Expert(task, 0), keep_failures=True)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        record(collector, Quota(["box"], 6), dataset, "test", Console(quiet=True))
    kept = DemoDataset.open(tmp_path / "d.zarr")
    assert at_once[0] == len(kept) == 2
    assert [seed for _, seed, _ in kept.attempts] == [0, 1]
    assert signal.getsignal(signal.SIGINT) == before
