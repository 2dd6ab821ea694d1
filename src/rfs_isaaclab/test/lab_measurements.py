"""Run by Isaac Lab's interpreter: measures what the tests ask for, in one start, and writes it as JSON.

`python lab_measurements.py FILE`. The tests' own interpreter has no Isaac Lab.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "rfs_learning"))

from lab_jobs import EXPERT_JOBS, PATH_SEEDS, random_actions
from rfs_description.robot import ARM_HOME, HAND_HOME, JOINTS
from rfs_isaaclab.newton_shapes import geom_bodies, solver
from rfs_learning.expert import Expert
from rfs_sim_bridge.engine import Start
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_object
from rfs_sim_bridge.task_config import TaskConfig

from rfs_isaaclab import session

OBJECTS = [name for name, _ in EXPERT_JOBS]


def robot(engine: Any) -> dict[str, Any]:
    """What Newton made of the robot: joints in MuJoCo's order, bodies and colliding pairs by name."""
    from isaaclab_newton.physics import NewtonManager

    model, joints = solver().mj_model, len(JOINTS)
    labels = [label.rsplit("/", 1)[-1] for label in NewtonManager.get_model().body_label]
    bodies = {label: index for index, label in enumerate(labels) if "object" not in label}
    mass, gravcomp = model.body_mass, model.body_gravcomp
    place = solver().mjc_body_to_newton.numpy()[0]
    of_body = {int(body): index for index, body in enumerate(place)}
    geoms = [labels[body] if body >= 0 else "world" for body in geom_bodies()]
    kinds = list(zip(geoms, model.geom_contype.tolist(), model.geom_conaffinity.tolist(), strict=True))
    meeting = {
        tuple(sorted((a, b)))
        for i, (a, ta, fa) in enumerate(kinds)
        for b, tb, fb in kinds[i + 1 :]
        if a != b and (ta & fb or tb & fa)
    }
    return {
        "joints": list(engine._robot.joint_names),
        "range": model.jnt_range[:joints].tolist(),
        "armature": model.dof_armature[:joints].tolist(),
        "damping": model.dof_damping[:joints].tolist(),
        "stiffness": model.actuator_gainprm[: 2 * joints : 2, 0].tolist(),
        "gain_damping": model.actuator_gainprm[1 : 2 * joints : 2, 0].tolist(),
        "effort": model.jnt_actfrcrange[:joints, 1].tolist(),
        "mass": {name: float(mass[of_body[index]]) for name, index in bodies.items()},
        "gravcomp": {name: float(gravcomp[of_body[index]]) for name, index in bodies.items()},
        "meeting": sorted(meeting),
    }


def held(engine: Any) -> list[float]:
    """rad: where the joints are after holding home for 2 s."""
    home, spec = np.concatenate([ARM_HOME, HAND_HOME]), find_object(OBJECTS[0])
    start = Start(spec, home, np.array([0.7, 0.3, spec.rest_height]), np.array([0.0, 0.0, 0.0, 1.0]))
    engine.reset(np.array([0]), [start])
    for _ in range(20):
        engine.step(np.tile(home, (1, 40, 1)), np.zeros((1, 40, 23)))
    return engine.state.joint_positions[0].tolist()


def path(task: GraspTask, seed: int) -> dict[str, Any]:
    """Joints, object and cloud along random actions."""
    task.reset([seed], [OBJECTS[seed % len(OBJECTS)]])
    joints, clouds = [], [task.clouds()[0].tolist()]
    for action in random_actions(seed):
        task.step(action)
        joints.append(task.joint_positions[0].tolist())
    clouds.append(task.clouds()[0].tolist())
    return {"joints": joints, "object": task.object_pose[0][0].tolist(), "clouds": clouds}


def grasps(task: GraspTask) -> list[dict[str, Any]]:
    """What the scripted expert comes to."""
    expert, found = Expert(task), []
    for name, seed in EXPERT_JOBS:
        task.reset([seed], [name])
        expert.reset([0], [seed])
        touched = False
        while not (task.success[0] or task.steps[0] >= task.config.max_steps):
            task.step(expert.act())
            touched |= bool(task.engine.state.contacts[0].any())
        row = {"object": name, "seed": seed, "success": bool(task.success[0]), "lift": float(task.lift[0])}
        found.append(row | {"touched": touched, "steps": int(task.steps[0])})
    return found


def refusal(task: GraspTask) -> str:
    """What an object is answered with that is not in the scene."""
    try:
        task.reset([0], ["can"])
    except ValueError as error:
        return str(error)
    return ""


def main() -> None:
    """Measure and leave at once: Isaac Lab takes long to clean up."""
    config = TaskConfig.default()
    with session.started(OBJECTS, config) as engine:
        task = GraspTask(config, objects=OBJECTS[:1], threads=1, engine=engine)
        report = {
            "robot": robot(engine),
            "hold": held(engine),
            "paths": [path(task, seed) for seed in PATH_SEEDS],
            "again": path(task, PATH_SEEDS[0])["joints"],
            "grasps": grasps(task),
            "refusal": refusal(task),
        }
        Path(sys.argv[1]).write_text(json.dumps(report))
        os._exit(0)


if __name__ == "__main__":
    main()
