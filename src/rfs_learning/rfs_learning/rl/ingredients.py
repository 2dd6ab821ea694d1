"""What the action spaces of a task are made from: demonstrations, and the frozen bases trained on them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rfs_policy.checkpoint import write_atomically

from rfs_learning.rl.base_training import train_base
from rfs_learning.rl.demonstrations import Demonstrations, collect
from rfs_learning.rl.flow_base import FlowBase, Kind, base_layout
from rfs_learning.rl.rl_config import RlConfig, RlTask

DEMONSTRATIONS_FILE, HAND_FILE, HAND_ARM_FILE = (
    "demonstrations.safetensors",
    "hand.safetensors",
    "arm.safetensors",
)
RECORD_FILE = "bases.json"
_SECTIONS = ("demonstrations", "base")


@dataclass(frozen=True)
class Ingredients:
    """Demonstrations of one task, and the bases of the "hand" and the "hand + arm" rows."""

    demonstrations: Demonstrations
    hand: FlowBase
    hand_arm: FlowBase

    @classmethod
    def prepare(cls, task: RlTask, config: RlConfig, folder: Path) -> "Ingredients":
        """Read them from a folder; make and keep there what is missing. Some minutes the first time.

        Raises:
            ValueError: those in the folder were made with other settings.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _require_same(folder, config, task)
        demonstrations = _demonstrations(task, config, folder / DEMONSTRATIONS_FILE)
        hand = _base("hand", demonstrations, config, folder / HAND_FILE)
        return cls(demonstrations, hand, _base("hand_arm", demonstrations, config, folder / HAND_ARM_FILE))


def _require_same(folder: Path, config: RlConfig, task: RlTask) -> None:
    """The settings that decide about them stand beside them."""
    file, values = folder / RECORD_FILE, {name: asdict(getattr(config, name)) for name in _SECTIONS}
    clock = {name: getattr(task.task, name) for name in ("control_rate", "timestep", "episode_seconds")}
    task_settings = {"objects": list(task.objects), **clock}
    now = json.loads(json.dumps({**values, "task": task_settings}))
    if not file.is_file():
        write_atomically(file, (json.dumps(now, indent=2) + "\n").encode())
        return
    before = json.loads(file.read_text())
    different = [name for name in now if before.get(name) != now[name]]
    if different:
        raise ValueError(
            f"demonstrations and bases in '{folder}' were made with other settings ({', '.join(different)}): "
            "choose another folder, or delete that one"
        )


def _demonstrations(task: RlTask, config: RlConfig, file: Path) -> Demonstrations:
    if not file.is_file():
        collect(task.objects, task.task, config.demonstrations).save(file)
    return Demonstrations.load(file)


def _base(kind: Kind, demonstrations: Demonstrations, config: RlConfig, file: Path) -> FlowBase:
    if not file.is_file():
        train_base(kind, demonstrations, config.base).save(file, {"training": asdict(config.base)})
    return FlowBase.load(file, base_layout(kind, config.base.horizon, demonstrations.rate))
