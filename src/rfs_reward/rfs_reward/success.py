"""Success: lifted and held, with hysteresis."""

import numpy as np

from rfs_reward.reward_config import SuccessConfig

_GAP = 0.25  # s: frames farther apart do not show that the object stayed up between them


class HeldLift:
    """Watches the lift, frame by frame, until it was high enough for the hold time; then it stays a success.

    The hold begins at the wanted lift less the tolerance and goes on down to three tolerances below it, so
    that noise at the threshold neither ends nor prevents it. A frame stands for the time since the one
    before it, as in the simulator, which counts control steps.
    """

    def __init__(self, config: SuccessConfig):
        self._config = config
        self.success = False
        self._held = 0.0
        self._last: int | None = None

    def see(self, stamp: int, lift: float) -> bool:
        """Take the lift (m, NaN: not known, which ends a hold) at a stamp (ns, rising); whether it is a
        success."""
        config, since = self._config, self._since(stamp)
        drop = 3 * config.tolerance if self._held > 0 else config.tolerance
        if np.isfinite(lift) and lift >= config.lift - drop:
            self._held += since
        else:
            self._held = 0.0
        self.success |= self._held > 0 and self._held >= config.hold_seconds - 1e-6
        return self.success

    def _since(self, stamp: int) -> float:
        """Seconds since the frame before, at most the gap that one frame can stand for."""
        seconds = 0.0 if self._last is None else (stamp - self._last) * 1e-9
        self._last = stamp
        return min(seconds, _GAP)
