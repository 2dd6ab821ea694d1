"""Figures of reinforcement learning: they show the episodes and hands that they claim to, at modest size."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rfs_description.robot import HAND_HOME
from rfs_learning.rl import features
from rfs_learning.rl.action_space import ActionSpace
from rfs_learning.rl.demonstrations import Demonstrations
from rfs_learning.rl.episode_choices import Unsteered
from rfs_learning.rl.evaluation import evaluate
from rfs_learning.rl.features import policy_features
from rfs_learning.rl.figures_command import main
from rfs_learning.rl.flow_base import empty_base
from rfs_learning.rl.methods import empty_space
from rfs_learning.rl.noise_figure import draw_hand, noise_figure, predicted_fingers, spread_postures
from rfs_learning.rl.policy import SteeredPolicy
from rfs_learning.rl.ppo import make_actor
from rfs_learning.rl.rl_config import RlConfig, RlTask
from rfs_learning.rl.rollout_figure import Film, film, rollout_figure
from rfs_sim_bridge.observations import PRIVILEGED_NAMES
from rfs_sim_bridge.task_config import TaskConfig
from torch import Tensor

P = len(PRIVILEGED_NAMES)
TASK = RlTask(
    "test",
    ("box", "sphere"),
    TaskConfig.from_dict({"control_rate": 20.0, "timestep": 0.005, "episode_seconds": 0.4}),
)
RED, BLUE = np.array([255, 0, 0]), np.array([0, 0, 255])


class Curling(ActionSpace):
    """The fingers close at a random rate, or not at all without noise."""

    dim, execute, noise_shape = 1, 1, (1, 1)

    def decide(self, observation: Tensor, u: Tensor, noise: Tensor | None) -> Tensor:
        curl = torch.zeros(len(u), 1) if noise is None else 0.1 * noise[:, 0].abs()
        fingers = observation[:, features.COMMAND_FINGERS] + curl
        return torch.cat([torch.zeros(len(u), 6), fingers], dim=1)[:, None]


class Echo:
    """A base that moves the measured fingers by its noise."""

    horizon, action_dim = 2, 22

    def push(self, observation: Tensor, a0: Tensor) -> Tensor:
        chunk = 0.1 * a0
        chunk[..., 6:] += observation[:, None, features.MEASURED_FINGERS]
        return chunk


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


# ---- rollouts ----
@pytest.fixture(scope="module")
def shown() -> Film:
    return film(Unsteered(Curling()), TASK, seed=6, name="sphere", noise="sampled")


def test_film_is_the_evaluated_episode(shown):
    evaluated = evaluate(Unsteered(Curling()), TASK, [5, 6], noise="sampled")
    assert shown.results.objects[0] == evaluated.objects[1] == "sphere"
    assert shown.results.finger_roughness[0] == evaluated.finger_roughness[1] > 0


def test_film_keeps_every_step(shown):
    assert shown.seconds == pytest.approx(0.4)
    assert len(shown.snapshots) == TASK.task.max_steps + 1
    assert shown.at(0.0) is shown.snapshots[0]
    assert shown.at(0.15) is shown.snapshots[3]
    assert shown.at(99.0) is shown.snapshots[-1]
    moved = shown.snapshots[-1].joint_positions[7:] - shown.snapshots[0].joint_positions[7:]
    assert moved.mean() > 0.05


def test_outcome_is_told(shown):
    assert shown.outcome() == "early closure"
    won = replace(shown.results, success=np.array([True]), depth=np.array([0.0042]))
    assert replace(shown, results=won).outcome() == "success in 0.4 s\nfingers overlap by 4 mm in the air"


def test_one_row_for_each_policy(shown):
    one, two = (rollout_figure({f"method {i}": shown for i in range(n)}, columns=2) for n in (1, 2))
    assert len(two) < 400_000
    assert pixels(two).shape[1] == pixels(one).shape[1]
    assert pixels(two).shape[0] > 1.6 * pixels(one).shape[0]


def test_frames_tell_success_and_crossed_fingers(shown):
    def counts(each: Film) -> tuple[int, int]:
        seen = pixels(rollout_figure({"method": each}, columns=2)).astype(int)
        green, red = (np.abs(seen - color).sum(axis=2) < 30 for color in ((31, 158, 110), (200, 68, 58)))
        return int(green.sum()), int(red.sum())

    won = replace(shown, results=replace(shown.results, success=np.array([True])))
    crossed = shown.snapshots[-1].joint_positions.copy()
    crossed[[8, 12]] = 0.6, -0.6
    deep = replace(
        shown, snapshots=(*shown.snapshots[:-1], replace(shown.snapshots[-1], joint_positions=crossed))
    )
    green, red = counts(shown)
    assert counts(won)[0] > green + 200
    assert counts(deep)[1] > red + 200


def test_nothing_to_show_is_refused(shown):
    for films, columns in (({}, 3), ({"method": shown}, 1)):
        with pytest.raises(ValueError, match="at least one film and two times"):
            rollout_figure(films, columns)


# ---- noise ----
def test_every_posture_gets_the_same_noise():
    observations = torch.zeros(2, P)
    observations[1, features.MEASURED_FINGERS] = 0.5
    fingers = predicted_fingers(Echo(), observations, noises=3, seed=0)
    assert fingers.shape == (2, 3, 2, 16)
    np.testing.assert_allclose(fingers[1] - fingers[0], 0.5, atol=1e-6)
    assert np.abs(fingers[0, 0] - fingers[0, 1]).max() > 0.05
    np.testing.assert_array_equal(fingers, predicted_fingers(Echo(), observations, noises=3, seed=0))


def test_hand_is_drawn_alone_whole_and_in_its_color():
    for curl in (0.0, 0.6):
        fingers = HAND_HOME + curl * np.tile([0.0, 1.0, 1.0, 1.0], 4)
        picture = draw_hand(fingers, RED)
        hand = (picture < 250).any(axis=2)
        assert 0.08 < hand.mean() < 0.6
        assert not picture[hand][:, 1:].any()  # nothing but red: no object, no table
        edges = np.concatenate([hand[0], hand[-1], hand[:, 0]])
        assert edges.mean() < 0.05
    assert not np.array_equal(picture, draw_hand(HAND_HOME, RED))


def test_given_hand_is_blue_and_predicted_ones_red():
    picture = pixels(noise_figure(Echo(), torch.zeros(1, P), noises=2)).astype(int)
    left, right = np.split(picture, [picture.shape[1] // 5], axis=1)
    for part, more, less in ((left, 2, 0), (right, 0, 2)):
        colored = np.abs(part[..., 0] - part[..., 2]) > 40
        assert (part[colored][:, more] > part[colored][:, less]).mean() > 0.99


def test_postures_come_from_one_demonstration():
    observations = torch.arange(10.0)[:, None].expand(10, P)
    demonstrations = Demonstrations(
        observations, torch.zeros(10, 22), torch.tensor([4, 10]), ("box", "can"), 20.0
    )
    assert spread_postures(demonstrations, 3, episode=1)[:, 0].tolist() == [4, 5, 7]
    assert spread_postures(demonstrations, 1)[:, 0].tolist() == [0]
    with pytest.raises(ValueError, match="no demonstration 2: there are 2"):
        spread_postures(demonstrations, episode=2)


# ---- command line ----
@pytest.fixture(scope="module")
def policies(tmp_path_factory) -> list[Path]:
    """Files of two untrained policies of one method, of one of another task, and of one of that task's name
    whose episodes are shorter."""
    folder = tmp_path_factory.mktemp("policies")
    config = RlConfig.load().with_ppo(hidden=(8,))
    tasks = {name: replace(task, task=TASK.task) for name, task in config.tasks.items()}
    config = replace(config, tasks=tasks)
    files = []
    power = tasks["power"]
    short = replace(power, task=replace(power.task, episode_seconds=1.0))
    for run, task in (("one", "power"), ("two", "power"), ("other", "pinch"), ("changed", "power")):
        if run == "changed":
            config = replace(config, tasks=tasks | {"power": short})
        space = empty_space("relative", config, config.task(task))
        actor = make_actor(policy_features(torch.zeros(1, P)).shape[1], space, config.ppo.hidden)
        files.append(folder / run / "policy.safetensors")
        files[-1].parent.mkdir()
        SteeredPolicy("relative", task, config, space, actor).save(files[-1])
    return files


def test_policies_are_drawn_side_by_side(policies, tmp_path):
    output = tmp_path / "figures" / "rollouts.png"
    arguments = ["rollouts", "--columns", "2", "--output", str(output), "--object", "bottle", "--policies"]
    assert main([*arguments, str(policies[0])]) == 0
    one = pixels(output.read_bytes())
    assert main([*arguments, *map(str, policies[:2])]) == 0
    assert pixels(output.read_bytes()).shape[0] > 1.6 * one.shape[0]


def test_policies_of_one_method_and_folder_name_are_told_apart(policies, tmp_path):
    copied = policies[0].with_name("later.safetensors")
    copied.write_bytes(policies[0].read_bytes())
    output, files = tmp_path / "rollouts.png", (policies[0], copied, policies[1])
    arguments = ["rollouts", "--columns", "2", "--output", str(output), "--policies", *map(str, files)]
    assert main([*arguments[:6], str(policies[0])]) == 0
    one = pixels(output.read_bytes())
    assert main(arguments) == 0
    assert pixels(output.read_bytes()).shape[0] > 2.4 * one.shape[0]


@pytest.mark.parametrize("horizon", [2, 4])
def test_noise_of_a_kept_base_is_drawn(tmp_path, horizon):
    rate = 20.0
    observations = torch.zeros(6, P)
    Demonstrations(observations, torch.zeros(6, 22), torch.tensor([6]), ("box",), rate).save(
        tmp_path / "demonstrations.safetensors"
    )
    base = replace(RlConfig.load().base, width=8, horizon=horizon)
    empty_base("hand", base, rate).save(tmp_path / "hand.safetensors", {})
    output = tmp_path / "noise.png"
    assert main(["noise", "--bases", str(tmp_path), "--output", str(output), "--noises", "1"]) == 0
    assert pixels(output.read_bytes()).shape[2] == 3


def test_what_cannot_be_drawn_is_said(policies, tmp_path, capsys):
    output = tmp_path / "figure.png"
    for arguments, words in (
        (["rollouts", "--policies", str(policies[0]), str(policies[2])], "tasks power and pinch"),
        (["rollouts", "--policies", str(policies[0]), str(policies[3])], "episode_seconds (1.0 instead of"),
        (["rollouts", "--policies", str(tmp_path / "nothing")], "no policy at"),
        (["rollouts", "--policies", str(policies[0]), "--object", "unicorn"], "unicorn"),
        (["noise", "--bases", str(tmp_path)], "no demonstrations at"),
        (["noise", "--bases", str(tmp_path), "--noises", "0"], "--noises must be at least 1"),
    ):
        assert main([*arguments, "--output", str(output)]) == 1
        assert words in capsys.readouterr().err
        assert not output.exists()
