"""How many are there at once."""

from __future__ import annotations

from math import inf

import pytest

from simulation.core.presence import Span, peak


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (2, 3)], 1),
        ([(0, 2), (1, 3), (2.5, 4)], 2),
        ([(-inf, inf), (-inf, 1), (1, inf)], 3),
    ],
)
def test_peak(spans: list[Span], expected: int) -> None:
    assert peak(spans) == expected
