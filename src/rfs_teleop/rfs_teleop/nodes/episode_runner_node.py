"""Episode runner: N grasp trials, one after the other, each with its bag, a line, and an entry in a file.

A trial: hold, start the recorder, reset scene and policy, engage, wait for success or the time limit, hold,
stop the recorder. It ends the process: exit code 0 when all trials ran (whatever came of them), 1 when a node
was missing or broke down.

Parameters: `object` (name, or several with commas; empty: the simulator goes round its training objects),
`seed` (of the first trial), `trials` (0: endless), `plan` (JSON file of objects and seeds, in place of these
three), `sim_time`, `episode_seconds`, `record`, `results` (JSON
file), `live` (show running trials also where the output is no terminal), `startup_timeout` (s), `patience`
(s without progress after which a node counts as missing), `judge` ("simulator", or the reward node's
tracker).
"""

import sys
import time
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rfs_policy.nodes.stamps import nanoseconds

from rfs_msgs.msg import ExecutedAction, GraspReward, PolicyAction
from rfs_teleop.episode_conduct import EpisodeConduct, ServiceError
from rfs_teleop.episode_watch import EpisodeWatch, judging_node
from rfs_teleop.nodes.episode_services import EpisodeServices
from rfs_teleop.trials import Results, Trial, TrialResult, plan, read_plan, result_line

_RCLError = rclpy_implementation.RCLError
# The last is what any call raises once a signal has shut the context down.
_INTERRUPTIONS = (KeyboardInterrupt, ExternalShutdownException, _RCLError)
_ANY_TYPE = ParameterDescriptor(dynamic_typing=True)
_LIVE_PERIOD = 0.1  # s between updates of the live line


