"""RFS' variants: a residual for each executed step, and one whose bounds grow."""

import pytest
import torch
from rfs_learning.rl.methods import make_space
from rfs_learning.rl.training import RlTraining
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rl_tiny import tiny_config, untrained

CONFIG = tiny_config()
SEEN = torch.randn(4, len(PRIVILEGED_NAMES), generator=torch.Generator().manual_seed(1))


def space_of(method: str):
    return make_space(method, CONFIG, CONFIG.task("power"), untrained(CONFIG))


@pytest.mark.parametrize("method", ["rfs_steps_hand", "rfs_growing_hand"])
def test_no_choice_is_the_base_policy_exactly(method):
    space, plain = space_of(method), space_of("rfs_hand")
    nothing = torch.zeros(4, space.dim), torch.zeros(4, plain.dim)
    assert torch.equal(space.decide(SEEN, nothing[0], None), plain.decide(SEEN, nothing[1], None))


def test_each_executed_step_has_a_residual_of_its_own():
    each, one = space_of("rfs_steps_hand"), space_of("rfs_chunk_hand")
    assert each.dim == one.dim + 16
    u = torch.zeros(4, each.dim)
    u[:, each.residual.start + 16 + 3] = 1.0  # third finger joint of the second step
    moved = each.decide(SEEN, u, None) - each.decide(SEEN, torch.zeros_like(u), None)
    assert (moved.abs() > 1e-6).nonzero().tolist() == [[env, 1, 6 + 3] for env in range(4)]
    assert moved[0, 1, 9] == pytest.approx(CONFIG.steering.residual.fingers, rel=1e-5)


def test_the_same_residual_for_both_steps_is_the_chunk_s():
    each, one = space_of("rfs_steps_hand"), space_of("rfs_chunk_hand")
    u = torch.randn(4, one.dim, generator=torch.Generator().manual_seed(2))
    doubled = torch.cat([u, u[:, one.residual]], dim=1)
    assert torch.equal(each.decide(SEEN, doubled, None), one.decide(SEEN, u, None))


def test_a_growing_residual_reaches_its_size_at_half_of_the_budget():
    growing, plain = space_of("rfs_growing_hand"), space_of("rfs_hand")
    u = torch.randn(4, plain.dim, generator=torch.Generator().manual_seed(3))
    without = u.clone()
    without[:, plain.residual] = 0.0
    growing.progress(0.0)
    assert torch.equal(growing.decide(SEEN, u, None), plain.decide(SEEN, without, None))
    growing.progress(0.25)
    assert torch.equal(2 * growing.bounds, plain.bounds)
    for share in (0.5, 1.0):
        growing.progress(share)
        assert torch.equal(growing.decide(SEEN, u, None), plain.decide(SEEN, u, None))


def test_training_makes_it_grow_and_its_checkpoint_keeps_how_far(tmp_path):
    training = RlTraining("rfs_growing_hand", "power", CONFIG, tmp_path, 0, untrained(CONFIG))
    assert training.space.bounds.max() == 0.0
    training.iterate()
    assert 0 < training.space.bounds.max() < CONFIG.steering.residual.fingers
    assert torch.equal(training.policy().space.bounds, training.space.bounds)
    training.iterate()
    assert training.space.bounds.max() == pytest.approx(CONFIG.steering.residual.fingers)
