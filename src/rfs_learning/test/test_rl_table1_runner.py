"""Cells as processes: failed, killed, interrupted ones, and what is kept of them."""

import os
import signal
import sys
from io import StringIO
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

import pytest
from rfs_learning.rl.table1 import Sitting, main, standing
from rfs_learning.rl.table1_plan import Cell, Job, Plan
from rfs_learning.rl.table1_record import RECORD_FILE, CellRecord
from rfs_learning.rl.table1_runner import LOG_FILE, CellProcess, Ending, Runner
from rich.console import Console
from rich.progress import Progress
from table1_fakes import finished, listen, make_plan, worker

METHODS = ("pca", "vqvae", "rfs_hand")
CELLS = [Cell("power", method, 0) for method in METHODS]


def jobs_of(plan: Plan) -> list[Job]:
    return [Job(plan, cell, str(cell)) for cell in CELLS]


def run(plan: Plan, command: list[str], at_once: int = 2) -> dict[str, Ending]:
    endings: list[Ending] = []
    assert Runner(at_once, on_end=endings.append, command=command).run(jobs_of(plan))
    return {ending.job.cell.method: ending for ending in endings}


def begun(plan: Plan, method: str) -> int:
    """How many processes a cell has had."""
    file = plan.run_folder(Cell("power", method, 0)) / "begun"
    return len(file.read_text()) if file.is_file() else 0


