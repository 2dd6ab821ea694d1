"""Studies: variants over the packaged settings, and their report."""

from io import StringIO
from pathlib import Path

import pytest
from rfs_learning.rl.ablations import main
from rfs_learning.rl.ablations_report import page, write_report
from rfs_learning.rl.methods import METHODS
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.study import PACKAGED, Study
from rfs_learning.rl.table1 import sit
from rich.console import Console
from table1_fakes import finished, worker

SMALL = {
    "task": "power",
    "method": "rfs_hand",
    "control_steps": 1000,
    "evaluation": {"points": 2},
    "variants": {
        "usual": {"says": "as it is"},
        "tight": {"says": "a0 within 0.5", "changes": {"steering": {"noise_bound": 0.5}}},
        "chunk": {"says": "open loop", "method": "rfs_chunk_hand"},
    },
}


def small(**changes: object) -> Study:
    return Study.from_dict("small", SMALL | changes)


@pytest.mark.parametrize("name", PACKAGED)
def test_variants_of_packaged_studies_differ_and_references_are_as_in_table_1(name):
    study = Study.load(name)
    made = [(variant.method, str(variant.config.to_dict())) for variant in study.variants]
    assert len(set(made)) == len(made) > 2
    usual = RlConfig.load().with_ppo(control_steps=study.variants[0].config.ppo.control_steps)
    references = [variant for variant in study.variants if variant.reference == variant.name]
    assert all(variant.config == usual for variant in references)
    assert study.variants[0] in references


def test_the_tuning_study_treats_all_methods_alike():
    """Each is compared with itself, under the same changes."""
    study = Study.load("tuning")
    effort: dict[str, list[float]] = {}
    for variant in study.variants:
        assert study.variant(variant.reference).method == variant.method
        effort.setdefault(variant.method, []).append(variant.config.ppo.learning_rate)
    assert set(effort) == set(METHODS)
    assert set(map(tuple, effort.values())) == {(5e-4, 2.5e-4, 1e-3)}


def test_a_variant_changes_what_it_names_and_nothing_else():
    usual, tight, chunk = small().variants
    assert tight.config.steering.noise_bound == 0.5
    assert tight.config.changed({"steering": {"noise_bound": 2.0}}) == usual.config
    assert (chunk.config, chunk.method, usual.method) == (usual.config, "rfs_chunk_hand", "rfs_hand")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"task": "juggle"}, "juggle"),
        ({"method": "magic"}, "magic"),
        ({"extra": 1}, "extra"),
        ({"evaluation": {"points": 2, "poins": 3}}, "poins"),
        ({"evaluation": {"points": 0}}, "evaluation.points is 0"),
        ({"evaluation": {"final_episodes": "all"}}, "evaluation.final_episodes"),
        ({"evaluation": {"levels": [-1.0]}}, "evaluation.levels"),
        ({"variants": {"usual": {"says": "alone"}}}, "two variants"),
        ({"variants": {"a": {"says": "x"}, "../b": {"says": "y"}}}, "../b"),
        ({"variants": {"a": {"says": "x"}, "b": {}}}, "says"),
        ({"variants": {"a": {"says": "x"}, "b": {"says": "y", "reference": "a"}}}, "'a': true or false"),
        ({"variants": {"a": {"says": "x"}, "b": {"says": "y", "changes": {"ppo": {"speed": 1}}}}}, "speed"),
    ],
)
def test_what_makes_no_sense_is_named(changes, named):
    with pytest.raises(ValueError, match=named):
        small(**changes)


def write(study: Study, variant: str, seed: int, successes: int, folder: Path) -> None:
    chosen = study.variant(variant)
    job = study.job(chosen, seed, folder / "runs", folder)
    finished(job.plan, job.cell, successes).write(job.result_file)


def test_the_report_compares_with_the_first_variant(tmp_path):
    study = small()
    for seed in range(3):
        write(study, "usual", seed, 100, tmp_path)
        write(study, "tight", seed, 180 + seed, tmp_path)
    text = write_report(study, tmp_path / "runs", tmp_path).read_text()
    usual, tight, chunk = (line for line in text.splitlines() if line.startswith("| `"))
    assert "0.500" in usual
    assert "+" not in usual
    assert "**+0.405" in tight
    assert chunk.startswith("| `chunk`: open loop | 0 | -")


