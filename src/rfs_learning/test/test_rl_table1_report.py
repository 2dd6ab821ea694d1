"""The report says what the records say, also of cells that are missing."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.table1_plan import BASE, Cell, Plan
from rfs_learning.rl.table1_plots import figures
from rfs_learning.rl.table1_report import page, write_report
from rfs_learning.rl.table1_results import Results
from table1_fakes import finished, make_plan, summary

TASKS = ("power", "pinch")


def write(plan: Plan, method: str, successes: list[int], task: str = "power", **changes) -> None:
    for seed, count in enumerate(successes):
        cell = Cell(task, method, seed)
        finished(plan, cell, count, **changes).write(plan.result_file(cell))


def read(plan: Plan) -> Results:
    return Results.read(plan.results, TASKS, 3)


def row(text: str, section: str, name: str) -> list[str]:
    """Cells of a table's row, in the first table after a text."""
    after = text[text.index(section) :]
    line = next(line for line in after.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path)


def test_success_is_mean_and_deviation_beside_the_papers(plan: Plan) -> None:
    write(plan, "rfs_hand", [180, 190, 200])
    write(plan, "rfs_hand", [160, 170, 180], "pinch")
    cells = row(page(read(plan)), "Without sampling: a0", "RFS, hand")
    assert cells[2::2] == ["0.937 ± 0.028", "0.959 ± 0.020", "0.914 ± 0.012"]
    assert cells[1].startswith("0.900 ± 0.065 [")
    assert cells[3].startswith("0.950 ± 0.041 [")
    assert cells[5].startswith("0.850 ± 0.041 [")
    sampled = row(page(read(plan)), "With a0 sampled", "RFS, hand")
    assert sampled[3].startswith("0.475 ± 0.020 [")


def test_missing_seeds_and_methods_are_said(plan: Plan) -> None:
    write(plan, "rfs_hand", [180, 190])
    text = page(read(plan))
    cells = row(text, "Without sampling: a0", "RFS, hand")
    assert cells[3].endswith("(2 of 3 seeds)")
    assert (cells[1], cells[5]) == ("-", "-")
    assert row(text, "Without sampling: a0", "PCA")[1::2] == ["-"] * 3
    assert "RFS, hand on power: 2 of 3" in text
    assert "RFS, hand on pinch: 0 of 3" in text


def test_a_complete_table_does_not_say_that_it_is_not(plan: Plan) -> None:
    for task in TASKS:
        write(plan, BASE, [80], task)
        for method in METHODS:
            write(plan, method, [170, 180, 190], task)
    text = page(read(plan))
    assert "Not complete" not in text
    assert "of 3" not in text


def test_failed_cells_are_named_with_their_reason_and_not_counted(plan: Plan) -> None:
    write(plan, "pca", [150, 160])
    broken = finished(
        plan, Cell("power", "pca", 2), 150, finished=False, final={}, problem="the disk is full"
    )
    broken.write(plan.result_file(broken.cell))
    text = page(read(plan))
    assert "**Failed**: power pca seed 2: the disk is full" in text
    assert row(text, "Without sampling: a0", "PCA")[3].endswith("(2 of 3 seeds)")


def test_one_seed_has_no_deviation(plan: Plan) -> None:
    write(plan, BASE, [100])
    assert row(page(read(plan)), "Without sampling: a0", "base alone, hand + arm")[3] == "0.500 [0.43, 0.57]"


def test_differences_that_hold_no_zero_are_bold(plan: Plan) -> None:
    write(plan, "rfs_hand_arm", [196, 198, 200])
    write(plan, "dsrl_hand_arm", [194, 198, 199])
    write(plan, "residual_hand_arm", [40, 42, 44])
    text = page(read(plan))
    one = row(text, "## Differences", "RFS, hand + arm - Residual RL, hand + arm")
    assert one[1:5] == ["-", "-", "-", "+0.534"]
    assert one[5].startswith("**+0.780 [")
    assert one[7].startswith("**+0.390 [")
    assert one[8] == "+0.696"
    assert not row(text, "## Differences", "RFS, hand + arm - DSRL, hand + arm")[5].startswith("**")


