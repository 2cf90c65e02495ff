"""Handlers that write down what they are told, sessions joined in memory, and samples of other stacks' descriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.support.poll import until
from transport.link import Link, LinkEnd
from transport.listener import Listener
from transport.options import LinkOptions
from transport.sdp import Description, Fingerprint
from transport.session import Session


@dataclass
class Recorder:
    """A LinkHandler that keeps everything, and checks the order of the calls it gets."""

    opened: list[Link] = field(default_factory=list)
    messages: list[tuple[bytes, bool]] = field(default_factory=list)
    lows: list[bool] = field(default_factory=list)
    ends: list[LinkEnd] = field(default_factory=list)
    react: Callable[[Link, bytes, bool], None] | None = None
    """Called with each message."""

    def on_open(self, link: Link) -> None:
        """Once, first."""
        assert not self.opened
        assert not self.ends
        self.opened.append(link)

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """After open, before closed."""
        assert self.opened
        assert not self.ends
        self.messages.append((data, reliable))
        if self.react is not None:
            self.react(link, data, reliable)

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """As on_message."""
        assert self.opened
        assert not self.ends
        self.lows.append(reliable)

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """Once, last."""
        assert not self.ends
        self.ends.append(end)

    def bodies(self, *, reliable: bool) -> list[bytes]:
        """The messages of one channel."""
        return [data for data, on_reliable in self.messages if on_reliable == reliable]

    async def is_open(self, seconds: float = 10.0) -> None:
        """Wait for on_open."""
        await until(lambda: self.opened or self.ends, seconds, "the link neither opens nor ends")
        assert self.opened, f"the link ended: {self.ends}"

    async def has_ended(self, seconds: float = 10.0) -> LinkEnd:
        """Wait for on_closed."""
        await until(lambda: self.ends, seconds, "the link does not end")
        return self.ends[0]

    async def has(self, count: int, seconds: float = 20.0) -> None:
        """Wait for so many messages."""
        await until(lambda: len(self.messages) >= count, seconds, lambda: f"{len(self.messages)} of {count} messages came")


class MemorySession(Session):
    """A session whose datagrams go to another one of the same loop, on its next turn, unless `drop` says no."""

    other: MemorySession
    drop: Callable[[bytes], bool] | None = None

    def begin(self, remote: Description, *, dtls_server: bool, create: bool) -> None:
        """Start the set-up."""
        self._setup = self._start_task(partial(self._establish, remote, dtls_server=dtls_server, create=create))

    def _send_datagram(self, data: bytes) -> None:
        if self.drop is None or not self.drop(data):
            asyncio.get_running_loop().call_soon(self.other.datagram, data)

    @property
    def sctp(self) -> Any:
        """The association, for tests that misuse it."""
        return self._sctp

    @property
    def dtls(self) -> Any:
        """The DTLS transport, as above."""
        return self._dtls

    def description(self) -> Description:
        """What the other side has to know of this one."""
        size = self._options.max_message
        return Description(
            "ufrag", "p" * 24, (Fingerprint("sha-256", self._certificate.sha256),), "active", max_message_size=size
        )


def memory_pair(
    a: Recorder, b: Recorder, options: LinkOptions, other_options: LinkOptions | None = None
) -> tuple[MemorySession, MemorySession]:
    """Two sessions that exchange datagrams in memory, set-up begun; the first creates the channels."""
    first, second = MemorySession(a, options, "first"), MemorySession(b, other_options or options, "second")
    first.other, second.other = second, first
    first.begin(second.description(), dtls_server=True, create=True)
    second.begin(first.description(), dtls_server=False, create=False)
    return first, second


async def answer_with_aiortc(offer_sdp: str) -> tuple[RTCPeerConnection, str]:
    """An aiortc peer connection that has answered, and its answer, with all candidates in it."""
    # The default would be a public STUN server.
    from aiortc import RTCConfiguration

    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(offer_sdp, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return connection, connection.localDescription.sdp


async def ended(*links: Session) -> None:
    """Close links and wait until they have let go of everything."""
    for link in links:
        link.close()
    for link in links:
        await asyncio.wait_for(link.wait_closed(), 10)


async def open_listener(**options: Any) -> Listener:
    """A listener on loopback."""
    return await Listener.open(**{"bind": ["127.0.0.1"], **options})
