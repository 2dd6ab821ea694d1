"""The rounds of a distillation: rollouts, training, evaluation. What is finished is passed over, what was
interrupted goes on.

    OUTPUT/round_0/{rollouts.zarr, student/, evaluation.json}     cloning of the teachers
    OUTPUT/round_1/...                                            DAgger: the student drives, they label
    OUTPUT/{policy.safetensors, evaluation.json}                  the student chosen
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rfs_policy.checkpoint import checkpoint_file, file_id, write_atomically
from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.objects import object_names
from rich.console import Console
from rich.progress import Progress

from rfs_learning.dataset import DemoDataset
from rfs_learning.evaluation import FIRST_SEED, evaluate
from rfs_learning.evaluation_table import print_table, rows_of
from rfs_learning.flow_state import steps_done
from rfs_learning.flow_training import train
from rfs_learning.rl.distill_config import DistillConfig, EpisodeCounts
from rfs_learning.rl.distill_rollouts import student_rollouts, teacher_rollouts
from rfs_learning.rl.distill_teachers import TeacherSource
from rfs_learning.rollout import Trial

_ROUND_SEED = 2 * FIRST_SEED  # of the evaluations that choose; the last one is on seeds that chose nothing
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """Tables of a student, as `evaluation_table.rows_of` makes them; heldout may be empty."""

    policy: str
    training: Rows
    heldout: Rows

    @property
    def rate(self) -> float:
        """Share of successes on the training objects."""
        return self.training[-1]["rate"]


class Distillation:
    """One run below a folder; `run` does what is left of it."""

    def __init__(
        self, config: DistillConfig, teachers: TeacherSource, output: Path, console: Console | None = None
    ):
        self.config, self.teachers, self.output = config, teachers, output
        self.console = console or Console()

    def run(self) -> tuple[list[Evaluation], Evaluation]:
        """Rounds until the goal is reached or none is left; then the best student is judged once more.

        Returns:
            Evaluations of all rounds, and of the student chosen.

        Raises:
            ValueError: the teachers fail too often.
            KeyboardInterrupt: asked to stop; everything until then is kept.
        """
        rounds: list[Evaluation] = []
        while len(rounds) <= self.config.rounds and not any(r.rate >= self.config.goal for r in rounds):
            rounds.append(self._round(len(rounds)))
        best = max(range(len(rounds)), key=lambda number: (rounds[number].rate, number))
        checkpoint = checkpoint_file(self.folder(best) / "student")
        file = self.output / "evaluation.json"
        final = self._evaluate(checkpoint, self.config.final_episodes, FIRST_SEED, file)
        write_atomically(checkpoint_file(self.output), checkpoint.read_bytes())
        return rounds, final

    def folder(self, number: int) -> Path:
        """Everything of one round."""
        return self.output / f"round_{number}"

    def rollouts(self, number: int) -> Path:
        """Dataset of one round."""
        return self.folder(number) / "rollouts.zarr"

    def _round(self, number: int) -> Evaluation:
        self.console.rule(f"round {number}")
        self._collect(number)
        checkpoint = self._train(number)
        file, config = self.folder(number) / "evaluation.json", self.config
        return self._evaluate(checkpoint, config.round_episodes, _ROUND_SEED, file)

    def _collect(self, number: int) -> None:
        config, path = self.config, self.rollouts(number)
        wanted = config.round_rollouts if number else config.rollouts
        if path.exists() and len(DemoDataset.open(path)) >= wanted:
            return
        if number:
            student = str(self.folder(number - 1) / "student")
            student_rollouts(config, number, self.teachers, student, path, self.console)
        else:
            teacher_rollouts(config, self.teachers, path, self.console)

    def _train(self, number: int) -> Path:
        """Train on all rounds' rollouts, from the last round's weights on; returns the checkpoint."""
        config = self.config.round_student if number else self.config.student
        output = self.folder(number) / "student"
        done = steps_done(output)
        if done < config.steps:
            data = [str(self.rollouts(earlier)) for earlier in range(number + 1)]
            begin = str(self.folder(number - 1) / "student") if number and not done else None
            done = train(data, output, config, DELTA_POSE, resume=done > 0, start=begin)
        if done < config.steps:
            raise KeyboardInterrupt
        return checkpoint_file(output)

    def _evaluate(self, checkpoint: Path, counts: EpisodeCounts, seed: int, file: Path) -> Evaluation:
        heldout = [name for name in object_names("heldout") if name not in self.config.objects]
        counts = counts if heldout else replace(counts, heldout=0)
        known = _known(file, file_id(checkpoint), counts)
        if known is not None:
            return known
        result = Evaluation(
            file_id(checkpoint),
            self._table(checkpoint, self.config.objects, counts.training, seed, "training objects"),
            self._table(checkpoint, heldout, counts.heldout, seed, "held-out objects"),
        )
        write_atomically(file, (json.dumps(asdict(result), indent=2) + "\n").encode())
        return result

    def _table(self, checkpoint: Path, objects: Sequence[str], count: int, seed: int, title: str) -> Rows:
        """The same as `./rfs evaluate` on the packaged task."""
        if not count:
            return []
        policy = FlowPolicy.load(checkpoint, DELTA_POSE, runtime="onnx")
        with Progress(console=self.console, transient=True) as progress:
            bar = progress.add_task(title, total=count)

            def advance(finished: list[Trial]) -> None:
                progress.advance(bar, len(finished))

            rows = rows_of(evaluate(policy, objects, range(seed, seed + count), on_batch=advance))
        print_table(rows, self.console, title)
        return rows


def _known(file: Path, policy: str, counts: EpisodeCounts) -> Evaluation | None:
    """An evaluation of that policy with as many episodes, if the file holds one."""
    if not file.is_file():
        return None
    found = Evaluation(**json.loads(file.read_text()))
    trials = EpisodeCounts(*(rows[-1]["trials"] if rows else 0 for rows in (found.training, found.heldout)))
    return found if (found.policy, trials) == (policy, counts) else None
