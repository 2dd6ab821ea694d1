"""The policy's action that waits for the operator's answer."""

from rfs_control.correction import Correction
from rfs_control.operator_link import OperatorLink
from rfs_control.policy_chunk import PolicyChunk


class Pending:
    """Holds one chunk of the policy until the correction of its observation is there, or was waited for.

    Args:
        operator: who answers; None: nobody, so nothing waits.
        wait: how long at most, s; None: as long as it takes.
    """

    def __init__(self, operator: OperatorLink | None, wait: float | None) -> None:
        self.chunk: PolicyChunk | None = None
        self._operator, self._wait = operator, wait
        self._since = 0.0

    def put(self, chunk: PolicyChunk, now: float) -> None:
        """A new one, at monotonic time `now`, s."""
        if self.chunk is None:  # else it takes another's place and has no more time, or a flood would wait on
            self._since = now
        self.chunk = chunk

    def drop(self) -> None:
        """It will not be executed."""
        self.chunk = None

    def take(self, now: float) -> tuple[PolicyChunk, Correction | None] | None:
        """The chunk and its correction, if it need not wait any longer."""
        chunk, correction = self.chunk, None
        if chunk is None:
            return None
        if self._operator is not None:
            correction = self._operator.answer(chunk.stamp)
            if correction is None and (self._wait is None or now - self._since < self._wait):
                return None
        self.chunk = None
        return chunk, correction
