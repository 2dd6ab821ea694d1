"""Run a node as a process: start-up errors in one sentence, a clean end on SIGINT and SIGTERM."""

import sys
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

AnyNode = TypeVar("AnyNode", bound=Node)


def run(
    name: str, make: Callable[[], AnyNode], finish: Callable[[AnyNode], object] = Node.destroy_node
) -> int:
    """Spin the node that `make` builds until interrupted, then call `finish` with it; returns the exit code.

    ValueError and OSError from `make` are the user's errors: one sentence on stderr, code 1.
    """
    node = None
    try:
        rclpy.init()
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        if node is not None:
            finish(node)
        rclpy.try_shutdown()
    return 0
