"""A session: episodes one after the other, as the operator wants them. No ROS in here.

Commands and events may come at any time, also while a service is being called: they only change what is
wanted. `step`, called from one place, then does it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from rfs_teleop.episode_conduct import Ending, EpisodeConduct, Scene, ServiceError
from rfs_teleop.session_commands import MARKS, Command, Phase, refusal
from rfs_teleop.session_plan import SessionCalls, SessionPlan, Tally
from rfs_teleop.session_robot import SessionRobot


@dataclass
class Session:
    """Where the session stands, and what is to be done next.

    calls: the other nodes. name: makes an episode's id from its number and object. began: told the scene of
    an episode before the robot moves. ended: told outcome, bag and counts.
    """

    plan: SessionPlan
    calls: SessionCalls
    name: Callable[[int, str], str]
    began: Callable[[Scene], None] = lambda scene: None
    ended: Callable[[str, str, Ending], None] = lambda outcome, bag, ending: None
    tally: Tally = field(default_factory=Tally)
    phase: Phase = Phase.WAITING
    message: str = ""
    failed: str = ""
    object: str = ""
    is_open: bool = False
    time_over: bool = False

    def __post_init__(self) -> None:
        self._conduct = EpisodeConduct(self.calls, self.plan.simulator)
        self._robot = SessionRobot(self.calls)
        self._finishing = False
        self._stop_reason = ""
        self._tasks: deque[Callable[[], None]] = deque()
        self.object = self.plan.object_after(self.tally)
        if self.plan.complete(self.tally):
            self._finish()
        elif self.plan.attended:
            self._wait("")
        else:
            self._plan_begin()

    @property
    def number(self) -> int:
        """Of the present or next episode, from 1."""
        return self.tally.counted + 1

    @property
    def bag(self) -> str:
        """Path of the bag that is open; empty without one."""
        return self._conduct.bag

    # ---- commands and events ----
    def command(self, command: Command) -> str:
        """Take a command; why it is refused, or empty."""
        problem = refusal(command, self.phase, self.is_open, self.time_over)
        if problem:
            return problem
        if command in MARKS:
            self._mark(MARKS[command], "")
        elif command == Command.START:
            self._resume() if self.phase == Phase.PAUSED else self._plan_begin()
        else:
            actions = {
                Command.PAUSE: partial(self._pause, "paused: resume, or mark the episode"),
                Command.RESUME: self._resume,
                Command.STOP: partial(self.stopped, "stopped", ask=True),
                Command.RELEASE: partial(self._tasks.append, self._release),
                Command.FINISH: self._request_finish,
            }
            actions[command]()
        return ""

    def stopped(self, why: str, ask: bool = False) -> None:
        """The robot is stopped; `ask`: not yet, latch it."""
        if self.phase == Phase.FINISHED:
            return
        if ask:
            while self._release in self._tasks:  # asked for before this stop, which it must not undo
                self._tasks.remove(self._release)
            self._tasks.appendleft(self._latch)
        if self.phase != Phase.STOPPED:
            self._stop_reason = why
        self.phase = Phase.STOPPED
        self.message = f"{self._stop_reason}: release the stop" + (
            ", then resume or mark the episode" * self.is_open
        )

    def judged(self, success: bool) -> None:
        """The simulator says how the running episode ended."""
        if self.phase == Phase.RUNNING and self.plan.simulator:
            self._mark("success" if success else "failure", "")

    def out_of_time(self, seconds: float) -> None:
        """The running episode has reached its time limit."""
        if self.phase != Phase.RUNNING:
            return
        if self.plan.simulator:
            self.judged(False)
        else:
            self.time_over = True
            self._pause(f"the time limit of {seconds:g} s is reached: mark success, failure or discard")

    def broken(self, why: str) -> None:
        """The open episode cannot go on, as a node is missing or the bag takes nothing more."""
        if self.is_open:
            self._mark("unknown", why)

    # ---- doing it ----
    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._tasks)

    def step(self) -> None:
        """Do the next thing that is wanted, if any; it calls services."""
        if self._tasks:
            self._tasks.popleft()()

    def close(self, why: str) -> None:
        """The session's own end, also in the middle of an episode: nothing stays open or engaged."""
        self._tasks.clear()
        if self.is_open or self._conduct.bag:
            self._end("unknown", why)
        self.phase = Phase.FINISHED

    def _plan_begin(self) -> None:
        self.phase, self.message = Phase.RESETTING, ""
        self._tasks.append(self._begin)

    def _begin(self) -> None:
        if self.phase != Phase.RESETTING:  # stopped meanwhile
            return
        number, seed = self.number, self.plan.seed + self.tally.begun
        self.tally.begun += 1
        self.time_over = False
        try:
            scene = self._conduct.prepare(
                self.plan.object_after(self.tally), seed, partial(self.name, number)
            )
            self.object = scene.object or self.plan.object_after(self.tally)
            self.began(scene)
            self.require_going_on()
            self._conduct.engage()
        except ServiceError as error:
            self._give_up(str(error))
            return
        self._robot.engaged = self.is_open = True
        if self.phase == Phase.STOPPED:
            self.stopped("stopped")
        elif self.phase == Phase.RESETTING:
            self.phase = Phase.RUNNING
        if self._finishing:
            self._mark("discarded", "")

    def require_going_on(self) -> None:
        """Between the steps of a beginning: ServiceError when it is not wanted any more."""
        if self.phase == Phase.STOPPED:
            raise ServiceError(self.message)

    def _give_up(self, why: str) -> None:
        """An episode could not begin: what there is of it is nothing to keep."""
        ending = self._conduct.end("discarded", why)
        self._conduct.bag = ""
        if self.phase == Phase.STOPPED and not self._finishing:
            return
        self._after_trouble("; ".join([why, *(p for p in ending.problems if p != why)]))

    def _mark(self, outcome: str, why: str) -> None:
        """The open episode ends; a latched stop stays."""
        self.is_open = False
        if self.phase != Phase.STOPPED:
            self.phase = Phase.RESETTING
        self._tasks.append(partial(self._end_and_go_on, outcome, why))

    def _end_and_go_on(self, outcome: str, why: str) -> None:
        problems = self._end(outcome, why)
        if problems and not self.plan.complete(self.tally):
            self._after_trouble(problems)
        elif self.plan.complete(self.tally) or self._finishing:
            self._finish()
        elif self.phase == Phase.STOPPED:
            self.message = "stopped: release the stop, then start the next episode"
        elif self.plan.simulator:
            self._plan_begin()
        else:
            self._wait("")

    def _end(self, outcome: str, why: str) -> str:
        """End the episode in every node; what went wrong with it."""
        ending = self._conduct.end(outcome, why)
        bag, self._conduct.bag = self._conduct.bag, ""
        self.is_open = self._robot.engaged = self.time_over = False
        if ending.problems and outcome != "discarded":
            outcome = "unknown"
        self.tally.add(outcome)
        self.object = self.plan.object_after(self.tally)
        self.ended(outcome, bag, ending)
        return "; ".join(filter(None, [why, *ending.problems]))

    def _after_trouble(self, why: str) -> None:
        if not self.plan.attended:
            self.failed = why
            self._finish()
        elif self._finishing:
            self._finish()
        elif self.phase != Phase.STOPPED:
            self._wait(why)

    def _wait(self, why: str) -> None:
        self.phase = Phase.WAITING
        place = "" if self.plan.simulator else f"place {self.object or 'the object'}, then "
        todo = f"{place}start the episode"
        self.message = f"{why}. When that is solved: {todo}" if why else todo

    def _pause(self, message: str) -> None:
        self.phase, self.message = Phase.PAUSED, message
        self._tasks.append(self._hold)

    def _hold(self) -> None:
        if self.phase == Phase.PAUSED and self.is_open:
            self._let_go_if(self._robot.pause())

    def _resume(self) -> None:
        self.phase, self.message = Phase.RUNNING, ""
        self._tasks.append(self._go_on)

    def _go_on(self) -> None:
        if self.phase == Phase.RUNNING and self.is_open:
            self._let_go_if(self._robot.go_on())

    def _let_go_if(self, problem: str) -> None:
        """After a problem the robot holds until the operator tries again."""
        if not problem:
            return
        if self.phase != Phase.STOPPED:
            self.phase, self.message = Phase.PAUSED, f"{problem}. Resume, or mark the episode"
        worse = self._robot.let_go()
        if worse:
            self.broken(worse)

    def _latch(self) -> None:
        self.message = self._robot.stop() or self.message

    def _release(self) -> None:
        problem = self._robot.release()
        if self._latch in self._tasks:  # stopped again meanwhile
            return
        if problem:
            self.message = problem
        elif self.is_open:
            self.phase, self.message = Phase.PAUSED, "released: resume, or mark the episode"
        elif self.phase == Phase.STOPPED:
            self._wait("")

    def _request_finish(self) -> None:
        self._finishing = True
        if not self.is_open and self.phase in (Phase.WAITING, Phase.STOPPED):
            self._tasks.append(self._finish)  # after what was wanted before, as an episode's end

    def _finish(self) -> None:
        self.phase, self.message = Phase.FINISHED, self.failed
        self._tasks.clear()
