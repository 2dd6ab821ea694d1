"""Isaac Lab's ray caster, for what a camera sees."""

from typing import Any

import newton
from isaaclab.sim import SimulationContext
from isaaclab_newton.physics.newton_manager_cfg import NewtonBuilderCfg
from isaaclab_newton.sensors.ray_caster.newton_raycast_sensor import NewtonRaycastSensor
from isaaclab_newton.sensors.ray_caster.newton_raycast_sensor_cfg import NewtonRaycastSensorCfg


class VisibleRayCaster(NewtonRaycastSensor):
    """Rays that meet visible shapes as well as colliding ones: the arm's shells collide with nothing."""

    def __init__(self, cfg: NewtonRaycastSensorCfg) -> None:
        super().__init__(cfg)
        sim: Any = SimulationContext.instance()
        sim.require_visual_shapes()  # Newton leaves them out otherwise
        builder = sim.get_or_create_backend(NewtonBuilderCfg(physics_cfg=sim.cfg.physics))
        builder.default_bvh_cfg.shape_flags |= newton.ShapeFlags.VISIBLE
