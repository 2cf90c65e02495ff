"""The one current link: what older ones still say, and what cannot be made, is told or not as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from protocol.codes import Code
from protocol.errors import CandidateError, SdpError
from protocol.ice import IceServer
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from rtcbroker.core import events
from rtcbroker.io.links import Links
from tests.support.fake_cluster import FakeDialed
from tests.support.poll import until
from transport.fake import FakeLink, fake_pair
from transport.link import Link, LinkEnd, LinkHandler

LINE = CandidateInit("candidate:1 1 udp 1 127.0.0.1 9 typ host")


class Nobody:
    """The other end."""

    def on_open(self, link: Link) -> None: ...
    def on_message(self, link: Link, data: bytes, reliable: bool) -> None: ...
    def on_buffered_low(self, link: Link, reliable: bool) -> None: ...
    def on_closed(self, link: Link, end: LinkEnd) -> None: ...


class Dialed(FakeDialed):
    """One that remembers candidates."""

    def __init__(self, link: FakeLink, other: FakeLink) -> None:
        super().__init__(link)
        self.other = other
        self.candidates: list[CandidateInit | None] = []

    def add_candidate(self, init: CandidateInit | None) -> None:
        if init == CandidateInit("bad"):
            raise CandidateError("bad")
        self.candidates.append(init)


class Dialer:
    """One whose answers wait until they are let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.go = asyncio.Event()
        self.go.set()
        self.links: list[Dialed] = []
        self.on_candidate: Callable[[CandidateInit], None] | None = None
        self.ice_servers: tuple[IceServer, ...] = ()

    async def answer(
        self,
        sdp: str,
        handler: LinkHandler,
        on_candidate: Callable[[CandidateInit], None] | None,
        ice_servers: Sequence[IceServer],
    ) -> Dialed:
        self.ice_servers = tuple(ice_servers)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        self.on_candidate = on_candidate
        ours, other = fake_pair(handler, Nobody(), loop=asyncio.get_running_loop(), max_message=1_000)
        self.links.append(Dialed(ours, other))
        return self.links[-1]

    async def close(self) -> None: ...


class World:
    def __init__(self, error: Exception | None = None) -> None:
        self.dialer = Dialer(error)
        self.events: list[events.Event] = []
        self.messages: list[tuple[int, bytes, bool]] = []
        self.rooms = 0
        self.links = Links(self.dialer, self.events.append, lambda *message: self.messages.append(message), self._on_room)

    def _on_room(self) -> None:
        self.rooms += 1

    async def opened(self, *ice_servers: IceServer) -> Dialed:
        """A link with number 1 that has opened."""
        self.links.answer(1, "offer", ice_servers)
        await until(lambda: events.LinkOpened(1) in self.events, 5, "it is open")
        return self.dialer.links[0]


async def test_a_link_tells_of_its_life() -> None:
    world = World()
    dialed = await world.opened()
    assert world.events == [events.LinkAnswered(1, "the answer"), events.LinkOpened(1)]
    assert dialed.on_reached is not None
    dialed.on_reached()
    assert world.events[2:] == [events.LinkReached(1)]
    dialed.other.send(b"hello", reliable=False)
    await until(lambda: world.messages == [(1, b"hello", False)], 5, "the message comes")
    dialed.fake.set_buffered(100_000, reliable=True)
    assert world.links.buffered(1, reliable=True) == 100_000
    dialed.fake.set_buffered(0, reliable=True)
    await until(lambda: world.rooms == 1, 5, "there is room")
    dialed.fake.finish(LinkEnd.SILENT)
    await until(lambda: world.events[-1] == events.LinkEnded(1, LinkEnd.SILENT), 5, "its end is told")
    await world.links.shut()


@pytest.mark.parametrize(
    ("error", "code"), [(SdpError("no fingerprint"), Code.BAD_SDP), (OSError("no more files"), Code.LINK_LOST)]
)
async def test_an_offer_that_cannot_be_answered_is_told(error: Exception, code: Code) -> None:
    world = World(error)
    world.links.answer(1, "offer")
    await until(lambda: world.events, 5, "it is told")
    event = world.events[0]
    assert isinstance(event, events.LinkRefused)
    assert event.code == code
    assert str(error).split(" [")[0] in event.reason
    await world.links.shut()


