"""PPO over modulated bases: starts as the base, resumes bit for bit, stops at numbers that are not finite."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rfs_learning.rl.ingredients import _require_same
from rfs_learning.rl.methods import METHODS, empty_space, make_space
from rfs_learning.rl.modulated_env import ModulatedGrasp
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.training import DivergedError, RlTraining
from rl_tiny import tiny_config, untrained

STEERED = [name for name in METHODS if name.startswith(("residual", "dsrl", "rfs"))]


def begin(folder: Path, method: str = "rfs_hand_arm", resume: bool = False, **ppo: object) -> RlTraining:
    config = tiny_config(**ppo)
    return RlTraining(method, "power", config, folder, 3, untrained(config), resume)


def weights(training: RlTraining) -> dict[str, torch.Tensor]:
    return training.policy().state_dict()


def test_at_step_zero_rfs_is_the_base_policy_exactly(tmp_path: Path) -> None:
    training = begin(tmp_path)
    policy, base = training.policy(), untrained(tiny_config()).hand_arm
    observation = torch.randn(5, 104)
    expected = base.push(observation, torch.zeros(5, 2, 22))
    assert torch.equal(policy.act(observation), expected)
    a0 = torch.randn(5, 2, 22).clamp(-2, 2)
    u = torch.cat([a0.flatten(1), torch.zeros(5, 22)], dim=1)
    assert torch.equal(policy.space.decide(observation, u, None), base.push(observation, a0))


@pytest.mark.parametrize("method", STEERED)
def test_steering_is_bounded_whatever_ppo_chooses(method: str) -> None:
    config = tiny_config()
    task, ingredients = config.task("power"), untrained(config)
    space = make_space(method, config, task, ingredients)
    observation = torch.randn(4, 104)
    wild = space.decide(observation, torch.full((4, space.dim), 1e6), None)
    edge = torch.ones(4, space.dim)
    if space.noise_shape is None:
        edge[:, space.latent] = config.steering.noise_bound
    assert torch.equal(wild, space.decide(observation, edge, None))
    assert wild.shape == (4, 2, 22)
    if method.endswith("hand"):
        assert wild[:, :, :3].abs().max() <= 0.06 + 1e-6  # 0.6 m/s at 10 Hz


def test_only_the_modulation_learns(tmp_path: Path) -> None:
    training = begin(tmp_path)
    before = {name: value.clone() for name, value in training.space.state_dict().items()}
    head = training.ppo.actor.mlp[-1].weight.detach().clone()
    training.run()
    after = training.space.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not torch.equal(head, training.ppo.actor.mlp[-1].weight)


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole")
    whole.run()
    half = begin(tmp_path / "half")
    half.run(until=18)
    rest = begin(tmp_path / "half", resume=True)
    rest.run()
    expected, found = weights(whole), weights(rest)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "half")]
    first, second = ([{**json.loads(line), "seconds": 0} for line in part] for part in lines)
    assert first == second
    assert len(first) == 3


@pytest.mark.parametrize("method", ["rfs_hand_arm", "residual_hand_arm", "rfs_chunk_hand", "relative"])
def test_a_policy_comes_back_from_its_file(method: str, tmp_path: Path) -> None:
    training = begin(tmp_path, method)
    training.run(until=18)
    loaded = SteeredPolicy.load(tmp_path / "policy.safetensors")
    observation = torch.randn(3, 104)
    assert (loaded.method, loaded.task) == (method, "power")
    assert torch.equal(loaded.act(observation), training.policy().act(observation))
    shape = empty_space(method, loaded.config, loaded.config.task("power"))
    assert loaded.space.dim == shape.dim


def test_a_truncated_policy_is_refused(tmp_path: Path) -> None:
    training = begin(tmp_path)
    training.save()
    file = tmp_path / "policy.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        SteeredPolicy.load(file)


def test_numbers_that_are_not_finite_stop_the_run_and_keep_the_last_checkpoint(tmp_path: Path) -> None:
    training = begin(tmp_path)
    training.run(until=18)
    kept = (tmp_path / "training.safetensors").read_bytes()
    training.ppo.critic.mlp[0].weight.data[0, 0] = torch.nan
    with pytest.raises(DivergedError, match=r"the critic's value .* iteration 1"):
        training.run()
    assert (tmp_path / "training.safetensors").read_bytes() == kept
    begin(tmp_path, resume=True).run()


def test_a_policy_that_is_not_finite_is_named(tmp_path: Path) -> None:
    training = begin(tmp_path, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"weight|loss"):
        training.run()


def test_a_reward_that_is_not_finite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = begin(tmp_path)
    step = ModulatedGrasp.step

    def broken(self: ModulatedGrasp, actions: torch.Tensor):
        observation, reward, done, extras = step(self, actions)
        return observation, reward * torch.nan, done, extras

    monkeypatch.setattr(ModulatedGrasp, "step", broken)
    with pytest.raises(DivergedError, match="reward"):
        training.run()


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(tmp_path: Path) -> None:
    begin(tmp_path).run(until=18)
    with pytest.raises(ValueError, match="--resume"):
        begin(tmp_path)
    with pytest.raises(ValueError, match="ppo"):
        begin(tmp_path, resume=True, gamma=0.5)
    with pytest.raises(ValueError, match="method"):
        begin(tmp_path, "dsrl_hand_arm", resume=True)
    longer = begin(tmp_path, resume=True, control_steps=72)
    longer.run()
    assert longer.control_steps == 72


def test_an_iteration_is_every_environments_whole_episode(tmp_path: Path) -> None:
    entry = begin(tmp_path).iterate()
    assert (entry.control_steps, entry.episodes) == (18, 3)
    chunked = begin(tmp_path / "chunk", "rfs_chunk_hand")
    assert chunked.env.decisions == 3
    assert chunked.iterate().control_steps == 18


def test_a_success_earns_what_holding_on_would_have(tmp_path: Path) -> None:
    env = begin(tmp_path).env
    result = env.simulation.step(env.simulation.command.fingers[:, [0] * 22] * 0.0)
    result.success = env.simulation.success = torch.tensor([True, False, False]).numpy()
    earned = env._holding_on(result.reward, result)
    gamma, left = tiny_config().ppo.gamma, 5
    expected = result.reward[0] * sum(gamma**k for k in range(1, left + 1))
    assert earned == pytest.approx([expected, 0.0, 0.0])


def test_killed_at_any_moment_the_run_goes_on(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[2].split(':')\n"
        "from pathlib import Path\n"
        "from test_rl_training import begin\n"
        "training = begin(Path(sys.argv[1]), control_steps=10**9)\n"
        "training.run(until=18); print('saved', flush=True); training.run()\n"
    )
    folder = tmp_path / "run"
    path = ":".join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", program, str(folder), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "saved\n"
        os.kill(child.pid, signal.SIGKILL)
    resumed = begin(folder, resume=True, control_steps=10**9)
    resumed.run(until=resumed.control_steps + 18)
    whole = begin(tmp_path / "whole", control_steps=10**9)
    whole.run(until=resumed.control_steps)
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_bases_of_other_settings_are_refused(tmp_path: Path) -> None:
    config = tiny_config()
    few = replace(config, demonstrations=replace(config.demonstrations, count=2))
    _require_same(tmp_path, few, few.task("power"))
    _require_same(tmp_path, few, few.task("power"))
    with pytest.raises(ValueError, match=r"other settings \(demonstrations\)"):
        _require_same(tmp_path, config, config.task("power"))
