"""What training runs share: steps with a log and saves, and an end in good order after Ctrl-C."""

import json
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Generic

import numpy as np
import torch
from rfs_policy.checkpoint import write_atomically
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from rfs_learning.diverged import DivergedError
from rfs_learning.flow_state import Network, TrainingState, require_state
from rfs_learning.folder_lock import locked
from rfs_learning.interrupt import Interrupt
from rfs_learning.run_identity import RUN_FILE, identify, require_no_run, require_same_run

METRICS_FILE = "metrics.jsonl"
CONFIG_FILE = "config.json"
DIVERGED = 3
"""Exit code of a run whose numbers were no longer finite."""
FAILURES = (DivergedError, ValueError, OSError)
"""What a training command tells in a sentence."""


class TrainingRun(ABC, Generic[Network]):
    """One run: its training state, and the folder that everything is written to.

    Every random choice comes from one generator that is saved with the state, so that a resumed run equals an
    uninterrupted one.

    Args:
        name: of its command.
        config: with `steps`, `log_every`, `save_every`, `gradient_clip`, `ema` and `to_dict`.
    """

    RESULT: ClassVar[str]
    """File or folder below the output that `save_result` writes."""
    CURE: ClassVar[str] = "Begin with a lower learning_rate or gradient_clip"
    """What helps where numbers are no longer finite."""

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
    def save_result(self) -> None:
        """Write what was learned so far."""

    def validate(self) -> dict[str, float]:
        """Further figures to log, of the averaged network."""
        return {}

    def begin(self, sources: Mapping[str, Any], record: Mapping[str, Any], resume: bool) -> None:
        """Start in the output folder, or go on with the run in it.

        Args:
            sources: what it learns from, besides its settings: hashes of data and checkpoints by name.
            record: what config.json tells people of them.

        Raises:
            FileNotFoundError, ValueError: nothing to go on with, a run of other settings or sources, or a run
                that would be lost.
        """
        settings = self.config.to_dict()
        identity = identify(self.name, settings, sources)
        if resume:
            require_state(self.output)
            require_same_run(self.output, identity)
            self.state.restore(self.output)
        else:
            require_no_run(self.output, identity, self.RESULT)
        self.output.mkdir(parents=True, exist_ok=True)
        forget_metrics(self.output / METRICS_FILE, after=self.state.step)
        told = {**record, "training": settings, **versions()}
        for name, values in ((CONFIG_FILE, told), (RUN_FILE, identity)):
            write_atomically(self.output / name, (json.dumps(values, indent=2) + "\n").encode())

    def run(self, progress: Progress, until: int | None = None) -> None:
        """Train to the last step (or `until`), saving on the way; an interrupt saves and ends early.

        Raises:
            DivergedError: a number is no longer finite; what was saved before stays.
        """
        interrupted = Interrupt()
        try:
            self._step_until(self.config.steps if until is None else until, interrupted, progress)
            self.save()
        finally:
            interrupted.restore()
        if interrupted.seen:
            progress.console.print(f"stopped at step {self.state.step}; saved: go on with --resume")

    def save(self) -> None:
        """Write the result, and after it the state, which tells how far the result has come.

        Raises:
            DivergedError: a weight is not finite; what was saved before stays.
        """
        for network in (self.state.network, self.state.average):
            for name, tensor in network.state_dict().items():
                if not bool(tensor.half().isfinite().all()):  # which results are stored in
                    raise self.diverged(f"weight '{name}' in half precision")
        self.save_result()
        self.state.save(self.output)

    def diverged(self, what: str) -> DivergedError:
        """To raise where something is not finite."""
        return DivergedError(
            f"{what} is no longer finite at step {self.state.step}: what was saved in {self.output} is from "
            f"before. {self.CURE}"
        )

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

    def _step_until(self, last: int, interrupted: Interrupt, progress: Progress) -> None:
        bar = progress.add_task(
            self.name, total=self.config.steps, completed=self.state.step, loss=float("nan")
        )
        steps: list[dict[str, float]] = []
        while self.state.step < last and not interrupted.seen:
            steps.append(self.step())
            if not math.isfinite(steps[-1]["loss"]):
                raise self.diverged("the loss")
            progress.update(bar, completed=self.state.step, loss=steps[-1]["loss"])
            if self.state.step % self.config.log_every == 0 or self.state.step == last:
                self._log(steps)
                steps.clear()
            if self.state.step % self.config.save_every == 0:
                self.save()

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


def forget_metrics(file: Path, after: int, counter: str = "step") -> None:
    """Drop entries of steps (or another counter) that will be done again: all of them in a new run."""
    lines = file.read_text().splitlines(keepends=True) if file.is_file() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)[counter] <= after]
    write_atomically(file, "".join(kept).encode())


def alone_in(output: Path) -> AbstractContextManager[None]:
    """The folder of a run is this process's own; ValueError where another one has it."""
    return locked(output, f"another run is at work in '{output}': wait for its end, or give another --output")


def tell_failure(command: str, error: Exception) -> int:
    """Say why a training command failed; its exit code: 1 for a wrong request, 3 for a run that diverged."""
    print(f"rfs {command}: {error}", file=sys.stderr)
    return DIVERGED if isinstance(error, DivergedError) else 1


def versions() -> dict[str, dict[str, str]]:
    """Versions that a result depends on, for the run's record."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"versions": {"python": python, "torch": torch.__version__, "numpy": np.__version__}}
