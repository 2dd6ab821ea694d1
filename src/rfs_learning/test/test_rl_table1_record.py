"""Plans, and the small files in which results of cells are kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfs_learning.differing_settings import differences
from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.table1_plan import BASE, Cell, EvaluationPlan, Plan, cells, settings_hash
from rfs_learning.rl.table1_record import CellRecord, open_record, thinned
from rfs_learning.rl.table1_time import TimeLeft, in_words
from table1_fakes import finished, make_plan

CELL = Cell("power", "rfs_hand", 1)


def test_a_record_is_read_as_it_was_written_and_stays_small(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    record = finished(plan, CELL, 150, changed=["ppo.gamma (0.9 instead of 0.98)"])
    file = plan.result_file(CELL)
    record.write(file)
    read = CellRecord.read(file)
    assert (read.cell, read.settings, read.final["sampled"]["successes"]) == (CELL, record.settings, 75)
    assert (read.curve, read.levels, read.changed) == (record.curve, record.levels, record.changed)
    assert read.final["mean"]["depth"] == pytest.approx(0.001235)
    assert len(read.training) <= 60
    assert file.stat().st_size < 20_000
    content = json.loads(file.read_text())
    assert content["settings_sha256"] == settings_hash(plan.settings(CELL))
    assert content["area"] == pytest.approx(0.374, abs=1e-3)
    assert content["steps_to_80"] is None


def test_written_again_it_is_the_same_file(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    finished(plan, CELL, 133).write(first)
    CellRecord.read(first).write(second)
    assert first.read_bytes() == second.read_bytes()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), max_size=300), st.integers(1, 70))
def test_thinning_keeps_the_end_and_the_range(points, most) -> None:
    kept = thinned(points, most)
    assert len(kept) <= most
    assert bool(kept) == bool(points)
    if points:
        assert kept[-1][0] == points[-1][0]
        low, high = min(s for _, s in points), max(s for _, s in points)
        assert all(low - 1e-9 <= success <= high + 1e-9 for _, success in kept)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1}', "\x00"])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "0.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"0\.json' is not the record of a cell"):
        CellRecord.read(file)


def test_other_settings_are_named_with_both_values(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    file = plan.result_file(CELL)
    finished(plan, CELL, 150).write(file)
    assert open_record(plan, CELL, file) is not None
    other = replace(plan, config=plan.config.with_ppo(gamma=0.5))
    with pytest.raises(ValueError, match=rf"ppo.gamma \(0.5 instead of {plan.config.ppo.gamma}\).*--results"):
        open_record(other, CELL, file)
    assert open_record(other, CELL, tmp_path / "nothing.json") is None


def test_settings_of_other_tasks_and_of_cameras_do_not_decide(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    config = plan.config
    pinch, power = config.tasks["pinch"], config.tasks["power"]
    one_object = replace(pinch, objects=pinch.objects[:1])
    fewer_points = replace(power.task, cloud=replace(power.task.cloud, points=64))
    seen = {"pinch": one_object, "power": replace(power, task=fewer_points)}
    other = replace(plan, config=replace(config, tasks=seen))
    assert other.settings(CELL) == plan.settings(CELL)
    assert other.settings(Cell("pinch", "pca", 0)) != plan.settings(Cell("pinch", "pca", 0))


def test_a_plan_goes_through_json(tmp_path: Path) -> None:
    plan = replace(make_plan(tmp_path, points=3, levels=(0.0, 1.0)), ingredients=tmp_path / "bases")
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_changed_settings_are_those_that_differ_from_the_packaged(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, points=3)
    assert plan.changed(CELL) == ["evaluation.points (3 instead of 8)"]


def test_differences_are_named_by_their_path() -> None:
    assert differences({"a": {"b": 1, "d": 2}}, {"a": {"c": 1, "d": 2}}) == [
        "a.b (none instead of 1)",
        "a.c (1 instead of none)",
    ]
    assert differences({"id": "a" * 64}, {"id": "b" * 64}) == [
        "id (bbbbbbbbbbbb... instead of aaaaaaaaaaaa...)"
    ]


def test_every_method_has_one_seed_before_any_has_two() -> None:
    config = RlConfig.load()
    found = cells(config, list(METHODS), list(config.tasks), [0, 1, 2])
    assert len(found) == len(set(found)) == 2 + 3 * 2 * len(METHODS)
    assert {cell.method for cell in found[:2]} == {BASE}
    seeds = [cell.seed for cell in found[2:]]
    assert seeds == sorted(seeds)
    assert cells(config, list(METHODS) * 2, list(config.tasks) * 2, [0, 0, 1, 2]) == found


@pytest.mark.parametrize(("methods", "tasks"), [(["rfs"], ["power"]), (["pca"], ["pour"])])
def test_unknown_methods_and_tasks_are_named(methods, tasks) -> None:
    with pytest.raises(ValueError, match=r"unknown (method 'rfs'|task 'pour')"):
        cells(RlConfig.load(), methods, tasks, [0])


def test_final_episodes_were_not_seen_while_training() -> None:
    plan = EvaluationPlan(points=5)
    assert not set(plan.point_seeds()) & set(plan.final_seeds(1024))
    assert set(plan.final_seeds(256)) < set(plan.final_seeds(1024))
    assert plan.point_steps(1000) == [0, 200, 400, 600, 800, 1000]


def test_time_left_comes_from_cells_alike(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    slow, fast, base = Cell("power", "pca", 0), Cell("power", "rfs_hand", 0), Cell("power", BASE, 0)
    assert TimeLeft([finished(plan, base, 10)]).of_cells([(slow, 0.0)], 1) is None
    left = TimeLeft(
        [finished(plan, slow, 10, training_seconds=900.0), finished(plan, fast, 10), finished(plan, base, 9)]
    )
    assert left.of_cell(Cell("power", "pca", 2)) == 1000.0
    assert left.of_cell(Cell("pinch", "rfs_hand", 1)) == 600.0
    assert left.of_cell(Cell("pinch", "vqvae", 1)) == 800.0
    assert left.of_cells([(Cell("power", "pca", 1), 0.0), (Cell("power", "pca", 2), 400.0)], 2) == 1000.0
    assert left.of_cells([(Cell("power", "pca", 1), 5000.0)], 2) == 100.0
    assert left.of_cells([], 2) == 0.0


def test_time_left_follows_the_pace_of_this_machine(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    left = TimeLeft(
        [finished(plan, Cell("power", "pca", 0), 10), finished(plan, Cell("power", "vqvae", 0), 10)]
    )
    left.add(finished(plan, Cell("power", "pca", 1), 10, training_seconds=1100.0))
    assert left.of_cell(Cell("power", "vqvae", 1)) == pytest.approx(1200.0)
    assert left.measured == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "not known yet"), (41.2, "41 s"), (200, "3 min"), (7500, "2 h 05 min"), (3599, "1 h 00 min")],
)
def test_times_are_told_as_people_do(seconds, words) -> None:
    assert in_words(seconds) == words
