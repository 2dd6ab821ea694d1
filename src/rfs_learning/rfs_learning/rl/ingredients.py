"""What the action spaces of a task are made from: demonstrations, and the frozen bases trained on them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from rfs_learning.rl.base_training import train_base
from rfs_learning.rl.demonstrations import Demonstrations, collect
from rfs_learning.rl.flow_base import FlowBase, Kind, base_layout
from rfs_learning.rl.rl_config import RlConfig, RlTask

DEMONSTRATIONS_FILE, HAND_FILE, HAND_ARM_FILE = (
    "demonstrations.safetensors",
    "hand.safetensors",
    "arm.safetensors",
)


@dataclass(frozen=True)
class Ingredients:
    """Demonstrations of one task, and the bases of the "hand" and the "hand + arm" rows."""

    demonstrations: Demonstrations
    hand: FlowBase
    hand_arm: FlowBase

    @classmethod
    def prepare(cls, task: RlTask, config: RlConfig, folder: Path) -> "Ingredients":
        """Read them from a folder; make and keep there what is missing. Some minutes the first time."""
        folder.mkdir(parents=True, exist_ok=True)
        demonstrations = _demonstrations(task, config, folder / DEMONSTRATIONS_FILE)
        hand = _base("hand", demonstrations, config, folder / HAND_FILE)
        return cls(demonstrations, hand, _base("hand_arm", demonstrations, config, folder / HAND_ARM_FILE))


def _demonstrations(task: RlTask, config: RlConfig, file: Path) -> Demonstrations:
    if not file.is_file():
        collect(task.objects, task.task, config.demonstrations).save(file)
    return Demonstrations.load(file)


def _base(kind: Kind, demonstrations: Demonstrations, config: RlConfig, file: Path) -> FlowBase:
    if not file.is_file():
        record = {"base": asdict(config.base), "demonstrations": asdict(config.demonstrations)}
        train_base(kind, demonstrations, config.base).save(file, record)
    return FlowBase.load(file, base_layout(kind, config.base.horizon, demonstrations.rate))
