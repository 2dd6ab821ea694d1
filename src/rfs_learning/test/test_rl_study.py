"""Studies: variants over the packaged settings, and their report."""

from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from rfs_learning.rl.ablations import main, run
from rfs_learning.rl.ablations_report import page, write_report
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.study import PACKAGED, Study
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
def test_variants_of_packaged_studies_differ_from_the_first_one_and_from_each_other(name):
    study = Study.load(name)
    made = [(variant.method, str(variant.config.to_dict())) for variant in study.variants]
    assert len(set(made)) == len(made) > 2
    usual = RlConfig.load().with_ppo(control_steps=study.variants[0].config.ppo.control_steps)
    assert study.variants[0].config == usual


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
        ({"variants": {"usual": {"says": "alone"}}}, "two variants"),
        ({"variants": {"a": {"says": "x"}, "../b": {"says": "y"}}}, "../b"),
        ({"variants": {"a": {"says": "x"}, "b": {}}}, "says"),
        ({"variants": {"a": {"says": "x"}, "b": {"says": "y", "changes": {"ppo": {"speed": 1}}}}}, "speed"),
    ],
)
def test_what_makes_no_sense_is_named(changes, named):
    with pytest.raises(ValueError, match=named):
        small(**changes)


def write(study: Study, variant: str, seed: int, successes: int, folder: Path) -> None:
    chosen = study.variant(variant)
    plan, cell = study.plan(chosen, folder / "runs", folder), study.cell(chosen, seed)
    finished(plan, cell, successes).write(plan.result_file(cell))


def test_the_report_compares_with_the_first_variant(tmp_path):
    study = small()
    for seed in range(3):
        write(study, "usual", seed, 100, tmp_path)
        write(study, "tight", seed, 180 + seed, tmp_path)
    text = write_report(study, tmp_path).read_text()
    usual, tight, chunk = (line for line in text.splitlines() if line.startswith("| `"))
    assert "0.500" in usual
    assert "+" not in usual
    assert "**+0.405" in tight
    assert chunk.startswith("| `chunk`: open loop | 0 | -")


def test_a_difference_of_one_seed_knows_its_episodes_only(tmp_path):
    study = small()
    write(study, "usual", 0, 100, tmp_path)
    write(study, "chunk", 0, 104, tmp_path)
    write_report(study, tmp_path)
    assert "+0.020 [-0.08, +0.12]" in (tmp_path / "README.md").read_text()


def test_nothing_known_is_a_page_as_well():
    study = small()
    assert "| `tight`: a0 within 0.5 | 0 |" in page(study, [[], [], []])


def test_all_variants_are_run_and_finished_runs_are_kept(tmp_path):
    study = small()
    plans = partial(study.plan, output=tmp_path / "runs", results=tmp_path)
    command = worker(tmp_path, plans(study.variants[0]), rfs_chunk_hand="diverge")
    told = Console(file=StringIO())
    for variants in (study.variants, study.variants[::2]):  # the fake run notes the settings of 'usual'
        whole, failed = run(study, variants, (0, 1), plans, 2, told, command)
        assert whole
        assert set(failed) == {"chunk, seed 0", "chunk, seed 1"}
    for variant in study.variants[:2]:
        for seed in (0, 1):
            folder = plans(variant).run_folder(study.cell(variant, seed))
            assert (folder / "begun").read_text() == "x", "run once, not once each time"
    assert "| `tight`: a0 within 0.5 | 2 |" in write_report(study, tmp_path).read_text()


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
