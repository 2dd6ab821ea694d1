"""How the environment and the build are kept up to date."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rfs_bringup.errors import SetupError
from rfs_bringup.ros_flavor import RosFlavor
from rfs_bringup.stamps import Stamps, digest, digest_files

from rfs_bringup import environment, interpreter, packages, ros_flavor, setup_steps, workspace

WHEELS = RosFlavor(None)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one package, and none of the packages to install."""
    for name in ("requirements.txt", "requirements-ros.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("# nothing\n")
    package = tmp_path / "src" / "a_package"
    package.mkdir(parents=True)
    (package / "package.xml").write_text("<package/>")
    return tmp_path


def opened(root: Path, said: list[str] | None = None, **variables: str) -> workspace.Workspace:
    say = (said if said is not None else []).append
    return workspace.Workspace(root, WHEELS, {"PATH": os.environ["PATH"], "HOME": str(root)} | variables, say)


def names(steps: list[setup_steps.Step]) -> list[str]:
    return [step.name for step in steps]


def finish_all(place: workspace.Workspace, development: bool = False) -> Stamps:
    """Stamps as after a complete setup."""
    stamps = Stamps(place.state / "stamps.json")
    for step in workspace.steps(place, development):
        stamps.finish(step.name, step.inputs())
    return stamps


def test_everything_is_pending_at_first_and_nothing_after(checkout: Path) -> None:
    place = opened(checkout)
    assert names(workspace.pending(place, Stamps(place.state / "stamps.json"), False)) == [
        "venv", "packages", "build", "environment",
    ]  # fmt: skip
    stamps = finish_all(place)
    assert workspace.pending(place, stamps, False) == []
    assert names(workspace.pending(place, stamps, True)) == ["development"]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("requirements.txt", ["packages", "build", "environment"]),
        ("requirements-ros.txt", ["packages", "build", "environment"]),
        ("requirements-dev.txt", []),
        ("src/a_package/package.xml", ["build", "environment"]),
        ("src/a_package/setup.py", ["build", "environment"]),
        ("src/a_package/msg/New.msg", ["build", "environment"]),
        ("src/a_package/a_package/module.py", []),
    ],
)
def test_a_change_repeats_only_what_depends_on_it(checkout: Path, file: str, expected: list[str]) -> None:
    place = opened(checkout)
    stamps = finish_all(place)
    (checkout / file).parent.mkdir(parents=True, exist_ok=True)
    (checkout / file).write_text("changed")
    assert names(workspace.pending(place, stamps, False)) == expected


