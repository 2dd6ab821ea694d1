"""A policy of reinforcement learning as a teacher: read from its run, with its rate and objects."""

from dataclasses import replace

import pytest
import torch
from rfs_learning.rl.distill import load_teachers
from rfs_learning.rl.distill_config import DistillConfig
from rfs_learning.rl.distill_teachers import Teacher
from rfs_learning.rl.features import policy_features
from rfs_learning.rl.methods import empty_space
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.ppo import make_actor
from rfs_learning.rl.rl_config import RlConfig
from rfs_sim_bridge.grasp_task import GraspTask


@pytest.fixture
def make_run(tmp_path):
    """Writes an untrained policy as a run of `./rfs train rl` would; gives its folder and the policy."""

    def make(rate: float, objects: list[str]):
        values = RlConfig.load().to_dict()
        values["tasks"]["power"]["objects"] = objects
        speed = DistillConfig.load().task.speed
        values["tasks"]["power"]["task"] |= {"control_rate": rate, "timestep": 0.005, "speed": speed}
        config = RlConfig.from_dict(values)
        space = empty_space("relative", config, config.task("power"))
        observation = torch.from_numpy(GraspTask(num_envs=1).privileged())
        actor = make_actor(policy_features(observation).shape[1], space, config.ppo.hidden)
        for weight in actor.mlp.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        policy = SteeredPolicy("relative", "power", config, space, actor)
        policy.save(tmp_path / "run" / "policy.safetensors")
        return tmp_path / "run", policy

    return make


def test_teacher_of_a_run_labels_as_its_policy_acts(make_run):
    folder, policy = make_run(10.0, ["box", "sphere"])
    config = replace(DistillConfig.load(), objects=("box",))
    task = GraspTask(config.task, 2, ["box"])
    label = load_teachers([str(folder)], config).labeler(task).act()
    with torch.no_grad():
        expected = policy.act(torch.from_numpy(task.privileged()))[:, 0]
    torch.testing.assert_close(torch.from_numpy(label).float(), expected)


def test_teacher_says_what_it_is(make_run):
    teacher = Teacher.load(make_run(10.0, ["box", "sphere"])[0])
    assert (teacher.task.control_rate, teacher.objects) == (10.0, ("box", "sphere"))
    assert {"method", "task", "id"} <= set(teacher.record)


def test_teacher_of_another_rate_is_refused(make_run):
    folder, _ = make_run(20.0, ["box"])
    with pytest.raises(ValueError, match="20 Hz, the student at 10 Hz"):
        load_teachers([str(folder)], DistillConfig.load())
