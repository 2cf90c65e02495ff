"""A plane cut into square cells, a topic each: who stands in a cell hears that cell and the eight around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of `cell_m` metres; cell (0, 0) has its lower left corner at the origin."""

    cell_m: float
    prefix: str
    """What the topic of every cell begins with; no slash at its end."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cell_m) and self.cell_m > 0):
            raise ValueError(f"a cell of {self.cell_m} m")

    def cell(self, x: float, y: float) -> Cell:
        """The cell of a position in metres."""
        return math.floor(x / self.cell_m), math.floor(y / self.cell_m)

    def topic(self, cell: Cell) -> str:
        """``prefix/3/-2``"""
        return f"{self.prefix}/{cell[0]}/{cell[1]}"

    def around(self, cell: Cell) -> frozenset[str]:
        """The topics of the cell and of its eight neighbours."""
        return frozenset(self.topic((cell[0] + dx, cell[1] + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1))
