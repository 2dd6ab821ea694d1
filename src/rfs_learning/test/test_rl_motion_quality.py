"""What is measured of a motion, from known poses and commands; and how disturbances grow."""

from dataclasses import replace

import numpy as np
import pytest
from rfs_description.robot import HAND_HOME
from rfs_learning.rl.motion_quality import OFF_TABLE, MotionQuality
from rfs_learning.rl.rl_config import RlTask
from rfs_learning.rl.robustness import LEVELS, disturbed
from rfs_sim_bridge.episodes import draw
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.interpenetration import interpenetration
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import TaskConfig

TASK = RlTask(
    "test",
    ("box",),
    TaskConfig.from_dict({"control_rate": 20.0, "timestep": 0.005, "episode_seconds": 2.0}),
)


class Posed:
    """A GraspTask of which the test decides where the object is."""

    def __init__(self, fingers=HAND_HOME):
        self.task = GraspTask(TASK.task, 1, ["box"], threads=1)
        self.quality = MotionQuality(self.task)
        self.task.engine.state.joint_positions[0, 7:] = fingers

    def at(self, lift, speed=0.0):
        state = self.task.engine.state
        state.object_position[0, 2] = find_object("box").rest_height + lift
        state.object_velocity[0, :3] = (0.0, 0.0, speed)
        self.quality.update()
        return self.quality


CROSSED = HAND_HOME.copy()
CROSSED[[1, 5]] = 0.6, -0.6


def test_interpenetration_counts_only_off_the_table():
    posed = Posed(CROSSED)
    deep = interpenetration(CROSSED[None])[0]
    assert deep > 0.005
    assert posed.at(0.9 * OFF_TABLE).depth[0] == 0
    assert posed.at(1.1 * OFF_TABLE).depth[0] == pytest.approx(deep)
    assert posed.at(0.0).depth[0] == pytest.approx(deep)
    posed.quality.begin(np.array([0]))
    assert posed.at(0.0).depth[0] == 0


def test_lifted_needs_height_rest_and_time_but_no_feasible_pose():
    posed = Posed(CROSSED)
    hold = posed.task.config.hold_steps
    for _ in range(hold - 1):
        assert not posed.at(0.21).lifted[0]
    assert not posed.at(0.19).lifted[0]  # starts again
    for _ in range(hold):
        assert not posed.at(0.21, speed=0.5).lifted[0]
    for _ in range(hold):
        posed.at(0.21)
    assert posed.quality.lifted[0]
    assert not posed.task.feasible()[0]


def test_roughness_of_known_commands():
    simulation = GraspTask(TASK.task, 2, ["box"], threads=1)
    quality = MotionQuality(simulation)
    start = simulation.command
    for step, jump in enumerate((1, 2, 3, 4, 4, 4), start=1):
        fingers = start.fingers.copy()
        fingers[0] += 0.01 * step  # steady: one jerk, at the start
        fingers[1] += 0.01 * jump  # and one at the stop
        simulation.command = replace(start, fingers=fingers)
        quality.update()
    np.testing.assert_allclose(quality.finger_roughness, 0.01 * np.sqrt([1 / 6, 2 / 6]))
    np.testing.assert_array_equal(quality.palm_roughness, 0)


# ---- disturbances ----
def test_levels_scale_the_pulses_and_nothing_else():
    box, one = find_object("box"), draw(7, find_object("box"), TASK.task)
    for level in LEVELS:
        other = draw(7, box, disturbed(TASK, level).task)
        np.testing.assert_allclose(other.disturbance, level * one.disturbance)
        np.testing.assert_array_equal(other.start.joint_positions, one.start.joint_positions)
        np.testing.assert_array_equal(other.start.object_position, one.start.object_position)
    assert one.disturbance.any()


@pytest.mark.parametrize("level", [-1.0, np.inf, np.nan])
def test_impossible_levels_are_refused(level):
    with pytest.raises(ValueError, match="0 or more"):
        disturbed(TASK, level)
