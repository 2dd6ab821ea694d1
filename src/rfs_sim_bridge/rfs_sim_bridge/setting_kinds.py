"""Whether settings are of the kind that their annotations say."""

import math
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any, get_args

_WORDS = {
    bool: ("true or false", "truths"),
    float: ("a number", "numbers"),
    int: ("a whole number", "whole numbers"),
    str: ("a text", "texts"),
}


def check_kinds(settings: Any, where: str = "") -> None:
    """Check a dataclass of numbers, truths, texts, tuples of them, and such dataclasses.

    Raises:
        ValueError: an entry is something else; the text names it.
    """
    for entry in fields(settings):
        value, name = getattr(settings, entry.name), f"{where}{entry.name}"
        if is_dataclass(value):
            check_kinds(value, f"{name}.")
        elif not _fits(value, entry.type):
            raise ValueError(f"{name} must be {_wanted(entry.type)}, got {value!r}")


def _fits(value: Any, kind: Any) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    if kind in _WORDS:
        number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        return number and not math.isnan(value)
    parts = get_args(kind)
    if not isinstance(value, tuple):
        return False
    if parts[-1] is Ellipsis:
        return all(_fits(part, parts[0]) for part in value)
    return len(value) == len(parts) and all(map(_fits, value, parts))


def _wanted(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind][0]
    first, *others = get_args(kind)
    if others == [Ellipsis]:
        return f"a list, each entry {_wanted(first)}"
    return f"{1 + len(others)} {_WORDS[first][1]}"
