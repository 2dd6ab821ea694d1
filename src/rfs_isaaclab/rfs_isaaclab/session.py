"""Starts Isaac Lab with the grasp scene in this process, without Isaac Sim."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from isaaclab.app import launch_simulation
from isaaclab.scene import InteractiveScene
from isaaclab.sim import SimulationContext
from rfs_sim_bridge.task_config import TaskConfig

from rfs_isaaclab import scene_cfg, simulation_cfg, versions
from rfs_isaaclab.engine import IsaacLabEngine
from rfs_isaaclab.newton_backend import NewtonBackend


@contextmanager
def started(objects: Sequence[str], config: TaskConfig) -> Iterator[IsaacLabEngine]:
    """One environment with these objects, on MuJoCo in C inside Newton, until the block ends.

    Raises:
        ValueError, FileNotFoundError: an object that cannot be, files that are missing, another version.
    """
    versions.require()
    torch.set_num_threads(1)
    physics = simulation_cfg.newton_physics(config.timestep, single=True)
    scene = scene_cfg.grasp_scene(objects, rays=config.cloud.rays)
    with launch_simulation(physics, argparse.Namespace()):
        simulation = SimulationContext(physics)
        interactive = InteractiveScene(scene)
        simulation.reset()
        physics_backend = NewtonBackend(simulation, interactive, objects)
        yield IsaacLabEngine(simulation, interactive, objects, physics_backend)
