"""Runs of a comparison: each is a training, then an evaluation, as processes; some run side by side."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rfs_policy.checkpoint import checkpoint_file, file_id, write_atomically
from rfs_sim_bridge.robot_shift import RobotShift

from rfs_learning.differing_settings import differences
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.flow_state import steps_done
from rfs_learning.interrupt import Interrupt
from rfs_learning.offline.comparison import Comparison, Contender
from rfs_learning.protocol import Protocol
from rfs_learning.run_identity import contents_id

MODULES = {
    "offline": "rfs_learning.offline.offline_command",
    "finetune": "rfs_learning.offline.finetune",
    "evaluate": "rfs_learning.evaluate_command",
}
_CHILD = "rfs_learning.offline.comparison_child"
SETTINGS_FILE = "settings.json"
_LATER = ("protocol_entries", "robot_shift")
"""Settings that the first comparisons did not note."""
LOG_FILE = "log.txt"
_TICK = 0.5  # s between two looks for Ctrl-C


@dataclass(frozen=True)
class Run:
    """One training seed of a method."""

    contender: Contender
    seed: int

    def __str__(self) -> str:
        return f"{self.contender.name}, seed {self.seed}"


class RunError(RuntimeError):
    """A run that did not come to its end, and why."""


class ComparisonRuns:
    """Does what of a comparison is not done.

    data: folder of each dataset by name; policy: checkpoint of the base; output: weights and logs, in
    METHOD/SEED; results: evaluations, METHOD/SEED.json, with METHOD/settings.json beside them; modules: what
    is run for a training and an evaluation.
    """

    def __init__(
        self,
        comparison: Comparison,
        data: Mapping[str, Path],
        policy: str,
        output: Path,
        results: Path,
        modules: Mapping[str, str] = MODULES,
    ) -> None:
        self.comparison, self.data, self.policy = comparison, data, policy
        self.output, self.results, self._modules = output, results, modules
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._policy_id = file_id(checkpoint_file(policy))
        self._contents = {name: contents_id(path) for name, path in data.items()}

    def waiting(self, runs: Sequence[Run]) -> list[Run]:
        """Those that are not finished.

        Raises:
            ValueError: one was done with other settings or data, or a dataset that it needs is not named.
        """
        for contender in dict.fromkeys(run.contender for run in runs):
            self._require_same_settings(contender)
        return [run for run in runs if not self.result_file(run).is_file()]

    def run(
        self, runs: Sequence[Run], jobs: int, tell: Callable[[Run, str], None]
    ) -> tuple[bool, dict[Run, str]]:
        """Whether all had their turn (False after Ctrl-C), and what went wrong with which.

        tell hears how a run ended. After Ctrl-C trainings save and end; the same call goes on with them.
        """
        failed: dict[Run, str] = {}
        interrupt = Interrupt()
        try:
            with ThreadPoolExecutor(jobs) as pool:
                left = {pool.submit(self._do, run): run for run in runs}
                while left:
                    done, _ = wait(left, _TICK, FIRST_COMPLETED)
                    for future in done:
                        self._ended(future, left.pop(future), failed, tell)
                    if interrupt.seen:
                        self._stop()
        finally:
            self._stop()
            interrupt.restore()
        return not interrupt.seen, failed

    def result_file(self, run: Run) -> Path:
        """Its evaluation."""
        return self.results / run.contender.name / f"{run.seed}.json"

    def _ended(
        self, future: Future[None], run: Run, failed: dict[Run, str], tell: Callable[[Run, str], None]
    ) -> None:
        error = future.exception()
        if self._stopped and error:
            tell(run, "ended; goes on with the next start")
        elif isinstance(error, (RunError, OSError, ValueError)):
            failed[run] = str(error)
            tell(run, f"failed: {error}")
        elif error:
            raise error
        else:
            trials = EvaluationRecord.read(self.result_file(run)).trials
            tell(run, f"{sum(trial.success for trial in trials)} of {len(trials)} episodes")

    def _stop(self) -> None:
        """Nothing new begins, and what runs is asked to save and end."""
        if not self._stopped:
            self._stopped = True
            for process in list(self._running):
                _ask_to_end(process)

    def _do(self, run: Run) -> None:
        if self._stopped:
            raise RunError("not begun")
        folder = self.output / run.contender.name / str(run.seed)
        folder.mkdir(parents=True, exist_ok=True)
        self._note_settings(run.contender)
        if run.contender.train:
            self._train(run, run.contender.train, folder)
        words = ("--protocol", self.comparison.protocol, "--robot", "target", "--policy-seed", str(run.seed))
        words += ("--severity", f"{self.comparison.severity:g}", "--name", run.contender.label)
        policy = folder if run.contender.train == "finetune" else self.policy
        words += ("--policy", str(policy), "--json", str(self.result_file(run)))
        words += ("--modulation", str(folder)) if run.contender.train == "offline" else ()
        self._call("evaluate", words, folder / LOG_FILE)

    def _train(self, run: Run, kind: str, folder: Path) -> None:
        settings = run.contender.training(run.seed)
        done = steps_done(folder)
        if done >= settings["steps"]:
            return
        file = folder / "settings.yaml"
        write_atomically(file, yaml.safe_dump(settings).encode())
        words = [
            "--data",
            str(self.data[run.contender.data]),
            "--policy",
            self.policy,
            "--output",
            str(folder),
        ]
        words += ["--config", str(file)] + ["--resume"] * (done > 0)
        if run.contender.demonstrations:
            words += ["--with", str(self.data[run.contender.demonstrations])]
        self._call(kind, words, folder / LOG_FILE)
        if steps_done(folder) < settings["steps"]:
            raise RunError("interrupted")

    def _call(self, what: str, words: Sequence[str], log: Path) -> None:
        """A command of `./rfs` as a process that ends with this one. Ctrl-C reaches it through `_stop`."""
        if self._stopped:
            raise RunError("interrupted")
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", _CHILD, self._modules[what], *words],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self._running.add(process)
        if self._stopped:  # just now: `_stop` may not have seen it
            _ask_to_end(process)
        try:
            code = process.wait()
        finally:
            self._running.discard(process)
            _ask_to_end(process)
        if code:
            raise RunError(f"'{what}' ended with exit code {code}; see {log}")

    def _settings(self, contender: Contender) -> dict[str, Any]:
        """What its results depend on, as plain data; the seed apart."""
        missing = [name for name in contender.datasets if name not in self.data]
        if missing:
            raise ValueError(
                f"'{contender.name}' learns from '{missing[0]}': give --data {missing[0]}=FOLDER"
            )
        training = contender.training(0)
        training.pop("seed", None)
        return json.loads(
            json.dumps(
                {
                    "train": contender.train,
                    "training": training,
                    "data": {name: self._contents[name] for name in contender.datasets},
                    "policy": self._policy_id,
                    "protocol": self.comparison.protocol,
                    "protocol_entries": asdict(Protocol.load(self.comparison.protocol)),
                    "severity": self.comparison.severity,
                    "robot_shift": RobotShift.target(self.comparison.severity).to_dict(),
                }
            )
        )

    def _note_settings(self, contender: Contender) -> None:
        text = json.dumps(self._settings(contender), indent=1) + "\n"
        for folder in (self.results, self.output):
            (folder / contender.name).mkdir(parents=True, exist_ok=True)
            write_atomically(folder / contender.name / SETTINGS_FILE, text.encode())

    def _require_same_settings(self, contender: Contender) -> None:
        settings = self._settings(contender)
        for file in {folder / contender.name / SETTINGS_FILE for folder in (self.results, self.output)}:
            if not file.is_file():
                continue
            try:
                before = json.loads(file.read_text())
                unknown = {name: settings[name] for name in _LATER if name not in before}
                changed = differences(before | unknown, settings)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{file} cannot be read ({error}): move its folder away") from error
            if changed:
                raise ValueError(
                    f"'{contender.name}' was begun with other settings: {', '.join(changed)}. Move "
                    f"{file.parent} away, or give another --output and --results"
                )


def _ask_to_end(process: subprocess.Popen) -> None:
    """Close the pipe that it watches; nothing happens where it has ended."""
    assert process.stdin is not None
    process.stdin.close()
