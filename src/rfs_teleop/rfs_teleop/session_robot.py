"""What a session asks of the executor within an episode; each method returns what went wrong. No ROS."""

from collections.abc import Callable

from rfs_teleop.episode_conduct import ServiceError
from rfs_teleop.session_plan import SessionCalls


class SessionRobot:
    """Holds the robot and lets it go on. `engaged`: the policy moves it, apart from pauses."""

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls
        self.engaged = False

    def pause(self) -> str:
        """Hold; the command stands."""
        return _problem(lambda: self._calls.pause(True))

    def go_on(self) -> str:
        """After a pause, or after the robot was let go."""
        if self.engaged:
            return _problem(lambda: self._calls.pause(False))
        problem = _problem(lambda: self._calls.engage(True))
        self.engaged = not problem
        return problem

    def let_go(self) -> str:
        """Hold until it is engaged again."""
        problem = _problem(lambda: self._calls.engage(False))
        self.engaged = self.engaged and bool(problem)
        return problem

    def stop(self) -> str:
        """Latch the stop; where that fails, at least let go."""
        problem = _problem(lambda: self._calls.stop(True))
        return "; ".join(filter(None, [problem, self.let_go() if problem else ""]))

    def release(self) -> str:
        """End a latched stop; the robot stays where it is."""
        return _problem(lambda: self._calls.stop(False)) or self.let_go()


def _problem(call: Callable[[], None]) -> str:
    try:
        call()
    except ServiceError as error:
        return str(error)
    return ""
