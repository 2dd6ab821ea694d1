"""Tells what a session does: in the terminal, and on `/rfs/session`."""

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from rfs_msgs.msg import SessionStatus
from rfs_teleop.session import Session
from rfs_teleop.session_commands import Phase
from rfs_teleop.session_diary import SessionDiary

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_FAREWELL = Duration(seconds=1)


class SessionVoice:
    """Says each thing once per change. `name` and `operator` are the session's."""

    def __init__(self, node: Node, name: str, operator: str) -> None:
        self._node, self._name, self._operator = node, name, operator
        self._published = self._told = ""
        self._publisher = node.create_publisher(SessionStatus, "/rfs/session", _LATCHED)

    def tell(self, session: Session, diary: SessionDiary) -> None:
        """What is new."""
        for line in diary.lines():
            print(line, flush=True)
        if session.message != self._told:
            self._told = session.message
            if session.message:
                print(f"{session.phase.name.lower()}: {session.message}", flush=True)
        status = self._status(session, diary)
        if str(status) != self._published:
            self._published = str(status)
            status.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(status)

    def _status(self, session: Session, diary: SessionDiary) -> SessionStatus:
        return SessionStatus(
            session=self._name,
            operator_name=self._operator,
            state=int(_shown_phase(session)),
            episode=session.number,
            planned=session.plan.episodes,
            successes=session.tally.successes,
            failures=session.tally.failures,
            discarded=session.tally.discarded,
            object=session.object,
            last=diary.last,
            message=session.message,
        )

    def farewell(self) -> None:
        """Wait until those who watch have heard the last word."""
        self._publisher.wait_for_all_acked(_FAREWELL)


def _shown_phase(session: Session) -> Phase:
    """At the time limit the episode still runs for the operator: the buttons that mark it must act."""
    return Phase.RUNNING if session.time_over and session.phase == Phase.PAUSED else session.phase
