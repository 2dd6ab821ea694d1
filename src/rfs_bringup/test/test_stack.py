"""What runs, as data."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfs_bringup.arguments import Argument
from rfs_bringup.collect_stack import COLLECT_ARGUMENTS, collect_nodes
from rfs_bringup.grasp_stack import GRASP_ARGUMENTS, grasp_nodes
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.stack import STACKS, middleware_variables
from rfs_sim_bridge.robot_shift import RobotShift

from rfs_bringup import arguments


def nodes_for(*typed: str) -> dict[str, NodeSpec]:
    return {node.name: node for node in grasp_nodes(arguments.parse(GRASP_ARGUMENTS, typed))}


def test_defaults_start_every_node() -> None:
    assert list(nodes_for()) == ["bridge", "policy", "executor", "recorder", "runner"]


def test_arguments_choose_the_nodes() -> None:
    assert "bridge" not in nodes_for("sim:=none")
    assert list(nodes_for("sim:=none", "robot:=hardware")) == ["policy", "executor", "reward", "recorder"]
    assert not nodes_for("sim:=none")["reward"].essential
    assert nodes_for("sim:=none")["reward"].parameters["tracker"] == "rgbd"
    assert "recorder" not in nodes_for("record:=false")


def session_for(*typed: str) -> dict[str, NodeSpec]:
    return {node.name: node for node in collect_nodes(arguments.parse(COLLECT_ARGUMENTS, typed))}


def test_a_session_has_an_operator_and_a_viewer_that_may_die() -> None:
    nodes = session_for()
    assert list(nodes) == ["bridge", "policy", "executor", "correction", "recorder", "session", "viewer"]
    assert [name for name, node in nodes.items() if not node.essential] == ["viewer"]
    assert nodes["executor"].parameters["operator"] is True
    assert nodes["session"].parameters["simulator"] is True
    assert nodes["session"].parameters["attended"] is True
    assert nodes["session"].parameters["session"]
    assert session_for("device:=scripted")["session"].parameters["attended"] is False


def test_a_reward_from_vision_brings_its_node_and_the_simulators_steps_aside() -> None:
    for nodes_of in (nodes_for, session_for):
        nodes = nodes_of("reward:=sam2", "reward_weights:=w", "sim_time:=lockstep")
        assert nodes["reward"].parameters["tracker"] == "sam2"
        assert nodes["reward"].parameters["weights"] == "w"
        assert nodes["reward"].essential
        assert any(node.parameters.get("patience", 0) > 30 for node in nodes.values()), (
            "SAM2 is slow on a CPU"
        )
        assert nodes["bridge"].parameters["reward_topic"] == "/sim/reward"
        assert nodes["bridge"].parameters["await_reward"] is True
        assert nodes_of("reward:=rgbd")["bridge"].parameters["await_reward"] is False
    assert nodes_for("reward:=rgbd")["runner"].parameters["judge"] == "rgbd"
    assert session_for("reward:=rgbd")["session"].parameters["judge"] == "rgbd"
    assert nodes_for()["runner"].parameters["judge"] == "simulator"


def test_bags_say_which_robot_moved_and_the_bridge_is_that_robot() -> None:
    for nodes_of in (nodes_for, session_for):
        usual, target, half = (
            nodes_of(),
            nodes_of("robot:=target"),
            nodes_of("robot:=target", "severity:=0.5"),
        )
        assert [nodes["bridge"].parameters["severity"] for nodes in (usual, target, half)] == [0.0, 1.0, 0.5]
        assert usual["recorder"].parameters["robot"] == "sim"
        assert "robot_shift" not in usual["recorder"].parameters
        assert half["recorder"].parameters["robot"] == "target 0.5"
        settings = json.loads(str(half["recorder"].parameters["robot_shift"]))
        assert RobotShift.from_dict(settings) == RobotShift.target(0.5)


def test_a_modulation_reaches_the_policy_node(tmp_path: Path) -> None:
    for nodes_of in (nodes_for, session_for):
        assert nodes_of()["policy"].parameters["modulation"] == ""
        modulated = nodes_of(f"modulation:={tmp_path}")["policy"]
        assert modulated.parameters["modulation"] == str(tmp_path)


def test_checkpoints_may_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()
    for nodes_of in (nodes_for, session_for):
        parameters = nodes_of("policy:=~/mine", "modulation:=~/mine")["policy"].parameters
        assert (parameters["policy"], parameters["modulation"]) == ("~/mine", "~/mine")


def test_on_hardware_nothing_is_simulated() -> None:
    nodes = session_for("sim:=none", "robot:=hardware", "viewer:=false", "object:=my own cup")
    assert list(nodes) == ["policy", "executor", "correction", "recorder", "session", "reward"]
    assert nodes["session"].parameters["simulator"] is False


def test_objects_are_known_only_to_simulators() -> None:
    for nodes_of in (nodes_for, session_for):
        assert "bridge" not in nodes_of("sim:=none", "object:=bunny")
        with pytest.raises(ValueError, match="object:=bunny is unknown"):
            nodes_of("object:=bunny")


def test_a_long_token_reaches_the_viewer() -> None:
    assert session_for("viewer_token:=twelve-chars")["viewer"].parameters["token"] == "twelve-chars"


def test_a_keyboard_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard = session_for("device:=keyboard", "terminal:=/dev/pts/7")["correction"]
    assert keyboard.parameters["terminal"] == "/dev/pts/7"
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(ValueError, match="terminal:=/dev/pts"):
            session_for("device:=keyboard")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("device:=scripted sim:=none", "device:=scripted needs a simulator"),
        ("sim_time:=lockstep sim:=none", "sim_time:=lockstep needs a simulator"),
        ("robot:=hardware", "robot:=hardware needs sim:=none"),
        ("robot:=target sim:=none", "robot:=target needs sim:=mujoco"),
        ("severity:=2", "severity:=2 needs robot:=target"),
        ("robot:=target severity:=-1", "severity:=-1 must be at least 0"),
        ("robot:=target severity:=high", "severity:=high is not a number"),
        ("sim_time:=lockstep episode_seconds:=20", "more than the 8 s"),
        ("device:=mouse", "spacemouse, keyboard, gamepad, scripted"),
        ("object:=teapot", "known objects: "),
        ("session:=../x", "session:=../x cannot name a folder"),
        ("viewer_token:=short", "viewer_token:= needs at least 12 characters"),
    ],
)
def test_a_bad_value_of_a_session_is_named(typed: str, says: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        session_for(*typed.split())


def test_every_node_gets_the_same_time_and_rate() -> None:
    nodes = nodes_for("sim_time:=lockstep", "rate:=20")
    assert {node.parameters["sim_time"] for node in nodes.values()} == {"lockstep"}
    assert {node.parameters["rate"] for node in nodes.values()} == {20.0}


def test_values_reach_the_nodes_in_their_kind() -> None:
    nodes = nodes_for("seed:=7", "trials:=3", "bags:=/tmp/x", "record:=true")
    assert nodes["runner"].parameters["seed"] == 7
    assert nodes["runner"].parameters["trials"] == 3
    assert nodes["runner"].parameters["record"] is True
    assert nodes["policy"].parameters["seed"] == 7
    assert nodes["recorder"].parameters["bags"] == "/tmp/x"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("sim:=gazebo", "sim:=gazebo is not one of: mujoco, isaaclab, none"),
        ("record:=yes", "record:=yes is not one of: true, false"),
        ("seed:=x", "seed:=x is not a whole number"),
        ("seed:=-1", "seed:=-1 must be at least 0"),
        ("rate:=nan", "rate:=nan must be at least 1"),
        ("rate:=inf", "rate:=inf must be a finite number"),
        ("obejct:=mug", "Did you mean object"),
        ("mug", "not of the form name:=value"),
        ("robot:=hardware", "robot:=hardware needs sim:=none"),
        ("object:=teapot", "known objects: "),
        ("trials:=3 sim:=none", "trials:= needs a simulator"),
        ("sim_time:=lockstep sim:=none", "sim_time:=lockstep needs a simulator"),
        ("policy:=/no/such/file", "there is no such checkpoint"),
        ("modulation:=/no/such/file", "there is no such file or folder"),
        ("reward:=eyes", "simulator, rgbd, sam2"),
        ("reward:=simulator sim:=none", "reward:=simulator needs a simulator"),
        ("reward_weights:=x reward:=rgbd", "reward_weights:= needs reward:=sam2"),
        ("reward_config:=x", "reward_config:= needs reward:=rgbd"),
        ("reward_config:=/no/such reward:=rgbd", "there is no such file"),
    ],
)
def test_a_bad_value_is_named(typed: str, says: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        nodes_for(*typed.split())


def test_hardware_does_not_wait_for_the_policy() -> None:
    with pytest.raises(ValueError, match="sim_time:=realtime"):
        nodes_for("robot:=hardware", "sim:=none", "sim_time:=lockstep")


def test_every_argument_is_described_and_its_default_is_accepted() -> None:
    for stack in STACKS.values():
        text = arguments.describe(stack.arguments)
        for argument in stack.arguments:
            argument.parse(argument.default)
            assert f"  {argument.name}:=" in text
            assert argument.description in text


@given(st.integers(min_value=0, max_value=2**31))
def test_whole_numbers_survive(number: int) -> None:
    assert Argument("n", "0", "", int, minimum=0).parse(str(number)) == number


@given(st.text().filter(lambda text: text not in ("true", "false")))
def test_only_two_words_are_boolean(text: str) -> None:
    with pytest.raises(ValueError, match="is not one of: true, false"):
        arguments.boolean("flag", True, "").parse(text)


def test_a_users_own_middleware_profile_is_left_alone() -> None:
    assert middleware_variables({"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"}) == {}
    for distro in ("jazzy", "kilted"):
        (file,) = middleware_variables({"ROS_DISTRO": distro}).values()
        assert "initialAnnouncements" in Path(file).read_text()