def test_a_difference_of_one_seed_is_never_bold(plan: Plan) -> None:
    write(plan, "rfs_hand_arm", [196])
    write(plan, "residual_hand_arm", [40, 42, 44])
    one = row(page(read(plan)), "## Differences", "RFS, hand + arm - Residual RL, hand + arm")
    assert one[5].startswith("+0.770 [+0.")


def test_one_task_has_no_overall(plan: Plan) -> None:
    write(plan, "rfs_hand", [180, 190])
    text = page(Results.read(plan.results, ["power"], 3))
    assert len(row(text, "Without sampling: a0", "RFS, hand")) == 3
    assert "overall |" not in text


def test_steps_to_80_percent_count_the_seeds_that_got_there(plan: Plan) -> None:
    write(plan, "rfs_hand", [200, 200, 100])
    write(plan, "pca", [20, 20, 20])
    text = page(read(plan))
    assert row(text, "## Sample efficiency", "RFS, hand")[1] == "320k (2 of 3 seeds)"
    assert row(text, "## Sample efficiency", "PCA")[1] == "not in 400k"
    assert row(text, "## Sample efficiency", "VQ-VAE")[1] == "-"
    assert row(text, "## Sample efficiency", "PCA")[3] == "10.0"


def test_infeasible_is_a_share_of_those_that_lifted(plan: Plan) -> None:
    final = {"mean": summary(50, lifted=80, infeasible=90, infeasible_of_lifted=20), "sampled": summary(0)}
    write(plan, "relative", [50, 50, 50], final=final)
    write(plan, "absolute", [0], final={noise: summary(0) for noise in ("mean", "sampled")})
    text = page(read(plan))
    lifted, infeasible = row(text, "## Feasibility", "relative joint pose")[1:3]
    assert lifted.startswith("0.400 ± ")
    assert infeasible.startswith("25.0 % [")
    assert row(text, "## Feasibility", "absolute joint pose")[2] == "-"


def test_records_of_different_settings_are_not_passed_over(plan: Plan) -> None:
    write(plan, "pca", [150])
    assert "Not comparable" not in page(read(plan))
    settings = {**plan.settings(Cell("power", "pca", 1)), "demonstrations": {"count": 1}}
    write(plan, "vqvae", [150], settings=settings)
    assert "**Not comparable**: records of power" in page(read(plan))


def test_report_lies_beside_its_pictures_and_is_the_same_when_drawn_again(plan: Plan) -> None:
    write(plan, "rfs_hand", [150, 160])
    write(plan, BASE, [100])
    report = write_report(plan.results, ["power"], 3)
    text = report.read_text()
    pictures = sorted(report.parent.glob("*.png"))
    assert [file.name for file in pictures] == [
        "curves.png",
        "interpenetration.png",
        "robustness.png",
        "smoothness.png",
    ]
    assert all(f"]({file.name})" in text for file in pictures)
    before = {file: file.read_bytes() for file in (report, *pictures)}
    write_report(plan.results, ["power"], 3)
    assert all(file.read_bytes() == content for file, content in before.items())


def test_pictures_show_every_method_that_has_results(plan: Plan) -> None:
    """Another method changes every picture, and all of them are pictures."""
    write(plan, "rfs_hand", [150, 160])
    one = figures(Results.read(plan.results, ["power"], 3))
    write(plan, "dsrl_hand", [60, 70])
    two = figures(Results.read(plan.results, ["power"], 3))
    for name, png in two.items():
        width, height = Image.open(BytesIO(png)).size
        assert min(width, height) > 100
        assert png != one[name]


def test_without_results_there_are_no_pictures(plan: Plan) -> None:
    assert figures(read(plan)) == {}
