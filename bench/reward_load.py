"""The control loop in real time beside a tracker: with the simulator's reward, rgbd and SAM2 in turn.

All of them in one run, in short pieces one after the other, so that a slow moment of the machine meets all.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rfs_policy.stamps import nanoseconds
from rfs_teleop.bag_reader import Bag

sys.path.append(str(Path(__file__).parent))
from loop import LATENCY_GOAL, Cadence, measure

JUDGES = ("simulator", "rgbd", "sam2")


@dataclass
class Rewards:
    """What the reward node gave: stamps (s) of each episode, ages (s) when it came to the recorder, and how
    many told of an object that was seen or held."""

    stamps: list[list[float]] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    known: int = 0

    def look(self, bag: Path) -> None:
        """Take a bag's rewards."""
        self.stamps.append([])
        for recorded in Bag(bag).messages(["/rfs/reward"]):
            stamp = nanoseconds(recorded.message.header.stamp)
            self.stamps[-1].append(stamp * 1e-9)
            self.ages.append((recorded.log_time - stamp) * 1e-9)
            self.known += bool(np.isfinite(recorded.message.reward))

    @property
    def rate(self) -> float:
        """Hz within the episodes."""
        steps = [np.diff(episode) for episode in self.stamps if len(episode) > 1]
        return float(1 / np.concatenate(steps).mean()) if steps else float("nan")

    def note(self) -> str:
        """In words."""
        if not self.ages:
            return "no rewards"
        age = np.percentile(self.ages, [50, 99]) * 1e3
        return (
            f"rewards at {self.rate:.1f} Hz, object known in {100 * self.known / len(self.ages):.0f} %, "
            f"p50 {age[0]:.0f} and p99 {age[1]:.0f} ms after their picture"
        )


def run(duration: float = 60.0, rounds: int = 3, weights: str = "") -> list[dict]:
    """Figures of each judge over `rounds` times `duration` s; weights: of SAM2, empty for those that ship."""
    cadences = {judge: Cadence(10.0) for judge in JUDGES}
    rewards = {judge: Rewards() for judge in JUDGES}
    for _ in range(rounds):
        for judge in JUDGES:
            words = [f"reward:={judge}"] + ([f"reward_weights:={weights}"] if judge == "sam2" else [])
            _add(cadences[judge], measure(10.0, duration, "default", words, rewards[judge].look))
    return [figure for judge in JUDGES for figure in _figures(judge, cadences, rewards[judge])]


def _add(total: Cadence, part: Cadence) -> None:
    for name in ("periods", "command_periods", "latencies"):
        getattr(total, name).extend(getattr(part, name))
    total.missed += part.missed
    total.trials += part.trials


def _figures(judge: str, cadences: dict[str, Cadence], rewards: Rewards) -> list[dict]:
    """Beside each figure the same with the simulator's reward, for which nothing has to be tracked."""
    one, alone = cadences[judge], cadences["simulator"]
    ticks = f"{len(one.latencies)} ticks in {one.trials} trials; {rewards.note()}"
    values = {
        "missed": (one.missed, alone.missed, "ticks", "0", one.missed == 0),
        "stamp_to_command_p99_ms": (
            one.latency_ms,
            alone.latency_ms,
            "ms",
            f"< {LATENCY_GOAL:g}",
            one.latency_ms < LATENCY_GOAL,
        ),
        "jitter_p99_ms": (one.jitter_ms(one.periods), alone.jitter_ms(alone.periods), "ms", None, None),
    }
    return [
        {
            "name": f"reward_load.{judge}.{name}",
            "value": round(value, 2),
            "unit": unit,
            "goal": goal,
            "holds": holds,
            "note": ticks,
        }
        | ({"peer": round(peer, 2), "ratio": value / peer} if peer else {})
        for name, (value, peer, unit, goal, holds) in values.items()
    ]
