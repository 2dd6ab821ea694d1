"""Weights of SAM2.1: where they are, and which published ones are known, by commit and SHA-256."""

import os
from dataclasses import dataclass
from pathlib import Path

CONFIG, TENSORS = "config.json", "model.safetensors"
PACKAGED = Path(__file__).parent / "data" / "sam2_sim"
"""The small model that ships with this package, trained on pictures of the simulator."""


@dataclass(frozen=True)
class Published:
    """A model of the Hugging Face hub at one commit; `sha256` of its files, empty where it is not known."""

    repository: str
    revision: str
    sha256: dict[str, str]


PUBLISHED = {
    "sam2.1-tiny": Published(
        "facebook/sam2.1-hiera-tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        {
            CONFIG: "860aff9751b139d83a4ad7df1e5535416fded533e0ead02625edbefcb9953cce",
            TENSORS: "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
        },
    ),
    "sam2.1-small": Published(
        "facebook/sam2.1-hiera-small",
        "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        {
            CONFIG: "97ff9f65b76d107acda4247885f0a5555d0048850ae3c5f97183df289aaecde9",
            TENSORS: "0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
        },
    ),
    "sam2.1-base-plus": Published(
        "facebook/sam2.1-hiera-base-plus",
        "b7320756a13354e7530a63935656d35b2f91a290",
        {CONFIG: "", TENSORS: "2012733a0de5d03efd1bba550a2847c4551be9ef2e0d497c83074df66189f780"},
    ),
    "sam2.1-large": Published(
        "facebook/sam2.1-hiera-large",
        "665f8e2ad61cf5f53d65644ff27c8ee525124610",
        {CONFIG: "", TENSORS: "dc407dce21301fd94abb395c5099b4f2c455fdc8a8f261ac3d0ea6d4cd197230"},
    ),
}
"""Commits and sums as several independent projects state them in public; the hub itself was out of reach
when this was written. The sizes that they state are, to the byte, those of random models of these shapes.
Of two configurations only one project states a sum: they are not compared, only read."""


def find_weights(weights: str) -> Path:
    """The folder of these weights: a path, a published name that was fetched, or empty for the packaged one.

    Raises:
        FileNotFoundError: no such folder, or a name that was not fetched yet.
    """
    if not weights:
        return PACKAGED
    folder = default_folder(weights) if weights in PUBLISHED else Path(weights).expanduser()
    if folder.is_dir():
        return folder
    if weights in PUBLISHED:
        raise FileNotFoundError(f"'{weights}' is not here yet: './rfs weights {weights}' fetches it")
    known = ", ".join(PUBLISHED)
    raise FileNotFoundError(f"no weights at '{weights}': give a folder with SAM2's files, or one of {known}")


def default_folder(name: str) -> Path:
    """Where `./rfs weights NAME` puts a published model: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rfs" / "weights" / name
