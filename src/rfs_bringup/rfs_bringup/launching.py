"""``./rfs launch STACK [name:=value ...]``: start a stack without an installed ``ros2 launch``."""

from __future__ import annotations

import sys

from rfs_bringup import arguments, processes
from rfs_bringup.stack import STACKS

USAGE = "usage: rfs launch STACK [name:=value ...] | rfs launch STACK --show-args"


def main(argv: list[str]) -> int:
    """Exit status of the first node that ends; 2 for arguments that make no sense."""
    words = [word for word in argv if not word.startswith("-")]
    options = {word for word in argv if word.startswith("-")}
    if options - {"--show-args", "-s", "-h", "--help"}:
        return _mistake(f"unknown option {', '.join(sorted(options))}. {USAGE}")
    if not words:
        print(USAGE, *(f"  {stack.name}  {stack.description}" for stack in STACKS.values()), sep="\n")
        return 0 if options else 2
    stack = STACKS.get(words[0])
    if stack is None:
        return _mistake(f"unknown stack '{words[0]}'; known: {', '.join(STACKS)}")
    if options:
        print(f"{stack.description}. Arguments:\n\n{arguments.describe(stack.arguments)}")
        return 0
    try:
        nodes = stack.nodes(arguments.parse(stack.arguments, words[1:]))
    except (ValueError, FileNotFoundError) as error:
        return _mistake(str(error))
    try:
        return processes.run(nodes)
    except RuntimeError as error:
        print(f"rfs launch: {error}", file=sys.stderr)
        return 1


def _mistake(text: str) -> int:
    print(f"rfs launch: {text}", file=sys.stderr)
    return 2
