"""Forward kinematics and Jacobian of the arm up to the palm, batched in NumPy.

The FR3's links are related by quarter turns only (Craig's modified Denavit-Hartenberg parameters,
T_i = Rx(alpha_i) Tx(a_i) Rz(q_i) Tz(d_i)), so a joint costs one planar rotation of two column vectors.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# (quarter turns about x, a in m, d in m) of fr3_joint1 to fr3_joint7
_LINKS = (
    (0, 0.0, 0.333),
    (-1, 0.0, 0.0),
    (1, 0.0, 0.316),
    (1, 0.0825, 0.0),
    (-1, -0.0825, 0.384),
    (1, 0.0, 0.0),
    (1, 0.088, 0.0),
)
# Origin of PALM_FRAME in fr3_link7, m; the axes of the two frames are parallel.
_PALM_POSITION = (0.07, 0.0, 0.1995)


def forward(q_arm: Array) -> tuple[Array, Array]:
    """Arm joints (..., 7) to PALM_FRAME in BASE_FRAME: position (..., 3) in m, rotation (..., 3, 3)."""
    position, columns, _, _ = _chain(q_arm)
    return position, np.stack(columns, axis=-1)


def forward_and_jacobian(q_arm: Array) -> tuple[Array, Array, Array]:
    """Arm joints (n, 7) to palm position (n, 3), rotation (n, 3, 3) and geometric Jacobian (n, 6, 7).

    The Jacobian maps joint rates to the palm's linear (first three rows) and angular velocity in BASE_FRAME.
    """
    position, columns, axes, origins = _chain(q_arm)
    axis = np.stack(axes, axis=-1)
    arm = position[..., None] - np.stack(origins, axis=-1)
    jacobian = np.empty((*axis.shape[:-2], 6, 7))
    jacobian[..., 0, :] = axis[..., 1, :] * arm[..., 2, :] - axis[..., 2, :] * arm[..., 1, :]
    jacobian[..., 1, :] = axis[..., 2, :] * arm[..., 0, :] - axis[..., 0, :] * arm[..., 2, :]
    jacobian[..., 2, :] = axis[..., 0, :] * arm[..., 1, :] - axis[..., 1, :] * arm[..., 0, :]
    jacobian[..., 3:, :] = axis
    return position, np.stack(columns, axis=-1), jacobian


def _chain(q_arm: Array) -> tuple[Array, tuple[Array, Array, Array], list[Array], list[Array]]:
    """Palm position, its frame's columns, and each joint's axis and a point on it."""
    q = np.asarray(q_arm, dtype=np.float64)
    if q.shape[-1] != 7:
        raise ValueError(f"arm joints must have 7 numbers in the last axis, got shape {q.shape}")
    cosine, sine = np.cos(q)[..., None], np.sin(q)[..., None]
    x, y, z = (np.broadcast_to(column, (*q.shape[:-1], 3)) for column in np.eye(3))
    position = np.zeros((*q.shape[:-1], 3))
    axes, origins = [], []
    for joint, (turns, a, d) in enumerate(_LINKS):
        if turns:
            y, z = (z, -y) if turns > 0 else (-z, y)
        if a:
            position = position + a * x
        axes.append(z)
        origins.append(position)
        c, s = cosine[..., joint, :], sine[..., joint, :]
        x, y = c * x + s * y, c * y - s * x
        if d:
            position = position + d * z
    px, py, pz = _PALM_POSITION
    return position + px * x + py * y + pz * z, (x, y, z), axes, origins
