"""What it costs to hear somebody, counted as what it costs to bring a message to one receiver: a delivery."""

from __future__ import annotations

from protocol.limits import KIB

UNIT_BYTES = 8 * KIB
"""Of a message that counts as one: session descriptions of calls are shorter. Longer ones cost in proportion."""

FRAMES_A_DELIVERY = 32
"""A message in many frames takes its time, however short it is."""


def price(size: int, frames: int = 1) -> int:
    """Of a message of so many bytes, or as many characters, in so many frames."""
    return max(1 + max(0, size - 1) // UNIT_BYTES, frames // FRAMES_A_DELIVERY)
