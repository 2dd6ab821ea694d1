"""Isaac Lab's environment: which Python it gets, and what is said where it is missing or out of date."""

import os
from pathlib import Path

import pytest
from rfs_bringup.errors import SetupError
from rfs_bringup.node_spec import NodeSpec
from rfs_bringup.ros_flavor import RosFlavor
from rfs_bringup.stack import STACKS
from rfs_bringup.stamps import Stamps

from rfs_bringup import arguments, isaaclab_workspace, processes, python312


def fake_python(file: Path, version: str) -> str:
    """An executable that tells what `interpreter.probe` asks for."""
    major, minor, micro = version.split(".")
    facts = f'{{"version": [{major}, {minor}, {micro}], "prefix": "", "venv": true, "rclpy": false, '
    facts += '"header": true}'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho '{facts}'\n")
    file.chmod(0o755)
    return str(file)


def test_python_3_12_is_found_on_the_path_and_in_pyenv(tmp_path: Path) -> None:
    on_path = fake_python(tmp_path / "bin" / "python3.12", "3.12.5")
    variables = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    assert python312.choose("", variables).executable == on_path
    of_pyenv = fake_python(tmp_path / ".pyenv" / "versions" / "3.12.9" / "bin" / "python3.12", "3.12.9")
    assert python312.choose("", {"PATH": "/nonexistent", "HOME": str(tmp_path)}).executable == of_pyenv


def test_a_shim_that_names_no_python_is_passed_over(tmp_path: Path) -> None:
    shim = tmp_path / "bin" / "python3.12"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    real = fake_python(tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python3.12", "3.12.1")
    found = python312.choose("", {"PATH": str(shim.parent), "HOME": str(tmp_path)})
    assert found.executable == real


def test_without_python_3_12_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"needs Python 3\.12.*apt install python3\.12.*--python PATH"):
        python312.choose("", {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_a_named_python_must_be_3_12(tmp_path: Path) -> None:
    other = fake_python(tmp_path / "python3", "3.13.0")
    with pytest.raises(SetupError, match=r"is Python 3\.13\.0; Isaac Lab needs 3\.12"):
        python312.choose(other, {})
    with pytest.raises(SetupError, match="no Python that runs"):
        python312.choose(str(tmp_path / "none"), {})


def opened(root: Path) -> isaaclab_workspace.IsaacLabWorkspace:
    return isaaclab_workspace.IsaacLabWorkspace(root, RosFlavor(None), {"PATH": os.environ["PATH"]})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("isaaclab", "isaaclab-converter", "ros"):
        (tmp_path / f"requirements-{name}.txt").write_text("# nothing\n")
    return tmp_path


def test_where_isaac_lab_is_not_set_up_the_stack_says_so(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFS_ROOT", str(checkout))
    for stack in STACKS.values():
        values = arguments.parse(stack.arguments, ["sim:=isaaclab"])
        with pytest.raises(FileNotFoundError, match=r"not set up: run \./rfs setup isaaclab"):
            stack.nodes(values)


def test_a_set_up_of_other_versions_is_out_of_date(checkout: Path) -> None:
    place = opened(checkout)
    stamps = Stamps(place.state / "stamps.json")
    place.captured.parent.mkdir(parents=True, exist_ok=True)
    place.captured.write_text('{"PYTHONPATH": "/theirs"}')
    for step in isaaclab_workspace.steps(place):
        stamps.finish(step.name, step.inputs())
    assert isaaclab_workspace.run_environment(place)["PYTHONPATH"] == "/theirs"
    (checkout / "requirements-isaaclab.txt").write_text("isaaclab==9.9\n")
    with pytest.raises(ValueError, match=r"not up to date.*\./rfs setup isaaclab"):
        isaaclab_workspace.run_environment(place)


def test_its_node_runs_in_the_other_interpreter_without_our_libraries(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFS_ROOT", str(checkout))
    monkeypatch.setattr(isaaclab_workspace, "own_environment", lambda: {"PYTHONPATH": "/theirs"})
    node = NodeSpec("bridge", "rfs_isaaclab", "bridge_node", {"seed": 1}, isaaclab=True)
    assert processes.command(node)[0] == str(checkout / ".venv-isaaclab" / "bin" / "python")
    ours = {
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
        "LD_LIBRARY_PATH": "/ours",
        "PYTHONPATH": "/ours",
        "KEPT": "1",
    }
    assert processes.variables_of(node, ours) == {"PYTHONPATH": "/theirs", "KEPT": "1"}
    assert processes.variables_of(NodeSpec("policy", "rfs_policy", "policy_node"), ours) == ours
