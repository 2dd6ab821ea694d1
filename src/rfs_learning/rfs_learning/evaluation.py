"""Success of a policy on the grasp task: many episodes in one process, in lockstep."""

from collections.abc import Callable, Sequence

from rfs_policy.policy import FlowPolicy
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.objects import find_objects, object_names
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.rollout import Rollout, Trial

FIRST_SEED = 1_000_000
"""Demonstrations use seeds from 0 on; evaluations stay far above."""
_SIDE_BY_SIDE = 50


def evaluate(
    policy: FlowPolicy,
    objects: Sequence[str],
    seeds: Sequence[int],
    config: TaskConfig | None = None,
    policy_seed: int = 0,
    on_batch: Callable[[list[Trial]], None] = lambda trials: None,
) -> list[Trial]:
    """Trials of every seed; seed i gets objects[i % len(objects)].

    Raises:
        ValueError: an object is unknown, or the policy's rate is not the task's.
    """
    config = config or TaskConfig.default()
    if config.control_rate != policy.layout.rate_hz:
        raise ValueError(
            f"the policy acts at {policy.layout.rate_hz:g} Hz, the task runs at {config.control_rate:g} Hz"
        )
    names = [spec.name for spec in find_objects(objects)]
    jobs = [(int(seed), names[i % len(names)]) for i, seed in enumerate(seeds)]
    trials: list[Trial] = []
    for start in range(0, len(jobs), _SIDE_BY_SIDE):
        batch = jobs[start : start + _SIDE_BY_SIDE]
        task = GraspTask(config, len(batch), [name for _, name in batch])
        finished = Rollout(policy, task, policy_seed).run(*map(list, zip(*batch, strict=True)))
        on_batch(finished)
        trials += finished
    return trials


def objects_of(names: Sequence[str]) -> list[str]:
    """Names as given; 'train' and 'heldout' stand for all objects of that split."""
    expanded: list[str] = []
    for name in names:
        expanded += object_names(name) if name in ("train", "heldout") else [name]
    return expanded
