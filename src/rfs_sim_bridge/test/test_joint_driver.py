"""The simulated joints follow the motion that a real arm's driver would send."""

import numpy as np
import pytest
from rfs_control.command import Command
from rfs_control.interpolation import Interpolator
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.joint_driver import JointDriver

SLICE = 4  # physics steps of 2.5 ms


@pytest.fixture
def task() -> GraspTask:
    return GraspTask(objects=["box"])


def lifted(task: GraspTask) -> Command:
    """4 cm up, fingers bent."""
    command = task.command
    return Command(command.position + np.array([0.0, 0.0, 0.04]), command.rotation, command.fingers + 0.3)


def test_physics_steps_lie_on_the_motion_at_1_khz(task: GraspTask, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[np.ndarray] = []
    simulate = task.engine.step
    monkeypatch.setattr(task.engine, "step", lambda t, q: (steps.append(t[0].copy()), simulate(t, q)))
    start, command = task.joint_positions[0].copy(), lifted(task)
    driver = JointDriver(task)
    driver.follow(command)
    for _ in range(20):
        driver.advance(SLICE)
    motion = Interpolator(start)
    motion.set_target(task.joint_targets[0])
    samples = motion.advance(200)
    sent = np.concatenate(steps)
    np.testing.assert_allclose(sent[1::2], samples[4::5], atol=1e-12)  # 5, 10, ... ms
    np.testing.assert_allclose(sent[0::2], 0.5 * (samples[1::5] + samples[2::5]), atol=1e-12)  # 2.5, 7.5, ...


def test_the_command_is_reached_inside_the_limits_and_a_reset_forgets(task: GraspTask) -> None:
    driver, command = JointDriver(task), lifted(task)
    driver.follow(command)
    for _ in range(60):
        driver.advance(SLICE)
    reached = Command.from_joints(task.joint_positions)
    assert np.linalg.norm(reached.position - command.position) < 0.01
    assert 0.3 < driver.peaks()["arm_acceleration_share"] <= 1.0
    assert task.time[0] == pytest.approx(0.6)
    task.reset([3])
    driver.reset()
    assert max(driver.peaks().values()) == 0.0
    before = task.joint_targets[0].copy()
    driver.advance(SLICE)
    np.testing.assert_allclose(task.joint_positions[0], before, atol=0.01)
