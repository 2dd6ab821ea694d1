"""One real cell, small: trained, evaluated, killed and gone on with."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from rfs_learning.diverged import DivergedError
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.table1_cells import METRICS_FILE, SETTINGS_FILE, CellRun, main, prepared, run_cell
from rfs_learning.rl.table1_plan import BASE, Cell, EvaluationPlan, Plan
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord
from rfs_learning.rl.training import RlTraining

CELL = Cell("power", "rfs_hand_arm", 3)
EVALUATION = EvaluationPlan(
    points=2, point_episodes=2, final_episodes=4, levels=(0.0, 1.0), level_episodes=2, environments=4
)


def small_config() -> RlConfig:
    config = RlConfig.load()
    task = config.task("power")
    short = replace(task, objects=task.objects[:2], task=replace(task.task, episode_seconds=0.5))
    return replace(
        config.with_ppo(environments=2, control_steps=40, epochs=1, mini_batches=2, hidden=(8,)),
        tasks={"power": short},
        demonstrations=replace(config.demonstrations, count=2, noise=0.5),
        base=replace(config.base, width=16, depth=1, steps=3, batch=16),
    )


@pytest.fixture(scope="module")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations and bases that all plans here share; demonstrations take their time to lift."""
    config = small_config()
    task = config.tasks["power"]
    longer = replace(task, task=replace(task.task, episode_seconds=4.0))
    folder = tmp_path_factory.mktemp("ingredients")
    plan = Plan(replace(config, tasks={"power": longer}), folder, folder)
    prepared(plan, "power")
    return plan.ingredients_folder("power")


def make_plan(folder: Path, ingredients: Path) -> Plan:
    plan = Plan(small_config(), folder / "run", folder / "results", EVALUATION)
    plan.ingredients_folder("power").mkdir(parents=True)
    for file in ingredients.glob("*.safetensors"):
        os.link(file, plan.ingredients_folder("power") / file.name)
    return plan


@pytest.fixture
def plan(tmp_path: Path, ingredients: Path) -> Plan:
    return make_plan(tmp_path, ingredients)


def finished(plan: Plan, cell: Cell = CELL) -> CellRecord:
    return CellRecord.read(plan.result_file(cell))


def numbers(record: CellRecord) -> dict:
    """All but wall time."""
    return asdict(replace(record, training_seconds=0.0, evaluation_seconds=0.0))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, ingredients: Path) -> CellRecord:
    """The cell without any interruption."""
    plan = make_plan(tmp_path_factory.mktemp("whole"), ingredients)
    run_cell(plan, CELL)
    return finished(plan)


def test_a_cell_tells_all_that_the_report_needs(whole: CellRecord) -> None:
    assert (whole.finished, whole.problem, whole.cell) == (True, "", CELL)
    assert [at for at, _, _ in whole.curve] == [0, 20, 40]
    assert whole.training[-1][0] == 40
    assert whole.control_steps == 40
    assert [whole.count(noise)[1] for noise in ("mean", "sampled")] == [4, 4]
    assert set(whole.final["mean"]["objects"]) == {"cylinder", "box"}
    assert {level: episodes for level, (_, episodes) in whole.levels.items()} == {"0": 2, "1": 4}
    assert whole.training_seconds > 0
    assert whole.evaluation_seconds > 0
    assert any(entry.startswith("ppo.control_steps (40 instead of ") for entry in whole.changed)


def test_the_base_alone_is_evaluated_without_training(plan: Plan) -> None:
    cell = Cell("power", BASE, 0)
    run_cell(plan, cell)
    record = finished(plan, cell)
    assert (record.finished, record.curve, record.control_steps) == (True, [], 0)
    assert record.count("sampled")[1] == 4
    assert not (plan.run_folder(cell) / METRICS_FILE).exists()


class Killed(BaseException):
    """In place of a kill: nothing catches it."""


def dying(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, after: int) -> None:
    """The method dies when it is called for the time after that many."""
    original, calls = getattr(kind, name), iter(range(1000))

    def step(self, *args, **kwargs):
        if next(calls) == after:
            raise Killed
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, name, step)


