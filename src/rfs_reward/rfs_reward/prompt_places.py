"""Prompts as numbers, as services and recordings carry them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

AUTOMATIC, PIXEL, BOX = 0, 1, 2
"""Kinds, as in rfs_msgs/srv/PromptTracker."""

Places = dict[str, NDArray[np.float64]]
"""`points` (n, 2) or `box` (4,) in pixels of the color picture, or nothing for an automatic prompt."""


def prompt_places(kind: int, coordinates: ArrayLike) -> Places:
    """Places of a prompt.

    Raises:
        ValueError: an unknown kind, or coordinates that do not fit it.
    """
    numbers = np.array(coordinates, np.float64)
    if kind == AUTOMATIC:
        return {}
    if kind == PIXEL:
        if not numbers.size or numbers.size % 2:
            raise ValueError(f"PIXEL takes x and y of one or more pixels, got {numbers.size} numbers")
        return {"points": numbers.reshape(-1, 2)}
    if kind == BOX:
        return {"box": numbers}
    raise ValueError(f"{kind} is no kind of prompt: 0 automatic, 1 pixel, 2 box")
