"""The robot's command and state as it goes from tick to tick: engaged, moved, held, paused, stopped."""

import numpy as np
from rfs_description.joint_states import JointStates

from rfs_control.correction import Correction
from rfs_control.limits import Limit, Limits
from rfs_control.operator_link import OperatorLink
from rfs_control.policy_chunk import PolicyChunk
from rfs_control.setpoint import Setpoint
from rfs_control.tick import LATCHED, Counts, State, Tick

_NOT_ENGAGED = "not engaged"


class Motion:
    """Makes the ticks; the executor decides when. Stamps are ns.

    `setpoint` is None while nothing was latched; `last` is the newest tick that answered an observation.
    """

    def __init__(self, limits: Limits, operator: OperatorLink | None) -> None:
        self.state, self.reason = State.HOLDING, _NOT_ENGAGED
        self.counts = Counts()
        self.setpoint: Setpoint | None = None
        self.last: Tick | None = None
        self._limits = limits
        self._operator = operator

    @property
    def following(self) -> bool:
        """Whether the next usable action is executed."""
        return self.setpoint is not None and self.state not in LATCHED

    def latch(self, joints: JointStates) -> Tick:
        """Command what the joints are measured at."""
        self.setpoint, self.last = Setpoint(joints.positions, self._limits), None
        self.set(State.HOLDING, "no policy action")
        return Tick(joints.stamp, self.state, self.reason, self.setpoint.command)

    def let_go(self) -> None:
        """Command nothing; what was sent last stands."""
        self.setpoint = None
        self.set(State.HOLDING, _NOT_ENGAGED)

    def move(self, chunk: PolicyChunk, index: int, correction: Correction | None) -> Tick:
        """Execute an action of a chunk with the operator's residual."""
        assert self.setpoint is not None
        human, bound = None, Limit.NONE
        if self._operator is not None:
            human, bound = self._operator.taken(correction, self.setpoint.palm_height)
        action = chunk.base[index] + chunk.residual[index]
        if human is not None:
            action = action + human
        executed, limits = self.setpoint.move(action)
        self.set(State.AUTONOMOUS if human is None else State.CORRECTING, "")
        self.counts.executed += 1
        self.counts.corrected += human is not None
        self.last = Tick(
            stamp=chunk.stamp + round(index * self._limits.period * 1e9),
            state=self.state,
            reason="",
            command=self.setpoint.command,
            limits=limits | bound,
            chunk_index=index,
            correction_stamp=0 if correction is None else correction.read,
            base_action=chunk.base[index],
            policy_residual=chunk.residual[index],
            human_residual=np.zeros_like(action) if human is None else human,
            action=action,
            executed=executed,
        )
        return self.last

    def hold(self, stamp: int, reason: str) -> Tick:
        """Answer an observation with the command as it is."""
        self.set(State.HOLDING, reason)
        self.counts.held += 1
        self.last = self.unmoved(stamp)
        return self.last

    def unmoved(self, stamp: int) -> Tick:
        """The present state, with the command as it is."""
        assert self.setpoint is not None
        still = self.setpoint.still()
        return Tick(stamp, self.state, self.reason, self.setpoint.command, executed=still)

    def set(self, state: State, reason: str) -> None:
        """Be in a state, and why."""
        self.state, self.reason = state, reason
