"""What an operator may ask of a session, and when; every refusal is a sentence. No ROS."""

from enum import IntEnum


class Phase(IntEnum):
    """STATE_* of `rfs_msgs/SessionStatus`."""

    WAITING = 0
    RESETTING = 1
    RUNNING = 2
    PAUSED = 3
    STOPPED = 4
    FINISHED = 5


class Command(IntEnum):
    """Of `rfs_msgs/OperatorCommand`."""

    START = 1
    SUCCESS = 2
    FAILURE = 3
    DISCARD = 4
    PAUSE = 5
    RESUME = 6
    STOP = 7
    RELEASE = 8
    FINISH = 9


MARKS = {Command.SUCCESS: "success", Command.FAILURE: "failure", Command.DISCARD: "discarded"}
"""Commands that end an episode, and its outcome."""
_RELEASE_FIRST = "the robot is stopped: release the stop first"
_MARK_FIRST = "an episode is running: mark it success, failure or discard first"
_GETTING_READY = "an episode is just being ended or made ready: wait a moment"


def refusal(command: Command, phase: Phase, is_open: bool, time_over: bool) -> str:
    """Why a command makes no sense now, and what to do; empty when it does.

    is_open: an episode has begun and is not marked. time_over: its time limit is reached.
    """
    if phase == Phase.FINISHED:
        return "the session is finished: start another one"
    if command in MARKS:
        return _cannot_mark(phase, is_open)
    rules = {Command.START: _cannot_start, Command.PAUSE: _cannot_pause, Command.RESUME: _cannot_resume}
    if command in rules:
        return rules[command](phase, time_over)
    if command == Command.RELEASE and phase in (Phase.RUNNING, Phase.RESETTING):
        return "the robot is not stopped"
    return ""


def _cannot_mark(phase: Phase, is_open: bool) -> str:
    if is_open:
        return ""
    return _GETTING_READY if phase == Phase.RESETTING else "no episode is running: start one first"


def _cannot_start(phase: Phase, time_over: bool) -> str:
    if phase == Phase.PAUSED:
        return _cannot_resume(phase, time_over)
    reasons = {
        Phase.RESETTING: _GETTING_READY,
        Phase.RUNNING: _MARK_FIRST,
        Phase.STOPPED: _RELEASE_FIRST,
    }
    return reasons.get(phase, "")


def _cannot_pause(phase: Phase, time_over: bool) -> str:
    reasons = {Phase.RUNNING: "", Phase.PAUSED: "the episode is paused already"}
    return reasons.get(phase, "no episode is running that could be paused")


def _cannot_resume(phase: Phase, time_over: bool) -> str:
    if phase == Phase.STOPPED:
        return _RELEASE_FIRST
    if phase != Phase.PAUSED:
        return "no episode is paused"
    return "the time of this episode is over: mark it success, failure or discard" if time_over else ""
