"""What a run of trials through the nodes amounts to as an evaluation, from its bags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rfs_learning.bag_trial import trial_of_bag
from rfs_learning.evaluate_command import method_name
from rfs_learning.evaluation_record import EvaluationRecord
from rfs_learning.protocol import Protocol
from rfs_learning.rollout import Trial
from rfs_policy.checkpoint import checkpoint_file, file_id
from rfs_policy.modulation_checkpoint import modulation_file
from rfs_sim_bridge.task_config import SuccessConfig, TaskConfig

from rfs_bringup.demo_run import DemoRun


def trials_of(rows: Sequence[Mapping[str, Any]]) -> list[Trial]:
    """One for each of the runner's results."""
    judged = TaskConfig.default().success
    return [_trial(row, judged) for row in rows]


def _trial(row: Mapping[str, Any], judged: SuccessConfig) -> Trial:
    """From the bag; where there is none that tells enough, the runner's outcome alone."""
    outcome = str(row["outcome"])
    if row["bag"] and outcome in ("success", "failure"):
        try:
            return trial_of_bag(Path(row["bag"]), row["seed"], outcome == "success", judged)
        except (FileNotFoundError, ValueError):
            pass
    reason = {"success": "", "failure": "time over"}.get(outcome, outcome)
    return Trial(row["object"], row["seed"], outcome == "success", row["seconds"], 0.0, reason)


def record_of(run: DemoRun, trials: Sequence[Trial], protocol: Protocol | None) -> EvaluationRecord:
    """As `./rfs evaluate --json` writes it."""
    modulation = file_id(modulation_file(run.modulation)) if run.modulation else ""
    return EvaluationRecord(
        name=method_name(run.policy, run.modulation or None),
        policy=file_id(checkpoint_file(run.policy)),
        checkpoint=run.policy,
        policy_seed=0,
        task=run.robot.of_task(TaskConfig.default()),
        robot=run.robot,
        trials=tuple(trials),
        modulation=modulation,
        modulation_file=run.modulation,
        through=f"ros, {run.sim_time}",
        protocol=protocol,
    )
