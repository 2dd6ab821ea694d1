"""A stack as a ``launch`` description; only this module imports ``launch``, which ROS 2 installs."""

import os

from launch import LaunchDescription
from launch.action import Action
from launch.actions import DeclareLaunchArgument, ExecuteProcess, LogInfo, OpaqueFunction, Shutdown
from launch.launch_context import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from rfs_bringup import processes
from rfs_bringup.arguments import Argument, resolve
from rfs_bringup.node_spec import NodeSpec, Stack
from rfs_bringup.stack import middleware_variables


def describe(stack: Stack) -> LaunchDescription:
    """Declares the stack's arguments and starts its nodes with what was given for them."""

    def start(context: LaunchContext) -> list[ExecuteProcess]:
        texts = {
            argument.name: LaunchConfiguration(argument.name).perform(context) for argument in stack.arguments
        }
        return [_to_action(node) for node in stack.nodes(resolve(stack.arguments, texts))]

    return LaunchDescription([*map(_declare, stack.arguments), OpaqueFunction(function=start)])


def _declare(argument: Argument) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(
        argument.name,
        default_value=argument.default,
        description=argument.description,
        choices=list(argument.choices) or None,
    )


def _to_action(node: NodeSpec) -> ExecuteProcess:
    """A process; in Isaac Lab's interpreter not one that `launch` could find by its package."""
    if node.isaaclab:
        variables = processes.variables_of(node, os.environ | middleware_variables(os.environ))
        return ExecuteProcess(
            name=node.name,
            cmd=processes.command(node),
            env=variables,
            output="screen",
            emulate_tty=True,
            on_exit=[_end_of(node)],
        )
    return Node(
        name=node.name,
        package=node.package,
        executable=node.executable,
        parameters=[dict(node.parameters)],
        output="screen",
        emulate_tty=True,
        additional_env=middleware_variables(os.environ),
        on_exit=[_end_of(node)],
    )


def _end_of(node: NodeSpec) -> Action:
    """The end of an essential node, for whatever reason, ends the launch."""
    if node.essential:
        return Shutdown(reason=f"{node.name} ended")

    def tell(context: LaunchContext) -> list[Action]:
        said = LogInfo(msg=f"{node.name} ended; the others go on without it")
        return [] if context.is_shutdown else [said]

    return OpaqueFunction(function=tell)
