"""Settings from YAML that are packaged, or in a file of one's own."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

Made = TypeVar("Made")


class _Loader(yaml.SafeLoader):
    """Reads 5e-5 as a number, too, as YAML 1.2 and JSON have it."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


def packaged_entries(name: str) -> dict[str, Any]:
    """Entries of the packaged config/NAME.yaml."""
    return _entries(files("rfs_learning").joinpath(f"config/{name}.yaml").read_text())


def own_entries(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Entries of a YAML file of one's own; none where no file is given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or no mapping.
    """
    if path is None:
        return {}
    if not Path(path).is_file():
        raise FileNotFoundError(f"no settings at '{path}'")
    try:
        values = _entries(Path(path).read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is not YAML: {error}") from error
    if not isinstance(values, Mapping | None):
        raise ValueError(f"'{path}' must be a mapping of settings, got {values!r}")
    return dict(values or {})


def from_settings(name: str, packaged: Sequence[str], what: str, make: Callable[[str, Any], Made]) -> Made:
    """What `make` makes of a name and the entries of config/NAME.yaml, or of a YAML file's stem and entries.

    Raises:
        ValueError: there is no such file, it is not YAML, or its entries make no sense; the text names it as
            a `what`.
    """
    if name not in packaged and not Path(name).is_file():
        raise ValueError(f"there is no {what} '{name}': give {', '.join(packaged)} or a YAML file")
    try:
        entries = packaged_entries(name) if name in packaged else own_entries(name)
        return make(Path(name).stem, entries)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the {what} '{name}' cannot be used: {error}") from error


def _entries(text: str) -> Any:
    return yaml.load(text, _Loader)  # a safe one


def require_entries(values: Any, known: set[str], needed: set[str], what: str) -> None:
    """Check that what YAML gave for `what` is a mapping with these entries and no others.

    Raises:
        ValueError: it is something else, or an entry is unknown or missing.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{what} must be a mapping, got {values!r}")
    for wrong, how in ((set(map(str, values)) - known, "an unknown"), (needed - set(values), "no")):
        if wrong:
            raise ValueError(f"{what} has {how} entry '{min(wrong)}'; known: {', '.join(sorted(known))}")
