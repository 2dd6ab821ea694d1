import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.spatial.transform import Rotation

from rfs_description import rotations

vectors = npst.arrays(np.float64, (3,), elements=st.floats(-1.7, 1.7))


@given(vectors)
def test_exponential_is_scipys_and_logarithm_inverts_it(vector: np.ndarray) -> None:
    matrix = rotations.from_vector(vector)
    np.testing.assert_allclose(matrix, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rotations.to_vector(matrix), vector, atol=1e-8)


def test_tiny_rotations_keep_their_size() -> None:
    vector = np.array([[1e-10, -2e-10, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(rotations.to_vector(rotations.from_vector(vector)), vector, atol=1e-15)


@given(vectors)
def test_orthonormalize_removes_small_errors(vector: np.ndarray) -> None:
    exact = rotations.from_vector(vector)
    repaired = rotations.orthonormalize(exact + 1e-6 * np.arange(9.0).reshape(3, 3))
    np.testing.assert_allclose(repaired.T @ repaired, np.eye(3), atol=1e-9)
