"""``./rfs adapt``: corrections on the target robot, offline learning, evaluation and a report, in one folder.

    collect     a scripted operator corrects the policy on the simulated target robot, through the nodes
    build       bags to a dataset; --bags takes a person's own bags, and nothing is collected
    train       a modulation of the frozen policy, from the corrections
    zero-shot   the policy as it is on the target robot
    adapted     the policy with the modulation
    report      both on one page

Each step is a command of its own, which is shown. A finished step is passed over, an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rfs_learning.evaluation import FIRST_SEED
from rfs_learning.offline.offline_config import Algorithm, CriticInput, Method
from rich.console import Console
from rich.table import Table

from rfs_bringup import adapt_steps, commands
from rfs_bringup.adapt_record import AdaptRecord
from rfs_bringup.adapt_steps import Adaptation, Step

_SCENES_AN_EPISODE = 4
"""Seeds that an episode may take: one that is discarded or cannot begin takes one, too."""
_TRAINING = ("method", "critic", "algorithm", "steps", "config")


def build_parser() -> argparse.ArgumentParser:
    """Arguments of ``./rfs adapt``."""
    parser = argparse.ArgumentParser(
        prog="rfs adapt", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/adapt"), help="folder of all results")
    parser.add_argument("--policy", default="default", help="checkpoint of the base policy")
    parser.add_argument(
        "--severity", type=float, default=1.0, help="how much the target robot differs (default: 1)"
    )
    parser.add_argument("--episodes", type=int, default=50, help="corrected episodes (default: 50)")
    parser.add_argument(
        "--objects", nargs="+", default=(), help="corrected on; default: the protocol's known"
    )
    parser.add_argument("--bags", nargs="+", type=Path, default=(), help="your own, in place of collecting")
    parser.add_argument("--protocol", default="paper", help="of the evaluation: 'paper', or a YAML file")
    parser.add_argument("--seed", type=int, default=0, help="of the first corrected episode")
    training = parser.add_argument_group("training, as './rfs train offline'")
    training.add_argument("--method", choices=get_args(Method))
    training.add_argument("--critic", choices=get_args(CriticInput))
    training.add_argument("--algorithm", choices=get_args(Algorithm))
    training.add_argument("--steps", type=int, help="updates")
    training.add_argument("--config", type=Path, help="YAML with other settings")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=adapt_steps.NAMES, help="this step alone, again if it was done")
    which.add_argument("--from", dest="first", choices=adapt_steps.NAMES, help="this step and what follows")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chain; the exit code is that of the step that could not be done, 0 when all are."""
    args, console = build_parser().parse_args(argv), Console()
    try:
        steps = _adaptation(args).steps()
        chain = Chain(steps, AdaptRecord(args.output / "adapt.json"), console)
        code = chain.run(args.first, args.only)
    except (ValueError, OSError) as error:
        print(f"rfs adapt: {error}", file=sys.stderr)
        return 1
    if not code:
        chain.show()
    return code


def _adaptation(args: argparse.Namespace) -> Adaptation:
    if args.episodes < 1 or args.seed < 0:
        raise ValueError("--episodes must be at least 1, and --seed 0 or more")
    if not args.bags and args.seed + _SCENES_AN_EPISODE * args.episodes > FIRST_SEED:
        raise ValueError(
            f"--seed {args.seed} with {args.episodes} episodes reaches into the scenes from {FIRST_SEED} on, "
            "which are for evaluation: choose a smaller one"
        )
    training = {name: getattr(args, name) for name in _TRAINING}
    values = (args.policy, args.severity, args.episodes, tuple(args.objects), args.seed, args.protocol)
    return Adaptation(args.output, *values, tuple(args.bags), training)


class Chain:
    """Runs steps that are not done, in their order."""

    def __init__(self, steps: Sequence[Step], record: AdaptRecord, console: Console) -> None:
        self.steps, self.record, self.console = steps, record, console

    def run(self, first: str | None = None, only: str | None = None) -> int:
        """All steps, those from `first` on anew, or `only` one; the exit code of what failed, or 0.

        Raises:
            ValueError: a finished step has other settings, something is in the way, or is missing.
        """
        names = [step.name for step in self.steps]
        named = only or first
        if named and named not in names:
            raise ValueError(f"there is no step '{named}' with --bags: nothing is collected")
        start = names.index(named) if named else len(names)
        anew = {only} if only else set(names[start:])
        for step in self.steps:
            if step.name not in anew and not (only and step.name not in self._step(only).needs):
                self._require_fit(step, must_be_done=bool(named))
        for step in self.steps:
            if only in (None, step.name) and (code := self._do(step, step.name in anew)):
                return code
        return 0

    def show(self) -> None:
        """The steps with their wall times."""
        table = Table("step", "wall time", "made", title="adapt")
        for step in self.steps:
            done = self.record.finished(step.name)
            table.add_row(
                step.name, f"{self.record.seconds(step.name):.0f} s" if done else "-", str(step.output)
            )
        table.add_row("all", f"{sum(self.record.seconds(step.name) for step in self.steps):.0f} s", "")
        self.console.print(table)

    def _step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def _require_fit(self, step: Step, must_be_done: bool) -> None:
        name, record = step.name, self.record
        if must_be_done and not record.finished(name):
            raise ValueError(f"step '{name}' is not done yet: run './rfs adapt' without --from and --only")
        changed = [] if record.outdated(name) else record.changed(name, step.settings)
        if changed:
            raise ValueError(
                f"step '{name}' was begun with other settings: {', '.join(changed)}. Do it again with "
                f"--from {name} (what is there is kept under another name), or give another --output"
            )
        if not record.known(name) and step.output.exists():
            raise ValueError(
                f"{step.output} is in the way, no step made it: move it, or give another --output"
            )

    def _do(self, step: Step, anew: bool) -> int:
        record, name = self.record, step.name
        if record.finished(name) and not anew:
            self.console.print(f"[bold]{name}[/] was done before, in {record.seconds(name):.0f} s")
            return 0
        if record.finished(name) or record.outdated(name) or record.changed(name, step.settings):
            self._put_aside(step)
        words = (*step.words, *(step.resume if step.resumable() else ()))
        self.console.print(f"[bold]{name}[/]  ./rfs {shlex.join(words)}", highlight=False, soft_wrap=True)
        record.begin(name, step.settings, f"./rfs {shlex.join(words)}", self._dependents(name))
        began, code, done = time.monotonic(), 130, False
        try:
            code = _call(words)
            done = code in step.accepts and step.complete()
        except KeyboardInterrupt:
            pass
        finally:
            record.end(name, time.monotonic() - began, done)
        if not done:
            self.console.print(f"[red]step '{name}' was not finished; the same command goes on with it[/]")
        return 0 if done else code or 130

    def _dependents(self, name: str) -> list[str]:
        """Steps that need this one, directly or not."""
        found = [name]
        for step in self.steps:
            if set(step.needs) & set(found):
                found.append(step.name)
        return found[1:]

    def _put_aside(self, step: Step) -> None:
        """Nothing that was made is lost: it gets another name."""
        self.record.forget(step.name)
        if step.output.exists():
            kept = step.output.with_name(f"{step.output.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
            step.output.rename(kept)
            self.console.print(f"{step.output} is kept as {kept.name}", highlight=False, soft_wrap=True)


def _call(words: Sequence[str]) -> int:
    """A command of ``./rfs`` in this process."""
    command, rest = commands.find(list(words))
    return int(importlib.import_module(command.module).main(rest) or 0)


if __name__ == "__main__":
    sys.exit(main())
