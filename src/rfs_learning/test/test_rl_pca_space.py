"""PCA space: the best linear compression, bounded by the demonstrations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from finger_motions import RATE, assert_within_limits, choices, hands, made_up, observations
from hypothesis import given
from rfs_learning.rl.pca_space import PcaSpace
from rfs_learning.rl.rl_config import RlConfig

STEERING = RlConfig.load().steering
DEMONSTRATIONS = made_up()
TARGETS = DEMONSTRATIONS.actions[:, 6:]
SPACE = PcaSpace.fit(DEMONSTRATIONS, STEERING, RATE)
ANY = observations(torch.zeros(1, 16))


def fingers(space: PcaSpace, latents: torch.Tensor) -> torch.Tensor:
    """Finger targets (n, 16) of choices of latents (n, C), with the arm at rest."""
    u = torch.cat([torch.zeros(len(latents), 6), latents], dim=1)
    return space.decide(ANY.expand(len(u), -1), u, None)[:, 0, 6:]


def test_sizes_of_table_2():
    assert SPACE.dim == len(SPACE.initial_std) == 6 + 4
    assert SPACE.execute == 1
    assert SPACE.noise_shape is None
    assert SPACE.decide(ANY.expand(3, -1), torch.zeros(3, 10), None).shape == (3, 1, 22)


@given(hands, choices(10))
def test_no_choice_leaves_the_limits(hand, u):
    assert_within_limits(SPACE.decide(hand, u, None))


def test_all_components_reconstruct_exactly():
    full = PcaSpace.fit(DEMONSTRATIONS, STEERING, RATE, components=16)
    torch.testing.assert_close(full.decode(full.encode(TARGETS)), TARGETS, atol=1e-5, rtol=0)
    assert float(full.explained.sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("components", [1, 4, 9])
def test_error_is_the_smallest_of_that_rank(components):
    space = PcaSpace.fit(DEMONSTRATIONS, STEERING, RATE, components)
    error = float((space.decode(space.encode(TARGETS)) - TARGETS).square().sum())
    centered = TARGETS.double().numpy() - TARGETS.double().numpy().mean(axis=0)
    singular = np.linalg.svd(centered, compute_uv=False)
    assert error == pytest.approx((singular[components:] ** 2).sum(), rel=1e-4)
    np.testing.assert_allclose(
        space.explained, singular[:components] ** 2 / (singular**2).sum(), rtol=1e-4, atol=1e-6
    )


def test_components_are_orthonormal_and_fall():
    torch.testing.assert_close(SPACE.basis @ SPACE.basis.T, torch.eye(4), atol=1e-5, rtol=0)
    assert (SPACE.explained.diff() <= 0).all()


def test_zero_is_the_hand_with_which_demonstrations_begin():
    first = TARGETS[[0, *DEMONSTRATIONS.episode_ends[:-1].tolist()]]
    expected = SPACE.decode(SPACE.encode(first)).mean(dim=0, keepdim=True)
    torch.testing.assert_close(fingers(SPACE, torch.zeros(1, 4)), expected, atol=1e-5, rtol=0)


def test_latents_end_where_the_demonstrations_end():
    demonstrated = SPACE.encode(TARGETS)
    for sign, extreme in ((-1.0, demonstrated.amin(dim=0)), (1.0, demonstrated.amax(dim=0))):
        expected = SPACE.decode(extreme[None]).clamp(SPACE.lower, SPACE.upper)
        for size in (1.0, 9.0):
            reached = fingers(SPACE, torch.full((1, 4), sign * size))
            torch.testing.assert_close(reached, expected, atol=1e-5, rtol=0)


def test_every_demonstrated_pose_has_a_choice():
    below, above = SPACE.start - SPACE.smallest, SPACE.largest - SPACE.start
    offset = SPACE.encode(TARGETS) - SPACE.start
    u = torch.where(offset < 0, offset / below, offset / above)
    assert u.abs().max() <= 1.0 + 1e-5
    nearest = SPACE.decode(SPACE.encode(TARGETS)).clamp(SPACE.lower, SPACE.upper)
    torch.testing.assert_close(fingers(SPACE, u), nearest, atol=1e-4, rtol=0)


def test_weights_fill_an_empty_space():
    other = PcaSpace(STEERING, RATE)
    other.load_state_dict({name: tensor.clone() for name, tensor in SPACE.state_dict().items()})
    u = torch.randn(5, 10)
    hand = ANY.expand(5, -1)
    assert torch.equal(SPACE.decide(hand, u, None), other.decide(hand, u, None))


def test_refuses_too_few_steps():
    few = replace(
        DEMONSTRATIONS,
        observations=DEMONSTRATIONS.observations[:4],
        actions=DEMONSTRATIONS.actions[:4],
        episode_ends=torch.tensor([4]),
    )
    with pytest.raises(ValueError, match=r"at least 5 steps of demonstrations, there are 4: collect more"):
        PcaSpace.fit(few, STEERING, RATE)


def test_refuses_fingers_that_move_in_fewer_directions():
    actions = DEMONSTRATIONS.actions.clone()
    actions[:, 9:] = 0.0
    with pytest.raises(ValueError, match=r"vary in 4 directions, these demonstrations vary in 3: collect"):
        PcaSpace.fit(replace(DEMONSTRATIONS, actions=actions), STEERING, RATE)
