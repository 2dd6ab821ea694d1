"""Plans of trials, and the file of results."""

import json
from itertools import islice
from pathlib import Path

import pytest
from rfs_teleop.trials import Results, Trial, TrialResult, plan, read_plan, result_line


def test_a_plan_goes_round_the_objects_with_successive_seeds() -> None:
    assert list(plan(["box", "mug"], 7, 3)) == [Trial(1, "box", 7), Trial(2, "mug", 8), Trial(3, "box", 9)]


def test_a_plan_without_objects_leaves_the_choice_open() -> None:
    assert [trial.object for trial in plan([], 0, 2)] == ["", ""]


def test_zero_trials_never_end() -> None:
    assert len(list(islice(plan(["box"], 0, 0), 100))) == 100


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        plan(["box"], 0, -1)


def test_results_are_in_the_file_after_each_trial(tmp_path: Path) -> None:
    results = Results(tmp_path / "new" / "results.json", planned=2)
    for number, outcome in enumerate(["success", "broken"], start=1):
        results.add(TrialResult(number, "mug", number, outcome, 3.0, 1.0, problem="policy is gone"))
        content = json.loads((tmp_path / "new/results.json").read_text())
        assert content["trials"] == number
        assert content["successes"] == 1
        assert content["rows"][-1]["outcome"] == outcome
    assert "broken" in result_line(results.rows[-1], 2)
    assert "policy is gone" in result_line(results.rows[-1], 2)


def test_a_plan_can_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('[{"object": "mug", "seed": 9}, {"object": "box", "seed": 4}]')
    assert read_plan(file) == [Trial(1, "mug", 9), Trial(2, "box", 4)]


@pytest.mark.parametrize("text", ["", "{}", "[]", '[{"object": "mug"}]', '[{"object": "mug", "seed": -1}]'])
def test_a_file_that_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"plan\.json"):
        read_plan(file)
