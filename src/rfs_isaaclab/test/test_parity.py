"""Isaac Lab against MuJoCo: the same robot, the same motion, the same grasps, the same points."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_environment import require_isaaclab, run_in_isaaclab
from lab_jobs import EXPERT_JOBS, PATH_SEEDS, random_actions
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from rfs_learning.expert import Expert
from rfs_sim_bridge.engine import Start
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.mujoco_engine import MujocoEngine
from rfs_sim_bridge.objects import find_object
from scipy.spatial import cKDTree

from rfs_description import kinematics
from rfs_sim_bridge import scene

require_isaaclab()

JOINT_TOLERANCE = 1e-3  # rad, along a path; Isaac Lab averages targets over four physics steps
PALM_TOLERANCE = 1e-3  # m


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that Isaac Lab was asked for, measured in one start."""
    file = tmp_path_factory.mktemp("lab") / "report.json"
    run_in_isaaclab(Path(__file__).with_name("lab_measurements.py"), str(file))
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def model() -> Any:
    """MuJoCo's scene."""
    return scene.compiled_scene("cylinder", 0.0025)


def test_joints_have_the_projects_order_and_limits(measured: dict[str, Any], model: Any) -> None:
    assert measured["robot"]["joints"] == list(JOINTS)
    np.testing.assert_allclose(measured["robot"]["range"], model.jnt_range[:23], atol=1e-6)


def test_motors_are_those_of_the_mjcf(measured: dict[str, Any], model: Any) -> None:
    robot = measured["robot"]
    np.testing.assert_allclose(robot["stiffness"], model.actuator_gainprm[:23, 0], rtol=1e-6)
    np.testing.assert_allclose(robot["gain_damping"], -model.actuator_biasprm[:23, 2], rtol=1e-6)
    np.testing.assert_allclose(robot["armature"], model.dof_armature[:23], rtol=1e-6)
    np.testing.assert_allclose(robot["damping"], model.dof_damping[:23], rtol=1e-6)
    effort = [*model.jnt_actfrcrange[:7, 1], *model.actuator_forcerange[7:23, 1]]
    np.testing.assert_allclose(robot["effort"], effort, rtol=1e-6)


def test_masses_and_weight_compensation_survive_the_conversion(measured: dict[str, Any], model: Any) -> None:
    for name, mass in measured["robot"]["mass"].items():
        index = model.body(name).id
        if name != "fr3_link0":  # it does not move
            assert mass == pytest.approx(model.body_mass[index], rel=1e-5), name
            compensation = measured["robot"]["gravcomp"][name]
            assert compensation == pytest.approx(model.body_gravcomp[index], rel=1e-5), name


def test_the_same_bodies_collide(measured: dict[str, Any], model: Any) -> None:
    """Thumb with fingers and palm, all of the hand with object and table; neighbors never."""
    names = [model.body(int(body)).name for body in model.geom_bodyid]
    kinds = list(zip(names, model.geom_contype.tolist(), model.geom_conaffinity.tolist(), strict=True))
    expected = {
        pair(a, b)
        for i, (a, ta, fa) in enumerate(kinds)
        for b, tb, fb in kinds[i + 1 :]
        if a != b and (ta & fb or tb & fa)
    }
    parents = list(enumerate(model.body_parentid))
    never = {pair(*map(name_in(model), both)) for both in parents if both[1] > 0}  # the world is no neighbor
    never |= {pair(*map(name_in(model), divmod(int(both), 1 << 16))) for both in model.exclude_signature}
    assert {pair(*both) for both in measured["robot"]["meeting"]} - never == expected - never


def pair(first: str, second: str) -> tuple[str, ...]:
    """Two names in alphabetic order."""
    return tuple(sorted((first, second)))


def name_in(model: Any) -> Callable[[int], str]:
    """Names of a model's bodies."""
    return lambda body: model.body(int(body)).name


def test_home_is_held_as_in_mujoco(measured: dict[str, Any]) -> None:
    home, spec = np.concatenate([ARM_HOME, HAND_HOME]), find_object("cylinder")
    engine = MujocoEngine(1, 0.0025, 1)
    place = np.array([0.7, 0.3, spec.rest_height])
    engine.reset(np.array([0]), [Start(spec, home, place, np.array([0.0, 0.0, 0.0, 1.0]))])
    for _ in range(20):
        engine.step(np.tile(home, (1, 40, 1)), np.zeros((1, 40, 23)))
    np.testing.assert_allclose(measured["hold"], engine.state.joint_positions[0], atol=2e-4)


@pytest.mark.parametrize("number", range(len(PATH_SEEDS)))
def test_equal_commands_give_equal_paths_and_clouds(measured: dict[str, Any], number: int) -> None:
    seed, report = PATH_SEEDS[number], measured["paths"][number]
    task = GraspTask(objects=[EXPERT_JOBS[0][0]], threads=1)
    task.reset([seed], [EXPERT_JOBS[seed % len(EXPERT_JOBS)][0]])
    clouds = [task.clouds()[0]]
    joints = []
    for action in random_actions(seed):
        task.step(action)
        joints.append(task.joint_positions[0].copy())
    clouds.append(task.clouds()[0])
    theirs = np.array(report["joints"])
    np.testing.assert_allclose(theirs, joints, atol=JOINT_TOLERANCE)
    palm, ours = kinematics.forward(theirs[:, :7])[0], kinematics.forward(np.array(joints)[:, :7])[0]
    np.testing.assert_allclose(palm, ours, atol=PALM_TOLERANCE)
    for lab, own in zip(report["clouds"], clouds, strict=True):
        distance, _ = cKDTree(own).query(np.array(lab))
        assert np.median(distance) < 1e-3
        assert np.quantile(distance, 0.95) < 5e-3


def test_an_episode_repeats_bit_for_bit(measured: dict[str, Any]) -> None:
    assert measured["again"] == measured["paths"][0]["joints"]


def test_the_scripted_expert_lifts_in_both(measured: dict[str, Any]) -> None:
    task = GraspTask(objects=[EXPERT_JOBS[0][0]], threads=1)
    expert = Expert(task)
    for (name, seed), row in zip(EXPERT_JOBS, measured["grasps"], strict=True):
        task.reset([seed], [name])
        expert.reset([0], [seed])
        while not (task.success[0] or task.steps[0] >= task.config.max_steps):
            task.step(expert.act())
        assert task.success[0]
        assert row["success"], row
        assert row["touched"], "contacts are seen"
        assert abs(row["lift"] - task.lift[0]) < 0.02


def test_an_object_that_is_not_in_the_scene_is_refused(measured: dict[str, Any]) -> None:
    assert "'can' is not in this Isaac Lab scene" in measured["refusal"]
    assert "cylinder, box" in measured["refusal"]
