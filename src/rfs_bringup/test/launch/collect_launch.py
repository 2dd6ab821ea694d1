"""A ``launch_testing`` test: a session of two lockstep episodes under the real launch.

Run it with ``launch_test src/rfs_bringup/test/launch/collect_launch.py`` where ROS 2 is installed.
"""

import tempfile
import unittest
from pathlib import Path

import launch_testing.actions
import launch_testing.asserts
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "collect.launch.py"
BAGS = Path(tempfile.mkdtemp(prefix="rfs-launch-test-"))
ARGUMENTS = {
    "sim_time": "lockstep",
    "device": "scripted",
    "episodes": "2",
    "object": "box",
    "bags": str(BAGS),
    "viewer": "false",
}


def generate_test_description() -> LaunchDescription:
    source = PythonLaunchDescriptionSource(str(LAUNCH_FILE))
    stack = IncludeLaunchDescription(source, launch_arguments=ARGUMENTS.items())
    return LaunchDescription([stack, launch_testing.actions.ReadyToTest()])


class TestWhileItRuns(unittest.TestCase):
    def test_the_session_ends_by_itself(self, proc_info) -> None:
        proc_info.assertWaitForShutdown(process="session_node", timeout=120)


@launch_testing.post_shutdown_test()
class TestAfterwards(unittest.TestCase):
    def test_every_node_ended_well(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_the_episodes_were_recorded(self) -> None:
        assert len(list(BAGS.rglob("*.mcap"))) == 2, f"no two bags in {BAGS}"
        assert list(BAGS.rglob("report.html"))
