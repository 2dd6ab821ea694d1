"""What training runs share: steps with a log and saves, and an end in good order after Ctrl-C."""

import json
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from rfs_policy.checkpoint import write_atomically
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from rfs_learning.flow_state import Network, TrainingState
from rfs_learning.interrupt import Interrupt

METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.json"


class TrainingRun(ABC, Generic[Network]):
    """One run: its training state, and the folder that everything is written to.

    Every random choice comes from one generator that is saved with the state, so that a resumed run equals an
    uninterrupted one.

    Args:
        name: for people.
        config: with `steps`, `log_every`, `save_every`, `gradient_clip` and `ema`.
    """

    def __init__(self, name: str, config: Any, output: Path, state: TrainingState[Network]) -> None:
        self.name, self.config, self.output, self.state = name, config, output, state
        self.started = time.monotonic()

    @abstractmethod
    def step(self) -> dict[str, float]:
        """One optimizer step; returns `loss` and other figures to log, NaN where one is not known."""

    @abstractmethod
    def learning_rate(self) -> float:
        """Of the next step."""

    @abstractmethod
    def save(self) -> None:
        """Write the training state and its results."""

    def validate(self) -> dict[str, float]:
        """Further figures to log, of the averaged network."""
        return {}

    def run(self, progress: Progress, until: int | None = None) -> None:
        """Train to the last step (or `until`), saving on the way; an interrupt saves and ends early."""
        interrupted = Interrupt()
        bar = progress.add_task(
            self.name, total=self.config.steps, completed=self.state.step, loss=float("nan")
        )
        steps: list[dict[str, float]] = []
        last = self.config.steps if until is None else until
        while self.state.step < last and not interrupted.seen:
            steps.append(self.step())
            progress.update(bar, completed=self.state.step, loss=steps[-1]["loss"])
            if self.state.step % self.config.log_every == 0 or self.state.step == last:
                self._log(steps)
                steps.clear()
            if self.state.step % self.config.save_every == 0:
                self.save()
        self.save()
        interrupted.restore()
        if interrupted.seen:
            progress.console.print(f"stopped at step {self.state.step}; saved: go on with --resume")

    def descend(self, loss: Tensor) -> None:
        """Step down the gradient of a loss, and count the step."""
        state = self.state
        for group in state.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), self.config.gradient_clip)
        state.optimizer.step()
        state.step += 1
        state.update_average(self.config.ema)

    def _log(self, steps: Sequence[dict[str, float]]) -> None:
        entry = {
            "step": self.state.step,
            **{name: _mean([step[name] for step in steps]) for name in steps[0]},
            "learning_rate": self.learning_rate(),
            "seconds": time.monotonic() - self.started,
            **self.validate(),
        }
        with (self.output / METRICS_FILE).open("a") as stream:
            stream.write(json.dumps(entry) + "\n")


def _mean(values: Sequence[float]) -> float | None:
    """Over those that are known; None (null in JSON) if none is."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else None


def progress_display() -> Progress:
    """A bar with the last loss."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def forget_metrics(file: Path, after: int) -> None:
    """Drop entries of steps that will be done again: all of them in a new run."""
    lines = file.read_text().splitlines(keepends=True) if file.is_file() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= after]
    write_atomically(file, "".join(kept).encode())


def versions() -> dict[str, dict[str, str]]:
    """Versions that a result depends on, for the run's record."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"versions": {"python": python, "torch": torch.__version__, "numpy": np.__version__}}
