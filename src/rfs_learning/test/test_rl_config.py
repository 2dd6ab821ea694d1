"""Settings of reinforcement learning: they come back from plain data, and a wrong entry is named."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from rfs_learning.rl.distill_config import DistillConfig
from rfs_learning.rl.rl_config import RlConfig
from rfs_sim_bridge.task_config import NO_ACTUATION


def load(folder: Path, text: str) -> RlConfig:
    file = folder / "mine.yaml"
    file.write_text(text)
    return RlConfig.load(file)


def test_settings_come_back_from_json():
    config = RlConfig.load()
    assert RlConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_file_changes_its_entries_only(tmp_path):
    changed, packaged = load(tmp_path, "ppo: {gamma: 0.9, hidden: [8]}"), RlConfig.load()
    assert changed == packaged.with_ppo(gamma=0.9, hidden=(8,)) != packaged
    assert load(tmp_path, "") == packaged


def test_teachers_of_a_student_learn_on_the_robot_of_its_rollouts_and_differ_from_table_1_in_time_alone():
    usual, teacher = RlConfig.load(), RlConfig.load(files("rfs_learning") / "config" / "teacher.yaml")
    rollouts = DistillConfig.load().task
    robot = {"actuation": rollouts.actuation, "speed": rollouts.speed}
    assert rollouts.actuation != NO_ACTUATION
    assert rollouts.speed < 1.0
    for name, task in teacher.tasks.items():
        assert task.task == replace(usual.task(name).task, episode_seconds=6.0, **robot)
        assert task.objects == usual.task(name).objects
    assert replace(teacher, tasks=usual.tasks) == usual.with_ppo(control_steps=1_024_000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ppo: {gama: 0.9}", r"unknown setting 'ppo\.gama'"),
        ("pppo: {}", r"unknown setting 'rl\.pppo'"),
        ("steering: {residual: {x: 1.0}}", r"unknown setting 'steering\.residual\.x'"),
        ("steering: {residual: {fingers: wide}}", r"steering\.residual\.fingers must be a number"),
        ("steering: {residual: 0.1}", r"'steering\.residual' must be a mapping"),
        ("ppo: {hidden: 256}", r"ppo\.hidden must be a list, each entry a whole number"),
        ("ppo: {environments: 0}", r"ppo\.environments is 0: at least 1"),
        ("base: {horizon: 0}", r"base\.horizon is 0: at least 1"),
        ("demonstrations: {seed: -1}", r"demonstrations\.seed is -1: at least 0"),
        ("ppo: {gamma: 1.0}", r"ppo\.gamma must be above 0 and below 1, got 1\.0"),
        ("ppo: {lam: 2.0}", r"ppo\.lam must be 0 to 1, got 2\.0"),
        ("ppo: {reward_scale: 0}", r"ppo\.reward_scale is 0: above 0"),
        ("ppo: {learning_rate: .inf}", r"ppo\.learning_rate is inf: above 0"),
        ("ppo: {hidden: []}", r"ppo\.hidden is \[\]: sizes of at least 1"),
        ("ppo: {hidden: [64, -1]}", r"ppo\.hidden is \[64, -1\]"),
        ("base: {time_features: 7}", r"base\.time_features is 7: .*even"),
        ("steering: {noise_bound: -1}", r"steering\.noise_bound is -1: 0 or more"),
        ("steering: {residual: {fingers: -0.1}}", r"steering\.residual\.fingers is -0\.1: 0 or more"),
        ("demonstrations: {seed: 300}", r"demonstrations\.seed is 300: from 100 on .* evaluations"),
        ("tasks: {power: {task: {success: {hold_seconds: 0.04}}}}", r"hold_seconds is 0\.04: .*0\.1 s"),
        ("ppo: 3", "'ppo' must be a mapping"),
        ("tasks: [power]", "'tasks' must be a mapping"),
        ("tasks: {mine: {objects: [box]}}", r"missing setting 'tasks\.mine\.task'"),
        ("tasks: {power: {objects: box}}", r"tasks\.power\.objects must be a list of names, got 'box'"),
        ("tasks: {power: {objects: [banana]}}", "banana"),
        ("tasks: {power: {task: {engine: bullet}}}", "unknown engine 'bullet'"),
        ("- ppo", "mine.yaml' must be a mapping"),
        ("ppo: {", "mine.yaml' is not YAML"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        load(tmp_path, text)


def test_a_missing_file_and_an_unknown_task_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml"):
        RlConfig.load(tmp_path / "nothing.yaml")
    with pytest.raises(ValueError, match=r"unknown task 'stack'; config/rl\.yaml has: power, pinch"):
        RlConfig.load().task("stack")


@pytest.mark.parametrize("number", ["1e-4", "1.0e-4", "0.0001", "1.e-04"])
def test_numbers_may_be_written_as_anywhere(tmp_path: Path, number: str) -> None:
    (tmp_path / "rl.yaml").write_text(f"ppo: {{learning_rate: {number}}}")
    assert RlConfig.load(tmp_path / "rl.yaml").ppo.learning_rate == 1e-4
