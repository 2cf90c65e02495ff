"""How much waits for somebody: bounded for each room, and for all rooms of a protocol together."""

from __future__ import annotations


class Store:
    """A count of characters with a bound, inside another one where there is one."""

    __slots__ = ("_max_chars", "_whole", "chars")

    def __init__(self, max_chars: int, whole: Store | None = None) -> None:
        """`whole`: what this is a part of."""
        self._max_chars = max_chars
        self._whole = whole
        self.chars = 0

    def take(self, chars: int) -> bool:
        """Whether there is room for that much more, here and in the whole; then it is taken."""
        if self.chars + chars > self._max_chars or (self._whole is not None and not self._whole.take(chars)):
            return False
        self.chars += chars
        return True

    def give_back(self, chars: int) -> None:
        """That much is kept no longer."""
        self.chars -= chars
        if self._whole is not None:
            self._whole.give_back(chars)

    def clear(self) -> None:
        """Nothing is kept any more."""
        self.give_back(self.chars)
