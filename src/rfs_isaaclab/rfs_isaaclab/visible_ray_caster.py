"""Isaac Lab's ray caster, for what a camera sees."""

from typing import Any

import newton
import warp
from isaaclab.sim import SimulationContext
from isaaclab_newton.physics.newton_manager_cfg import NewtonBuilderCfg
from isaaclab_newton.sensors.ray_caster.newton_raycast_sensor import NewtonRaycastSensor
from isaaclab_newton.sensors.ray_caster.newton_raycast_sensor_cfg import NewtonRaycastSensorCfg


class VisibleRayCaster(NewtonRaycastSensor):
    """Rays that meet visible shapes as well as colliding ones: the arm's shells collide with nothing."""

    def __init__(self, cfg: NewtonRaycastSensorCfg) -> None:
        super().__init__(cfg)
        self._recorded: tuple[tuple[Any, ...], Any] | None = None
        sim: Any = SimulationContext.instance()
        sim.require_visual_shapes()  # Newton leaves them out otherwise
        builder = sim.get_or_create_backend(NewtonBuilderCfg(physics_cfg=sim.cfg.physics))
        builder.default_bvh_cfg.shape_flags |= newton.ShapeFlags.VISIBLE

    def _launch_raycast(self) -> None:
        """On a CPU, recorded once and replayed, as Isaac Lab does on a GPU: Newton makes its kernel anew in
        each call, which takes five times as long as to cast the rays."""
        if self.device != "cpu":
            super()._launch_raycast()
            return
        arrays = (self.backend.state_0.body_q, self._ray_starts_w, self._hit_dist)  # may be made anew
        pointers = tuple(array.ptr for array in arrays)
        if self._recorded is None or self._recorded[0] != pointers:
            with warp.ScopedCapture(device=self.device) as capture:
                super()._launch_raycast()
            self._recorded = (pointers, capture.graph)
        warp.capture_launch(self._recorded[1])
