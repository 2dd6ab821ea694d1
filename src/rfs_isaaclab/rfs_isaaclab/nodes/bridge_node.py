"""Isaac Lab bridge: the node of `rfs_sim_bridge`, with Isaac Lab's physics and ray caster behind it.

Topics, services, lockstep and realtime are that node's own, and so are its parameters but `severity`: the
target robot is MuJoCo's. Isaac Lab starts in half a minute, or in some minutes when it compiles its kernels
for the first time. Pictures are drawn from the scene's poses, as by the MuJoCo bridge.
"""

import os
import sys
from contextlib import ExitStack
from typing import NoReturn

from rfs_policy.nodes.run import run
from rfs_sim_bridge.nodes.bridge_node import BridgeNode
from rfs_sim_bridge.objects import object_names
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT
from rfs_sim_bridge.task_config import TaskConfig


class IsaacLabBridgeNode(BridgeNode):
    """Isaac Lab runs while the node does."""

    POINTS_PERIOD = 1 / 10  # its physics needs the time

    def __init__(self) -> None:
        self._isaaclab = ExitStack()
        super().__init__(self._start_isaaclab)

    def _start_isaaclab(self, config: TaskConfig):
        """The engine, with every object in its scene."""
        if config.shift != TRAINING_ROBOT:
            raise ValueError("the target robot needs sim:=mujoco: Isaac Lab has the training robot only")
        self.get_logger().info("starting Isaac Lab; the first time it compiles its kernels for some minutes")
        from rfs_isaaclab.session import started

        return self._isaaclab.enter_context(started(object_names(), config))


def main() -> NoReturn:
    """Run until interrupted (0), or until something forbids to run (1, with a sentence on stderr)."""
    status = run("bridge", IsaacLabBridgeNode, IsaacLabBridgeNode.close)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(
        status
    )  # Isaac Lab has nothing to write, and takes longer to clean up than a stack takes to stop


if __name__ == "__main__":
    main()