def test_the_report_compares_with_the_nearest_reference_above(tmp_path):
    entries = {"other": {"says": "it", "method": "pca", "reference": True}, "more": {"says": "it, more"}}
    study = small(variants=SMALL["variants"] | entries)
    for name, successes in (("usual", 100), ("tight", 120), ("other", 20), ("more", 60)):
        write(study, name, 0, successes, tmp_path)
    rows = [
        line
        for line in write_report(study, tmp_path / "runs", tmp_path).read_text().splitlines()
        if line.startswith("| `")
    ]
    assert [row.split(" | ")[3].partition(" ")[0] for row in rows] == ["-", "+0.100", "-", "-", "+0.200"]


def test_a_difference_of_one_seed_knows_its_episodes_only(tmp_path):
    study = small()
    write(study, "usual", 0, 100, tmp_path)
    write(study, "chunk", 0, 104, tmp_path)
    write_report(study, tmp_path / "runs", tmp_path)
    assert "+0.020 [-0.08, +0.12]" in (tmp_path / "README.md").read_text()


def test_nothing_known_is_a_page_as_well():
    study = small()
    assert "| `tight`: a0 within 0.5 | 0 |" in page(study, {variant.name: [] for variant in study.variants})


def test_all_variants_are_run_and_finished_runs_are_kept(tmp_path):
    study = small()
    jobs = [
        study.job(variant, seed, tmp_path / "runs", tmp_path) for seed in (0, 1) for variant in study.variants
    ]
    command = worker(tmp_path, jobs[0].plan, rfs_chunk_hand="diverge")
    told = Console(file=StringIO())
    whole, failed = sit(jobs, 2, told, command)
    assert (whole, sorted(failed)) == (True, ["chunk, seed 0", "chunk, seed 1"])
    assert sit(jobs[::3], 2, told, command) == (True, {})  # the fake run notes 'usual' whatever it is
    assert [(job.folder / "begun").read_text() for job in jobs] == ["x"] * 6, "run once, not once each time"
    with pytest.raises(ValueError, match=r"noise_bound \(0.5 instead of 2.0\).* remove it and .*runs/tight/"):
        write_report(study, tmp_path / "runs", tmp_path)


def test_the_report_names_runs_that_failed(tmp_path):
    study = small()
    job = study.job(study.variant("tight"), 1, tmp_path / "runs", tmp_path)
    finished(job.plan, job.cell, 0, finished=False, problem="the reward is not finite").write(job.result_file)
    text = write_report(study, tmp_path / "runs", tmp_path).read_text()
    assert "**Failed**: `tight`, seed 1: the reward is not finite" in text
    assert "| `tight`: a0 within 0.5 | 0 |" in text


def test_runs_that_fail_are_named_by_variant_and_seed(tmp_path):
    study = small()
    job = study.job(study.variant("chunk"), 1, tmp_path / "runs", tmp_path)
    command = worker(tmp_path, job.plan, rfs_chunk_hand="diverge")
    whole, failed = sit([job], 2, Console(file=StringIO()), command)
    assert whole
    assert list(failed) == ["chunk, seed 1"]


def test_variants_share_a_base_where_it_is_the_same(tmp_path):
    deeper = {"deeper": {"says": "another base", "changes": {"base": {"depth": 4}}}}
    study = small(variants=SMALL["variants"] | deeper)
    jobs = [study.job(variant, 0, tmp_path / "runs", tmp_path) for variant in study.variants]
    usual, tight, chunk, deep = (job.plan.ingredients_folder("power") for job in jobs)
    assert usual == tight == chunk != deep


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--seeds", "-1"]])
def test_numbers_that_make_no_sense_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert f"{words[1]} is below" in capsys.readouterr().err


def test_an_unknown_study_or_variant_is_an_error(capsys):
    assert main(["--study", "nonsense"]) == 1
    assert main(["--variants", "nonsense", "--report"]) == 1
    told = capsys.readouterr().err
    assert "no study 'nonsense'" in told
    assert "unknown variant 'nonsense'" in told


def test_a_study_from_a_file(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(
        "task: pinch\nmethod: rfs_hand\ncontrol_steps: 64\nevaluation: {}\n"
        "variants:\n  a: {says: one}\n  b: {says: two, changes: {ppo: {gamma: 0.9}}}\n"
    )
    study = Study.load(str(tmp_path / "mine.yaml"))
    assert (study.name, study.variant("b").config.ppo.gamma) == ("mine", 0.9)
    assert main(["--study", str(tmp_path / "mine.yaml"), "--report", "--results", str(tmp_path / "r")]) == 0
    assert "`b`: two" in (tmp_path / "r" / "README.md").read_text()
