"""The frozen base: what it sees, pushing and reversing, files, equal seeds, refusals."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.rl.base_training import train_base
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.features import columns
from rfs_learning.rl.flow_base import CHUNK_CLIP, BaseNetwork, FlowBase, base_layout
from rfs_learning.rl.rl_config import BaseConfig
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_policy.flow import reverse
from rfs_policy.layout import DELTA_POSE
from rfs_sim_bridge.observations import PRIVILEGED_NAMES

P = len(PRIVILEGED_NAMES)
TINY = BaseConfig(
    width=32,
    depth=2,
    time_features=4,
    push_steps=5,
    horizon=2,
    steps=250,
    batch=128,
    learning_rate=3e-3,
    observation_noise=0.02,
    seed=0,
)
quick = settings(max_examples=20, deadline=None)
KINDS = ("hand", "hand_arm")


def made_up(rate: float = 20.0) -> Demonstrations:
    """Ten episodes in which every action is a linear function of the finger joints that are measured."""
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(300, P, generator=generator)
    mixing = 0.3 * torch.randn(16, 22, generator=generator)
    actions = observations[:, columns(base_layout("hand", 2, rate).state_names)] @ mixing
    actions[:, :6] *= 0.02
    return Demonstrations(observations, actions, torch.arange(30, 301, 30), ("box",) * 10, rate)


@pytest.fixture(scope="module", params=KINDS)
def base(request) -> FlowBase:
    return train_base(request.param, made_up(), TINY)


def noise_of(base: FlowBase, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, base.horizon, base.action_dim, generator=generator)


def untrained(kind, horizon: int = 2, rate: float = 20.0) -> FlowBase:
    return FlowBase(base_layout(kind, horizon, rate), BaseNetwork(16, 2, 4), push_steps=5)


def test_hand_sees_fingers_only_and_the_other_object_and_proprioception():
    assert base_layout("hand", 2, 20.0).action_names == DELTA_POSE.action_names[6:]
    assert all(name.startswith("measured/") for name in base_layout("hand", 2, 20.0).state_names)
    assert len(base_layout("hand", 2, 20.0).state_names) == 16
    both = base_layout("hand_arm", 2, 20.0)
    assert both.action_names == DELTA_POSE.action_names
    assert {"object/x", "object/quaternion_w", "command/palm_position_x"} <= set(both.state_names)
    assert not any(name.startswith(("contact", "velocity")) for name in both.state_names)


def test_nothing_but_its_columns_matters(base):
    observation = made_up().observations[:8]
    blind = torch.full_like(observation, torch.nan)
    index = columns(base.names)
    blind[:, index] = observation[:, index]
    noise = noise_of(base, 8)
    assert torch.equal(base.push(blind, noise), base.push(observation, noise))


def test_it_learns_what_it_was_shown(base):
    """Its error is far below that of the mean action."""
    data = made_up()
    expected = base.normalize_action(data.actions[:, -base.action_dim :])
    chunk = base.push(data.observations, torch.zeros(300, 2, base.action_dim))
    error = (base.normalize_action(chunk[:, 0]) - expected).square().mean()
    assert error < 0.3 * expected.square().mean()


def test_loss_falls_and_progress_is_reported():
    seen = []
    train_base("hand", made_up(), TINY, lambda done, loss: seen.append((done, loss)))
    assert [done for done, _ in seen] == list(range(1, TINY.steps + 1))
    losses = [loss for _, loss in seen]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])


def test_base_is_frozen_but_passes_gradients_to_noise(base):
    assert not any(parameter.requires_grad for parameter in base.parameters())
    noise = noise_of(base, 2).requires_grad_()
    base.push(made_up().observations[:2], noise).sum().backward()
    assert noise.grad is not None
    assert noise.grad.abs().sum() > 0


@quick
@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_reversed_noise_pushes_to_where_it_came_from(kind, seed):
    torch.manual_seed(seed)
    base = untrained(kind)
    observation, a1 = torch.randn(4, P), torch.randn(4, base.horizon, base.action_dim).clamp(-3.0, 3.0)
    errors = []
    for steps in (5, 80):
        base.push_steps = steps
        a0 = reverse(base.velocity(observation), a1, steps)
        errors.append((base.normalize_action(base.push(observation, a0)) - a1).abs().max().item())
    assert errors[1] < 0.02
    assert errors[1] < 0.5 * errors[0] + 1e-5


@quick
@given(st.integers(0, 10_000), st.floats(0.1, 1e4))
def test_no_noise_makes_actions_outside_the_clamp(seed, scale):
    base = untrained("hand_arm")
    base.action_mean.fill_(0.5)
    base.action_std.fill_(0.2)
    chunk = base.push(torch.randn(2, P), scale * noise_of(base, 2, seed))
    assert ((chunk - 0.5).abs() <= 0.2 * CHUNK_CLIP + 1e-6).all()


def test_normalization_has_zero_mean_and_unit_deviation_and_an_inverse(base):
    actions = made_up().actions[:, -base.action_dim :]
    normalized = base.normalize_action(actions)
    assert normalized.mean(0).abs().max() < 1e-4
    assert (normalized.std(0) - 1).abs().max() < 1e-3
    torch.testing.assert_close(base.denormalize_action(normalized), actions)


def test_constant_numbers_do_not_blow_up():
    data = made_up()
    flat = Demonstrations(torch.ones(300, P), torch.ones(300, 22), data.episode_ends, data.objects, 20.0)
    base = train_base("hand_arm", flat, replace(TINY, steps=3))
    assert base.push(torch.ones(1, P), noise_of(base, 1)).isfinite().all()


def test_equal_seeds_give_equal_bases_whatever_was_drawn_before():
    short = replace(TINY, steps=20)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = train_base("hand", made_up(), short).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    second = train_base("hand", made_up(), short).state_dict()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = train_base("hand", made_up(), replace(short, seed=1)).state_dict()
    assert not torch.equal(first["output.weight"], other["output.weight"])


# ---- files ----
def test_file_gives_back_every_bit(base, tmp_path):
    identity = base.save(tmp_path / "base.safetensors", {"trained": "so"})
    loaded = FlowBase.load(tmp_path / "base.safetensors", base.layout)
    assert loaded.id == base.id == identity != ""
    observation, noise = made_up().observations[:4], noise_of(base, 4)
    assert torch.equal(loaded.push(observation, noise), base.push(observation, noise))
    state = base.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert load_checkpoint(tmp_path / "base.safetensors").config["trained"] == "so"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (base_layout("hand_arm", 2, 20.0), "'delta_pose_22' does not match layout 'hand_16'"),
        (base_layout("hand", 4, 20.0), "horizon: 4 against 2"),
        (base_layout("hand", 2, 10.0), r"rate_hz: 10\.0 against 20\.0"),
    ],
)
def test_base_of_another_layout_horizon_or_rate_is_refused(tmp_path, wanted, sentence):
    file = tmp_path / "base.safetensors"
    untrained("hand").save(file, {})
    with pytest.raises(ValueError, match=sentence) as raised:
        FlowBase.load(file, wanted)
    assert str(file) in str(raised.value)


def test_policy_of_point_clouds_is_refused():
    with pytest.raises(ValueError, match="cloud_points"):
        FlowBase.load("default", base_layout("hand_arm", 2, 10.0))


def test_missing_base_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no base at .*nothing"):
        FlowBase.load(tmp_path / "nothing.safetensors", base_layout("hand", 2, 20.0))


@quick
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_half_a_file_never_loads(tmp_path_factory, share):
    file = tmp_path_factory.getbasetemp() / "half_base.safetensors"
    untrained("hand").save(file, {})
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="half_base"):
        FlowBase.load(file, base_layout("hand", 2, 20.0))


def test_tensors_that_do_not_fit_their_sizes_are_refused(tmp_path):
    file = tmp_path / "base.safetensors"
    untrained("hand").save(file, {})
    checkpoint = load_checkpoint(file)
    sizes = {**checkpoint.config, "network": {"width": 8, "depth": 2, "time_features": 4}}
    save_checkpoint(file, replace(checkpoint, config=sizes))
    with pytest.raises(ValueError, match="do not fit its sizes"):
        FlowBase.load(file, base_layout("hand", 2, 20.0))
