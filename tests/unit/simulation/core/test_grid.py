"""Cells, their topics, and their neighbours."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.topics import check_topic
from simulation.core.grid import Grid

METRES = st.floats(-1e4, 1e4)


def test_cells_begin_at_the_origin_and_go_below_it() -> None:
    grid = Grid(4.0, "plaza")
    assert [grid.cell(0, 0), grid.cell(3.99, 4), grid.cell(-0.01, -4.01)] == [(0, 0), (0, 1), (-1, -2)]


def test_a_cell_has_a_topic() -> None:
    assert check_topic(Grid(4.0, "plaza").topic((3, -2))) == "plaza/3/-2"


def test_around_a_cell_are_nine() -> None:
    around = Grid(4.0, "p").around((0, 5))
    assert len(around) == 9
    assert {"p/0/5", "p/-1/4", "p/1/6", "p/1/4"} <= around


@given(METRES, METRES, METRES, METRES, st.floats(0.5, 50))
def test_who_is_within_a_cells_length_hears_one_another(x: float, y: float, dx: float, dy: float, cell_m: float) -> None:
    grid = Grid(cell_m, "p")
    other = x + math.remainder(dx, cell_m), y + math.remainder(dy, cell_m)
    assert grid.topic(grid.cell(*other)) in grid.around(grid.cell(x, y))


@pytest.mark.parametrize("cell_m", [0.0, -1.0, math.nan, math.inf])
def test_a_cell_has_a_size(cell_m: float) -> None:
    with pytest.raises(ValueError, match="a cell of"):
        Grid(cell_m, "p")
