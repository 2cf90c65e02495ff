"""What has been answered on a connection and has not left yet: counted until it has, in order, and not waited for for ever.

Whoever asks need not read the answer. So what waits for him is somebody's to bound, who is told when each answer has left; and he has to
take so much of it in a time, or all of it: an answer that is taken byte by byte is kept as long as one that is not taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from protocol.limits import KIB

LEAVING_S = 10.0
"""In which :data:`LEAVING_BYTES` have to leave, or the rest of an answer."""

LEAVING_BYTES = 128 * KIB
"""A hundred kilobits a second, which is less than any call needs; most answers are shorter anyway."""


@dataclass(slots=True)
class _Answer:
    give_back: Callable[[], None]
    end: float = math.inf
    """Of its last byte, counted from the beginning of the connection; known when it was handed to the network."""


class Leaving:
    """The answers of one connection. All times are in seconds of any clock, all sizes in bytes from the beginning of the connection."""

    __slots__ = ("_answers", "_due", "_mark")

    def __init__(self) -> None:
        self._answers: deque[_Answer] = deque()
        self._mark = 0
        """So much had left when the present span of :data:`LEAVING_S` began."""
        self._due = 0.0

    def __bool__(self) -> bool:
        """Whether anything has not left."""
        return bool(self._answers)

    def begin(self, give_back: Callable[[], None], left: int, now: float) -> None:
        """An answer is going to be sent. `give_back` is called once, when it has left or never will."""
        if not self._answers:
            self._mark, self._due = left, now + LEAVING_S
        self._answers.append(_Answer(give_back))

    def handed_over(self, end: int) -> None:
        """All of the newest answer is with the network, and `end` is where it ends."""
        if self._answers:
            self._answers[-1].end = end

    def is_in_time(self, left: int, now: float) -> bool:
        """Give back what has left by now; False when it leaves too slowly."""
        before = len(self._answers)
        while self._answers and self._answers[0].end <= left:
            self._answers.popleft().give_back()
        if len(self._answers) < before or left >= self._mark + LEAVING_BYTES:
            self._mark, self._due = left, now + LEAVING_S
        return not self._answers or now < self._due

    def clear(self) -> None:
        """Nothing more will leave."""
        while self._answers:
            self._answers.popleft().give_back()
