"""The launch files under the real ``launch``, where that is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs the built workspace")
pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS 2 installation")
pytest.importorskip("launch_testing", reason="launch_testing comes with a ROS 2 installation")

from launch import LaunchContext, LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rfs_bringup.stack import STACKS

pytestmark = pytest.mark.ros
HERE = Path(__file__).parent
LAUNCH_FILES = HERE.parent / "launch"


@pytest.mark.parametrize("stack", STACKS)
def test_a_launch_file_declares_every_argument_of_its_stack(stack: str) -> None:
    source = PythonLaunchDescriptionSource(str(LAUNCH_FILES / f"{stack}.launch.py"))
    description = source.get_launch_description(LaunchContext())
    declared = {argument.name: argument for argument in description.get_launch_arguments()}
    assert declared.keys() == {argument.name for argument in STACKS[stack].arguments}
    for argument in STACKS[stack].arguments:
        assert declared[argument.name].description.startswith(argument.description)
        assert declared[argument.name].choices == (list(argument.choices) or None)


@pytest.mark.parametrize("stack", STACKS)
def test_a_bad_value_ends_the_launch_with_an_error(stack: str, tmp_path: Path) -> None:
    source = PythonLaunchDescriptionSource(str(LAUNCH_FILES / f"{stack}.launch.py"))
    arguments = {"object": "teapot", "bags": str(tmp_path)}
    service = LaunchService()
    service.include_launch_description(
        LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments.items())])
    )
    assert service.run() != 0


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_under_launch_testing(stack: str) -> None:
    """In a process of its own: launch_testing's pytest plugin does not load under every pytest."""
    test = HERE / "launch" / f"{stack}_launch.py"
    command = [sys.executable, "-m", "launch_testing.launch_test", str(test)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ), timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