class EpisodeRunner(Node):
    """Runs trials through the services of the other nodes. `broken` says what ended the run early."""

    def __init__(self, executor: SingleThreadedExecutor) -> None:
        super().__init__("episode_runner")
        self.broken = ""
        self._executor = executor
        objects = str(self.declare_parameter("object", "").value)
        seed = int(self.declare_parameter("seed", 0).value)
        self._planned = int(self.declare_parameter("trials", 1).value)
        self._trials = plan([name for name in objects.split(",") if name], seed, self._planned)
        listed = str(self.declare_parameter("plan", "").value)
        if listed:
            self._trials = read_plan(Path(listed))
            self._planned = len(self._trials)
        self._lockstep = self.declare_parameter("sim_time", "realtime").value == "lockstep"
        self._limit = float(self.declare_parameter("episode_seconds", 8.0, _ANY_TYPE).value)
        record = bool(self.declare_parameter("record", True).value)
        self._startup = float(self.declare_parameter("startup_timeout", 60.0, _ANY_TYPE).value)
        self._patience = float(self.declare_parameter("patience", 5.0, _ANY_TYPE).value)
        self._judge = judging_node(str(self.declare_parameter("judge", "simulator").value))
        live = bool(self.declare_parameter("live", False).value)
        self._live = live or sys.stdout.isatty()
        results = str(self.declare_parameter("results", "").value)
        self._results = Results(Path(results) if results else None, self._planned)
        self._run_id = time.strftime("%Y%m%d-%H%M%S")
        self._watch: EpisodeWatch | None = None
        self._shown = 0.0
        self._remote = EpisodeServices(
            self, executor, self._patience, self._spin, record=record, judge=self._judge
        )
        self._conduct = EpisodeConduct(self._remote, record=record)
        self.create_subscription(GraspReward, "/rfs/reward", self._on_reward, 10)
        self.create_subscription(PolicyAction, "/rfs/policy_action", self._on_policy, 10)
        self.create_subscription(ExecutedAction, "/rfs/executed_action", self._on_executed, 10)

    # ---- topics ----
    def _on_reward(self, message: GraspReward) -> None:
        self._take("reward", message.header.stamp, message.success)

    def _on_policy(self, message: PolicyAction) -> None:
        self._take("policy_action", message.observation_stamp)

    def _on_executed(self, message: ExecutedAction) -> None:
        self._take("executed_action", message.header.stamp)

    def _take(self, topic: str, stamp: Time, success: bool = False) -> None:
        if self._watch is not None:
            self._watch.take(topic, nanoseconds(stamp), time.monotonic(), success)

    # ---- trials ----
    def run(self) -> None:
        """All trials, or until the stack breaks."""
        try:
            self._remote.remote.wait_for_all(self._startup)
        except ServiceError as error:
            self.broken = str(error)
            return
        for trial in self._trials:
            row = self._run_trial(trial)
            self._results.add(row)
            _show(result_line(row, self._planned))
            if row.outcome == "broken":
                self.broken = f"trial {row.number} broke off: {row.problem}"
                return

    def _run_trial(self, trial: Trial) -> TrialResult:
        began = time.monotonic()
        row = TrialResult(trial.number, trial.object, trial.seed, "broken", 0.0, 0.0)
        self._watch, self._conduct.bag = None, ""
        for part in (self._perform, self._end):  # a signal may come in either
            try:
                part(row)
            except ServiceError as error:
                row.problem = str(error)
            except _INTERRUPTIONS as error:
                if isinstance(error, _RCLError) and rclpy.ok():
                    raise
                row.outcome, row.problem = "broken", row.problem or "interrupted"
        row.seconds = self._watch.seconds if self._watch else 0.0
        row.bag = self._conduct.bag
        row.wall_seconds = round(time.monotonic() - began, 3)
        return row

    def _perform(self, row: TrialResult) -> None:
        row.object = self._begin(row)
        row.outcome = self._wait_for_outcome(row)

    def _begin(self, row: TrialResult) -> str:
        """Set up a trial and let the robot go; returns the object's name."""
        scene = self._conduct.prepare(
            row.object, row.seed, lambda name: f"{self._run_id}-{row.number:03d}-{name}"
        )
        self._watch = EpisodeWatch(
            scene.stamp, self._limit, self._patience, time.monotonic(), self._lockstep, self._judge
        )
        self._conduct.engage()
        return scene.object

    def _wait_for_outcome(self, row: TrialResult) -> str:
        watch = self._watch
        assert watch is not None
        while not watch.outcome:
            self._spin()
            now = time.monotonic()
            problem = watch.problem(now)
            if problem:
                raise ServiceError(problem)
            if self._live and now - self._shown > _LIVE_PERIOD:
                self._shown, row.seconds = now, watch.seconds
                row.outcome = "running"
                _show(result_line(row, self._planned), live=True)
        return watch.outcome

    def _spin(self) -> None:
        self._executor.spin_once(timeout_sec=0.2)

    def _end(self, row: TrialResult) -> None:
        """Hold the robot and close the bag, as far as the nodes still answer."""
        if row.outcome == "running":
            row.outcome = "broken"
        if not rclpy.ok():
            row.problem = row.problem or "interrupted"
            return
        ending = self._conduct.end(row.outcome, row.problem)
        row.received, row.written = ending.counts.received, ending.counts.written
        if ending.problems:
            row.outcome = "broken"
            row.problem = "; ".join(filter(None, [row.problem, *ending.problems]))


def _show(line: str, live: bool = False) -> None:
    """On a terminal a line replaces the live one before it."""
    terminal = sys.stdout.isatty()
    print(f"\r\x1b[K{line}" if terminal else line, end="" if terminal and live else "\n", flush=True)


def main() -> int:
    """Run all trials; 0 when they all ran, 1 with a sentence on stderr when something was missing."""
    problem = ""
    try:
        rclpy.init()
        executor = SingleThreadedExecutor()
        runner = EpisodeRunner(executor)
        executor.add_node(runner)
        runner.run()
        problem = runner.broken
    except (KeyboardInterrupt, ExternalShutdownException):
        problem = "interrupted before the first trial"
    except _RCLError:
        if rclpy.ok():
            raise
        problem = "interrupted before the first trial"
    except (ValueError, OSError) as error:
        problem = str(error)
    finally:
        rclpy.try_shutdown()
    if problem:
        print(f"episode_runner: {problem}", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
