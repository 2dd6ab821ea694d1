"""How rewards of one label are made: tracker, weights and configuration. One label never mixes two ways."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rfs_reward.reward_config import RewardConfig
from rfs_reward.weights import CONFIG, TENSORS, find_weights
from rfs_teleop.session_record import write_whole

RECORDED = "recorded"
"""In place of a tracker: the distances and lifts that were recorded, without looking at pictures."""
_PACKAGES = ("rfs_reward", "numpy", "opencv-python-headless", "torch", "transformers")


@dataclass(frozen=True)
class RewardRun:
    """tracker: its name in the registry, or `RECORDED`. weights: of SAM2, as `find_weights` takes them."""

    tracker: str
    weights: str
    config: RewardConfig

    def identity(self) -> dict[str, Any]:
        """What decides about the rewards, as JSON data; weights count by their content, not by their place.

        Raises:
            FileNotFoundError: the weights are not there.
        """
        digest = _digest(find_weights(self.weights)) if self.tracker == "sam2" else ""
        return {"tracker": self.tracker, "weights_sha256": digest, "config": asdict(self.config)}


def claim(folder: Path, identity: Mapping[str, Any]) -> None:
    """Make a label's folder, or go on in one that was made in the same way.

    Raises:
        ValueError: its rewards were made in another way; the text says in which.
    """
    file = folder / "config.json"
    if file.is_file():
        try:
            before = json.loads(file.read_text())["run"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} cannot be read ({error}): remove {folder}") from error
        differing = _differences(before, identity)
        if differing:
            way_out = f"give another --label, or remove {folder}"
            raise ValueError(
                f"rewards '{folder.name}' were made with another {', '.join(differing)}: {way_out}"
            )
        return
    content = {"label": folder.name, "run": identity, "versions": versions()}
    write_whole(file, json.dumps(content, indent=1) + "\n")


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """`setting (old instead of new)` for all that differs in two pieces of JSON data."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = {**before, **now}
        return [
            text
            for key in keys
            for text in _differences(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if before == now else [f"{name} ({before!r} instead of {now!r})"]


def versions() -> dict[str, str]:
    """Of what computes rewards, as far as it is installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files that make up a model."""
    digest = hashlib.sha256()
    for file in sorted(folder / name for name in (CONFIG, TENSORS)):
        if not file.is_file():
            raise FileNotFoundError(f"there is no {file.name} in {folder}")
        with file.open("rb") as stream:
            digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
