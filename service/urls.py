"""Several URLs of the same thing, tried one after the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_COMMA = re.compile(r"\s*,\s*(?=[a-z]+://)", re.IGNORECASE)
"""Before a scheme: a comma elsewhere belongs to the URL it stands in."""


def split_urls(text: str) -> list[str]:
    """``"ws://a:9090,ws://b:9090"`` as its parts; one URL is a list of one."""
    return _COMMA.split(text.strip())


class Turns:
    """One of several, another one each time; the first is random, so that not everyone begins with the same."""

    def __init__(self, choices: Sequence[str], rng: random.Random) -> None:
        """Raises ValueError where there are none."""
        if not choices:
            raise ValueError("nothing to take turns with")
        self._choices = tuple(choices)
        self._next = rng.randrange(len(self._choices))

    def next(self) -> str:
        """The one whose turn it is."""
        choice = self._choices[self._next]
        self._next = (self._next + 1) % len(self._choices)
        return choice
