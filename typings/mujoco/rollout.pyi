# MuJoCo's classes come from compiled modules that ship without type stubs.
from typing import Any

def __getattr__(name: str) -> Any: ...
