"""The grasp task as a registered environment of Isaac Lab, made as its own scripts make it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab_environment import require_isaaclab, run_in_isaaclab
from rfs_sim_bridge.observations import PRIVILEGED_NAMES

require_isaaclab()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("env") / "report.json"
    run_in_isaaclab(Path(__file__).with_name("env_steps.py"), str(file))
    return json.loads(file.read_text())


def test_it_is_found_by_its_entry_point_with_its_agent(report: dict[str, Any]) -> None:
    assert report["agent"] == "rfs_isaaclab.ppo_cfg:GraspPpoCfg"


def test_environments_have_the_chosen_objects_in_turn(report: dict[str, Any]) -> None:
    assert report["objects"] == ["cylinder", "box"]
    assert report["fallen"] < 0.01, "they stand on the table"


def test_observations_and_rewards_are_the_tasks(report: dict[str, Any]) -> None:
    assert report["shape"] == [2, len(PRIVILEGED_NAMES)]
    assert report["finite"]
    assert report["different"], "each environment has its own episode"
    assert np.all(np.isfinite(report["rewards"]))


def test_actions_move_the_fingers(report: dict[str, Any]) -> None:
    """Action 0 is the middle of a finger's range."""
    fingers = np.array(report["joints"])[:, :, 7:]
    assert np.all(np.abs(fingers[-1] - fingers[0]).max(axis=1) > 0.1)


def test_an_episode_whose_time_is_over_is_truncated_and_begins_anew(report: dict[str, Any]) -> None:
    assert report["ended"] == [[False, False], [True, True]]
    assert report["steps_after"] == [0, 0]
