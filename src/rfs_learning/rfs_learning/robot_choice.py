"""Which robot the simulator is: `--robot target --severity S` of the commands that run episodes."""

import argparse
from dataclasses import dataclass, replace
from typing import Any, Self

from rfs_sim_bridge.robot_shift import TRAINING_ROBOT, RobotShift
from rfs_sim_bridge.task_config import TaskConfig

ROBOTS = ("sim", "target")


@dataclass(frozen=True)
class RobotChoice:
    """The training robot (`sim`), or the target robot, which stands in for a real one, at a severity."""

    robot: str = "sim"
    severity: float = 0.0

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """From what `add_robot_arguments` added.

        Raises:
            ValueError: a severity without the target robot, or one that is negative or not finite.
        """
        robot, severity = arguments.robot, arguments.severity
        if robot == "sim":
            if severity is not None:
                raise ValueError(f"--severity {severity:g} needs --robot target")
            return cls()
        choice = cls(robot, 1.0 if severity is None else severity)
        RobotShift.target(choice.severity)
        return choice

    @property
    def shift(self) -> RobotShift:
        """Its differences from the training robot."""
        return RobotShift.target(self.severity)

    def of_task(self, config: TaskConfig) -> TaskConfig:
        """The task with this robot in it.

        Raises:
            ValueError: the task's settings have another robot already.
        """
        if self.robot == "sim":
            return config
        if config.shift != TRAINING_ROBOT:
            raise ValueError(
                f"the task's settings have a `shift` of their own: leave out --robot {self.robot}"
            )
        return replace(config, shift=self.shift)

    def describe(self) -> str:
        """For people."""
        return f"target robot (severity {self.severity:g})" if self.robot == "target" else "training robot"

    def to_dict(self) -> dict[str, Any]:
        """Robot, severity and settings of the shift, for records of a run."""
        return {"robot": self.robot, "severity": self.severity, "robot_shift": self.shift.to_dict()}


def add_robot_arguments(parser: argparse.ArgumentParser) -> None:
    """`--robot` and `--severity`."""
    parser.add_argument(
        "--robot",
        choices=ROBOTS,
        default="sim",
        help="sim: the robot of the training; target: the shifted one that stands in for a real robot",
    )
    parser.add_argument(
        "--severity",
        type=float,
        metavar="S",
        help="how much the target robot differs: 0 not at all, 1 as config/target_robot.yaml says (default)",
    )
