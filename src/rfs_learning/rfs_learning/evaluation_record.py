"""The file that an evaluation leaves: outcomes, and all that is needed to run the same episodes again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rfs_policy.checkpoint import write_atomically
from rfs_sim_bridge.robot_shift import TRAINING_ROBOT
from rfs_sim_bridge.task_config import TaskConfig

from rfs_learning.evaluation_table import rows_of
from rfs_learning.protocol import Protocol
from rfs_learning.robot_choice import RobotChoice
from rfs_learning.rollout import Trial

FORMAT = "rfs-evaluation"
VERSION = 1


@dataclass(frozen=True)
class EvaluationRecord:
    """What ran, and what came of it.

    name: of the method, for people; records of one name are runs of it from several training seeds. policy,
    modulation: hashes ("" without a modulation); checkpoint, modulation_file: from where they were loaded.
    through: "process", or "ros" for the nodes in lockstep. robot: as it was
    chosen; task: the settings, with the shift of this robot in them.
    """

    name: str
    policy: str
    checkpoint: str
    policy_seed: int
    task: TaskConfig
    robot: RobotChoice
    trials: tuple[Trial, ...]
    modulation: str = ""
    modulation_file: str = ""
    through: str = "process"
    protocol: Protocol | None = None

    @property
    def robot_words(self) -> str:
        """The simulated robot, for people."""
        own = self.robot.robot == "sim" and self.task.shift != TRAINING_ROBOT
        return "shifted robot of the task's settings" if own else self.robot.describe()

    def rows(self) -> list[dict[str, Any]]:
        """By object, by the protocol's groups, and in total."""
        return rows_of(self.trials, self.protocol.groups() if self.protocol else {})

    def write(self, file: Path) -> None:
        """As JSON, complete or not at all."""
        content: dict[str, Any] = {"format": FORMAT, "version": VERSION, "rows": self.rows()}
        for name in self.__dataclass_fields__:
            content[name] = getattr(self, name)
        content |= self.robot.to_dict()
        content["task"] = self.task.to_dict()
        content["protocol"] = asdict(self.protocol) if self.protocol else None
        content["trials"] = [asdict(trial) for trial in self.trials]
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def read(cls, file: Path) -> Self:
        """What `write` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is something else, or of another version.
        """
        if not file.is_file():
            raise FileNotFoundError(f"there is no evaluation at {file}: './rfs evaluate --json' writes one")
        try:
            content = json.loads(file.read_text())
            if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
                raise ValueError(f"it does not say that it is {FORMAT}, version {VERSION}")
            return cls._from_json(content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"'{file}' is not an evaluation that can be read here ({error}): "
                "write one with './rfs evaluate --json', or take evaluation.json of a './rfs demo' run"
            ) from error

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> Self:
        values = {name: content[name] for name in cls.__dataclass_fields__}
        values["robot"] = RobotChoice(content["robot"], content["severity"])
        values["task"] = TaskConfig.from_dict(values["task"])
        if values["protocol"] is not None:
            values["protocol"] = Protocol.from_dict(values["protocol"])
        values["trials"] = tuple(_trial(entry) for entry in values["trials"])
        return cls(**values)


def _trial(entry: Mapping[str, Any]) -> Trial:
    place = entry["place"]
    known = {"place": None if place is None else tuple(place), "rewards": tuple(entry["rewards"])}
    return Trial(**{**entry, **known})