async def test_a_closed_link_says_nothing_any_more() -> None:
    world = World()
    dialed = await world.opened()
    told = len(world.events)
    dialed.fake.set_buffered(100_000, reliable=True)
    dialed.fake.set_buffered(0, reliable=True)
    world.links.close(1)
    assert world.links.get(1) is None
    assert world.links.buffered(1, reliable=True) == 0
    assert world.links.send(1, b"x", reliable=True)  # to nobody
    await until(lambda: dialed.fake.end_seen, 5, "it has ended")
    assert len(world.events) == told
    assert world.rooms == 0


async def test_a_link_closed_while_it_is_made_never_comes() -> None:
    world = World()
    world.dialer.go.clear()
    world.links.answer(1, "offer")
    await asyncio.sleep(0)
    world.links.close(2)  # another one's number
    world.links.close(1)
    await world.links.shut()
    assert world.events == []
    assert world.dialer.links == []


async def test_a_link_that_is_no_longer_wanted_is_closed_and_the_other_lives() -> None:
    world = World()
    world.dialer.go.clear()
    world.links.answer(1, "offer")
    await asyncio.sleep(0)
    world.links.answer(2, "another offer")
    world.links.close(1)
    world.dialer.go.set()
    await until(lambda: events.LinkOpened(2) in world.events, 5, "the second is open")
    assert [event for event in world.events if getattr(event, "link", 2) == 1] == []
    await world.links.shut()


async def test_two_links_live_beside_each_other() -> None:
    world = World()
    world.links.answer(1, "offer")
    world.links.answer(2, "another offer")
    await until(lambda: {events.LinkOpened(1), events.LinkOpened(2)} <= set(world.events), 5, "both are open")
    for number, dialed in enumerate(world.dialer.links, start=1):
        dialed.other.send(b"%d" % number, reliable=True)
    await until(lambda: set(world.messages) == {(1, b"1", True), (2, b"2", True)}, 5, "both are heard")
    world.links.close(1)
    assert (world.links.get(1), world.links.get(2)) == (None, world.dialer.links[1])
    await world.links.shut()


async def test_without_ice_servers_candidates_are_in_the_answer() -> None:
    world = World()
    await world.opened()
    assert world.dialer.on_candidate is None
    assert world.dialer.ice_servers == ()
    await world.links.shut()


async def test_what_ice_servers_did_not_do_is_told_with_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    dialed = await world.opened()
    monkeypatch.setattr(FakeLink, "trouble", "turn:a: 401 Unauthorized")
    dialed.fake.finish(LinkEnd.FAILED)
    ended = events.LinkEnded(1, LinkEnd.FAILED, "turn:a: 401 Unauthorized")
    await until(lambda: world.events[-1] == ended, 5, "its end is told")
    await world.links.shut()


async def test_candidates_pass_both_ways() -> None:
    world = World()
    dialed = await world.opened(IceServer("stun:a"))
    assert world.dialer.on_candidate is not None
    assert world.dialer.ice_servers == (IceServer("stun:a"),)
    world.dialer.on_candidate(LINE)
    world.dialer.on_candidate(END_OF_CANDIDATES)
    assert world.events[-2:] == [events.LocalCandidate(1, LINE), events.LocalCandidate(1, None)]
    for candidate in (LINE, CandidateInit("bad"), None):
        world.links.add_candidate(1, candidate)
    world.links.add_candidate(9, LINE)
    assert dialed.candidates == [LINE, None]
    await world.links.shut()
    world.links.add_candidate(1, LINE)


async def test_a_message_the_server_does_not_take_is_not_sent() -> None:
    world = World()
    dialed = await world.opened()
    assert not world.links.send(1, bytes(1_001), reliable=True)
    assert world.links.send(1, bytes(1_000), reliable=True)
    assert len(dialed.fake.sent) == 1
    await world.links.shut()
