"""Cells of table 1 without any training: records as a run would leave them, and processes that leave them."""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.table1_plan import BASE, Cell, EvaluationPlan, Plan
from rfs_learning.rl.table1_record import CellRecord

EPISODES = 200
WORKER = r"""
import json, os, signal, sys
from pathlib import Path

order = json.loads(sys.stdin.readline())
cell, results = order["cell"], Path(order["plan"]["results"])
file = results / cell["task"] / cell["method"] / f"{cell['seed']}.json"
run = Path(order["plan"]["output"]) / cell["task"] / cell["method"] / str(cell["seed"])
(run / "begun").open("a").write("x")
news = Path(order["plan"]["output"]) / "news"


def tell(word):
    if news.exists():
        news.open("w").write(f"{word} {cell['method']}\n")


tell("begun")
print("log of", cell["method"])
what = json.loads(Path(sys.argv[1]).read_text())
deed = what["deeds"].get(cell["method"], "finish")
if deed == "diverge":
    message = {"problem": "PPO's value loss is not finite", "diverged": True}
    os.write(int(sys.argv[2]), json.dumps(message).encode())
    sys.exit(1)
if deed == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if deed == "wait":
    sys.stdin.read()  # until whoever gave the order ends, or wants us to
    tell("saved")
    sys.exit(130)
record = what["record"] | {"cell": cell}
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(json.dumps(record))
"""


def listen(plan: Plan) -> TextIO:
    """Lines `begun METHOD` and `saved METHOD` of workers, as they come."""
    plan.output.mkdir(parents=True)
    os.mkfifo(plan.output / "news")
    return os.fdopen(os.open(plan.output / "news", os.O_RDWR))


def make_plan(folder: Path, **evaluation: Any) -> Plan:
    return Plan(RlConfig.load(), folder / "run", folder / "results", EvaluationPlan(**evaluation))


def summary(successes: int, **changes: Any) -> dict[str, Any]:
    """As `EpisodeResults.summary`, of a task with two objects."""
    half = {"episodes": EPISODES // 2, "successes": successes // 2}
    other = {"episodes": EPISODES // 2, "successes": successes - successes // 2}
    return {
        "episodes": EPISODES,
        "successes": successes,
        "lifted": successes,
        "infeasible": 0,
        "infeasible_of_lifted": 0,
        "depth": 0.00123456,
        "seconds_to_success": 2.0,
        "finger_roughness": 0.01,
        "palm_roughness": 0.002,
        "failures": {"weak grasp": EPISODES - successes},
        "objects": {"cylinder": half, "box": other},
        **changes,
    }


def finished(plan: Plan, cell: Cell, successes: int, **changes: Any) -> CellRecord:
    """A finished record; its learning curve is a straight line to its final success."""
    record = CellRecord.begin(plan, cell)
    record.finished, record.evaluation_seconds = True, 100.0
    record.final = {"mean": summary(successes), "sampled": summary(successes // 2)}
    record.levels = {"1": (successes, EPISODES), "4": (successes // 3, EPISODES)}
    if cell.method != BASE:
        record.control_steps, record.training_seconds = 400_000, 500.0
        record.curve = [(n * 100_000, successes * n // 4, EPISODES) for n in range(5)]
        record.training = [(n * 5_000, successes * n / 80 / EPISODES) for n in range(1, 81)]
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def worker(folder: Path, plan: Plan, **deeds: str) -> list[str]:
    """Command of a process that takes cells, and does with those of a method what it is told: finish,
    diverge, die, or wait until it is interrupted."""
    record = finished(plan, Cell("power", "rfs_hand", 0), 150)
    record.write(folder / "template.json")
    what = {"record": json.loads((folder / "template.json").read_text()), "deeds": deeds}
    (folder / "what.json").write_text(json.dumps(what))
    (folder / "worker.py").write_text(WORKER)
    return [sys.executable, str(folder / "worker.py"), str(folder / "what.json")]