STOPS = [
    (RlTraining, "iterate", 0),
    (RlTraining, "iterate", 1),
    (CellRun, "_point", 1),
    (CellRun, "_evaluate", 4),
]


@pytest.mark.parametrize(("kind", "name", "after"), STOPS)
def test_a_cell_that_is_stopped_anywhere_ends_as_one_that_was_not(
    kind, name, after, plan: Plan, whole: CellRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training, between training and evaluation, and between evaluations."""
    with monkeypatch.context() as context:
        dying(context, kind, name, after)
        with pytest.raises(Killed):
            run_cell(plan, CELL)
    assert not plan.result_file(CELL).exists()
    run_cell(plan, CELL)
    assert numbers(finished(plan)) == numbers(whole)


def test_finished_parts_are_not_done_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        dying(context, CellRun, "_levels", 0)
        with pytest.raises(Killed):
            run_cell(plan, CELL)
    done: list[float] = []
    original = CellRun._evaluate

    def evaluate(self, policy, seeds, noise, level=1.0):
        done.append(level)
        return original(self, policy, seeds, noise, level)

    monkeypatch.setattr(CellRun, "_evaluate", evaluate)
    run_cell(plan, CELL)
    assert done == [0.0]
    run_cell(plan, CELL)
    assert done == [0.0]


@pytest.mark.parametrize("steps", [10, 40])
def test_ctrl_c_while_training_saves_and_goes_on(
    steps: int, plan: Plan, whole: CellRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first iteration, and in the last one, after which nothing is left to train."""
    original = RlTraining.iterate

    def iterate(self):
        result = original(self)
        if self.control_steps == steps:
            os.kill(os.getpid(), 2)  # SIGINT, in the middle of a run
        return result

    with monkeypatch.context() as context:
        context.setattr(RlTraining, "iterate", iterate)
        with pytest.raises(KeyboardInterrupt):
            run_cell(plan, CELL)
    kept = CellRecord.read(plan.run_folder(CELL) / RECORD_FILE)
    assert kept.training_seconds > 0
    run_cell(plan, CELL)
    assert numbers(finished(plan)) == numbers(whole)


@pytest.mark.parametrize(
    ("error", "words"),
    [(DivergedError("PPO's value loss"), "PPO's value loss"), (OSError(28, "No space left"), "make room")],
)
def test_a_failure_is_told_through_the_pipe(
    error, words, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self, *_):
        raise error

    monkeypatch.setattr(RlTraining, "run", fail)
    order = {"plan": plan.to_dict(), "cell": asdict(CELL)}
    listen, tell = os.pipe()
    read, write = os.pipe()  # stands for standard input: nobody closes it meanwhile
    os.write(write, json.dumps(order).encode() + b"\n")
    monkeypatch.setattr("sys.stdin", os.fdopen(read))
    threads = torch.get_num_threads()
    assert main([str(tell)]) == 1
    torch.set_num_threads(threads)
    told = json.loads(os.read(listen, 4096))
    assert words in told["problem"]
    assert told["diverged"] == isinstance(error, DivergedError)


def test_ingredients_of_other_settings_are_refused(plan: Plan) -> None:
    prepared(plan, "power")
    assert (plan.ingredients_folder("power") / SETTINGS_FILE).is_file()
    other = replace(plan.config, demonstrations=replace(plan.config.demonstrations, count=3))
    with pytest.raises(ValueError, match=r"demonstrations.count \(3 instead of 2\).*another --output"):
        prepared(replace(plan, config=other), "power")


def test_a_run_of_other_settings_is_not_gone_on_with(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        dying(context, CellRun, "_point", 1)
        with pytest.raises(Killed):
            run_cell(plan, CELL)
    other = replace(plan, config=plan.config.with_ppo(learning_rate=1e-5))
    with pytest.raises(ValueError, match=r"ppo.learning_rate"):
        run_cell(other, CELL)
