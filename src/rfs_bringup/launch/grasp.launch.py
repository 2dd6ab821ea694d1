"""The grasp stack for ``ros2 launch``: arguments and nodes come from ``rfs_bringup.stack``."""

import os

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.launch_context import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from rfs_bringup.arguments import Argument, resolve
from rfs_bringup.stack import STACKS, NodeSpec, middleware_variables

STACK = STACKS["grasp"]


def declare(argument: Argument) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        argument.name,
        default_value=argument.default,
        description=argument.description,
        choices=list(argument.choices) or None,
    )


def to_action(node: NodeSpec) -> Node:
    """A node whose end, for whatever reason, ends the launch."""
    return Node(
        name=node.name,
        package=node.package,
        executable=node.executable,
        parameters=[dict(node.parameters)],
        output="screen",
        emulate_tty=True,
        additional_env=middleware_variables(os.environ),
        on_exit=[Shutdown(reason=f"{node.name} ended")],
    )


def start(context: LaunchContext) -> list[Node]:
    texts = {
        argument.name: LaunchConfiguration(argument.name).perform(context) for argument in STACK.arguments
    }
    return [to_action(node) for node in STACK.nodes(resolve(STACK.arguments, texts))]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*map(declare, STACK.arguments), OpaqueFunction(function=start)])
