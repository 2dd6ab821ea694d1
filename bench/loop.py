"""Cadence of the control loop with the whole stack running in real time, read from the bags of its trials."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rfs_policy.checkpoint import load_checkpoint, save_checkpoint
from rfs_teleop.bag_reader import Bag

DOMAIN = "87"
START_PATIENCE = 120.0  # s until the first trial runs
LATENCY_GOAL, JITTER_GOAL = 40.0, 3.0  # ms
HIGHER_RATES = (20.0, 25.0, 50.0)  # Hz
_LAUNCH = "import sys; from rfs_bringup.launching import main; sys.exit(main(sys.argv[1:]))"
_HOLDING = 0


@dataclass
class Cadence:
    """Of one run: periods of the policy's loop and of the commands, latencies (s), ticks that were missed."""

    rate: float
    periods: list[float] = field(default_factory=list)
    command_periods: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    missed: int = 0
    trials: int = 0

    def jitter_ms(self, periods: list[float]) -> float:
        """99th percentile of the deviation from the nominal period."""
        return float(np.percentile(np.abs(np.array(periods) - 1 / self.rate), 99) * 1e3)

    @property
    def latency_ms(self) -> float:
        """99th percentile from the observation's stamp to the command."""
        return float(np.percentile(self.latencies, 99) * 1e3)

    @property
    def holds(self) -> bool:
        """All goals at once."""
        jitter = self.jitter_ms(self.periods)
        return self.missed == 0 and self.latency_ms < LATENCY_GOAL and jitter < JITTER_GOAL


def run(duration: float = 300.0, policy: str = "default", higher: float = 40.0) -> list[dict]:
    """Figures at 10 Hz over `duration` s, and the highest rate that holds over `higher` s each.

    The policy's checkpoint is relabeled for other rates: its motions are then wrong, its work is the same.
    """
    at_ten = measure(10.0, duration, policy)
    highest = at_ten.rate if at_ten.holds else 0.0
    for rate in HIGHER_RATES if at_ten.holds else ():
        if not measure(rate, higher, policy).holds:
            break
        highest = rate
    jitter, commands = at_ten.jitter_ms(at_ten.periods), at_ten.jitter_ms(at_ten.command_periods)
    ticks = f"{len(at_ten.latencies)} ticks in {at_ten.trials} trials, {duration:.0f} s"
    return [
        _figure("loop.missed", at_ten.missed, "ticks", "0", at_ten.missed == 0, ticks),
        _figure(
            "loop.stamp_to_command_p99_ms",
            round(at_ten.latency_ms, 2),
            "ms",
            f"< {LATENCY_GOAL:g}",
            at_ten.latency_ms < LATENCY_GOAL,
            f"p50 {np.median(at_ten.latencies) * 1e3:.1f} ms",
        ),
        _figure(
            "loop.jitter_p99_ms",
            round(jitter, 2),
            "ms",
            f"< {JITTER_GOAL:g}",
            jitter < JITTER_GOAL,
            f"of the commands, after inference: {commands:.1f} ms",
        ),
        _figure("loop.highest_rate_hz", highest, "Hz", ">= 10", highest >= 10.0, "all goals hold"),
    ]


def _figure(name: str, value: float, unit: str, goal: str, holds: bool, note: str) -> dict:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "holds": bool(holds), "note": note}


def measure(
    rate: float,
    duration: float,
    policy: str,
    words: Sequence[str] = (),
    look: Callable[[Path], None] = lambda bag: None,
) -> Cadence:
    """Run trial after trial for a time and read their bags; `words` are further launch arguments, and `look`
    is shown each bag.

    Raises:
        RuntimeError: the stack stopped, or no trial ran.
    """
    with tempfile.TemporaryDirectory() as folder:
        if rate != 10.0:
            policy = _relabeled(policy, rate, Path(folder))
        _run_stack(rate, duration, policy, Path(folder), words)
        cadence = Cadence(rate)
        bags = sorted(path for path in (Path(folder) / "bags").iterdir() if path.is_dir())
        for bag in bags:
            _read(bag, cadence)
            look(bag)
    if not cadence.periods:
        raise RuntimeError(f"no trial ran at {rate:g} Hz")
    return cadence


def _relabeled(policy: str, rate: float, folder: Path) -> str:
    checkpoint = load_checkpoint(policy)
    save_checkpoint(folder / "policy", replace(checkpoint, layout=replace(checkpoint.layout, rate_hz=rate)))
    return str(folder / "policy")


def _run_stack(rate: float, duration: float, policy: str, folder: Path, more: Sequence[str]) -> None:
    words = ["grasp", "sim_time:=realtime", f"rate:={rate}", f"policy:={policy}", f"bags:={folder / 'bags'}"]
    command = [sys.executable, "-c", _LAUNCH, *words, *more]
    environment = os.environ | {"ROS_DOMAIN_ID": DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        began = _runs(process, folder / "bags", START_PATIENCE)
        runs = began and _lasts(process, duration)
        lives = process.poll() is None
        process.send_signal(signal.SIGINT)
        process.wait(20)
    if not runs:
        what = f"ran no trial within {START_PATIENCE:g} s" if lives else "stopped by itself"
        raise RuntimeError(f"the stack {what}:\n{log.read_text()[-2000:]}")


def _runs(process: subprocess.Popen[bytes], bags: Path, patience: float) -> bool:
    """Whether the first trial opens its bag within so many s."""
    end = time.monotonic() + patience
    while not bags.exists() and time.monotonic() < end and _lasts(process, 0.1):
        pass
    return bags.exists()


def _lasts(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process is still alive after so many s."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _read(bag: Path, cadence: Cadence) -> None:
    """Add one episode: from the first executed action to the last one that was not held."""
    actions, executed = [], []
    for recorded in Bag(bag).messages(["/rfs/policy_action", "/rfs/executed_action"]):
        (actions if recorded.topic == "/rfs/policy_action" else executed).append(recorded.message)
    moved = [index for index, message in enumerate(executed) if len(message.base_action)]
    if not moved:
        return
    episode = executed[moved[0] : moved[-1] + 1]
    cadence.trials += 1
    cadence.missed += sum(m.state == _HOLDING or m.chunk_index > 0 for m in episode)
    cadence.missed += sum(bool(m.deadline_missed) for m in actions)
    sent = [_seconds(m.sent_stamp) for m in episode]
    cadence.latencies += [at - _seconds(m.header.stamp) for at, m in zip(sent, episode, strict=True)]
    cadence.command_periods += list(_steps(sent))
    cadence.periods += list(_steps([_seconds(m.header.stamp) - m.inference_time for m in actions]))


def _steps(times: list[float]) -> Iterator[float]:
    return (after - before for before, after in itertools.pairwise(times))


def _seconds(stamp) -> float:
    return stamp.sec + 1e-9 * stamp.nanosec
