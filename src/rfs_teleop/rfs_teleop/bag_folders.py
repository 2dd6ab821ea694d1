"""Find bags: a bag's folder, an MCAP file, or folders of them, as a session's."""

from collections.abc import Iterable
from pathlib import Path


def find_bags(paths: Iterable[Path]) -> list[Path]:
    """All bags at or below the paths.

    A bag is a folder with an .mcap file, a .db3 file or a metadata.yaml, or a file that is given itself.

    Raises:
        FileNotFoundError: a path does not exist, or no bag is there.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        bags = [path] if path.is_file() or is_bag(path) else _below(path)
        if not bags:
            raise FileNotFoundError(
                f"there is no bag in {path}: give the folder of a bag, or one that holds bags"
            )
        found += bags
    return list(dict.fromkeys(found))


def _below(path: Path) -> list[Path]:
    return sorted(folder for folder in path.rglob("*") if folder.is_dir() and is_bag(folder))


def is_bag(folder: Path) -> bool:
    """Whether a folder looks like a bag, sound or not."""
    return (folder / "metadata.yaml").is_file() or any(
        file.suffix in (".mcap", ".db3") for file in folder.iterdir()
    )


def mcap_file(bag: Path) -> Path:
    """The MCAP file of a bag.

    Raises:
        ValueError: a bag that this project does not read; the text says what to do.
    """
    if bag.is_file():
        if bag.suffix != ".mcap":
            raise ValueError(f"{bag.name} is no MCAP file")
        return bag
    files = sorted(bag.glob("*.mcap"))
    if len(files) == 1:
        return files[0]
    if len(files) > 1:
        raise ValueError(f"split into {len(files)} files: merge them with 'ros2 bag convert'")
    if list(bag.glob("*.db3")):
        raise ValueError("an SQLite bag: convert it to MCAP with 'ros2 bag convert'")
    raise ValueError("no .mcap file in it")
