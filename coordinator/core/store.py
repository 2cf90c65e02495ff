"""How many bytes wait for somebody: bounded for each room or socket, for each address, and for all addresses together.

The bound of an address is what keeps one of them from taking all there is. What was kept is given back when it is delivered or dropped.
"""

from __future__ import annotations

from typing import NamedTuple

MESSAGE_OVERHEAD_BYTES = 128
"""What a message that waits costs beside its content: the objects that hold it. Many tiny ones are not free."""


class Store:
    """A count of bytes with a bound, inside another one where there is one."""

    __slots__ = ("_fair", "_whole", "bytes", "max_bytes")

    def __init__(self, max_bytes: int, whole: Store | None = None, *, fair: bool = False) -> None:
        """`whole`: what this is a part of. `fair`: it never takes more of it than it leaves.

        However many fair parts take what they can, there is then as much left as each of them has, for whoever comes next. (The dynamic
        threshold of shared buffers in switches: Choudhury and Hahne, 1998, with a factor of one.)
        """
        self.max_bytes = max_bytes
        self._whole = whole
        self._fair = fair
        self.bytes = 0

    def take(self, size: int) -> bool:
        """Whether there is room for that many bytes more, here and in the whole; then they are taken."""
        if not self.fits(size) or not self._is_fair(size) or (self._whole is not None and not self._whole.take(size)):
            return False
        self.bytes += size
        return True

    def _is_fair(self, size: int) -> bool:
        return self._whole is None or not self._fair or self._whole.fits(self.bytes + 2 * size)

    def fits(self, size: int) -> bool:
        """Whether there is room for that many bytes more here, whatever the whole says."""
        return self.bytes + size <= self.max_bytes

    def give_back(self, size: int) -> None:
        """That many bytes are kept no longer."""
        self.bytes -= size
        if self._whole is not None:
            self._whole.give_back(size)

    def clear(self) -> None:
        """Nothing is kept any more."""
        self.give_back(self.bytes)


class Kept(NamedTuple):
    """A text that waits for somebody. As UTF-8: what it takes then is what it counts, while a `str` with one emoji takes four times that."""

    data: bytes
    room: Store
    """For whom it waits."""
    account: Store
    """Of the address that said it."""

    @property
    def text(self) -> str:
        """What was said."""
        return self.data.decode("utf-8", "surrogatepass")

    def drop(self) -> None:
        """It waits no longer. To be called once."""
        size = len(self.data) + MESSAGE_OVERHEAD_BYTES
        self.room.give_back(size)
        self.account.give_back(size)


def keep(text: str, room: Store, account: Store) -> Kept | None:
    """Let `text` wait; None, and nothing is kept, where that would pass the bound of the room, of the address, or of all addresses."""
    data = text.encode("utf-8", "surrogatepass")  # half a surrogate pair can come in JSON
    size = len(data) + MESSAGE_OVERHEAD_BYTES
    if not room.take(size):
        return None
    if not account.take(size):
        room.give_back(size)
        return None
    return Kept(data, room, account)
