"""`./rfs evaluate --policy runs/flow --episodes 100`, or `--protocol paper`: success of a policy.

Episodes run in lockstep, side by side in one process. `./rfs demo` runs the same trials through the nodes.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rfs_policy.layout import DELTA_POSE
from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.task_config import TaskConfig
from rich.console import Console
from rich.progress import Progress

from rfs_learning.evaluation import FIRST_SEED, evaluate
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.evaluation_table import print_table
from rfs_learning.protocol import Job, Protocol, cycled_jobs
from rfs_learning.robot_choice import RobotChoice, add_robot_arguments
from rfs_learning.rollout import Trial

_EPISODES, _OBJECTS = 100, ("train",)


def build_parser() -> argparse.ArgumentParser:
    """Arguments of `./rfs evaluate`."""
    parser = argparse.ArgumentParser(prog="rfs evaluate", description="Success rate of a policy.")
    parser.add_argument("--policy", default="default", help="checkpoint; 'default' and 'distilled' ship")
    parser.add_argument(
        "--modulation",
        metavar="PATH",
        help="adapts the policy; 'adapted' ships, for --robot target",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME",
        help="'paper': known objects x 20, unknown x 10, spread over the table; or a YAML file like it",
    )
    parser.add_argument("--objects", nargs="+", help="names, or 'train' (default), 'heldout'")
    parser.add_argument(
        "--episodes", type=int, help=f"in all, spread over the objects (default: {_EPISODES})"
    )
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="seed of the first episode")
    parser.add_argument("--policy-seed", type=int, default=0, help="seed of the policy's noise")
    parser.add_argument("--task", help="YAML with task settings that differ from the packaged ones")
    add_robot_arguments(parser)
    parser.add_argument("--name", help="of the method, for './rfs report'; default: where the weights lie")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write trials and table as JSON")
    return parser


def jobs_of(args: argparse.Namespace, protocol: Protocol | None, config: TaskConfig) -> list[Job]:
    """The trials that are asked for. ValueError: they contradict each other, or make no sense."""
    if protocol is None:
        episodes = _EPISODES if args.episodes is None else args.episodes
        return cycled_jobs(args.objects or _OBJECTS, episodes, args.seed)
    if args.objects or args.episodes is not None:
        raise ValueError("--protocol names objects and trials: leave out --objects and --episodes")
    return protocol.jobs(config, args.seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `./rfs evaluate`; the exit code is 1 when it could not run, or its file not be written."""
    args, console = build_parser().parse_args(argv), Console()
    began = time.perf_counter()
    try:
        record = _evaluate(args, console)
    except (ValueError, OSError) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    who = f"policy {record.policy[:12]}"
    who += f", modulation {record.modulation[:12]}" if record.modulation else ""
    title = f"{who}, {record.robot_words}, {time.perf_counter() - began:.0f} s"
    print_table(record.rows(), console, title)
    try:
        if args.json:
            record.write(args.json)
    except OSError as error:
        console.print(
            f"[red]this evaluation could not be written ({error}): make room, or give another --json, and "
            "run it again[/red]"
        )
        return 1
    return 0


def _evaluate(args: argparse.Namespace, console: Console) -> EvaluationRecord:
    robot, protocol = RobotChoice.of(args), Protocol.load(args.protocol) if args.protocol else None
    config = robot.of_task(TaskConfig.load(args.task) if args.task else TaskConfig.default())
    jobs = jobs_of(args, protocol, config)
    policy = FlowPolicy.load(args.policy, DELTA_POSE, runtime="onnx", modulation=args.modulation)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("episodes", total=len(jobs))

        def advance(finished: list[Trial]) -> None:
            progress.advance(bar, len(finished))

        objects, seeds = zip(*jobs, strict=True)
        trials = evaluate(policy, objects, seeds, config, args.policy_seed, advance)
    return EvaluationRecord(
        name=args.name or method_name(args.policy, args.modulation),
        policy=policy.id,
        checkpoint=args.policy,
        policy_seed=args.policy_seed,
        task=config,
        robot=robot,
        trials=tuple(trials),
        modulation=policy.modulation_id,
        modulation_file=args.modulation or "",
        protocol=protocol,
    )


def method_name(policy: str, modulation: str | None) -> str:
    """What an evaluation without a name is called: the whole path, as most files have the same name."""
    return str(Path(modulation or policy)).removesuffix(".safetensors")


if __name__ == "__main__":
    sys.exit(main())