def test_cells_are_finished_and_their_output_is_logged(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    endings = run(plan, worker(tmp_path, plan))
    assert [endings[name].problem for name in METHODS] == ["", "", ""]
    for cell in CELLS:
        assert CellRecord.read(plan.result_file(cell)).cell == cell
        assert f"log of {cell.method}" in (plan.run_folder(cell) / LOG_FILE).read_text()


def test_a_cell_that_diverges_or_dies_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    endings = run(plan, worker(tmp_path, plan, pca="diverge", vqvae="die"), at_once=1)
    assert "value loss is not finite" in endings["pca"].problem
    assert "SIGKILL" in endings["vqvae"].problem
    assert LOG_FILE in endings["vqvae"].problem
    diverged, died, done = (CellRecord.read(plan.result_file(cell)) for cell in CELLS)
    assert (diverged.finished, diverged.diverged, diverged.problem) == (False, True, endings["pca"].problem)
    assert (died.finished, died.diverged) == (False, False)
    assert done.finished


def test_a_cell_that_ends_before_it_has_its_order_is_a_failure_like_others(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    process = CellProcess(jobs_of(plan)[0], [sys.executable, "-c", "raise SystemExit(3)"])
    process.process.wait()
    process._order({"too": "late"})
    assert "exit code 3" in process.ending().problem


def test_a_failed_cell_is_tried_again_but_not_one_that_would_diverge_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    run(plan, worker(tmp_path, plan, pca="diverge", vqvae="die"))
    assert [standing(job) is None for job in jobs_of(plan)] == [False, True, False]


def test_a_failure_keeps_what_the_cell_had_reached(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    reached = finished(plan, CELLS[0], 150, finished=False, final={})
    reached.write(plan.run_folder(CELLS[0]) / RECORD_FILE)
    run(plan, worker(tmp_path, plan, pca="diverge"))
    assert CellRecord.read(plan.result_file(CELLS[0])).curve == reached.curve


def test_where_nothing_can_be_written_the_others_go_on(tmp_path: Path) -> None:
    """As on a full disk: neither log nor record of one cell has a place."""
    plan = make_plan(tmp_path)
    for folder in (plan.output, plan.results):
        (folder / "power").mkdir(parents=True)
        (folder / "power" / "pca").write_text("a file where a folder should be")
    endings = run(plan, worker(tmp_path, plan))
    assert "record could not be written" in endings["pca"].problem
    assert [endings[name].problem for name in METHODS[1:]] == ["", ""]


def drive(plan: Plan, command: list[str]) -> None:
    """Work through all cells, telling the news how."""

    def tell(text: str) -> None:
        with (plan.output / "news").open("w") as news:
            news.write(f"{text}\n")

    def ended(ending: Ending) -> None:
        tell(f"{'stopped' if ending.interrupted else 'ended'} {ending.job.cell.method}")

    runner = Runner(2, on_end=ended, command=command)
    tell("whole" if runner.run(jobs_of(plan)) else "interrupted")


def driver(plan: Plan, command: list[str]) -> BaseProcess:
    """A process of its own that works through all cells."""
    process = get_context("fork").Process(target=drive, args=(plan, command))
    process.start()
    return process


def next_lines(news: TextIO, count: int) -> set[str]:
    return {news.readline().strip() for _ in range(count)}


def test_killing_everything_loses_no_finished_cell(tmp_path: Path) -> None:
    """One cell is at work, two are finished when the process over them is killed: the one at work saves by
    itself, and the next start does what is left and nothing else."""
    plan = make_plan(tmp_path)
    news = listen(plan)
    process = driver(plan, worker(tmp_path, plan, vqvae="wait"))
    lines = {"begun pca", "begun vqvae", "begun rfs_hand", "ended pca", "ended rfs_hand"}
    assert next_lines(news, 5) == lines
    before = {cell: plan.result_file(cell).read_bytes() for cell in (CELLS[0], CELLS[2])}
    process.kill()
    process.join()
    assert news.readline() == "saved vqvae\n"

    (plan.output / "news").unlink()
    left = [job for job in jobs_of(plan) if standing(job) is None]
    assert [job.cell for job in left] == [CELLS[1]]
    assert Runner(2, command=worker(tmp_path, plan)).run(left)
    assert all(CellRecord.read(plan.result_file(cell)).finished for cell in CELLS)
    assert [begun(plan, method) for method in METHODS] == [1, 2, 1]
    assert all(plan.result_file(cell).read_bytes() == content for cell, content in before.items())


def test_ctrl_c_lets_cells_save_and_starts_no_more(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    news = listen(plan)
    process = driver(plan, worker(tmp_path, plan, pca="wait", vqvae="wait"))
    assert next_lines(news, 2) == {"begun pca", "begun vqvae"}
    assert process.pid
    os.kill(process.pid, signal.SIGINT)
    assert next_lines(news, 4) == {"saved pca", "saved vqvae", "stopped pca", "stopped vqvae"}
    assert news.readline() == "interrupted\n"
    process.join()
    assert not any(plan.result_file(cell).exists() for cell in CELLS)
    assert begun(plan, "rfs_hand") == 0


def test_a_sitting_does_what_is_missing_and_tells_how_long_the_rest_takes(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    known = finished(plan, CELLS[0], 150)
    known.write(plan.result_file(CELLS[0]))
    command = worker(tmp_path, plan, vqvae="diverge")
    output = StringIO()
    sitting = Sitting(jobs_of(plan), 2, Progress(console=Console(file=output, width=200)), command)
    assert sitting.run()
    text = output.getvalue()
    assert "3 cells, 1 of them known; 2 left, about 10 min (from 1 measured cells)" in text
    assert "none left" in text
    assert list(sitting.failed) == [str(CELLS[1])]
    assert begun(plan, "pca") == 0


def test_cells_of_other_settings_are_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(tmp_path, points=2)
    finished(plan, CELLS[0], 150).write(plan.result_file(CELLS[0]))
    folders = ["--output", str(plan.output), "--results", str(plan.results)]
    assert main([*folders, "--methods", "pca", "--tasks", "power"]) == 1
    error = capsys.readouterr().err
    assert "evaluation.points (8 instead of 2)" in error
    assert "--results" in error
    assert not plan.output.exists()


@pytest.mark.parametrize("words", [["--seeds", "-1"], ["--jobs", "0"]])
def test_numbers_that_make_no_sense_are_refused(words, capsys) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert f"{words[1]} is below" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"), [(["--methods", "sac"], "'sac'"), (["--tasks", "pour"], "'pour'")]
)
def test_unknown_names_are_refused(words, named, tmp_path, capsys) -> None:
    assert main([*words, "--output", str(tmp_path), "--results", str(tmp_path)]) == 1
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], ("RFS, hand on power: 0 of 3", "RFS, hand on pinch: 0 of 3")),
        (["--seeds", "1", "--tasks", "pinch"], ("RFS, hand on power: 0 of 3", "RFS, hand on pinch: 0 of 3")),
        (["--seeds", "1", "7"], ("RFS, hand on power: 0 of 2",)),
        (["--quick", "--seeds", "1"], ("RFS, hand on power: 0 of 1",)),
    ],
)
def test_the_report_counts_all_that_the_table_wants(tmp_path: Path, words: list[str], missing: tuple) -> None:
    assert main(["--report", *words, "--results", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    assert all(entry in text for entry in missing)
