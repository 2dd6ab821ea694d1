"""Entries of settings files."""

from collections.abc import Mapping
from typing import Any


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
