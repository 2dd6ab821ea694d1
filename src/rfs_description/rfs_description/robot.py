"""Facts of the robot: names, order, limits, home pose and frames of the FR3 arm with the LEAP right hand.

Joint vectors hold the seven arm joints, then the sixteen hand joints, in the order of `JOINTS`; radians.
The base frame's origin is the foot of the arm, z up, x forward; the table's top is z = 0.
"""

import numpy as np

BASE_FRAME = "fr3_link0"
PALM_FRAME = "leap_grasp"
"""Centre of the closed hand: x along the fingers, z out of the palm's inner side."""
PALM_SITE = "grasp"
"""Name of PALM_FRAME in the MJCF."""
FINGERTIPS = ("leap_if_tip", "leap_mf_tip", "leap_rf_tip", "leap_th_tip")
"""Frames (sites of the MJCF, links of the URDF) at the fingertips' centres: index, middle, ring, thumb."""

ARM_JOINTS = tuple(f"fr3_joint{i}" for i in range(1, 8))
HAND_JOINTS = (
    *(f"leap_{finger}_{joint}" for finger in ("if", "mf", "rf") for joint in ("mcp", "rot", "pip", "dip")),
    *(f"leap_th_{joint}" for joint in ("cmc", "axl", "mcp", "ipl")),
)
JOINTS = ARM_JOINTS + HAND_JOINTS

ARM_LOWER = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])
ARM_UPPER = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])
# A Franka aborts its motion when a command exceeds one of these: "Limits for Franka Research 3" in Franka's
# FCI documentation (control_parameters), the same numbers as in libfranka's rate_limiting.h.
ARM_VELOCITY_LIMITS = np.array([2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26])
"""rad/s, the most anywhere; near the ends of a joint less: see `arm_velocity.limits`."""
ARM_ACCELERATION_LIMITS = np.full(7, 10.0)
"""rad/s^2"""
ARM_JERK_LIMITS = np.full(7, 5000.0)
"""rad/s^3"""
HAND_LOWER = np.array([-0.314, -1.047, -0.506, -0.366] * 3 + [-0.349, -0.349, -0.47, -1.34])
HAND_UPPER = np.array([2.23, 1.047, 1.885, 2.042] * 3 + [2.094, 2.094, 2.443, 1.88])
HAND_VELOCITY_LIMITS = np.full(16, 8.48)
"""rad/s, no-load speed of the hand's motors at 5 V."""
HAND_ACCELERATION_LIMITS = np.full(16, 200.0)
"""rad/s^2. Nobody states one: our choice, full speed after 50 ms, so that a finger closes within a control
period or two and a step of its target is no blow to the gears."""
HAND_JERK_LIMITS = np.full(16, 20000.0)
"""rad/s^3. Our choice: full acceleration after 10 ms, one tick of a hand driver at 100 Hz."""
HAND_CLOSING = np.array([1.0, 0.0, 1.0, 1.0] * 3 + [0.0, 0.0, 1.0, 1.0])
"""Direction in which each hand joint closes the fingers; 0 for the joints that spread the fingers and that
place the thumb opposite to them."""

ARM_HOME = np.array([0.0, -0.36453393, 0.0, -2.4259133, 0.0, 2.06137937, 0.0])
"""Palm facing down at x = 0.5 m, y = 0, 0.35 m over the table, fingers forward."""
HAND_HOME = np.zeros(16)
"""Flat hand."""
