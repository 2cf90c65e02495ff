"""Publishing: what was published in a loop turn leaves together at its end, and whoever finds the channel full waits for room."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from protocol.topics import check_topic
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.outbox import Outbox
from rtcbroker.core.server_link import ServerLink
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.io.links import Links
from rtcbroker.io.waiting import Waiters

Body: TypeAlias = bytes | bytearray | memoryview | str
"""What an application may publish; a text as UTF-8."""

_checked = lru_cache(maxsize=4_096)(check_topic)
"""An application publishes to the same topics over and over; the grammar is looked at once."""


class Sender:
    """Both outboxes of a client. Bounded by the options' buffers: over its mark a channel takes nothing."""

    def __init__(
        self,
        options: ClientOptions,
        stats: ClientStats,
        joined: Callable[[], ServerLink | None],
        links: Links,
        is_parting: Callable[[], bool],
    ) -> None:
        """`joined` gives the link to send on, or None; while `is_parting` nothing leaves reliably, since it is about to be another one."""
        self._stats = stats
        self._joined = joined
        self._links = links
        self._is_parting = is_parting
        self._marks = {True: options.reliable_buffer, False: options.unreliable_buffer}
        self._outboxes = {reliable: Outbox(reliable=reliable) for reliable in (True, False)}
        self._room: Waiters[None, None] = Waiters()
        self.unconfirmed = False
        """Something was sent reliably of which we do not know yet that the server has it."""

    def offer(self, topic: str, body: bytes, *, reliable: bool, identity: bool) -> bool:
        """Take a packet, for :meth:`flush`; False where there is no connection or no room.

        Raises :class:`TopicError`, :class:`MessageTooLarge`.
        """
        _checked(topic)
        link = self._joined()
        if link is None or not self._has_room(link, reliable):
            return False
        self._outboxes[reliable].add(topic, body, identity=identity, limit=link.max_message_bytes)
        return True

    def _has_room(self, link: ServerLink, reliable: bool) -> bool:
        waiting = self._outboxes[reliable].pending_bytes + self._links.buffered(link.number, reliable=reliable)
        return waiting <= self._marks[reliable]

    def flush(self) -> None:
        """Send what was offered; what there is no connection for any more is dropped and counted."""
        link = self._joined()
        if link is None:
            self.drop()
            return
        if not self._is_parting():
            self._send_all(link, reliable=True)
        self._send_all(link, reliable=False)
        self.has_room()

    def flush_reliable(self) -> None:
        """Send what was offered on the reliable channel, though nothing may follow it."""
        if (link := self._joined()) is not None:
            self._send_all(link, reliable=True)

    def _send_all(self, link: ServerLink, *, reliable: bool) -> None:
        outbox = self._outboxes[reliable]
        if not outbox:
            return
        for message in outbox.drain(batched=link.batched, limit=link.max_message_bytes):
            if self._links.send(link.number, message.data, reliable=reliable):
                self._stats.sent += message.packets
                self._stats.bytes_sent += len(message.data)
                self.unconfirmed |= reliable
            else:
                self._stats.dropped[Drop.TOO_LARGE] += message.packets

    def drop(self) -> None:
        """The connection is lost, and with it what had not left."""
        for outbox in self._outboxes.values():
            if outbox:
                self._stats.dropped[Drop.NOT_CONNECTED] += outbox.clear()
        self.unconfirmed = False

    async def wait(self, seconds: float) -> None:
        """Wait until the reliable channel may have room. Raises TimeoutError, and what :meth:`fail` was given."""
        await self._room.wait(None, seconds)

    def has_room(self) -> None:
        """There may be room: wake up whoever waits for it."""
        link = self._joined()
        if self._room and link is not None and self._has_room(link, True):
            self._room.serve(lambda _: True, None)

    def fail(self, error: Callable[[], Exception]) -> None:
        """End everyone's wait."""
        self._room.fail(error)


def as_bytes(body: Body) -> bytes:
    """A body as it is sent; a text as UTF-8. Raises TypeError for anything else."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"a body is bytes or str, not {type(body).__name__}")
