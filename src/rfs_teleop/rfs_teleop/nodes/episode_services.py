"""The services that an episode needs, over ROS: `rfs_teleop.episode_conduct.EpisodeCalls` for a node."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rfs_policy.nodes.stamps import nanoseconds
from std_srvs.srv import SetBool

from rfs_msgs.msg import EpisodeStatus
from rfs_msgs.srv import EndEpisode, ResetPolicy, ResetReward, ResetScene, StartEpisode
from rfs_teleop.episode_conduct import Counts, Scene
from rfs_teleop.nodes.services import Services

_OUTCOMES = {
    "success": EpisodeStatus.OUTCOME_SUCCESS,
    "failure": EpisodeStatus.OUTCOME_FAILURE,
    "discarded": EpisodeStatus.OUTCOME_DISCARDED,
}


class EpisodeServices:
    """Calls bridge, policy, executor and recorder.

    Args:
        simulator, record, operator: whether there is a bridge, a recorder, and an operator at the executor.
        judge: node that gives rewards; another than the bridge is told when the scene changes.
        patience: how long to ask for engagement, s.
        between: what to do between two attempts; it may raise ServiceError to give up.
    """

    def __init__(
        self,
        node: Node,
        executor: SingleThreadedExecutor,
        patience: float,
        between: Callable[[], None],
        simulator: bool = True,
        record: bool = True,
        operator: bool = False,
        judge: str = "bridge",
    ) -> None:
        self._node, self._patience, self._between = node, patience, between
        self.operator_name = self.session = ""
        self.remote = Services(node, executor)
        if simulator:
            self.remote.add(ResetScene, "/rfs/sim/reset", "bridge")
        self._tell_judge = simulator and judge != "bridge"
        if self._tell_judge:
            self.remote.add(ResetReward, "/rfs/reward/reset", judge)
        self.remote.add(ResetPolicy, "/rfs/policy/reset", "policy")
        for name in ("engage", "pause", "stop") if operator else ("engage",):
            self.remote.add(SetBool, f"/rfs/{name}", "executor")
        if record:
            self.remote.add(StartEpisode, "/rfs/episode/start", "recorder")
            self.remote.add(EndEpisode, "/rfs/episode/stop", "recorder")

    def _call(self, name: str, request: Any) -> Any:
        return self.remote.call(name, request, attempts=3)

    def engage(self, wanted: bool, patient: bool = False) -> None:
        """Let the policy move the robot, or hold it."""
        request = SetBool.Request(data=wanted)
        if patient:
            self.remote.retry("/rfs/engage", request, self._patience, self._between)
        else:
            self._call("/rfs/engage", request)

    def pause(self, wanted: bool) -> None:
        """Hold within the episode, or go on."""
        self._call("/rfs/pause", SetBool.Request(data=wanted))

    def stop(self, wanted: bool) -> None:
        """Latch the stop, or release it."""
        self._call("/rfs/stop", SetBool.Request(data=wanted))

    def stop_at_once(self) -> None:
        """Ask for the stop without waiting for the answer, as from a callback."""
        self.remote.send("/rfs/stop", SetBool.Request(data=True))

    def reset_scene(self, seed: int, name: str) -> Scene:
        """Set up a new scene, and have it judged anew."""
        scene = self._call("/rfs/sim/reset", ResetScene.Request(seed=seed, object=name))
        if self._tell_judge:
            self._call("/rfs/reward/reset", ResetReward.Request(stamp=scene.stamp))
        return Scene(scene.object, nanoseconds(scene.stamp))

    def new_scene(self) -> Scene:
        """What is on the table from now on."""
        return Scene("", time.time_ns())

    def reset_policy(self, seed: int) -> None:
        """Forget the last episode."""
        self._call("/rfs/policy/reset", ResetPolicy.Request(seed=seed))

    def start_recorder(self, episode: str, name: str, seed: int) -> str:
        """Open a bag; its path."""
        request = StartEpisode.Request(
            id=episode, object=name, seed=seed, operator_name=self.operator_name, session=self.session
        )
        return self._call("/rfs/episode/start", request).bag

    def stop_recorder(self, outcome: str, notes: str) -> Counts:
        """Close the bag; only asked once, as the recorder knows no second end of an episode."""
        request = EndEpisode.Request(
            outcome=_OUTCOMES.get(outcome, EpisodeStatus.OUTCOME_UNKNOWN), notes=notes
        )
        response = self.remote.call("/rfs/episode/stop", request)
        return Counts(sum(response.received), sum(response.written), sum(response.lost))
