"""Several URLs of the same thing, tried one after the other."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import random

_COMMA = re.compile(r"[\s,]*,\s*(?=[a-z]+://)", re.IGNORECASE)
"""Before a scheme: a comma elsewhere, but for the ends, belongs to the URL it stands in."""

_ENDS = string.whitespace + ","


def split_urls(text: str) -> list[str]:
    """``"ws://a:9090,ws://b:9090"`` as its parts; one URL is a list of one."""
    return _COMMA.split(text.strip(_ENDS))


def host_of(url: str) -> str:
    """Host and port: what may be told of a URL. Its query, its path and who logs in may be nobody's business."""
    return urlsplit(url).netloc.rpartition("@")[2]


class Turns:
    """One of several, another one each time; the first is random, so that not everyone begins with the same."""

    def __init__(self, choices: Sequence[str], rng: random.Random) -> None:
        """Raises ValueError where there are none."""
        if not choices:
            raise ValueError("nothing to take turns with")
        self._choices = tuple(choices)
        self._next = rng.randrange(len(self._choices))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._choices)

    def next(self) -> str:
        """The one whose turn it is."""
        choice = self._choices[self._next]
        self._next = (self._next + 1) % len(self._choices)
        return choice
