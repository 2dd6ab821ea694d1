"""A transition dataset in memory as offline RL needs it: features of the frozen encoder computed once, a0 of
every base action, rewards, and what was kept out and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from rfs_policy.torch_base import TorchBase
from torch import Tensor

from rfs_learning.offline.data_noise import find_noise
from rfs_learning.offline.offline_batch import OfflineBatch, Seen
from rfs_learning.offline.offline_config import OfflineConfig
from rfs_learning.transitions import TransitionDataset

FEWEST_EPISODES = 10
_BATCH = 64


@dataclass(frozen=True)
class OfflineData:
    """N transitions over T observations.

    Rewards are such that Q is a mean reward: (1 - gamma) r, and all of r at a success, whose state goes on
    paying its reward forever. Without the latter an episode would lose all of its future by succeeding, since
    the reward is positive everywhere. `outcome` is the same over the rest of the recorded episode; one that
    ends without success counts as going on with its last reward.

    Attributes:
        seen: cloud (T, P, 3) float16, P = 0 where it is not needed; state (T, S); context (T, C).
        row: (N,) observation at which a transition begins; it leads to the next one.
        base_action, action, residual: (N, D), the residual within its bounds; noise: (N, H, D).
        reward, outcome, done, follows: (N,); following: (N,) the transition that begins where this one ends,
            or itself.
        episode: (N,) number of its episode.
        told: JSON data: counts, what was kept out, how a0 was found; notes: sentences for people.
    """

    seen: Seen
    row: Tensor
    base_action: Tensor
    action: Tensor
    residual: Tensor
    noise: Tensor
    reward: Tensor
    outcome: Tensor
    done: Tensor
    following: Tensor
    follows: Tensor
    episode: Tensor
    told: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, dataset: TransitionDataset, base: TorchBase, config: OfflineConfig) -> "OfflineData":
        """Read a dataset for this base.

        Raises:
            ValueError: another layout or base, or nothing that can be learned from; the text says what.
        """
        base.layout.require_same(dataset.layout, what=f"dataset '{dataset.path}'")
        return _Loading(dataset, base, config).data()

    def __len__(self) -> int:
        return len(self.row)

    def split(self, share: float, seed: int) -> tuple[Tensor, Tensor]:
        """Transitions for training and for validation; whole episodes go to one side."""
        numbers = self.episode.unique()
        order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed))
        held = torch.isin(self.episode, numbers[order[: round(share * len(numbers))]])
        return (~held).nonzero()[:, 0], held.nonzero()[:, 0]

    def batch(self, index: Tensor) -> OfflineBatch:
        """The transitions at index (B,)."""
        row = self.row[index]
        return OfflineBatch(
            now=self._at(row),
            base_action=self.base_action[index],
            action=self.action[index],
            residual=self.residual[index],
            noise=self.noise[index],
            reward=self.reward[index],
            outcome=self.outcome[index],
            done=self.done[index],
            then=self._at(row + 1),
            next_action=self.action[self.following[index]],
            follows=self.follows[index],
        )

    def _at(self, row: Tensor) -> Seen:
        seen = self.seen
        return Seen(seen.cloud[row].float(), seen.state[row], seen.context[row])


def outcomes(reward: np.ndarray, follows: np.ndarray, discount: float) -> np.ndarray:
    """(N,) discounted mean of the rewards (N,) from each transition on; where none `follows`, the reward goes
    on forever.
    """
    result = reward.astype(np.float32).copy()
    for k in np.flatnonzero(follows)[::-1]:
        result[k] = (1.0 - discount) * reward[k] + discount * result[k + 1]
    return result


class _Loading:
    """One dataset being read: which rows are left, and why the others are not."""

    def __init__(self, dataset: TransitionDataset, base: TorchBase, config: OfflineConfig) -> None:
        self._dataset, self._base, self._config = dataset, base, config
        self._rows = dataset.rows()
        self._episode = np.searchsorted(dataset.episode_ends, self._rows, side="right")
        self._left_out: dict[str, int] = {}
        if not len(self._rows):
            raise ValueError(f"{dataset.path} holds no transition: build it with './rfs dataset build BAGS'")
        self._keep_out(~self._of_this_base(), "of another base policy")
        self._keep_out(~np.isfinite(self._column("reward")), "without reward")
        self._keep_out(~np.isfinite(self._column("base_action")).all(1), "without base action")
        self._require_some("none was recorded with this base policy, with rewards and base actions")

    def data(self) -> OfflineData:
        seen = self._seen()
        context = seen.context[torch.from_numpy(self._rows)]
        found = find_noise(self._base, self._config, context, self._chunks(), self._tensor("noise"))
        self._keep_out(~found.plausible.numpy(), "a0 not recovered")
        self._require_some(
            "the noise behind no base action could be found: give the base policy that acted with --policy"
        )
        noise = found.noise[found.plausible]
        base_action, action = self._tensor("base_action"), self._tensor("action")
        follows = np.append(np.diff(self._rows) == 1, False) & np.append(np.diff(self._episode) == 0, False)
        done, reward = self._tensor("done").float(), self._tensor("reward")
        discount = self._config.discount
        data = OfflineData(
            seen=seen,
            row=torch.from_numpy(self._rows),
            base_action=base_action,
            action=action,
            residual=self._bounded(action - base_action),
            noise=noise,
            reward=reward * torch.where(done > 0, 1.0, 1.0 - discount),
            outcome=torch.from_numpy(outcomes(reward.numpy(), follows, discount)),
            done=done,
            following=torch.from_numpy(np.arange(len(follows)) + follows),
            follows=torch.from_numpy(follows).float(),
            episode=torch.from_numpy(self._episode),
        )
        return _described(data, self._dataset, found.told, self._left_out)

    def _seen(self) -> Seen:
        """All observations; clouds are kept where an encoder is trained on them."""
        dataset, total = self._dataset, self._dataset.steps
        own = self._config.encoder == "own"
        state = torch.from_numpy(dataset.array("state")[:total])
        clouds, contexts = [], []
        with torch.no_grad():
            for first in range(0, total, _BATCH):
                part = slice(first, min(first + _BATCH, total))
                cloud = torch.from_numpy(dataset.array("point_cloud")[part])
                contexts.append(self._base.network.encode(cloud, state[part]))
                clouds.append(cloud.half() if own else cloud[:, :0].half())
        return Seen(torch.cat(clouds), state, torch.cat(contexts))

    def _chunks(self) -> Tensor:
        """(n, H, D) base actions of whole chunks, NaN where a dataset did not keep them."""
        layout = self._base.layout
        try:
            return self._tensor("base_chunk")
        except KeyError:
            chunks = torch.full((len(self._rows), layout.horizon, layout.action_dim), torch.nan)
            chunks[:, 0] = self._tensor("base_action")
            return chunks

    def _of_this_base(self) -> np.ndarray:
        recorded = np.array([str(name) for name in self._dataset.array("checkpoint")[: len(self._dataset)]])
        wrong = sorted(set(recorded) - {self._base.id, ""})
        if len(wrong) == len(set(recorded)):
            names = ", ".join(name[:12] for name in wrong)
            raise ValueError(
                f"{self._dataset.path} was recorded with base policy {names}, not with {self._base.id[:12]}: "
                "give that policy with --policy, or collect episodes with this one"
            )
        return np.isin(recorded, [self._base.id, ""])[self._episode]

    def _bounded(self, residual: Tensor) -> Tensor:
        """a_r as the modulation can choose it: an operator on top of a policy's residual goes further."""
        largest = torch.tensor(self._config.residual_bound)
        parts = torch.from_numpy(self._config.modulation().residual_parts(self._base.layout))
        length = (residual.square() @ parts).sqrt()
        return residual * (largest / length.clamp(min=1e-12)).clamp(max=1.0)

    def _column(self, name: str) -> np.ndarray:
        return self._dataset.array(name).get_orthogonal_selection((self._rows,))

    def _tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self._column(name))

    def _keep_out(self, out: Any, why: str) -> None:
        if out.any():
            self._left_out[why] = int(out.sum())
            self._rows, self._episode = self._rows[~out], self._episode[~out]

    def _require_some(self, what: str) -> None:
        if not len(self._rows):
            counts = ", ".join(f"{count} {why}" for why, count in self._left_out.items())
            raise ValueError(f"no transition of {self._dataset.path} is left ({counts}): {what}")


