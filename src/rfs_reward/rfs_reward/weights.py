"""Weights of SAM2.1: where they are, and which published ones are known, by revision and SHA-256."""

import os
from dataclasses import dataclass
from pathlib import Path

PACKAGED = Path(__file__).parent / "data" / "sam2_sim"
"""The small model that ships with this package, trained on pictures of the simulator."""


@dataclass(frozen=True)
class Published:
    """A model of the Hugging Face hub at one commit: `files` are names with SHA-256 and size in bytes."""

    repository: str
    revision: str
    files: dict[str, tuple[str, int]]


PUBLISHED = {
    "sam2.1-tiny": Published(
        "facebook/sam2.1-hiera-tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        {
            "config.json": ("860aff9751b139d83a4ad7df1e5535416fded533e0ead02625edbefcb9953cce", 0),
            "model.safetensors": (
                "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
                155_908_064,
            ),
        },
    ),
}


def find_weights(weights: str) -> Path:
    """The folder of these weights: a path, a published name that was fetched, or empty for the packaged model.

    Raises:
        FileNotFoundError: no such folder, or a name that was not fetched yet.
    """
    if not weights:
        return PACKAGED
    if weights in PUBLISHED:
        folder = default_folder(weights)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"the weights '{weights}' are not here yet: './rfs weights {weights}' fetches them"
            )
        return folder
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        known = ", ".join(PUBLISHED)
        raise FileNotFoundError(
            f"no weights at '{weights}': give a folder with SAM2's files, or one of {known}"
        )
    return folder


def default_folder(name: str) -> Path:
    """Where `./rfs weights NAME` puts a published model: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rfs" / "weights" / name
