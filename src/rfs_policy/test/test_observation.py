"""Clouds are brought to size without inventing points; the state has its documented order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_policy.layout import STATE_COMMAND_FINGERS, STATE_JOINTS, STATE_PALM_POSITION, STATE_PALM_ROTATION
from rfs_policy.observation import (
    WORKSPACE_BOX,
    crop,
    fit_cloud,
    observed_cloud,
    proprioception,
    require_finite,
)


@given(st.integers(1, 400), st.integers(1, 128), st.integers(0, 2**32 - 1))
def test_fitted_cloud_has_the_size_and_only_given_points(count, n, seed):
    cloud = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    fitted = fit_cloud(cloud, n, np.random.default_rng(seed))
    assert fitted.shape == (n, 3)
    assert fitted.dtype == np.float32
    assert {tuple(p) for p in fitted} <= {tuple(p) for p in cloud}
    if count <= n:
        assert {tuple(p) for p in fitted} == {tuple(p) for p in cloud}


def test_fit_is_reproducible():
    cloud = np.random.default_rng(0).normal(size=(20000, 3))
    first, second = (fit_cloud(cloud, 1024, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_farthest_points_keep_a_small_far_cluster():
    rng = np.random.default_rng(0)
    cloud = np.concatenate([rng.normal(scale=0.1, size=(2000, 3)), [[5.0, 5.0, 5.0]]])
    assert fit_cloud(cloud, 16, rng).max() == 5.0


def test_empty_cloud_says_so():
    with pytest.raises(ValueError, match="empty cloud"):
        fit_cloud(np.zeros((0, 3)), 8, np.random.default_rng(0))


def test_crop_drops_outside_and_nan():
    inside = WORKSPACE_BOX.mean(axis=0)
    points = np.array([inside, [np.nan] * 3, WORKSPACE_BOX[1] + 1, WORKSPACE_BOX[0]])
    np.testing.assert_array_equal(crop(points), [inside, WORKSPACE_BOX[0]])


def test_nan_is_counted():
    with pytest.raises(ValueError, match="the cloud has 2 NaN"):
        require_finite(np.array([np.nan, 1.0, np.inf]), "the cloud")
    require_finite(np.zeros(3), "the cloud")


def test_state_order_batched():
    rng = np.random.default_rng(0)
    joints, position, rotation = rng.normal(size=(5, 23)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3, 3))
    fingers = rng.normal(size=(5, 16))
    state = proprioception(joints, position, rotation, fingers)
    assert state.shape == (5, 48)
    np.testing.assert_allclose(state[:, STATE_JOINTS], joints, rtol=1e-6)
    np.testing.assert_allclose(state[:, STATE_PALM_POSITION], position, rtol=1e-6)
    np.testing.assert_allclose(state[:, STATE_PALM_ROTATION][:, :3], rotation[:, :, 0], rtol=1e-6)
    np.testing.assert_allclose(state[:, STATE_PALM_ROTATION][:, 3:], rotation[:, :, 1], rtol=1e-6)
    np.testing.assert_allclose(state[:, STATE_COMMAND_FINGERS], fingers, rtol=1e-6)
    np.testing.assert_array_equal(proprioception(joints[2], position[2], rotation[2], fingers[2]), state[2])


def test_short_joint_vector_is_refused():
    with pytest.raises(ValueError, match="48 are expected"):
        proprioception(np.zeros(22), np.zeros(3), np.eye(3), np.zeros(16))


@given(count=st.sampled_from([1, 40, 64, 65, 700]), seed=st.integers(0, 99), stamp=st.integers(0, 2**62))
def test_the_observed_cloud_follows_from_points_and_stamp(count, seed, stamp):
    points = np.random.default_rng(seed).uniform(*WORKSPACE_BOX, (count, 3)).astype(np.float32)
    observed = observed_cloud(points, 64, stamp)
    np.testing.assert_array_equal(observed_cloud(points.copy(), 64, stamp), observed)
    assert observed.shape == (64, 3)
    if count == 64:
        np.testing.assert_array_equal(observed, points)