def _described(
    data: OfflineData, dataset: TransitionDataset, noise: Mapping[str, Any], left_out: Mapping[str, int]
) -> OfflineData:
    """With its figures, and with a sentence about each thing that is missing in it."""
    episodes = data.episode.unique().tolist()
    outcomes = [str(dataset.array("outcome")[number]) for number in episodes]
    corrected = int(data.residual.abs().amax(1).gt(0).sum())
    told = {
        "transitions": len(data),
        "episodes": len(episodes),
        "failures": outcomes.count("failure"),
        "corrected": corrected,
        "left_out": dict(left_out),
        "noise": dict(noise),
    }
    notes = [f"{count} transitions left out: {why}" for why, count in left_out.items()]
    if len(episodes) < FEWEST_EPISODES:
        notes.append(
            f"{len(episodes)} episodes are few: collect at least {FEWEST_EPISODES}, better 50, with "
            "'./rfs launch collect'"
        )
    if not corrected:
        notes.append(
            "nothing was corrected: a residual of 0 is all there is to imitate. Nudge the robot while the "
            "hand comes down (docs/collect.md)"
        )
    if not outcomes.count("failure"):
        notes.append("no episode failed: values cannot tell what goes wrong. Keep the failures as well")
    return OfflineData(**{**vars(data), "told": told, "notes": tuple(notes)})
