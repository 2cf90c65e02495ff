"""Publishing: room, its end, and what is lost, with links of its own making."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from protocol.errors import MessageTooLarge, TopicError
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.server_link import ServerLink
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.io.links import Links
from rtcbroker.io.sender import Sender, as_bytes


class Joined:
    """What the sender looks at of a link."""

    number = 1
    batched = True
    max_message_bytes = 1_000


class Channel:
    """In the place of :class:`Links`: keeps what is sent, and says what waits."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bool]] = []
        self.waiting = {True: 0, False: 0}
        self.takes = 10_000

    def send(self, number: int, data: bytes, *, reliable: bool) -> bool:
        if len(data) > self.takes:
            return False
        self.sent.append((data, reliable))
        return True

    def buffered(self, number: int, *, reliable: bool) -> int:
        return self.waiting[reliable]


class World:
    def __init__(self) -> None:
        self.stats = ClientStats()
        self.channel = Channel()
        self.link: Joined | None = Joined()
        options = ClientOptions(reliable_buffer=2_000, unreliable_buffer=1_000)
        self.is_parting = False
        self.sender = Sender(
            options,
            self.stats,
            lambda: cast(ServerLink | None, self.link),
            cast(Links, self.channel),
            lambda: self.is_parting,
        )

    def offer(self, size: int, *, reliable: bool = True) -> bool:
        return self.sender.offer("a", bytes(size), reliable=reliable, identity=False)


def test_what_is_offered_leaves_with_the_flush() -> None:
    world = World()
    assert world.offer(10)
    assert world.offer(10, reliable=False)
    assert world.channel.sent == []
    assert not world.sender.unconfirmed
    world.sender.flush()
    assert [reliable for _, reliable in world.channel.sent] == [True, False]
    assert world.stats.sent == 2
    assert world.stats.bytes_sent == sum(len(data) for data, _ in world.channel.sent)
    assert world.sender.unconfirmed


def test_each_channel_has_a_mark_for_what_waits_here_and_there() -> None:
    world = World()
    world.channel.waiting[True] = 1_500
    assert world.offer(600)  # the mark is looked at before, so one packet may pass it
    assert not world.offer(0)
    assert world.offer(0, reliable=False)
    world.sender.flush()
    assert world.offer(0)


def test_without_a_connection_nothing_is_taken_and_what_was_taken_is_lost() -> None:
    world = World()
    assert world.offer(1)
    world.link = None
    assert not world.offer(1)
    world.sender.flush()
    assert world.channel.sent == []
    assert world.stats.dropped == {Drop.NOT_CONNECTED: 1}


def test_what_cannot_be_sent_is_refused_or_counted() -> None:
    world = World()
    with pytest.raises(TopicError):
        world.sender.offer("a b", b"", reliable=True, identity=False)
    with pytest.raises(MessageTooLarge):
        world.offer(1_000)
    world.channel.takes = 100
    world.offer(200)
    world.sender.flush()
    assert world.stats.dropped == {Drop.TOO_LARGE: 1}
    assert world.stats.sent == 0


async def test_those_who_wait_are_woken_by_room_and_not_before() -> None:
    world = World()
    world.channel.waiting[True] = 3_000
    waiting = asyncio.ensure_future(world.sender.wait(5))
    await asyncio.sleep(0)
    world.sender.has_room()
    await asyncio.sleep(0)
    assert not waiting.done()
    world.channel.waiting[True] = 0
    world.sender.flush()
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("body", [b"x", "x", bytearray(b"x"), memoryview(b"x")])
def test_bodies(body: bytes | str) -> None:
    assert as_bytes(body) == b"x"


def test_while_the_client_parts_from_its_server_nothing_leaves_reliably() -> None:
    world = World()
    assert world.offer(10)
    world.is_parting = True
    world.sender.flush_reliable()
    assert len(world.channel.sent) == 1, "what was offered before leaves"
    assert world.offer(20)
    assert world.offer(30, reliable=False)
    world.sender.flush()
    assert [reliable for _, reliable in world.channel.sent] == [True, False]
    world.is_parting = False
    world.sender.flush()
    assert [reliable for _, reliable in world.channel.sent] == [True, False, True]
    assert world.stats.sent == 3


def test_what_is_held_back_counts_for_the_mark() -> None:
    world = World()
    world.is_parting = True
    for _ in range(4):
        assert world.offer(600)
    world.sender.flush()
    assert not world.offer(1)
    world.link = None
    world.sender.flush_reliable()
    assert world.channel.sent == []
