"""ReBRAC (Tarasov et al. 2023): TD3 that stays near the data in its actor and in its critic's targets.

Both penalties are on the action that is executed, a_b + a_r, so that a0 is held as well: with TD3+BC only the
residual is.
"""

from torch import Tensor

from rfs_learning.offline.algorithm import Steered
from rfs_learning.offline.offline_batch import OfflineBatch
from rfs_learning.offline.td3_bc import Td3Bc


class ReBrac(Td3Bc):
    """TD3 with two penalties of their own strengths, in units of the action scale."""

    def behavior(self, batch: OfflineBatch, steered: Steered) -> Tensor:
        """(B,) actor_penalty |a - a of the data|^2."""
        return self.config.actor_penalty * self._distance(steered, batch.action)

    def next_penalty(self, batch: OfflineBatch, steered: Steered) -> Tensor:
        """(B,) critic_penalty |a' - a' of the data|^2 where the data go on, scaled as rewards are."""
        strength = (1.0 - self.config.discount) * self.config.critic_penalty
        return strength * batch.follows * self._distance(steered, batch.next_action)

    def _distance(self, steered: Steered, wanted: Tensor) -> Tensor:
        action = steered.base_action + steered.residual
        return ((action - wanted) / self.base.network.action_std).square().mean(1)
