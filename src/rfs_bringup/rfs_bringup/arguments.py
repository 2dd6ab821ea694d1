"""Launch arguments as data: a name, a default, a meaning, and what values are accepted."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = str | int | float | bool


@dataclass(frozen=True)
class Argument:
    """One ``name:=value``. ``kind`` is str, int, float or bool; ``choices`` may restrict it."""

    name: str
    default: str
    description: str
    kind: type = str
    choices: tuple[str, ...] = ()
    minimum: float | None = None

    def parse(self, text: str) -> Value:
        """The value in its kind; ValueError that names the argument and what it accepts."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{self.name}:={text} is not one of: {', '.join(self.choices)}")
        if self.kind is bool:
            return text == "true"
        try:
            value: Value = self.kind(text)
        except ValueError:
            noun = "a whole number" if self.kind is int else "a number"
            raise ValueError(f"{self.name}:={text} is not {noun}") from None
        if self.minimum is not None and not float(value) >= self.minimum:
            raise ValueError(f"{self.name}:={text} must be at least {self.minimum:g}")
        if self.kind is float and math.isinf(float(value)):
            raise ValueError(f"{self.name}:={text} must be a finite number")
        return value


def boolean(name: str, default: bool, description: str) -> Argument:
    return Argument(name, str(default).lower(), description, bool, ("true", "false"))


def parse(arguments: Sequence[Argument], typed: Sequence[str]) -> dict[str, Value]:
    """Values of all arguments from ``name:=value`` words; ValueError names an unknown one and its like."""
    texts = {argument.name: argument.default for argument in arguments}
    for word in typed:
        name, separator, text = word.partition(":=")
        if not separator:
            raise ValueError(f"'{word}' is not of the form name:=value")
        if name not in texts:
            near = difflib.get_close_matches(name, texts, n=2, cutoff=0.4)
            guess = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"unknown argument '{name}'.{guess} Known: {', '.join(texts)}")
        texts[name] = text
    return resolve(arguments, texts)


def resolve(arguments: Sequence[Argument], texts: Mapping[str, str]) -> dict[str, Value]:
    """Typed values from the text of every argument."""
    return {argument.name: argument.parse(texts[argument.name]) for argument in arguments}


def describe(arguments: Sequence[Argument]) -> str:
    """What ``--show-args`` prints."""
    lines = []
    for argument in arguments:
        choices = f" one of: {', '.join(argument.choices)};" if argument.choices else ""
        lines.append(f"  {argument.name}:=")
        lines.append(f"      {argument.description};{choices} default: '{argument.default}'")
    return "\n".join(lines)
