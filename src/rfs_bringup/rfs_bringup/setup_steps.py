"""Steps of a set-up: each runs only when its inputs changed or when it never finished."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfs_bringup import packages
from rfs_bringup.errors import SetupError
from rfs_bringup.stamps import Stamps

if TYPE_CHECKING:
    from rfs_bringup.workspace import Workspace


@dataclass(frozen=True)
class Step:
    """One thing to do: a stamp name, a line for people, the hash of its inputs, and the action."""

    name: str
    title: str
    inputs: Callable[[], str]
    run: Callable[[], None]


def complete(workspace: Workspace, plan: Callable[[], list[Step]]) -> None:
    """Run the steps whose inputs changed since they last finished; SetupError when one fails."""
    if unfinished(plan(), Stamps(workspace.state / "stamps.json")):
        with locked(workspace):
            _run_pending(workspace, Stamps(workspace.state / "stamps.json"), plan())


def unfinished(plan: list[Step], stamps: Stamps) -> list[Step]:
    """Those of the steps whose inputs changed since they last finished."""
    return [step for step in plan if not stamps.fresh(step.name, step.inputs())]


@contextlib.contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Only one setup at a time; a second one waits and then finds the work done."""
    handle = os.open(workspace.root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            workspace.say("Another ./rfs is setting this workspace up; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run_pending(workspace: Workspace, stamps: Stamps, plan: list[Step]) -> None:
    if any(not stamps.fresh(step.name, step.inputs()) for step in plan if step.name != "environment"):
        workspace.say(f"Setting up: {workspace.flavor.title}. Log: {packages.log_file(workspace)}")
    for number, step in enumerate(plan, start=1):
        if stamps.fresh(step.name, step.inputs()):
            continue
        if step.name != "environment":
            workspace.say(f"[{number}/{len(plan)}] {step.title}")
        started = time.monotonic()
        _guarded(workspace, step)
        if not stamps.file.exists():  # a new .venv starts empty
            stamps.done.clear()
        stamps.finish(step.name, step.inputs())
        if time.monotonic() - started > 1.0:
            workspace.say(f"      done in {time.monotonic() - started:.0f} s")


def _guarded(workspace: Workspace, step: Step) -> None:
    try:
        step.run()
    except OSError as error:
        free = shutil.disk_usage(workspace.root).free / 1e9
        raise SetupError(
            f"{step.title}: {error}. The disk has {free:.1f} GB free. "
            "Run the same command again when this is solved: it resumes."
        ) from error
