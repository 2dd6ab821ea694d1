"""The part of the table on which objects are placed for an evaluation, in cells (paper, figure 12)."""

import math
from dataclasses import dataclass

Place = tuple[float, float]
"""x, y in m, base frame."""


@dataclass(frozen=True)
class TableRegion:
    """A rectangle, m in the base frame: x away from the robot, y to its left; `rows` of cells along x and
    `columns` along y."""

    x: tuple[float, float] = (0.45, 0.65)
    y: tuple[float, float] = (-0.20, 0.20)
    rows: int = 2
    columns: int = 5

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            low, high = getattr(self, name)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"region.{name} must be two numbers, the first below the second")
        if self.rows < 1 or self.columns < 1:
            raise ValueError("region.rows and region.columns must be at least 1")

    @property
    def cells(self) -> int:
        """How many there are."""
        return self.rows * self.columns

    def cell_of(self, place: Place) -> int | None:
        """Number of the cell in which a place lies: row by row from the robot, each from its right to its
        left; None outside."""
        row = _index(place[0], self.x, self.rows)
        column = _index(place[1], self.y, self.columns)
        return None if row is None or column is None else row * self.columns + column


def _index(value: float, ends: tuple[float, float], count: int) -> int | None:
    """Which of `count` equal parts of an interval holds the value; the last one holds its upper end."""
    low, high = ends
    if not low <= value <= high:
        return None
    return min(int((value - low) / (high - low) * count), count - 1)
