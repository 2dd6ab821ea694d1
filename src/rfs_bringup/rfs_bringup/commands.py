"""The commands of ``./rfs``: one line of help each, and the module whose ``main(argv)`` does it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """``words`` is what is typed; ``module`` holds ``main(argv) -> int``.

    ``installed`` says that the built workspace is needed, ``development`` that test and lint packages are.
    """

    words: str
    help: str
    module: str
    installed: bool = True
    development: bool = False


COMMANDS = (
    Command("demo", "grasp trials with the real ROS 2 nodes: table, bags, report page", "rfs_bringup.demo"),
    Command("test", "the whole test suite", "rfs_bringup.checks", development=True),
    Command("launch", "start a stack: ./rfs launch grasp|collect [name:=value ...]", "rfs_bringup.launching"),
    Command("bags report", "page and figures of a session, from its bags", "rfs_teleop.session_page"),
    Command("bags", "recorded episodes: ./rfs bags info|check|recover|play", "rfs_teleop.bags_command"),
    Command(
        "dataset", "bags to datasets: ./rfs dataset build|info|import|export", "rfs_learning.dataset_command"
    ),
    Command("reward", "rewards of bags anew: ./rfs reward relabel|strip|plot", "rfs_learning.reward_command"),
    Command("demos", "record demonstrations of the scripted expert", "rfs_learning.demos"),
    Command("train flow", "train the flow policy on demonstrations", "rfs_learning.flow_training"),
    Command("train rl", "train a modulation policy with PPO in simulation", "rfs_learning.rl.train_command"),
    Command("train offline", "train a modulation on corrections", "rfs_learning.offline.offline_command"),
    Command("train finetune", "fine-tune the flow policy on corrections", "rfs_learning.offline.finetune"),
    Command("train sam2", "train a small SAM2 on simulated pictures", "rfs_learning.sam2_training"),
    Command("table1", "every method of the paper's table 1, over seeds; resumable", "rfs_learning.rl.table1"),
    Command("ablations", "what RFS depends on, one change at a time; resumable", "rfs_learning.rl.ablations"),
    Command("distill", "a modulation's rollouts to a point-cloud policy", "rfs_learning.rl.distill"),
    Command("figures", "pictures: ./rfs figures rollouts|noise", "rfs_learning.rl.figures_command"),
    Command("adapt", "corrections to an adapted policy: the whole chain", "rfs_bringup.adapt"),
    Command(
        "compare", "methods that learn from corrections, over seeds", "rfs_learning.offline.compare_command"
    ),
    Command("evaluate", "success of a policy over seeds and objects", "rfs_learning.evaluate_command"),
    Command("report", "evaluations side by side on one page", "rfs_learning.report_command"),
    Command("weights", "fetch SAM2.1: ./rfs weights sam2.1-tiny|small|...", "rfs_reward.weights_command"),
    Command("bench", "benchmarks: ./rfs bench [NAME] [--json FILE]", "rfs_bringup.benchmarks"),
    Command("doctor", "what this machine has, and what to install", "rfs_bringup.doctor", False),
    Command("setup", "make an environment and build: setup [isaaclab]", "rfs_bringup.setup_only", False),
    Command("lint", "ruff and pyright", "rfs_bringup.lint", development=True),
)
FIRST = ("demo", "test")
_MORE = "./rfs COMMAND --help tells the options of a command."


def overview() -> str:
    """What ``./rfs`` prints."""
    return "\n".join(
        [
            "RFS for ROS 2: grasping with a point-cloud flow policy.",
            "",
            *_lines(COMMANDS),
            "",
            "The first command that needs it installs into .venv and builds the workspace (some minutes).",
            _MORE,
        ]
    )


def group(name: str) -> str:
    """What ``./rfs NAME --help`` prints where only longer commands begin with NAME; empty elsewhere."""
    members = [command for command in COMMANDS if command.words.split()[0] == name]
    if not members or any(command.words == name for command in members):
        return ""
    return "\n".join([*_lines(members), "", _MORE])


def _lines(shown: Sequence[Command]) -> list[str]:
    width = max(len(command.words) for command in shown) + 2
    return [f"  ./rfs {command.words:<{width}}{command.help}" for command in shown]


def find(arguments: list[str]) -> tuple[Command, list[str]]:
    """The command and its own arguments; ValueError that names near matches for an unknown one."""
    for command in COMMANDS:
        words = command.words.split()
        if arguments[: len(words)] == words:
            return command, arguments[len(words) :]
    raise ValueError(_unknown(arguments))


def _unknown(arguments: list[str]) -> str:
    typed = " ".join(argument for argument in arguments[:2] if not argument.startswith("-")) or arguments[0]
    words = [command.words for command in COMMANDS]
    groups = [name for name in words if name.split()[0] == arguments[0]]
    near = groups or difflib.get_close_matches(typed, words, n=3, cutoff=0.4)
    near = near or difflib.get_close_matches(arguments[0], words, n=3, cutoff=0.5)
    guess = f" Did you mean: {', '.join(near)}?" if near else ""
    return f"unknown command '{typed}'.{guess} './rfs' lists all commands."
