"""PPO over modulated bases: starts as the base, resumes bit for bit, stops at numbers that are not finite."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from rfs_learning.diverged import DivergedError
from rfs_learning.rl import vqvae_space
from rfs_learning.rl.ingredients import _require_same
from rfs_learning.rl.methods import METHODS, make_space
from rfs_learning.rl.modulated_env import ModulatedGrasp
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.training import RlTraining
from rfs_learning.rl.vqvae import VqVaeConfig
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


def test_joint_and_code_spaces_have_no_flow_to_sample() -> None:
    config = tiny_config()
    task, ingredients = config.task("power"), untrained(config)
    flowless = {method for method in METHODS if not make_space(method, config, task, ingredients).steers_flow}
    assert flowless == {"absolute", "relative", "pca", "vqvae"}


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


@pytest.mark.parametrize("method", METHODS)
def test_a_policy_comes_back_from_its_file(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqvae_space, "VqVaeConfig", partial(VqVaeConfig, steps=3))
    training = begin(tmp_path, method)
    training.run(until=18)
    loaded, policy = SteeredPolicy.load(tmp_path / "policy.safetensors"), training.policy()
    observation, noise = torch.randn(3, 104), torch.randn(3, *(policy.space.noise_shape or ()))
    assert (loaded.method, loaded.task) == (method, "power")
    assert torch.equal(loaded.act(observation, noise), policy.act(observation, noise))
    sampled = [p.act(observation, noise, torch.Generator().manual_seed(1)) for p in (loaded, policy)]
    assert torch.equal(*sampled)
    assert not torch.equal(sampled[0], loaded.act(observation, noise))


def test_a_truncated_policy_is_refused(tmp_path: Path) -> None:
    training = begin(tmp_path)
    training.save()
    file = tmp_path / "policy.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        SteeredPolicy.load(file)


def test_a_policy_of_other_sizes_is_refused(tmp_path: Path) -> None:
    policy = begin(tmp_path).policy()
    policy.config = policy.config.with_ppo(hidden=(9,))
    policy.save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors': its tensors do not fit"):
        SteeredPolicy.load(tmp_path / "other.safetensors")


def test_numbers_that_are_not_finite_stop_the_run_and_keep_the_last_checkpoint(tmp_path: Path) -> None:
    training = begin(tmp_path)
    training.run(until=18)
    kept, on_interrupt = (tmp_path / "training.safetensors").read_bytes(), signal.getsignal(signal.SIGINT)
    training.ppo.critic.mlp[0].weight.data[0, 0] = torch.nan
    with pytest.raises(DivergedError, match=r"the critic's value .* iteration 1"):
        training.run()
    assert (tmp_path / "training.safetensors").read_bytes() == kept
    assert signal.getsignal(signal.SIGINT) == on_interrupt
    begin(tmp_path, resume=True).run()


def test_a_policy_that_is_not_finite_is_named(tmp_path: Path) -> None:
    training = begin(tmp_path, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"weight|loss"):
        training.run()
    training.ppo.actor.mlp[0].weight.data[0, 0] = torch.nan
    with pytest.raises(DivergedError, match="policy's choice"):
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


def test_a_run_goes_on_with_its_own_base_only(tmp_path: Path) -> None:
    begin(tmp_path).run(until=18)
    config = tiny_config()
    ingredients = untrained(config)
    with torch.no_grad():
        next(ingredients.hand_arm.parameters())[0] += 1e-3
    with pytest.raises(ValueError, match=r"space \("):
        RlTraining("rfs_hand_arm", "power", config, tmp_path, 3, ingredients, resume=True)


def test_what_a_run_does_not_look_at_may_change(tmp_path: Path) -> None:
    begin(tmp_path).run(until=18)
    config = tiny_config()
    power = config.task("power")
    seen = replace(power, task=replace(power.task, cloud=replace(power.task.cloud, points=64)))
    other = replace(config, tasks={"power": seen, "more": power})
    RlTraining("rfs_hand_arm", "power", other, tmp_path, 3, untrained(config), resume=True).run()


def test_a_runs_record_is_a_configuration(tmp_path: Path) -> None:
    begin(tmp_path, learning_rate=5e-5)
    known = RlConfig.load(tmp_path / "config.json").deciding("power")
    assert known == tiny_config(learning_rate=5e-5).deciding("power")


def test_a_run_from_before_there_were_records_is_told_as_such(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(ValueError, match=r"run.json' is missing, so the run there may be another one"):
        begin(tmp_path, resume=True)


def test_a_growing_residual_goes_on_where_it_was(tmp_path: Path) -> None:
    training = begin(tmp_path, "rfs_growing_hand")
    assert training.policy().space.bounds.max() == 0
    training.run(until=18)
    grown, resumed = training.space.bounds, begin(tmp_path, "rfs_growing_hand", resume=True)
    assert 0 < grown.max() < 0.15
    assert torch.equal(resumed.policy().space.bounds, grown)
    with pytest.raises(ValueError, match="control_steps"):  # or it would be smaller than it was
        begin(tmp_path, "rfs_growing_hand", resume=True, control_steps=72)


def test_an_iteration_is_every_environments_whole_episode(tmp_path: Path) -> None:
    entry = begin(tmp_path).iterate()
    assert (entry.control_steps, entry.episodes) == (18, 3)
    chunked = begin(tmp_path / "chunk", "rfs_chunk_hand")
    assert chunked.env.decisions == 3
    assert chunked.iterate().control_steps == 18


def test_an_episode_that_chunks_do_not_fill_is_refused(tmp_path: Path) -> None:
    config = tiny_config()
    power = config.task("power")
    odd = replace(config, tasks={"power": replace(power, task=replace(power.task, episode_seconds=0.7))})
    with pytest.raises(ValueError, match=r"7 control steps cannot be cut into chunks of 2"):
        RlTraining("rfs_chunk_hand", "power", odd, tmp_path, 3, untrained(config))


def test_a_success_earns_what_holding_on_would_have(tmp_path: Path) -> None:
    env = begin(tmp_path).env
    result = env.simulation.step(np.zeros((3, 22)))
    result.success = env.simulation.success = np.array([True, False, False])
    earned = env._holding_on(result.reward, result)
    gamma, left = tiny_config().ppo.gamma, 5
    expected = result.reward[0] * sum(gamma**k for k in range(1, left + 1))
    assert earned == pytest.approx([expected, 0.0, 0.0])


@pytest.mark.parametrize(("method", "steps"), [("rfs_hand_arm", 1), ("rfs_chunk_hand", 2)])
def test_a_success_restarts_its_environment_with_another_episode(
    method: str, steps: int, tmp_path: Path
) -> None:
    env = begin(tmp_path, method).env
    before = env.simulation.object_pose[0].copy()
    env.simulation.success[1] = True  # reached in the first step of the choice, kept in the second
    observation, _, done, _ = env.step(torch.zeros(3, env.num_actions))
    assert done.tolist() == [0, 1, 0]
    assert observation["time"][:, 0].tolist() == pytest.approx([steps / 6, 0, steps / 6])
    assert (env.ended, env.succeeded) == (1, 1)
    moved = np.abs(env.simulation.object_pose[0] - before)[:, :2].max(axis=1) > 0.01
    assert moved.tolist() == [False, True, False]
    assert not env.simulation.success.any()


def test_killed_before_the_first_iteration_ends_the_run_goes_on(tmp_path: Path) -> None:
    begin(tmp_path)
    resumed = begin(tmp_path, resume=True)
    resumed.run(until=18)
    whole = begin(tmp_path / "whole")
    whole.run(until=18)
    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_where_no_run_was_begun_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing to resume at .*training\.safetensors"):
        begin(tmp_path, resume=True)


@pytest.mark.parametrize("last", ["saved", "3"])
def test_killed_at_any_moment_the_run_goes_on(tmp_path: Path, last: str) -> None:
    """Right after it saved its first iteration, and two iterations later, which nobody saved."""
    program = (
        "import signal, sys; sys.path[:0] = sys.argv[2].split(':')\n"
        "from pathlib import Path\n"
        "from test_rl_training import RlTraining, begin\n"
        "def tell(word):\n"
        "    print(word, flush=True)\n"
        "    if word == sys.argv[3]: signal.pause()\n"
        "record = RlTraining._record\n"
        "def told(self, entry, board):\n"
        "    record(self, entry, board); tell(str(entry.iteration))\n"
        "RlTraining._record = told\n"
        "training = begin(Path(sys.argv[1]), control_steps=10**9)\n"
        "training.run(until=18); tell('saved'); training.run()\n"
    )
    folder = tmp_path / "run"
    path = ":".join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", program, str(folder), path, last]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while child.stdout.readline() != f"{last}\n":
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
    resumed = begin(folder, resume=True, control_steps=10**9)
    assert resumed.iteration == 1, "the next save would have come after the tenth"
    resumed.run(until=36)
    entries = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in entries] == [1, 2]
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
