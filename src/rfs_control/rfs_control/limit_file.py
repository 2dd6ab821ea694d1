"""A YAML file with limits: exactly the keys that are meant, and an error that names what is wrong."""

from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml


def read(path: str | Path | None, packaged: str, keys: Collection[str]) -> tuple[dict[str, Any], str]:
    """Values of a YAML file (None: the package's `config/<packaged>`) and its name for errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or a key is missing or unknown; the text names it.
    """
    source = files("rfs_control").joinpath(f"config/{packaged}") if path is None else Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no limits file {source}; copy config/{packaged} of rfs_control")
    try:
        values = yaml.safe_load(source.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{source} is not YAML: {error}") from error
    if not isinstance(values, dict) or set(values) != set(keys):
        found = sorted(map(str, values)) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"{source} must have exactly the keys {sorted(keys)}, found {found}")
    return values, str(source)


def positive(value: Any, what: str) -> float:
    """A positive, finite number.

    Raises:
        ValueError: it is something else; the text begins with `what`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise ValueError(f"{what} must be a positive number, got {value!r}")
    return float(value)
