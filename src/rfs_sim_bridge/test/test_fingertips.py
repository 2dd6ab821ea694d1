"""Fingertips from joint angles are where the simulator has them."""

import numpy as np
from rfs_description.robot import ARM_HOME, HAND_LOWER, HAND_UPPER
from rfs_sim_bridge.fingertips import fingertips
from rfs_sim_bridge.grasp_task import GraspTask


def test_fingertips_are_the_simulators():
    task, rng = GraspTask(num_envs=3), np.random.default_rng(0)
    for _ in range(3):
        fingers = rng.uniform(0.5 * HAND_LOWER, 0.5 * HAND_UPPER, (3, 16))
        moves = [
            np.zeros((3, 6))
        ] * 20  # until the hand is at rest: the simulator's sensors are a step behind
        for move in [rng.uniform(-0.02, 0.02, (3, 6)), *moves]:
            task.step(np.concatenate([move, fingers], axis=1))
        measured = task.engine.state.fingertips
        np.testing.assert_allclose(fingertips(task.joint_positions), measured, atol=1e-3)


def test_flat_hand_has_its_thumb_apart():
    tips = fingertips(np.concatenate([ARM_HOME, np.zeros(16)])[None])[0]
    assert np.linalg.norm(tips[3] - tips[:3], axis=1).min() > 0.1
