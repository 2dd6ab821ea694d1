"""`./rfs train rl`: trains, goes on, and says in a sentence why it does not."""

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rfs_learning.folder_lock import locked
from rfs_learning.rl.flow_base import FlowBase, base_layout
from rfs_learning.rl.ingredients import DEMONSTRATIONS_FILE, HAND_ARM_FILE, HAND_FILE, _require_same
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.rl_config import RlConfig
from rfs_learning.rl.train_command import main
from rfs_learning.rl.training import RlTraining
from rl_tiny import RATE, tiny_config, untrained


def prepare(folder: Path, config: RlConfig) -> list[str]:
    """Arguments for these settings, beside their demonstrations and bases."""
    bases, file = folder / "bases", folder / "rl.yaml"
    bases.mkdir()
    file.write_text(json.dumps(config.to_dict()))  # JSON is YAML
    _require_same(bases, config, config.task("power"))
    ingredients = untrained(config)
    ingredients.demonstrations.save(bases / DEMONSTRATIONS_FILE)
    ingredients.hand.save(bases / HAND_FILE, {})
    ingredients.hand_arm.save(bases / HAND_ARM_FILE, {})
    return ["--config", str(file), "--bases", str(bases), "--output", str(folder / "run")]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    return prepare(tmp_path, tiny_config())


def test_trains_refuses_to_overwrite_and_goes_on(arguments, tmp_path, capsys):
    run = tmp_path / "run"
    assert main([*arguments, "--control-steps", "18"]) == 0
    assert f"policy: {run}/policy.safetensors" in capsys.readouterr().out
    assert SteeredPolicy.load(run / "policy.safetensors").method == "rfs_hand_arm"
    assert main(arguments) == 1
    assert "holds a run already: go on with --resume" in capsys.readouterr().err
    assert main([*arguments, "--control-steps", "36", "--resume"]) == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--method", "sac"], "unknown method 'sac'; there are: absolute, relative"),
        (["--task", "stack"], "unknown task 'stack'"),
        (["--environments", "0"], "ppo.environments is 0: at least 1"),
        (["--config", "nothing.yaml"], "no settings at 'nothing.yaml'"),
        (["--resume"], "nothing to resume at"),
    ],
)
def test_a_wrong_request_is_one_sentence(arguments, wrong, sentence, capsys):
    assert main([*arguments, *wrong]) == 1
    error = capsys.readouterr().err
    assert error.startswith("rfs train rl: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_a_folder_in_which_another_run_is_at_work_is_refused(arguments, tmp_path, capsys):
    with locked(tmp_path / "run"):
        assert main(arguments) == 1
    assert "another run is at work in" in capsys.readouterr().err
    assert not (tmp_path / "run" / "training.safetensors").exists()
    assert main([*arguments, "--control-steps", "18"]) == 0


def test_a_run_may_lie_beside_its_bases(arguments, tmp_path):
    assert main([*arguments, "--output", str(tmp_path / "bases"), "--control-steps", "18"]) == 0


def test_a_policy_for_other_observations_is_refused(arguments, tmp_path, monkeypatch):
    assert main([*arguments, "--control-steps", "18"]) == 0
    monkeypatch.setattr("rfs_learning.rl.policy.PRIVILEGED_NAMES", ("height",))
    with pytest.raises(ValueError, match="looks at other numbers than this version's simulator"):
        SteeredPolicy.load(tmp_path / "run/policy.safetensors")


def test_a_base_of_another_horizon_is_refused(arguments, tmp_path, capsys):
    base = untrained(tiny_config()).hand
    FlowBase(base_layout("hand", 4, RATE), base.sizes, 2).save(tmp_path / "bases" / HAND_FILE, {})
    assert main(arguments) == 1
    assert "horizon: 2 against 4" in capsys.readouterr().err


def test_a_chunk_longer_than_the_bases_is_refused(tmp_path, capsys):
    config = tiny_config()
    short = replace(config, base=replace(config.base, horizon=1))
    assert main([*prepare(tmp_path, short), "--method", "rfs_chunk_hand"]) == 1
    assert "2 steps of a chunk are to be executed, the base's have 1" in capsys.readouterr().err


def test_more_mini_batches_than_choices_are_refused(tmp_path, capsys):
    assert main(prepare(tmp_path, tiny_config(mini_batches=19))) == 1
    assert "18 choices, too few for 19 mini-batches" in capsys.readouterr().err


def test_a_diverging_run_has_its_own_exit_code(arguments, tmp_path, capsys, monkeypatch):
    iterate = RlTraining.iterate

    def broken(self: RlTraining):
        self.ppo.actor.mlp[0].weight.data[0, 0] = torch.nan
        return iterate(self)

    monkeypatch.setattr(RlTraining, "iterate", broken)
    assert main(arguments) == 3
    assert "the policy's choice is no longer finite in iteration 0" in capsys.readouterr().err
    monkeypatch.undo()
    assert main([*arguments, "--resume"]) == 0


def test_an_interrupted_run_says_so_and_its_exit_code_does(arguments, capsys, monkeypatch):
    iterate = RlTraining.iterate

    def interrupted(self: RlTraining):
        signal.raise_signal(signal.SIGINT)
        return iterate(self)

    monkeypatch.setattr(RlTraining, "iterate", interrupted)
    assert main(arguments) == 130
    assert "saved: go on with --resume" in capsys.readouterr().out
    monkeypatch.undo()
    assert main([*arguments, "--resume"]) == 0


def test_fewer_environments_than_objects_are_refused(tmp_path, capsys):
    """Some objects would never be trained, and the policy pass for one that knows them."""
    config = tiny_config(environments=1)
    several = replace(config, tasks={"power": replace(config.task("power"), objects=("sphere", "box"))})
    assert main(prepare(tmp_path, several)) == 1
    assert "1 environments leave out some of the 2 objects of power" in capsys.readouterr().err


def test_a_full_disk_is_told_with_the_way_out(arguments, capsys, monkeypatch):
    def full(self: RlTraining) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RlTraining, "save", full)
    assert main(arguments) == 1
    assert "the disk is full: make room" in capsys.readouterr().err


def test_an_engine_that_is_not_installed_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    config = tiny_config()
    power = config.task("power")
    warp = replace(power, task=replace(power.task, engine="warp"))
    assert main(prepare(tmp_path, replace(config, tasks={"power": warp}))) == 1
    assert "pip install mujoco-warp" in capsys.readouterr().err
