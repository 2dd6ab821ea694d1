"""``./rfs weights NAME``: fetch published weights of SAM2.1 from the Hugging Face hub."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from rfs_reward.weights import CONFIG, PUBLISHED, TENSORS, Published, default_folder
from rfs_reward.weights_download import FetchError, fetch_file

HUB = "https://huggingface.co"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the weights are there and checked, 1 when they are not, 2 for a mistake in the arguments."""
    options = _parser().parse_args(argv)
    published = PUBLISHED[options.name]
    folder: Path = options.to or default_folder(options.name)
    hub = os.environ.get("HF_ENDPOINT") or HUB
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, found in fetch(published, folder, hub).items():
            checked = "as published" if published.sha256[name] else "no published sum to compare with"
            print(f"{folder / name}: SHA-256 {found}, {checked}")
    except OSError as error:
        print(f"rfs weights: {error}", file=sys.stderr)
        if isinstance(error, FetchError):
            print(_by_hand(published, folder), file=sys.stderr)
        return 1
    return 0


def fetch(published: Published, folder: Path, hub: str) -> dict[str, str]:
    """Bring the model's files into the folder; their SHA-256 by name. FetchError as `fetch_file`."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns) as progress:
        return {name: _fetch_one(published, name, folder, hub, progress) for name in (CONFIG, TENSORS)}


def _fetch_one(published: Published, name: str, folder: Path, hub: str, progress: Progress) -> str:
    url = f"{hub.rstrip('/')}/{published.repository}/resolve/{published.revision}/{name}"
    task: TaskID = progress.add_task(name, total=None)
    return fetch_file(
        url,
        folder / name,
        published.sha256[name],
        lambda here, size: progress.update(task, completed=here, total=size),
    )


def _by_hand(published: Published, folder: Path) -> str:
    return (
        f"By hand: copy {CONFIG} and {TENSORS} of {published.repository} (commit {published.revision}) "
        f"into {folder}, and start this again to check them; HF_ENDPOINT names a mirror of the hub."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rfs weights",
        description="Fetch published weights of SAM2.1 (Apache-2.0, Meta), for 'reward:=sam2'.",
    )
    parser.add_argument("name", choices=list(PUBLISHED), metavar="NAME", help=", ".join(PUBLISHED))
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where to, default: the user's cache")
    return parser
