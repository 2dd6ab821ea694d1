"""Demonstrations of the expert: chunks, files, equal seeds, refusals."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.rl import demonstrations as module
from rfs_learning.rl.demonstrations import Demonstrations, collect, nominal_task
from rfs_learning.rl.rl_config import DemonstrationConfig
from rfs_policy.layout import STATE_COMMAND_FINGERS
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import DisturbanceConfig, ResetConfig, TaskConfig
from safetensors.torch import save_file

TASK = replace(
    TaskConfig.default(),
    control_rate=20.0,
    timestep=0.005,
    episode_seconds=4.0,
    reset=ResetConfig(mass_scale=(2.0, 3.0)),
    disturbance=DisturbanceConfig(arm_torque=3.0),
)
FEW = DemonstrationConfig(count=3, noise=1.0, seed=0)
OBJECTS = ("cylinder", "sphere")


@pytest.fixture(scope="module")
def collected() -> Demonstrations:
    return collect(OBJECTS, TASK, FEW)


def made_up(lengths: list[int], seed: int = 0, rate: float = 20.0) -> Demonstrations:
    """Random demonstrations with episodes of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    return Demonstrations(
        torch.randn(sum(lengths), len(PRIVILEGED_NAMES), generator=generator),
        torch.randn(sum(lengths), 22, generator=generator),
        torch.tensor(lengths).cumsum(0),
        tuple(f"object {i}" for i in range(len(lengths))),
        rate,
    )


def assert_equal(one: Demonstrations, other: Demonstrations) -> None:
    for name in ("observations", "actions", "episode_ends"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert torch.equal(left, right)
    assert (one.objects, one.rate) == (other.objects, other.rate)


quick = settings(max_examples=20, deadline=None)
lengths = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@quick
@given(lengths, st.integers(1, 5))
def test_chunks_look_ahead_and_repeat_the_last_action_of_an_episode(lengths, horizon):
    demonstrations = made_up(lengths)
    chunks = demonstrations.chunks(horizon)
    start = 0
    for length in lengths:
        actions = demonstrations.actions[start : start + length]
        for step in range(length):
            expected = [actions[min(step + ahead, length - 1)] for ahead in range(horizon)]
            assert torch.equal(chunks[start + step], torch.stack(expected))
        start += length


@quick
@given(lengths, st.integers(0, 1000), st.sampled_from([10.0, 20.0]))
def test_file_gives_back_every_bit(tmp_path_factory, lengths, seed, rate):
    file = tmp_path_factory.mktemp("demonstrations") / "d.safetensors"
    demonstrations = made_up(lengths, seed, rate)
    demonstrations.save(file)
    assert_equal(Demonstrations.load(file), demonstrations)
    first = file.read_bytes()
    demonstrations.save(file)
    assert file.read_bytes() == first


def test_collected_are_the_experts_successes(collected):
    assert collected.objects == ("cylinder", "cylinder", "sphere")
    assert collected.rate == TASK.control_rate
    steps = int(collected.episode_ends[-1])
    assert collected.observations.shape == (steps, len(PRIVILEGED_NAMES))
    assert collected.actions.shape == (steps, 22)
    assert collected.observations.isfinite().all()
    heights = collected.observations[:, PRIVILEGED_NAMES.index("object/z")]
    starts = [0, *collected.episode_ends[:-1].tolist()]
    for start, end in zip(starts, collected.episode_ends.tolist(), strict=True):
        assert end - start <= TASK.max_steps
        assert heights[end - 1] - heights[start] > 0.95 * TASK.success.lift


def test_each_action_belongs_to_the_observation_before_it(collected):
    """Where no limit acted, the fingers are commanded in the next row what the expert chose in this one."""
    end = int(collected.episode_ends[0])
    chosen = collected.actions[: end - 1, 6:]
    commanded = collected.observations[1:end, STATE_COMMAND_FINGERS]
    assert ((chosen - commanded).abs() < 1e-5).float().mean() > 0.9


def test_equal_seeds_give_equal_demonstrations_however_many_run_side_by_side(collected, monkeypatch):
    monkeypatch.setattr(module, "_SIDE_BY_SIDE", 1)
    assert_equal(collect(OBJECTS, TASK, FEW), collected)


def test_other_seeds_give_other_demonstrations(collected):
    other = collect(OBJECTS, TASK, replace(FEW, seed=1))
    assert not torch.equal(other.observations[0], collected.observations[0])


def test_physics_is_nominal_at_the_tasks_rate():
    nominal = nominal_task(TASK)
    assert (nominal.control_rate, nominal.timestep) == (TASK.control_rate, TASK.timestep)
    assert nominal.max_steps == TASK.max_steps
    assert nominal.reset == TaskConfig.default().reset != TASK.reset
    assert nominal.disturbance == TaskConfig.default().disturbance != TASK.disturbance


def test_expert_that_cannot_deliver_is_named():
    hopeless = replace(TASK, episode_seconds=0.2)
    with pytest.raises(ValueError, match=r"'sphere' in 0 of \d+ episodes at 20 Hz with noise 1"):
        collect(["sphere"], hopeless, replace(FEW, count=1))


def test_unknown_object_is_named():
    with pytest.raises(ValueError, match="banana"):
        collect(["banana"], TASK, FEW)


def test_no_demonstrations_are_refused():
    with pytest.raises(ValueError, match="count is 0: at least 1"):
        collect(["box"], TASK, replace(FEW, count=0))


# ---- bad files ----
def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no demonstrations at .*nothing"):
        Demonstrations.load(tmp_path / "nothing.safetensors")


@quick
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_half_a_file_never_loads(tmp_path_factory, share):
    file = tmp_path_factory.getbasetemp() / "half.safetensors"
    made_up([3, 2]).save(file)
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"half\.safetensors' is truncated"):
        Demonstrations.load(file)


def test_other_safetensors_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"observations": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="holds no demonstrations"):
        Demonstrations.load(file)


def test_other_observations_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "d.safetensors"
    monkeypatch.setattr(module, "PRIVILEGED_NAMES", PRIVILEGED_NAMES[:-1])
    made_up([2]).save(file)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="other observations or actions"):
        Demonstrations.load(file)


def test_process_killed_while_writing_leaves_the_old_file(tmp_path):
    file = tmp_path / "d.safetensors"
    old = made_up([4, 2])
    old.save(file)
    child = os.fork()
    if child == 0:
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        made_up([5]).save(file)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert_equal(Demonstrations.load(file), old)
    assert [found.name for found in tmp_path.glob("*.safetensors")] == ["d.safetensors"]
