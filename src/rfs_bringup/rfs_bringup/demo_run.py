"""One run of ``./rfs demo``: what is tried, by which nodes, and what they say meanwhile."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rfs_learning.protocol import Job
from rfs_learning.robot_choice import RobotChoice
from rich.console import Console
from rich.status import Status

from rfs_bringup import arguments, processes
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.shared_arguments import ISAACLAB_STARTUP, check_objects
from rfs_bringup.stack import STACKS


@dataclass
class DemoRun:
    """Folder and settings of one run."""

    folder: Path
    jobs: list[Job]
    sim_time: str
    policy: str
    modulation: str
    reward: str
    robot: RobotChoice
    sim: str
    started: float = field(default_factory=time.time)

    @property
    def objects(self) -> list[str]:
        """Names, in the order in which they come first."""
        return list(dict.fromkeys(job.object for job in self.jobs))

    @property
    def results(self) -> Path:
        return self.folder / "results.json"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    def prepare(self) -> None:
        """Make the folder, with the plan that the runner reads. Raises what `nodes` does."""
        self.nodes()
        check_objects(self.objects)
        self.folder.mkdir(parents=True)
        self.plan.write_text(json.dumps([job._asdict() for job in self.jobs]) + "\n")
        (self.folder / "config.json").write_text(json.dumps(self.config(), indent=2) + "\n")

    def nodes(self) -> list[NodeSpec]:
        """The grasp stack. The policy's own seed is 0, so that trials equal those of ``./rfs evaluate``."""
        words = [
            f"sim:={self.sim}",
            f"sim_time:={self.sim_time}",
            f"policy:={self.policy}",
            f"modulation:={self.modulation}",
            f"trials:={len(self.jobs)}",
            f"bags:={self.folder / 'bags'}",
            f"seed:={self.jobs[0].seed}",
            f"reward:={self.reward}",
            f"robot:={self.robot.robot}",
        ]
        if self.robot.robot == "target":
            words.append(f"severity:={self.robot.severity}")
        stack = STACKS["grasp"]
        added: dict[str, dict[str, Any]] = {
            "policy": {"seed": 0},
            "runner": {"plan": str(self.plan), "results": str(self.results), "live": True},
        }
        return [
            replace(node, parameters={**node.parameters, **added.get(node.name, {})})
            for node in stack.nodes(arguments.parse(stack.arguments, words))
        ]

    def config(self) -> dict[str, Any]:
        """What the run was, for the report and the JSON file."""
        return {
            "date": time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started)),
            "command": " ".join(["rfs demo", *sys.argv[1:]]),
            "sim": self.sim,
            "sim_time": self.sim_time,
            "objects": self.objects,
            "trials": len(self.jobs),
            "seed": self.jobs[0].seed,
            "policy": self.policy,
            "modulation": self.modulation,
            "reward": self.reward,
            **self.robot.to_dict(),
            "nodes": {f"{node.package}/{node.executable}": dict(node.parameters) for node in self.nodes()},
        }


class Output:
    """What the nodes say: all of it into a log file, the runner's lines and errors to the console."""

    def __init__(self, console: Console, log: Path, status: Status | None) -> None:
        self._console, self._status = console, status
        self._log = log.open("w", encoding="utf-8")
        self.errors: list[str] = []

    def line(self, name: str, text: str) -> None:
        """One line of a node (or of the process manager)."""
        self._log.write(f"{name:<10}| {text}\n")
        self._log.flush()
        if name == "runner" and text.startswith("trial"):
            self._trial(text)
        elif "[ERROR]" in text or "[FATAL]" in text or text.startswith(f"{name}: ") or "_runner: " in text:
            self.errors.append(f"{name}: {text}")

    def _trial(self, text: str) -> None:
        if " running " in text:
            if self._status is not None:
                self._status.update(text)
            return
        style = "green" if " success " in text else "red"
        self._console.print(text, style=style, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._log.close()


def run_stack(run: DemoRun, console: Console) -> int:
    """Start the nodes, show the trials as they come, and stop the nodes; the exit status of the stack."""
    title = f"{len(run.jobs)} grasp trials, {run.robot.describe()}, {run.sim_time}, objects: "
    title += ", ".join(run.objects)
    console.print(title, highlight=False, soft_wrap=True)
    if run.sim == "isaaclab":
        console.print(
            "Isaac Lab takes half a minute to start, the first time some minutes (it compiles its kernels); "
            f"waiting for it up to {ISAACLAB_STARTUP:g} s",
            soft_wrap=True,
        )
    live = console.status("starting the nodes") if console.is_terminal else nullcontext()
    with live as status:
        output = Output(console, run.folder / "log.txt", status)
        try:
            code = processes.run(run.nodes(), processes.Lines(output.line))
        finally:
            output.close()
    if code:
        for error in output.errors[-5:]:
            console.print(error, style="red", highlight=False, soft_wrap=True)
        console.print(f"the stack stopped early (exit code {code}); all output: {run.folder / 'log.txt'}")
    return code
