"""Run by Isaac Lab's interpreter: an environment of managers, whose RecorderManager records an episode.

`python recorder_session.py EPISODE.npz FILE.hdf5`, as Isaac Lab's record_demos.py does it, with joint targets
for a teleoperator. EPISODE.npz: object, targets (T, 23) rad, joints (23,) rad and pose (7,), m and xyzw, of
the object at the start.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from isaaclab.app import launch_simulation
from isaaclab.envs import ManagerBasedEnv, ManagerBasedEnvCfg, mdp
from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
from isaaclab.managers import DatasetExportMode, ObservationGroupCfg, ObservationTermCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from rfs_description.robot import JOINTS
from rfs_isaaclab.scene_cfg import ROBOT, GraspSceneCfg, grasp_scene, object_key
from rfs_isaaclab.simulation_cfg import SUBSTEPS, newton_physics
from rfs_sim_bridge.task_config import TaskConfig

TASK = TaskConfig.default()


@configclass
class JointTargets:
    """All joints, rad."""

    joints = mdp.JointPositionActionCfg(
        asset_name=ROBOT,
        joint_names=list(JOINTS),
        preserve_order=True,
        scale=1.0,
        use_default_offset=False,
    )


@configclass
class JointsSeen:
    """Joint angles."""

    @configclass
    class Policy(ObservationGroupCfg):
        joint_pos = ObservationTermCfg(func=mdp.joint_pos)

    policy: Policy = Policy()


@configclass
class RecordedCfg(ManagerBasedEnvCfg):
    """The scene at 10 Hz, with Isaac Lab's usual recorder."""

    decimation: int = TASK.substeps // SUBSTEPS
    sim: SimulationCfg = newton_physics(TASK.timestep)
    scene: GraspSceneCfg = GraspSceneCfg(num_envs=1)
    actions: JointTargets = JointTargets()
    observations: JointsSeen = JointsSeen()
    recorders: ActionStateRecorderManagerCfg = ActionStateRecorderManagerCfg()


def main() -> None:
    """Record, and leave at once: Isaac Lab takes long to clean up."""
    torch.set_num_threads(1)
    episode, file = np.load(sys.argv[1]), Path(sys.argv[2])
    cfg = RecordedCfg()
    cfg.scene = grasp_scene([str(episode["object"])])
    cfg.sim.device = "cpu"
    cfg.recorders.dataset_export_dir_path, cfg.recorders.dataset_filename = str(file.parent), file.stem
    cfg.recorders.dataset_export_mode = DatasetExportMode.EXPORT_SUCCEEDED_ONLY
    with launch_simulation(cfg, argparse.Namespace()):
        env = ManagerBasedEnv(cfg)
        env.reset()
        env.reset_to(start(env, episode), None, is_relative=True)
        for targets in episode["targets"]:
            env.step(torch.tensor(targets, dtype=torch.float32)[None])
        env.recorder_manager.set_success_to_episodes([0], torch.tensor([[True]]))
        env.recorder_manager.export_episodes([0])
        env.recorder_manager.close()
        os._exit(0)


def start(env: ManagerBasedEnv, episode: np.lib.npyio.NpzFile) -> dict:
    """The scene's state with robot and object as the episode begins."""
    state = env.scene.get_state(is_relative=True)
    robot, thing = state["articulation"][ROBOT], state["rigid_object"][object_key(str(episode["object"]))]
    order = [JOINTS.index(name) for name in env.scene[ROBOT].joint_names]
    robot["joint_position"] = torch.tensor(episode["joints"][order], dtype=torch.float32)[None]
    thing["root_pose"] = torch.tensor(episode["pose"], dtype=torch.float32)[None]
    return state


if __name__ == "__main__":
    main()
