"""One cell of table 1 in a process of its own: trains, evaluates, and keeps every finished part at once.

The work order is the first line of standard input. The other end of that pipe belongs to the process that
gave it: when that one closes it or ends, however it ends, this one saves and ends, too. Why a cell failed
goes to the file descriptor in the first argument, which also works where the disk is full.
"""

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rfs_policy.checkpoint import write_atomically

from rfs_learning.differing_settings import differences
from rfs_learning.diverged import DivergedError
from rfs_learning.flow_state import STATE_FILE
from rfs_learning.folder_lock import locked
from rfs_learning.interrupt import INTERRUPTED, interrupt_at_end_of_input
from rfs_learning.rl.episode_choices import Noise, Steering, Unsteered
from rfs_learning.rl.evaluation import EpisodeResults, evaluate
from rfs_learning.rl.ingredients import Ingredients
from rfs_learning.rl.methods import make_space
from rfs_learning.rl.robustness import disturbed
from rfs_learning.rl.table1_plan import BASE, BASE_SPACE, NOISES, Cell, Plan
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord, open_record
from rfs_learning.rl.training import RlTraining
from rfs_learning.training_run import METRICS_FILE

SETTINGS_FILE = "settings.json"


class CellRun:
    """One cell, from where it stands to its end. Each evaluation is kept as soon as it is done; training
    keeps its own state."""

    def __init__(self, plan: Plan, cell: Cell) -> None:
        self.plan, self.cell, self.folder = plan, cell, plan.run_folder(cell)
        file = self.folder / RECORD_FILE
        self.record = open_record(plan, cell, file) or CellRecord.begin(plan, cell)

    def run(self) -> None:
        """Do what is left, and write the cell's results.

        Raises:
            DivergedError, ValueError, OSError: as training; what was finished stays.
            KeyboardInterrupt: interrupted; saved.
        """
        policy = self._base() if self.cell.method == BASE else self._trained()
        self._final(policy)
        self._levels(policy)
        self.record.finished = True
        self.record.write(self.plan.result_file(self.cell))

    def _base(self) -> Steering:
        config, ingredients = self.plan.config, prepared(self.plan, self.cell.task)
        return Unsteered(make_space(BASE_SPACE, config, config.task(self.cell.task), ingredients))

    def _trained(self) -> Steering:
        training = self._training()
        points = self.plan.evaluation.point_steps(self.plan.config.ppo.control_steps)
        for steps in points[len(self.record.curve) :]:
            if training.control_steps < steps:
                self._train(training, steps)
            self._point(training)
        return training.policy()

    def _training(self) -> RlTraining:
        """Go on from the last state; before the first one was kept there is nothing to go on from."""
        cell, resume = self.cell, (self.folder / STATE_FILE).is_file()
        ingredients = prepared(self.plan, cell.task)
        if not resume:
            (self.folder / METRICS_FILE).unlink(missing_ok=True)
        return RlTraining(
            cell.method, cell.task, self.plan.config, self.folder, cell.seed, ingredients, resume
        )

    def _train(self, training: RlTraining, until: int) -> None:
        began = time.monotonic()
        training.run(until)
        self.record.training_seconds += time.monotonic() - began
        self._keep()
        if training.interrupted:
            raise KeyboardInterrupt

    def _point(self, training: RlTraining) -> None:
        """Next point of the learning curve, and how training went until then; training does not go on before
        both are kept."""
        success = self._evaluate(training.policy(), self.plan.evaluation.point_seeds(), "mean").success
        self.record.control_steps = int(training.control_steps)
        self.record.training = training_success(self.folder / METRICS_FILE)
        self.record.curve.append((self.record.control_steps, int(success.sum()), len(success)))
        self._keep()

    def _final(self, policy: Steering) -> None:
        seeds = self.plan.evaluation.final_seeds(self.plan.evaluation.final_episodes)
        for noise in NOISES:
            if noise in self.record.final:
                continue
            same = noise == "sampled" and not policy.space.steers_flow
            final = self.record.final["mean"] if same else self._evaluate(policy, seeds, noise).summary()
            self.record.final[noise] = final
            self._keep()

    def _levels(self, policy: Steering) -> None:
        """Success under disturbances; the task's own were part of the final evaluation."""
        seeds = self.plan.evaluation.final_seeds(self.plan.evaluation.level_episodes)
        for level in self.plan.evaluation.levels:
            name = f"{level:g}"
            if level == 1.0:
                self.record.levels[name] = self.record.count("mean")
            elif name not in self.record.levels:
                success = self._evaluate(policy, seeds, "mean", level).success
                self.record.levels[name] = (int(success.sum()), len(success))
                self._keep()

    def _evaluate(
        self, policy: Steering, seeds: Sequence[int], noise: Noise, level: float = 1.0
    ) -> EpisodeResults:
        began, task = time.monotonic(), disturbed(self.plan.config.task(self.cell.task), level)
        results = evaluate(policy, task, seeds, noise=noise, environments=self.plan.evaluation.environments)
        self.record.evaluation_seconds += time.monotonic() - began
        return results

    def _keep(self) -> None:
        self.record.write(self.folder / RECORD_FILE)


def prepared(plan: Plan, task: str) -> Ingredients:
    """Demonstrations and bases of a task: made once for all cells; whoever comes meanwhile waits.

    Raises:
        ValueError: those in the folder were made with other settings, the text says with which.
    """
    folder, settings = plan.ingredients_folder(task), plan.ingredients_settings(task)
    with locked(folder):
        file = folder / SETTINGS_FILE
        differing = differences(json.loads(file.read_text()), settings) if file.is_file() else []
        if differing:
            raise ValueError(
                f"demonstrations and bases in '{folder}' were made with other settings; now: "
                f"{', '.join(differing)}: give another --output, or remove them"
            )
        write_atomically(file, (json.dumps(settings) + "\n").encode())
        return Ingredients.prepare(plan.config.task(task), plan.config, folder)


def training_success(file: Path) -> list[tuple[int, float]]:
    """(control steps, success of sampled choices), one an iteration; a line that is just being written does
    not count. Empty before the first iteration."""
    lines = file.read_text().splitlines(keepends=True) if file.is_file() else []
    entries = [json.loads(line) for line in lines if line.endswith("\n")]
    return [(entry["control_steps"], entry["success"]) for entry in entries]


def run_cell(plan: Plan, cell: Cell) -> None:
    """Do what is left of a cell; nothing where another process has finished it meanwhile."""
    with locked(plan.run_folder(cell)):
        known = open_record(plan, cell, plan.result_file(cell))
        if known is None or not known.finished:
            CellRun(plan, cell).run()


def main(argv: Sequence[str]) -> int:
    """Do the cell of the work order; the exit code is 0 when it is finished."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started in the background
    torch.set_num_threads(1)
    tell, order = int(argv[0]), json.loads(sys.stdin.readline())
    interrupt_at_end_of_input()
    try:
        run_cell(Plan.from_dict(order["plan"]), Cell(**order["cell"]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (DivergedError, ValueError, OSError, ImportError) as error:
        message = {"problem": in_a_sentence(error), "diverged": isinstance(error, DivergedError)}
        os.write(tell, json.dumps(message).encode())
        return 1
    return 0


def in_a_sentence(error: Exception) -> str:
    """What went wrong, and for a full disk the way out."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: make room, then the same command goes on where it ended"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
