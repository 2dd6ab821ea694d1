"""Run a node as a process: start-up errors in one sentence, a clean end on SIGINT and SIGTERM."""

import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


def events_executor() -> Executor:
    """The executor with the least overhead that this ROS has (an older Jazzy lacks the events executor)."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def run(name: str, make: Callable[[], Node], finish: Callable[[Node], object] | None = None) -> int:
    """Spin the node that `make` builds until interrupted, then call `finish` with it; returns the exit code.

    ValueError and OSError from `make` are the user's errors: one sentence on stderr, code 1.
    """
    node = None
    try:
        rclpy.init()
        node = make()
        executor = events_executor()
        executor.add_node(node)
        _spin(executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        if node is not None and finish is not None:
            finish(node)
        rclpy.try_shutdown()
    return 0


def _spin(executor: Executor) -> None:
    try:
        executor.spin()
    except SystemError:
        # rclpy 9.1: a signal during EventsExecutor.spin() shuts the context down and ends like this.
        if rclpy.ok():
            raise
