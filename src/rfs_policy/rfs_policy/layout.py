"""What every number of an action and of the proprioceptive state means; stored in each checkpoint."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from rfs_description.robot import ARM_JOINTS, HAND_JOINTS, JOINTS

STATE_NAMES = (
    *(f"measured/{name}" for name in JOINTS),
    *(f"command/palm_position_{axis}" for axis in "xyz"),
    *(f"command/palm_rotation_column{column}_{axis}" for column in (0, 1) for axis in "xyz"),
    *(f"command/{name}" for name in HAND_JOINTS),
)

# Where the parts of the 48-number state lie.
STATE_JOINTS = slice(0, 23)
STATE_PALM_POSITION = slice(23, 26)
STATE_PALM_ROTATION = slice(26, 32)
STATE_COMMAND_FINGERS = slice(32, 48)


@dataclass(frozen=True)
class Layout:
    """Names and sizes of the arrays that a policy reads and writes.

    `action_names` has D entries, `state_names` S entries. A policy predicts `horizon` actions, `1 / rate_hz`
    seconds apart, from `cloud_points` points (x, y, z in m, base frame).
    """

    name: str
    action_names: tuple[str, ...]
    state_names: tuple[str, ...] = STATE_NAMES
    horizon: int = 2
    rate_hz: float = 10.0
    cloud_points: int = 1024

    @property
    def action_dim(self) -> int:
        """D, numbers in one action."""
        return len(self.action_names)

    @property
    def state_dim(self) -> int:
        """Numbers in the proprioceptive state."""
        return len(self.state_names)

    def to_json(self) -> str:
        """One line of JSON; `from_json` gives an equal layout back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Layout":
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not JSON, or a field is missing, unknown or of the wrong kind.
        """
        try:
            return cls(**_checked_fields(json.loads(text)))
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            raise ValueError(f"not a layout ({error}); use what this project wrote") from error

    def require_same(self, other: "Layout", what: str = "the other side") -> None:
        """Check that data of one side may go to the other.

        Raises:
            ValueError: naming every field that differs.
        """
        mine, theirs = asdict(self), asdict(other)
        different = [f"{key}: {_short(mine[key], theirs[key])}" for key in mine if mine[key] != theirs[key]]
        if different:
            raise ValueError(
                f"layout '{self.name}' does not match layout '{other.name}' of {what}: "
                + "; ".join(different)
                + ". Use a checkpoint and data of one layout, horizon and rate."
            )


def _checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Types of the JSON restored: tuples of strings, numbers."""
    return {
        **fields,
        "name": str(fields["name"]),
        "action_names": tuple(str(name) for name in fields["action_names"]),
        "state_names": tuple(str(name) for name in fields["state_names"]),
        "horizon": int(fields["horizon"]),
        "rate_hz": float(fields["rate_hz"]),
        "cloud_points": int(fields["cloud_points"]),
    }


def _short(mine: Any, theirs: Any) -> str:
    """Difference of two values in a few words; lists of names by their length or first difference."""
    if not isinstance(mine, tuple):
        return f"{mine!r} against {theirs!r}"
    if len(mine) != len(theirs):
        return f"{len(mine)} names against {len(theirs)}"
    index = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return f"number {index} is {mine[index]!r} against {theirs[index]!r}"


_FINGER_TARGETS = tuple(f"target/{name}" for name in HAND_JOINTS)

# Palm deltas against the last commanded palm pose, base frame (m; rotation vector in rad, multiplied from the
# left), then absolute finger targets (rad). Additive, so that a = a_b + a_r holds.
DELTA_POSE = Layout(
    name="delta_pose_22",
    action_names=(
        *(f"palm_translation_{axis}" for axis in "xyz"),
        *(f"palm_rotation_{axis}" for axis in "xyz"),
        *_FINGER_TARGETS,
    ),
)

# The paper's layout: absolute targets of 7 arm joints and 16 finger joints, rad.
ARM_JOINTS_23 = Layout(
    name="arm_joints_23",
    action_names=(*(f"target/{name}" for name in ARM_JOINTS), *_FINGER_TARGETS),
)

LAYOUTS = {layout.name: layout for layout in (DELTA_POSE, ARM_JOINTS_23)}
