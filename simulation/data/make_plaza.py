"""Makes ``plaza.csv``, the trace that `rtcbroker simulate replay` takes where none is named.

Three dozen people cross a plaza of 20 by 16 metres within 40 seconds; nobody of them exists. The same file every time:
``python -m simulation.data.make_plaza > simulation/data/plaza.csv``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

from simulation.core.walk import Leg, crossing

PEOPLE = 36
WIDTH_M, HEIGHT_M = 20.0, 16.0
SECONDS = 40.0
SAMPLE_S = 0.4
SEED = 4


def plaza() -> Iterator[str]:
    """The lines of the file."""
    rng = Random(SEED)
    # Some are there when the recording begins, and it ends while some still are.
    ways = [crossing(WIDTH_M, HEIGHT_M, rng.uniform(-6.0, SECONDS - 8.0), rng) for _ in range(PEOPLE)]
    ways.sort(key=lambda legs: legs[0].starts)
    yield "t_s,person,x_m,y_m"
    for sample in range(round(SECONDS / SAMPLE_S) + 1):
        time = sample * SAMPLE_S
        for person, legs in enumerate(ways, 1):
            if legs[0].starts <= time <= legs[-1].ends:
                x, y = _position(legs, time)
                yield f"{time:.1f},{person},{x:.3f},{y:.3f}"


def _position(legs: list[Leg], time: float) -> tuple[float, float]:
    return next(leg for leg in legs if time <= leg.ends).at(time)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in plaza())
