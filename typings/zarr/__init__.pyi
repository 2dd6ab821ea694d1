# zarr 2 annotates every item as "array or group", which no caller can use.
from typing import Any

def __getattr__(name: str) -> Any: ...
