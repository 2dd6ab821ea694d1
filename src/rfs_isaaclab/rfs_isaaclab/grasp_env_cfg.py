"""Settings of the grasp task as an environment of Isaac Lab."""

from isaaclab.envs import DirectRLEnvCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig

from rfs_isaaclab.scene_cfg import GraspSceneCfg, grasp_scene
from rfs_isaaclab.simulation_cfg import SUBSTEPS, newton_physics, physx_physics
from rfs_isaaclab.touch_sensors import add_touch_sensors

_TASK = TaskConfig.default()
ACTIONS = 22


@configclass
class GraspEnvCfg(DirectRLEnvCfg):
    """Newton; on a CPU or a GPU, as `sim.device` says. All else about the task is in its own `TaskConfig`.

    objects: names of those to grasp, taken by the environments in turn.
    """

    objects: tuple[str, ...] = ("cylinder",)
    decimation: int = _TASK.substeps // SUBSTEPS
    episode_length_s: float = _TASK.episode_seconds
    action_space: int = ACTIONS
    observation_space: int = len(PRIVILEGED_NAMES)
    state_space: int = 0
    sim: SimulationCfg = newton_physics(_TASK.timestep)
    scene: GraspSceneCfg = GraspSceneCfg(num_envs=64)

    def __post_init__(self) -> None:
        self.sim.render_interval = self.decimation
        self.fill_scene()

    def fill_scene(self) -> None:
        """Bring the scene up to date with `objects`; FileNotFoundError where Isaac Lab is not set up."""
        self.scene = grasp_scene(self.objects, self.scene.num_envs)


@configclass
class GraspPhysxEnvCfg(GraspEnvCfg):
    """PhysX, for Isaac Sim with a GPU: type-checked, never run where it was made. One object."""

    decimation: int = _TASK.substeps
    sim: SimulationCfg = physx_physics(_TASK.timestep)

    def fill_scene(self) -> None:
        """As of GraspEnvCfg, with sensors that tell contacts."""
        super().fill_scene()
        add_touch_sensors(self.scene, self.objects[0])
