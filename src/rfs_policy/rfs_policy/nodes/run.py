"""Run a node as a process: errors of the user in one sentence, a clean end on SIGINT and SIGTERM."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

AnyNode = TypeVar("AnyNode", bound=Node)

_PRIORITY = 1  # the lowest of the realtime priorities; drivers stand above


class RefusalError(Exception):
    """Raised in a callback when the node must not go on; its text tells the user why and what to do."""


_SWITCH_INTERVAL = 0.0005  # s; with Python's 5 ms a callback holds up the control loop's wake-up


def take_precedence() -> None:
    """Run before ordinary processes, where the system allows it; for the realtime control loop.

    SCHED_FIFO, as ros2_control does: niceness counts only within a session where the kernel groups processes.
    """
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(_PRIORITY))


def stay_prompt() -> None:
    """Short turns for this process's threads, and no long garbage collections: start-up objects stay."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()


class _Interrupts:
    """SIGINT while the node spins: rclpy ends the spin by itself, and a KeyboardInterrupt amid its code would
    come out as any other error. rclpy.init() keeps this handler as the one that it calls after its own."""

    def __init__(self) -> None:
        self.left_to_rclpy = False
        signal.signal(signal.SIGINT, self._take)

    def _take(self, number: int, frame: object) -> None:
        if not self.left_to_rclpy:
            raise KeyboardInterrupt


def run(
    name: str, make: Callable[[], AnyNode], finish: Callable[[AnyNode], object] = Node.destroy_node
) -> int:
    """Spin the node that `make` builds until interrupted, then call `finish` with it; returns the exit code.

    ValueError and OSError from `make`, and RefusalError from anywhere, are one sentence on stderr and code 1.
    """
    node, interrupts = None, _Interrupts()
    try:
        rclpy.init()
        try:
            node = make()
        except (ValueError, OSError) as error:
            raise RefusalError(str(error)) from error
        stay_prompt()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        interrupts.left_to_rclpy = True
        executor.spin()
    except RefusalError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except rclpy_implementation.RCLError:
        if rclpy.ok():
            raise
        # A signal has shut the context down between two waits: an end like the one above.
    finally:
        interrupts.left_to_rclpy = False
        if node is not None:
            finish(node)
        rclpy.try_shutdown()
        gc.unfreeze()  # so that the interpreter frees the node at its end, as extension modules expect
    return 0