def test_stamps_survive_and_a_damaged_file_counts_as_nothing_done(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "stamps.json"
    Stamps(file).finish("build", "abc")
    assert Stamps(file).fresh("build", "abc")
    assert not Stamps(file).fresh("build", "other")
    file.write_text('{"build": "ab')
    assert not Stamps(file).fresh("build", "abc")


def test_digest_tells_parts_and_names_apart(tmp_path: Path) -> None:
    assert digest("ab", "c") != digest("a", "bc")
    (tmp_path / "x").write_text("1")
    before = digest_files(tmp_path, [tmp_path / "x"])
    (tmp_path / "x").rename(tmp_path / "y")
    assert digest_files(tmp_path, [tmp_path / "y"]) != before


def test_a_half_made_environment_is_replaced_and_a_whole_one_kept(checkout: Path) -> None:
    place = opened(checkout)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to("/nonexistent/python")
    workspace._make_venv(place)
    asked = subprocess.run(
        [place.python, "-m", "pip", "--version"], capture_output=True, text=True, check=True
    )
    assert str(checkout) in asked.stdout
    (checkout / ".venv" / "kept").touch()
    workspace._make_venv(place)
    assert (checkout / ".venv" / "kept").exists()


def test_a_moved_checkout_makes_its_environment_anew(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace._make_venv(opened(checkout))
    moved = tmp_path_factory.mktemp("moved") / "checkout"
    checkout.rename(moved)
    place = opened(moved)
    assert not workspace._working(place)


def test_a_failing_install_says_what_to_do_and_leaves_the_step_undone(checkout: Path) -> None:
    place = opened(checkout, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(checkout))
    (checkout / "requirements.txt").write_text("no-such-package==9.9\n")
    with pytest.raises(
        SetupError, match=r"(?s)no build for this Python.*run the same command again.*setup\.log"
    ):
        workspace.ensure(place)
    assert "packages" in names(workspace.pending(place, Stamps(place.state / "stamps.json"), False))
    assert "no-such-package" in packages.log_file(place).read_text()


def test_a_full_disk_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "NEEDED_DISK_GB", 1e9)
    with pytest.raises(SetupError, match="GB of disk"):
        workspace.ensure(opened(checkout))


def test_a_second_setup_waits_for_the_first(checkout: Path) -> None:
    said: list[str] = []
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with setup_steps.locked(opened(checkout)):
            order.append("first")
            inside.set()
            leave.wait(10)
            order.append("first ends")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    place = opened(checkout)
    place.say = lambda line: (said.append(line), leave.set())[0]
    with setup_steps.locked(place):
        order.append("second")
    thread.join()
    assert order == ["first", "first ends", "second"]
    assert "Another ./rfs" in said[0]


def test_wheels_point_to_this_interpreter_afterwards(checkout: Path) -> None:
    place = opened(checkout)
    workspace._make_venv(place)
    folder = checkout / ".venv" / "share" / "some_msgs" / "cmake"
    folder.mkdir(parents=True)
    (folder / "export.cmake").write_text(
        'INCLUDES "/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"'
    )
    assert packages.rewrite_prefixes(place) == 1
    text = (folder / "export.cmake").read_text()
    assert "/opt/python" not in text
    assert f"{checkout}/.venv/lib/python3." in text
    assert packages.rewrite_prefixes(place) == 0


def ros_prefix(root: Path) -> Path:
    marker = root / "ros" / "share" / "ament_index" / "resource_index" / "packages" / "rclpy"
    marker.parent.mkdir(parents=True)
    marker.touch()
    return root / "ros"


def test_a_sourced_ros_is_used_and_an_old_one_named(tmp_path: Path) -> None:
    prefix = str(ros_prefix(tmp_path))
    assert ros_flavor.detect({"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": prefix}).distro == "jazzy"
    old = ros_flavor.detect({"ROS_DISTRO": "humble", "AMENT_PREFIX_PATH": prefix})
    assert old.from_wheels
    assert "'humble' is not one of jazzy, kilted" in old.title
    assert ros_flavor.detect({"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": str(tmp_path)}).from_wheels
    assert ros_flavor.detect({}).from_wheels


def test_environment_with_wheels_is_free_of_other_ros(tmp_path: Path) -> None:
    current = {
        "PATH": "/usr/bin",
        "ROS_DISTRO": "humble",
        "AMENT_PREFIX_PATH": "/opt/ros/humble",
        "PYTHONPATH": "/opt/ros/humble/lib/python3.10/site-packages",
        "LD_LIBRARY_PATH": "/opt/ros/humble/lib:/usr/local/cuda/lib64",
    }
    venv = tmp_path / ".venv"
    result = environment.base(tmp_path, venv, WHEELS, current)
    assert result["AMENT_PREFIX_PATH"] == str(venv)
    assert "PYTHONPATH" not in result
    assert result["LD_LIBRARY_PATH"] == f"{venv}/lib:/usr/local/cuda/lib64"
    assert result["PATH"] == f"{venv}/bin:/usr/bin"


def test_environment_with_a_sourced_ros_keeps_it_and_drops_this_workspace(tmp_path: Path) -> None:
    flavor = RosFlavor("jazzy")
    current = {
        "AMENT_PREFIX_PATH": f"{tmp_path}/install/a_package:/opt/ros/jazzy",
        "PYTHONPATH": f"{tmp_path}/build/a_package:/opt/ros/jazzy/lib/python3.12/site-packages",
    }
    result = environment.base(tmp_path, tmp_path / ".venv", flavor, current)
    assert result["AMENT_PREFIX_PATH"] == "/opt/ros/jazzy"
    assert result["PYTHONPATH"] == "/opt/ros/jazzy/lib/python3.12/site-packages"


def test_captured_environment_is_what_sourcing_gives(tmp_path: Path) -> None:
    setup = tmp_path / "install" / "setup.bash"
    setup.parent.mkdir()
    setup.write_text('export PYTHONPATH="/here:$PYTHONPATH"; unset AMENT_PREFIX_PATH\n')
    environment.capture(
        tmp_path / "install" / "setup.bash",
        dict(os.environ) | {"PYTHONPATH": "/base"},
        tmp_path / "captured.json",
    )
    loaded = environment.load({"AMENT_PREFIX_PATH": "/x", "KEPT": "1"}, tmp_path / "captured.json")
    assert loaded["PYTHONPATH"] == "/here:/base"
    assert loaded["KEPT"] == "1"
    assert "AMENT_PREFIX_PATH" not in loaded


def test_an_interpreter_tells_about_itself(tmp_path: Path) -> None:
    found = interpreter.probe(sys.executable)
    assert found is not None
    assert found.version == sys.version_info[:3]
    assert interpreter.probe(str(tmp_path / "none")) is None


def test_what_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    bare = interpreter.Interpreter("/usr/bin/python3", (3, 12, 3), False, False, False)
    with pytest.raises(SetupError, match=r"apt install python3\.12-venv python3\.12-dev g\+\+ cmake make"):
        interpreter.require_tools(bare)
