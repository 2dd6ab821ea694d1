"""From a bag to the transitions of its episode, aligned by measured stamps. Rates are never assumed.

A transition begins at each tick of the policy whose first action was executed, autonomously or corrected, if

- the policy's next tick observed about one control period later (0.5 to 1.5 of it) and saw the command that
  this action led to, so that nothing else moved the robot in between (hold, pause, later action of a chunk);
- a reward was measured within half a period of that next observation, and it is known: where the object was
  lost there is none.

Rewards and success are those that were recorded, or `MeasuredRewards` that are given. The last transition may
lead to an observation on which the policy no longer acted. `done` marks the first transition to an
observation with success, or the episode's last one where a person called it a success; what comes after is
left out. The end of an unsuccessful episode is not terminal: what the person said counts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfs_policy.layout import LAYOUTS, Layout
from rfs_policy.stamps import nanoseconds
from rfs_teleop.bag_index import IndexedBag

from rfs_learning.bag_observations import JOINT_STATES, MissingError, Observed, RecordedStates, read_clouds
from rfs_learning.measured_rewards import MeasuredRewards
from rfs_learning.transitions import EpisodeTransitions, columns_of

_ACTION, _EXECUTED, _REWARD = "/rfs/policy_action", "/rfs/executed_action", "/rfs/reward"
_TYPES = {
    _ACTION: "rfs_msgs/msg/PolicyAction",
    _EXECUTED: "rfs_msgs/msg/ExecutedAction",
    "/camera/points": "sensor_msgs/msg/PointCloud2",
    JOINT_STATES: "sensor_msgs/msg/JointState",
}
_AUTONOMOUS, _CORRECTING = 1, 2  # STATE_* of ExecutedAction
_WHY_NOT = {0: "held", 3: "paused", 4: "stopped"}
_COPIED = ("base_action", "policy_residual", "human_residual", "action", "executed")
Row = dict[str, Any]


def read_episode(
    bag: IndexedBag, expected: Layout | None = None, rewards: MeasuredRewards | None = None
) -> tuple[Layout, EpisodeTransitions]:
    """The transitions of a bag, and the layout of the policy that acted in it.

    rewards: to be taken in place of the recorded ones.

    Raises:
        ValueError: why the bag cannot be used; among others when its layout is not the expected one.
    """
    _require_ours(bag, {} if rewards else {_REWARD: "rfs_msgs/msg/GraspReward"})
    episode = _Episode(bag, rewards)
    if expected is not None:
        expected.require_same(episode.layout, what="the bag")
    rows, dropped = episode.rows()
    if not any(row.get("transition") for row in rows):
        raise ValueError(f"no transition in it ({_listed(dropped) or 'the policy did not act'})")
    columns = _columns(rows, episode.layout)
    source = episode.rewards.source
    return episode.layout, EpisodeTransitions(columns, bag.contract, bag.name, bag.began, dropped, source)


def _require_ours(bag: IndexedBag, more: Mapping[str, str]) -> None:
    if not bag.contract:
        raise ValueError("foreign: it holds no episode of this project's recorder")
    for topic, kind in {**_TYPES, **more}.items():
        if bag.types.get(topic) != kind:
            raise ValueError(f"foreign: it has no {topic} of type {kind}")
    if bag.contract.get("outcome") == "discarded":
        raise ValueError("the operator discarded it")


@dataclass
class _Tick:
    """One decision of the policy: what it observed, its message, and the answer of the executor if any."""

    observed: Observed
    action: Any
    executed: Any = None


class _Episode:
    """Everything of a bag but its clouds."""

    def __init__(self, bag: IndexedBag, rewards: MeasuredRewards | None) -> None:
        joints, decoded = [], {_ACTION: [], _EXECUTED: [], _REWARD: []}
        for raw in bag.raw([JOINT_STATES, *decoded]):
            if raw.topic == JOINT_STATES:
                joints.append(raw)
            else:
                decoded[raw.topic].append(bag.decode(raw))
        self.layout = _layout(decoded[_ACTION], bag.contract)
        self.period = 1e9 / self.layout.rate_hz
        self.bag = bag
        self._states = RecordedStates(bag, joints, decoded[_EXECUTED])
        self._ticks = _ticks(decoded[_ACTION], decoded[_EXECUTED])
        self.rewards = rewards or MeasuredRewards.recorded(decoded[_REWARD])

    def rows(self) -> tuple[list[Row], Counter[str]]:
        """Observations from or to which a transition leads; and how many ticks were left out, by reason."""
        dropped: Counter[str] = Counter()
        rows = self._observations(dropped)
        for row, following in zip_longest(rows, rows[1:]):
            reason = self._link(row, following)
            if reason:
                dropped[reason] += 1
        self._end(rows, dropped)
        return [b for a, b in pairwise([{}, *rows]) if a.get("transition") or b.get("transition")], dropped

    def _observations(self, dropped: Counter[str]) -> list[Row]:
        last = self._ticks[-1]
        wanted = [tick.observed.stamp for tick in self._ticks]
        due, tolerance = round(wanted[-1] + self.period), round(0.5 * self.period)
        clouds, final = read_clouds(self.bag, wanted, self.layout, due, tolerance)
        ticks = list(self._ticks)
        if final and last.executed is not None:  # what the last action led to
            joints = self._states.newest_joints(final)
            ticks.append(_Tick(Observed(final, joints, wanted[-1], 2**63 - 1), None))
        rows = []
        for tick in ticks:
            try:
                if tick.observed.stamp not in clouds:
                    raise MissingError("no cloud")
                state = self._states.state(tick.observed)
            except MissingError as error:
                dropped[str(error)] += tick.action is not None
            else:
                rows.append({"tick": tick, "point_cloud": clouds[tick.observed.stamp], "state": state})
        return rows

    def _link(self, row: Row, following: Row | None) -> str:
        """Make a transition of a row to the following one, or say why there is none (empty: the end)."""
        tick = row["tick"]
        if tick.action is None or (following is None and tick is self._ticks[-1]):
            return ""
        if tick.executed is None:
            return "not executed"
        if tick.executed.state not in (_AUTONOMOUS, _CORRECTING):
            return _WHY_NOT.get(tick.executed.state, "not executed")
        stamp = tick.observed.stamp
        then = following["tick"].observed if following else None
        if then is None or abs(then.stamp - stamp - self.period) > 0.5 * self.period:
            return "no successor"
        if then.command_stamp != stamp:
            return "another command in between"
        rewards = self.rewards
        index = rewards.near(then.stamp, 0.5 * self.period)
        if index is None:
            return "no reward"
        if np.isnan(rewards.reward[index]):
            return "object lost"
        row["transition"], row["reward_stamp"] = True, rewards.stamp[index]
        row["reward"], row["success"] = rewards.reward[index], rewards.success[index]
        return ""

    def _end(self, rows: list[Row], dropped: Counter[str]) -> None:
        """Mark the terminal transition, and cut off what comes after it."""
        outcome = self.bag.contract.get("outcome")
        linked = [row for row in rows if row.get("transition")]
        if outcome == "failure" or not linked:
            return
        successes = [index for index, row in enumerate(linked) if row["success"]]
        if successes or outcome == "success":
            end = successes[0] if successes else len(linked) - 1
            linked[end]["done"] = True
            for row in linked[end + 1 :]:
                del row["transition"]
                dropped["after success"] += 1


def _layout(actions: list[Any], contract: dict[str, str]) -> Layout:
    """Layout of the policy, from what its messages say and the recorded rate."""
    if not actions:
        raise ValueError("the policy never acted in it")
    first = actions[0]
    if getattr(first, "joint_stamp", None) is None or not nanoseconds(first.joint_stamp):
        raise ValueError("too old: its policy actions do not name the joint states that were observed")
    if first.layout not in LAYOUTS:
        raise ValueError(f"its action layout '{first.layout}' is unknown")
    base = LAYOUTS[first.layout]
    layout = Layout(
        base.name,
        base.action_names,
        base.state_names,
        horizon=int(first.horizon),
        rate_hz=float(contract.get("rate_hz", "") or base.rate_hz),
        cloud_points=base.cloud_points,
    )
    sizes = (first.layout, first.horizon, layout.action_dim)
    if any((a.layout, a.horizon, a.action_dim) != sizes for a in actions):
        raise ValueError("its policy actions have several layouts")
    if len({(a.checkpoint, getattr(a, "modulation", "")) for a in actions}) > 1:
        raise ValueError("several policies acted in it: its policy actions name several checkpoints")
    return layout


def _ticks(actions: list[Any], executed: list[Any]) -> list[_Tick]:
    """The policy's decisions in order of their observations; one that was sent again counts once."""
    answers: dict[int, Any] = {}
    for message in executed:
        if len(message.executed) and message.chunk_index == 0:
            answers.setdefault(nanoseconds(message.header.stamp), message)
    ticks: dict[int, _Tick] = {}
    for action in actions:
        stamps = (action.observation_stamp, action.joint_stamp, action.command_stamp, action.header.stamp)
        observed = Observed(*map(nanoseconds, stamps))
        ticks.setdefault(observed.stamp, _Tick(observed, action, answers.get(observed.stamp)))
    return [ticks[stamp] for stamp in sorted(ticks)]


def _columns(rows: list[Row], layout: Layout) -> dict[str, NDArray]:
    columns = {
        name: np.zeros((len(rows), *column.shape), column.dtype)
        for name, column in columns_of(layout).items()
    }
    for index, row in enumerate(rows):
        tick: _Tick = row.pop("tick")
        for name in ("stamp", "joint_stamp", "command_stamp"):
            columns[name][index] = getattr(tick.observed, name)
        if row.get("transition"):
            for name in _COPIED:
                columns[name][index] = getattr(tick.executed, name)
            for name, logged in (("noise", tick.action.noise), ("base_chunk", tick.action.base_action)):
                known = logged.reshape(columns[name][index].shape) if len(logged) else np.nan
                columns[name][index] = known
            columns["intervened"][index] = bool(np.any(tick.executed.human_residual))
        else:
            row = {name: row[name] for name in ("point_cloud", "state")}
        for name, value in row.items():
            columns[name][index] = value
    return columns


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
