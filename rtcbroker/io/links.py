"""The client's links: answers offers through a dialer, and tells the session what becomes of each link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from protocol.codes import Code
from protocol.errors import CandidateError, MessageTooLarge, ProtocolError
from protocol.ice import IceServer
from protocol.signalling import CandidateInit
from rtcbroker.core import events
from transport.link import Link, LinkEnd, LinkHandler

logger = logging.getLogger(__name__)


class AnsweredLink(Link, Protocol):
    """A link made by answering an offer."""

    on_reached: Callable[[], None] | None
    """Called when a way to the other side was found (ICE), which takes a turn of the loop at least."""

    @property
    def local_sdp(self) -> str:
        """The answer."""
        ...

    def add_candidate(self, init: CandidateInit | None) -> None:
        """Take a candidate of the other side; None ends them. Raises :class:`CandidateError`."""
        ...


class LinkDialer(Protocol):
    """What of :class:`transport.Dialer` is used here; tests have one without a network."""

    async def answer(
        self,
        offer_sdp: str,
        handler: LinkHandler,
        on_candidate: Callable[[CandidateInit], None] | None,
        ice_servers: Sequence[IceServer],
    ) -> AnsweredLink:
        """A link with its answer. Raises :class:`SdpError`."""
        ...

    async def close(self) -> None:
        """Close what is still open."""
        ...


class Links:
    """The links of a client, by their numbers; what those that were closed still say is not passed on."""

    def __init__(
        self,
        dialer: LinkDialer,
        report: Callable[[events.Event], None],
        on_message: Callable[[int, bytes, bool], None],
        on_room: Callable[[], None],
    ) -> None:
        self._dialer = dialer
        self._report = report
        self._on_message = on_message
        self._on_room = on_room
        self._links: dict[int, AnsweredLink | None] = {}
        """None while the answer is being made."""
        self._answering: dict[int, asyncio.Task[None]] = {}

    def get(self, number: int) -> AnsweredLink | None:
        """The link of that number, if it is there."""
        return self._links.get(number)

    def answer(self, number: int, sdp: str, ice_servers: Sequence[IceServer] = ()) -> None:
        """Begin to answer an offer.

        With `ice_servers`, which may be slow, candidates follow the answer one by one; without, they are all in it.
        """
        self._links[number] = None
        work = self._answer(number, sdp, ice_servers)
        task = self._answering[number] = asyncio.get_running_loop().create_task(work, name=f"answering offer {number}")
        task.add_done_callback(lambda _: self._answering.pop(number, None))

    async def _answer(self, number: int, sdp: str, ice_servers: Sequence[IceServer]) -> None:
        def on_candidate(candidate: CandidateInit) -> None:
            self._tell(number, events.LocalCandidate(number, candidate if candidate.candidate else None))

        try:
            link = await self._dialer.answer(sdp, _Handler(self, number), on_candidate if ice_servers else None, ice_servers)
        except ProtocolError as error:
            self._tell(number, events.LinkRefused(number, error.code, error.detail))
        except OSError as error:
            self._tell(number, events.LinkRefused(number, Code.LINK_LOST, f"no socket for the link: {error}"))
        else:
            if number in self._links:
                self._links[number] = link
                link.on_reached = lambda: self._tell(number, events.LinkReached(number))
                self._report(events.LinkAnswered(number, link.local_sdp))
            else:
                link.close()

    def add_candidate(self, number: int, candidate: CandidateInit | None) -> None:
        """Give the link a candidate of its server; one that does not parse is dropped."""
        if (link := self._links.get(number)) is None:
            return
        try:
            link.add_candidate(candidate)
        except CandidateError as error:
            logger.debug("a candidate of the server is dropped: %s", error)

    def close(self, number: int) -> None:
        """Close the link, or stop making it."""
        if number not in self._links:
            return
        link = self._links.pop(number)
        if link is not None:
            link.close()
        elif (task := self._answering.get(number)) is not None:
            task.cancel()

    def send(self, number: int, data: bytes, *, reliable: bool) -> bool:
        """Send on a link; False when the message is larger than the server's SDP allows."""
        if (link := self._links.get(number)) is not None:
            try:
                link.send(data, reliable=reliable)
            except MessageTooLarge as error:
                logger.debug("a message was not sent: %s", error)
                return False
        return True

    def buffered(self, number: int, *, reliable: bool) -> int:
        """Bytes waiting on a channel of a link."""
        link = self._links.get(number)
        return 0 if link is None else link.buffered_amount(reliable=reliable)

    async def shut(self) -> None:
        """Close everything, and wait until it is."""
        for number in list(self._links):
            self.close(number)
        if self._answering:
            await asyncio.wait(list(self._answering.values()))
        await self._dialer.close()

    def _tell(self, number: int, event: events.Event) -> None:
        if number in self._links:
            self._report(event)


class _Handler:
    """Gives a link's events its number."""

    __slots__ = ("_links", "_number")

    def __init__(self, links: Links, number: int) -> None:
        self._links = links
        self._number = number

    def on_open(self, link: Link) -> None:
        self._links._tell(self._number, events.LinkOpened(self._number))

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        self._links._on_message(self._number, data, reliable)

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        if self._number in self._links._links:
            self._links._on_room()

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        self._links._tell(self._number, events.LinkEnded(self._number, end, link.trouble))
