"""Message definitions for bags: the `ros2msg` text of a type with all that it depends on, from the installed
`.msg` files."""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_PRIMITIVE = re.compile(r"bool|byte|char|float(32|64)|u?int(8|16|32|64)|w?string")
_SEPARATOR = "=" * 80 + "\nMSG: "
_FIELD = re.compile(r"^([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*")


@dataclass(frozen=True)
class Definition:
    """A message type with the text that a bag needs to decode it.

    type: `package/msg/Name`. text: `ros2msg` encoding. type_hash: `RIHS01_...`, empty where not installed.
    """

    type: str
    text: str
    type_hash: str = ""


def definition(message_type: str) -> Definition:
    """Definition of an installed type `package/msg/Name`.

    Raises:
        FileNotFoundError: the type, or one that it uses, is not installed.
    """
    texts: dict[str, str] = {}
    _collect(message_type, texts)
    first = texts.pop(message_type)
    rest = [f"{_SEPARATOR}{_short(name)}\n{text}" for name, text in texts.items()]
    return Definition(message_type, "\n".join([first, *rest]), _type_hash(message_type))


def _collect(message_type: str, texts: dict[str, str]) -> None:
    if message_type in texts:
        return
    texts[message_type] = _interface_file(message_type, ".msg").read_text()
    package = message_type.split("/")[0]
    for used in _used_types(texts[message_type], package):
        _collect(used, texts)


def _used_types(text: str, package: str) -> list[str]:
    """Types of the fields of a `.msg` text that are not primitive, as `package/msg/Name`."""
    fields = (_FIELD.match(line.strip()) for line in text.splitlines())
    names = dict.fromkeys(match[1] for match in fields if match and not _PRIMITIVE.fullmatch(match[1]))
    return [_full(name, package) for name in names]


def _full(name: str, package: str) -> str:
    parts = name.split("/")
    return f"{parts[0]}/msg/{parts[-1]}" if len(parts) > 1 else f"{package}/msg/{name}"


def _short(message_type: str) -> str:
    package, _, name = message_type.split("/")
    return f"{package}/{name}"


def _interface_file(message_type: str, suffix: str) -> Path:
    """The installed file of a type: in a share folder of AMENT_PREFIX_PATH or, where ROS came as
    wheels, of this interpreter."""
    package, kind, name = message_type.split("/")
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    for prefix in prefixes:
        path = Path(prefix, "share", package, kind, name + suffix)
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"message type {message_type} is not installed in {', '.join(prefixes)}: "
        f"build the workspace and source install/setup.bash, or install the package {package}"
    )


def _type_hash(message_type: str) -> str:
    try:
        entries = json.loads(_interface_file(message_type, ".json").read_text())["type_hashes"]
    except (FileNotFoundError, KeyError, json.JSONDecodeError):
        return ""
    return next((e["hash_string"] for e in entries if e["type_name"] == message_type), "")
