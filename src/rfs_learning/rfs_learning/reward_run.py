"""How rewards of one label are made: tracker, weights, configuration and code. A label never mixes two ways.

Code counts by its sources, not by a version: two states of a tracker may be called 0.1.0. It is that of
`rfs_reward` without its nodes, and of the robot's description, from which the robot's mask is rendered.
Versions of other packages are noted and not compared.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from rfs_reward.reward_config import RewardConfig
from rfs_reward.weights import CONFIG, TENSORS, find_weights
from rfs_teleop.session_record import write_whole

from rfs_learning.differing_settings import differences
from rfs_learning.folder_lock import locked

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
        way = {"tracker": self.tracker, "weights_sha256": digest, "code_sha256": code_digest()}
        return way | {"config": asdict(self.config)}


@contextmanager
def claimed(folder: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Make a label's folder, or go on in one that was made in the same way; until the end it is ours alone.

    Raises:
        ValueError: its rewards were made in another way, the text says in which; or another process is at it.
    """
    busy = (
        f"another process computes the rewards '{folder.name}' in {folder}: wait for its end, and next time "
        "give --workers for several at once"
    )
    with locked(folder, busy):
        _claim(folder, identity)
        yield


def _claim(folder: Path, identity: Mapping[str, Any]) -> None:
    """Compare with `config.json`, or write it where no rewards are yet."""
    file = folder / "config.json"
    if file.is_file() and any(folder.glob("*.parquet")):
        try:
            before = json.loads(file.read_text())["run"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} cannot be read ({error}): remove {folder}") from error
        differing = differences(identity, before)
        if differing:
            way_out = f"give another --label, or remove {folder}"
            raise ValueError(
                f"rewards '{folder.name}' were made with another {', '.join(differing)}: {way_out}"
            )
        return
    content = {"label": folder.name, "run": identity, "versions": versions()}
    write_whole(file, json.dumps(content, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Of what computes rewards, as far as it is installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_digest() -> str:
    """SHA-256 over names and contents of the sources that judge."""
    digest = hashlib.sha256()
    for package in ("rfs_description", "rfs_reward"):
        folder = Path(str(files(package)))
        sources = (file for kind in ("*.py", "*.xml") for file in folder.rglob(kind))
        for file in sorted(file for file in sources if "nodes" not in file.parts):
            name = f"{package}/{file.relative_to(folder)}"
            digest.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files that make up a model."""
    digest = hashlib.sha256()
    for file in sorted(folder / name for name in (CONFIG, TENSORS)):
        if not file.is_file():
            raise FileNotFoundError(f"there is no {file.name} in {folder}")
        with file.open("rb") as stream:
            digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
