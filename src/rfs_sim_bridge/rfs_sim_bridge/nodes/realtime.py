"""Simulated time that follows the wall clock, and joints that are driven as a robot's driver does."""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import rclpy
from builtin_interfaces.msg import Time
from rfs_policy.cadence import Cadence
from rfs_policy.nodes.stamps import time_message

from rfs_sim_bridge.camera_noise import Exposure
from rfs_sim_bridge.grasp_task import GraspTask
from rfs_sim_bridge.joint_driver import JointDriver
from rfs_sim_bridge.nodes.topics import BLOWN_UP, Topics
from rfs_sim_bridge.snapshot import Snapshot
from rfs_sim_bridge.targets import Targets

_IMAGES_PERIOD = 0.1
_BEHIND = 0.1  # s: more than this is not caught up


class Realtime:
    """Steps the physics in slices on its own thread, with absolute deadlines on the monotonic clock.

    Joint states come with every slice, points every `points_period` (s), pictures at 10 Hz, reward and object
    pose with every control period. The `on_` methods are called with the node's lock held.
    """

    SLICE = 0.01
    """s"""

    def __init__(
        self,
        task: GraspTask,
        topics: Topics,
        targets: Targets,
        cadence: Cadence,
        lock: threading.Lock,
        images: bool,
        points_period: float,
    ) -> None:
        self._points_period = points_period
        self._task, self._topics, self._targets, self._cadence = task, topics, targets, cadence
        self._lock, self._images = lock, images
        self._driver = JointDriver(task)
        self._substeps = round(self.SLICE / task.config.timestep)
        self._slices = max(1, round(task.config.period / self.SLICE))
        self._count = 0
        self._tracked = -1
        self._points_due = self._images_due = 0.0
        self._ended = False
        self.failure: Exception | None = None
        self._to_draw: SimpleQueue[tuple[Time, Snapshot, Exposure] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self._artist = threading.Thread(target=self._draw, name="pictures", daemon=True)

    def start(self) -> None:
        """Let time pass."""
        self._thread.start()
        self._artist.start()

    def stop(self) -> None:
        """Let time stand still."""
        self._ended = True
        self._to_draw.put(None)
        self._thread.join(timeout=2.0)
        self._artist.join(timeout=2.0)
        if self.failure is not None:
            raise self.failure

    def describe(self) -> str:
        """The state for people."""
        return BLOWN_UP if self._task.engine.state.unstable[0] else "running"

    def figures(self) -> dict[str, float]:
        """How close the joints' motion has come to their limits since the reset."""
        return self._driver.peaks()

    def on_reset(self) -> int:
        """A new episode begins; returns its stamp (ns)."""
        self._count = 0
        self._driver.reset()
        return time.time_ns()

    def on_target(self) -> None:
        """The next slice looks for it."""

    def on_timer(self, now: float) -> None:
        """Nothing is repeated."""

    def _run(self) -> None:
        self._guarded(self._keep_time)

    def _guarded(self, work: Callable[[], None]) -> None:
        """An error in a thread ends the node."""
        try:
            work()
        except Exception as error:
            if rclpy.ok():  # otherwise the process ends, and publishing fails
                self.failure = error
                rclpy.try_shutdown()

    def _keep_time(self) -> None:
        due = time.monotonic()
        while not self._ended:
            due += self.SLICE
            now = time.monotonic()
            if now - due > _BEHIND:
                due = now
            time.sleep(max(0.0, due - now))
            began = time.monotonic()
            with self._lock:
                self._slice(began)
            self._cadence.tick(began, time.monotonic() - began)

    def _draw(self) -> None:
        """Pictures take longer than a slice's rest, so they have their own thread."""
        while (wanted := self._to_draw.get()) is not None:
            self._guarded(lambda wanted=wanted: self._topics.publish_images(*wanted))

    def _slice(self, now: float) -> None:
        answer = self._targets.command()
        if answer is not None and answer[0] != self._tracked:  # whatever came last, as a robot's driver
            self._tracked = answer[0]
            self._driver.follow(answer[1])
        self._driver.advance(self._substeps)
        self._count += 1
        stamp = time_message(time.time_ns())
        self._topics.publish_joint_states(stamp)
        if now >= self._points_due:
            self._points_due = max(self._points_due + self._points_period, now - self._points_period)
            self._topics.publish_points(stamp)
        if self._count % self._slices == 0:
            self._task.finish_step()
            self._topics.publish_object(stamp)
        if self._images and now >= self._images_due and self._to_draw.empty():  # else drawing is behind
            self._images_due = max(self._images_due + _IMAGES_PERIOD, now)
            self._to_draw.put((stamp, self._task.snapshot(), self._task.exposure()))
