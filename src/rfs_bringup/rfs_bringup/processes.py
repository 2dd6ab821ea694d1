"""Starts the nodes of a stack as processes and ends them together, with honcho as the process manager.

What is added to honcho: no shell between it and the nodes, a bounded time to stop, the kernel ends the nodes
should this process be killed, shared memory of killed nodes is given back, and only one stack runs on a ROS
domain of this machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from honcho.manager import SIGNALS, Manager
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

from rfs_bringup import isaaclab_workspace
from rfs_bringup.arguments import Value
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.shared_memory import remove_leftovers
from rfs_bringup.stack import middleware_variables

STOP_SECONDS = 3.0
"""Time a node has to stop by itself before it is killed; the whole stop stays under 5 s."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however that ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class NodeProcess(Process):
    """A honcho process without a shell, whose end follows from its parent's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._child_ctor = self._start

    @staticmethod
    def _start(command: Sequence[str], **options: Any) -> Popen:
        return Popen(command, shell=False, stdin=-3, preexec_fn=die_with_parent, **options)

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        die_with_parent()
        with contextlib.suppress(KeyboardInterrupt):
            super().run(events, ignore_signals)


class StackManager(Manager):
    """honcho's manager with a bounded stop, also when no node follows the first signal."""

    def __init__(self, printer: Any) -> None:
        super().__init__(printer)
        self._process_ctor = NodeProcess
        self._signal: signal.Signals | None = None
        self._spare: set[str] = set()

    def add_node(self, node: NodeSpec, line: list[str], env: dict[str, str]) -> None:
        """One more node to start; unless it is essential, its end stops nothing."""
        self.add_process(node.name, line, env=env)
        if not node.essential:
            self._spare.add(node.name)

    def _start(self) -> None:
        """honcho's own handlers print, which fails when the signal comes in the middle of a print."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        super()._start()

    def _on_signal(self, number: int, frame: object) -> None:
        self._signal = signal.Signals(number)

    def _any_stopped(self) -> bool:
        """Whether the loop, which asks this after each event, should stop everything."""
        ended = {
            name: entry["returncode"] for name, entry in self._processes.items() if "returncode" in entry
        }
        for name in ended.keys() & self._spare:
            self._spare.discard(name)
            del self._processes[name]
            self.returncode = None
            if self._signal is None:
                self._system_print(f"{name} ended (rc={ended[name]}); the others go on without it\n")
        return self._signal is not None or super()._any_stopped()

    def terminate(self) -> None:
        if self._terminating:
            return
        if self._signal is not None:
            self._system_print(f"{self._signal.name} received, stopping\n")
            self.returncode = SIGNALS[self._signal]["rc"] if self.returncode is None else self.returncode
        super().terminate()
        self._kill_later()

    def _kill_later(self) -> None:
        timer = threading.Timer(STOP_SECONDS, self._kill_rest)
        timer.daemon = True
        timer.start()

    def _kill_rest(self) -> None:
        if not self._all_stopped():
            self.kill()
            self._kill_later()

    def _killall(self, force: bool = False) -> None:
        """Signal each node's process group; a node whose start was not reported yet has none to signal."""
        send = self._procmgr.kill if force else self._procmgr.terminate
        for entry in list(self._processes.values()):
            if "returncode" not in entry and "pid" in entry:
                with contextlib.suppress(ProcessLookupError):
                    send(entry["pid"])


class Lines:
    """A printer for ``run``: gives each line of output to a function of (node name, line)."""

    width = 0

    def __init__(self, on_line: Callable[[str, str], None]) -> None:
        self._on_line = on_line

    def write(self, message: Message) -> None:
        data = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        for line in data.splitlines():
            self._on_line(message.name or "", line)


def command(node: NodeSpec) -> list[str]:
    """Command line that starts a node with its name and parameters."""
    python = isaaclab_workspace.own_python() if node.isaaclab else sys.executable
    line = [python, "-u", "-m", node.module, "--ros-args", "-r", f"__node:={node.name}"]
    for name, value in node.parameters.items():
        line += ["-p", f"{name}:={_yaml(value)}"]
    return line


def variables_of(node: NodeSpec, variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the stack; of a node with another interpreter, the path lists of that one's environment.

    The ROS wheels mark in a variable that they have set them up, and a mark of ours would hold for the other
    interpreter too.
    """
    if not node.isaaclab:
        return dict(variables)
    theirs = isaaclab_workspace.own_environment()
    ours = {name: value for name, value in variables.items() if name not in isaaclab_workspace.OWN_VARIABLES}
    return ours | {name: theirs[name] for name in isaaclab_workspace.OWN_VARIABLES if name in theirs}


def _yaml(value: Value) -> str:
    """A value as YAML that keeps its type: strings are always quoted."""
    return json.dumps(value, ensure_ascii=False)


def run(
    nodes: Sequence[NodeSpec],
    printer: Any = None,
    variables: Mapping[str, str] | None = None,
    commands: Mapping[str, list[str]] | None = None,
) -> int:
    """Run until an essential node ends or a signal comes, then stop all; the exit status is that node's.

    SIGINT gives 130 and SIGTERM 143. Call from the main thread. Raises RuntimeError when another stack runs
    on this ROS domain. ``commands`` replaces how nodes are started, by node name.
    """
    environment = dict(os.environ if variables is None else variables)
    environment.update(middleware_variables(environment))
    manager = StackManager(printer or Printer(sys.stdout))
    for node in nodes:
        line = (commands or {}).get(node.name) or command(node)
        manager.add_node(node, line, variables_of(node, environment))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with only_stack(environment.get("ROS_DOMAIN_ID") or "0"):
        try:
            manager.loop()
        finally:
            manager.kill()
            remove_leftovers()
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return exit_status(manager.returncode)


def exit_status(returncode: int | None) -> int:
    """A shell's status: 128 + signal for a node that a signal ended."""
    if returncode is None:
        return 1
    return returncode if returncode >= 0 else 128 - returncode


@contextlib.contextmanager
def only_stack(domain: str) -> Iterator[None]:
    """Hold the right to run a stack on this ROS domain; the kernel gives it back when the process ends."""
    file = Path(tempfile.gettempdir()) / f"rfs-stack-{os.getuid()}-domain-{domain}.lock"
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise RuntimeError(
                f"a stack already runs on ROS domain {domain} (process {owner}). "
                "Stop it, or set ROS_DOMAIN_ID to another number."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
