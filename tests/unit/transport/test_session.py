"""DTLS, SCTP and the channels between two sessions joined in memory: set-up, ends, limits, and handlers that misbehave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from protocol.errors import MessageTooLarge
from tests.support.poll import until
from tests.support.rtc import MemorySession, Recorder, ended, memory_pair
from transport.link import Link, LinkEnd
from transport.mailbox import MAX_EARLY_MESSAGES
from transport.options import LinkOptions
from transport.sdp import Fingerprint
from transport.session import Session


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def options(request: pytest.FixtureRequest) -> LinkOptions:
    return LinkOptions(fast=request.param, setup_timeout=10.0)


class Pair:
    """Two joined sessions and their recorders."""

    def __init__(self, options: LinkOptions, other: LinkOptions | None = None) -> None:
        self.a, self.b = Recorder(), Recorder()
        self.first, self.second = memory_pair(self.a, self.b, options, other)

    async def open(self) -> Pair:
        await self.a.is_open()
        await self.b.is_open()
        return self


@pytest_asyncio.fixture
async def pair(options: LinkOptions) -> AsyncIterator[Pair]:
    joined = await Pair(options).open()
    yield joined
    await ended(joined.first, joined.second)


async def test_a_fast_side_and_a_plain_side_understand_each_other() -> None:
    pair = await Pair(LinkOptions(fast=True), LinkOptions(fast=False)).open()
    pair.first.send(b"there", reliable=True)
    pair.second.send(b"back", reliable=False)
    await pair.b.has(1)
    await pair.a.has(1)
    await ended(pair.first, pair.second)


async def test_a_lost_handshake_is_repeated(options: LinkOptions) -> None:
    a, b = Recorder(), Recorder()
    first, second = MemorySession(a, options, "first"), MemorySession(b, options, "second")
    first.other, second.other = second, first
    lost: list[bytes] = []

    def drop(data: bytes) -> bool:
        lost.append(data)
        return len(lost) == 1

    first.drop = drop  # the server's first flight
    first.begin(second.description(), dtls_server=True, create=True)
    second.begin(first.description(), dtls_server=False, create=False)
    await a.is_open()
    await b.is_open()
    await ended(first, second)


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
async def test_a_certificate_other_than_announced_fails(options: LinkOptions, algorithm: str) -> None:
    a, b = Recorder(), Recorder()
    first, second = MemorySession(a, options, "first"), MemorySession(b, options, "second")
    first.other, second.other = second, first
    size = {"sha-256": 32, "sha-512": 64}[algorithm]
    wrong = replace(second.description(), fingerprints=(Fingerprint(algorithm, ":".join(["00"] * size)),))
    first.begin(wrong, dtls_server=True, create=True)
    second.begin(first.description(), dtls_server=False, create=False)
    assert await a.has_ended() is LinkEnd.FAILED
    assert await b.has_ended() in (LinkEnd.FAILED, LinkEnd.REMOTE)
    assert not a.opened
    assert not b.opened
    await ended(first, second)


async def test_set_up_has_a_deadline(options: LinkOptions) -> None:
    a = Recorder()
    first = MemorySession(a, replace(options, setup_timeout=0.05), "first")
    first.drop = lambda data: True
    first.begin(first.description(), dtls_server=False, create=True)
    assert await a.has_ended() is LinkEnd.TIMEOUT
    assert not a.opened
    await ended(first)


async def test_closed_before_it_opened(options: LinkOptions) -> None:
    pair = Pair(options)
    pair.first.close()
    assert await pair.a.has_ended() is LinkEnd.LOCAL
    assert not pair.a.opened
    await ended(pair.first, pair.second)


async def test_discarded_links_say_nothing(options: LinkOptions) -> None:
    pair = Pair(options)
    pair.first.discard()
    await asyncio.wait_for(pair.first.wait_closed(), 5)
    assert pair.first.is_closed
    assert pair.a.ends == []
    await ended(pair.second)


async def test_the_peer_learns_of_the_end_at_once(pair: Pair) -> None:
    pair.first.close()
    assert not pair.first.is_open
    assert pair.a.ends == [], "on the next turn of the loop, not within close()"
    assert await pair.b.has_ended(1.0) is LinkEnd.REMOTE
    assert pair.a.ends == [LinkEnd.LOCAL]


async def test_sending_after_the_end_does_nothing(pair: Pair) -> None:
    pair.first.close()
    pair.first.close()
    pair.first.send(b"x", reliable=True)
    await pair.b.has_ended()
    pair.second.send(b"x", reliable=True)
    pair.second.datagram(b"\x17garbage")
    assert pair.b.messages == []


async def test_what_came_before_the_end_is_delivered(pair: Pair) -> None:
    for number in range(5):
        pair.first.send(b"%d" % number, reliable=True)
    await asyncio.sleep(0)  # a send of the plain path is a task
    pair.first.close()
    assert await pair.b.has_ended() is LinkEnd.REMOTE
    assert pair.b.bodies(reliable=True) == [b"0", b"1", b"2", b"3", b"4"]


async def test_nothing_is_delivered_after_close_in_a_handler(pair: Pair) -> None:
    pair.b.react = lambda link, data, reliable: link.close()
    for _ in range(5):
        pair.first.send(b"x", reliable=True)
    assert await pair.b.has_ended() is LinkEnd.LOCAL
    assert len(pair.b.messages) == 1
    assert await pair.a.has_ended() is LinkEnd.REMOTE


async def test_a_handler_may_send_while_it_is_told(pair: Pair) -> None:
    def bounce(link: Link, data: bytes, reliable: bool) -> None:
        if len(data) < 200:
            for _ in range(2 if len(data) < 6 else 1):
                link.send(data + b".", reliable=reliable)

    pair.a.react = pair.b.react = bounce
    pair.first.send(b"", reliable=True)
    pair.first.send(b"", reliable=False)
    await until(lambda: sum(len(d) == 200 for r in (pair.a, pair.b) for d, _ in r.messages) == 128, 20, "not all came back")


async def test_empty_and_text_messages(pair: Pair) -> None:
    pair.first.send(b"", reliable=True)
    channel = pair.first._channels[True]
    channel.send("")
    channel.send("Grüße")
    await pair.b.has(3)
    assert pair.b.bodies(reliable=True) == [b"", b"", "Grüße".encode()]


async def test_sizes_on_both_sides_of_every_boundary(pair: Pair) -> None:
    sizes = [1, 1159, 1160, 1161, 2320, 2321, 16384, 65535, 65536]
    for size in sizes:
        pair.first.send(bytes([size % 251]) * size, reliable=True)
    await pair.b.has(len(sizes))
    assert pair.b.bodies(reliable=True) == [bytes([size % 251]) * size for size in sizes]


async def test_a_message_over_the_peers_limit_is_refused(options: LinkOptions) -> None:
    pair = await Pair(options, replace(options, max_message=1000)).open()
    with pytest.raises(MessageTooLarge) as caught:
        pair.first.send(bytes(1001), reliable=True)
    assert (caught.value.size, caught.value.limit) == (1001, 1000)
    pair.first.send(bytes(1000), reliable=True)
    pair.second.send(bytes(1001), reliable=True)
    await pair.b.has(1)
    await pair.a.has(1)
    await ended(pair.first, pair.second)


async def test_a_peer_that_ignores_our_limit_is_ended(options: LinkOptions) -> None:
    pair = await Pair(options, replace(options, max_message=1000)).open()
    pair.first._max_send = 0
    pair.first.sctp._remote_max_message_size = 0
    pair.first.send(bytes(5000), reliable=True)
    assert await pair.b.has_ended() is LinkEnd.FAILED
    assert pair.b.messages == []
    assert await pair.a.has_ended() is LinkEnd.REMOTE
    await ended(pair.first, pair.second)


async def test_buffered_amount_rises_and_runs_low(options: LinkOptions) -> None:
    pair = await Pair(replace(options, low_mark=10_000)).open()
    body = bytes(50_000)
    for _ in range(10):
        pair.first.send(body, reliable=True)
    assert pair.first.buffered_amount(reliable=True) > 400_000
    assert pair.first.buffered_amount(reliable=False) == 0
    assert pair.a.lows == [], "never from inside send()"
    await pair.b.has(10)
    await until(lambda: pair.a.lows, 5, "it does not run low")
    assert set(pair.a.lows) == {True}
    assert pair.first.buffered_amount(reliable=True) <= 10_000
    await ended(pair.first, pair.second)


async def test_a_channel_that_holds_too_much_is_ended(options: LinkOptions) -> None:
    pair = await Pair(replace(options, max_buffered=200_000)).open()
    for _ in range(10):
        pair.first.send(bytes(50_000), reliable=True)
    assert not pair.first.is_open
    assert await pair.a.has_ended() is LinkEnd.FAILED
    assert await pair.b.has_ended() is LinkEnd.REMOTE
    await ended(pair.first, pair.second)


@pytest.mark.parametrize("call", ["on_open", "on_message", "on_closed"])
async def test_a_handler_that_raises_loses_its_link_and_no_more(
    options: LinkOptions, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Recorder):
        def on_open(self, link: Link) -> None:
            super().on_open(link)
            assert call != "on_open", "a fault"

        def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
            super().on_message(link, data, reliable)
            assert call != "on_message", "a fault"

        def on_closed(self, link: Link, end: LinkEnd) -> None:
            super().on_closed(link, end)
            assert call != "on_closed", "a fault"

    a, b = Recorder(), Faulty()
    first, second = memory_pair(a, b, options)
    await a.is_open()
    for _ in range(3):
        first.send(b"x", reliable=True)
    if call == "on_closed":
        await b.has(3)
        second.close()
    assert await b.has_ended() is (LinkEnd.LOCAL if call == "on_closed" else LinkEnd.FAILED)
    assert len(b.messages) == {"on_open": 0, "on_message": 1, "on_closed": 3}[call]
    assert await a.has_ended() is LinkEnd.REMOTE
    assert [record.levelno for record in caplog.records if record.name == "transport.mailbox"] == [logging.ERROR]
    await ended(first, second)


async def test_messages_wait_for_the_other_channel(options: LinkOptions) -> None:
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, options)
    lost: list[bytes] = []
    sizes: set[int] = set()  # by which what was lost is known when it is sent again

    def drop(data: bytes) -> bool:
        """Lose what says that the second channel was accepted."""
        if not lost and second.sctp is not None and len(second.sctp._data_channels) == 2:
            sizes.add(len(data))
        if len(data) in sizes:
            lost.append(data)
            return True
        return False

    second.drop = drop
    await b.is_open()
    second.send(bytes(50), reliable=True)
    second.send(bytes(51), reliable=True)
    await until(lambda: len(first._mailbox) == 2, 5, "they do not come")
    assert lost
    assert not a.opened
    sizes.clear()
    await a.is_open()
    await a.has(2)
    assert a.bodies(reliable=True) == [bytes(50), bytes(51)]
    await ended(first, second)


async def test_a_peer_that_does_not_wait_at_all_is_ended(options: LinkOptions) -> None:
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, options)
    second.drop = lambda data: second.sctp is not None and len(second.sctp._data_channels) == 2 and not second.is_open
    await b.is_open()
    for _ in range(MAX_EARLY_MESSAGES + 1):
        second.send(b"x", reliable=True)
    assert await a.has_ended() is LinkEnd.FAILED
    assert a.messages == []
    await ended(first, second)


async def test_other_channels_are_left_alone(pair: Pair) -> None:
    from aiortc import RTCDataChannel, RTCDataChannelParameters

    strange = RTCDataChannel(pair.second.sctp, RTCDataChannelParameters(label="telemetry"))
    twin = RTCDataChannel(pair.second.sctp, RTCDataChannelParameters(label="reliable"))
    await until(lambda: strange.readyState == twin.readyState == "open", 5, "they do not open")
    strange.send(b"noise")
    twin.send(b"noise")
    pair.second.send(b"signal", reliable=True)
    await pair.a.has(1)
    assert pair.a.messages == [(b"signal", True)]
    assert pair.first.is_open


async def test_a_channel_closed_by_the_peer_ends_the_link(pair: Pair) -> None:
    pair.second._channels[False].close()
    assert await pair.a.has_ended() is LinkEnd.REMOTE


async def test_a_flood_before_the_handshake_is_bounded(options: LinkOptions) -> None:
    a = Recorder()
    first = MemorySession(a, options, "first")
    for _ in range(5000):
        first.datagram(b"\x16" + bytes(20))
    assert first._port.overflowed > 0
    assert len(first._port.drain()) + first._port.overflowed == 5000
    await ended(first)


async def test_garbage_in_an_open_link_is_dropped(pair: Pair) -> None:
    for data in (
        b"\x17",
        b"\x17\xfe\xfd" + bytes(40),
        b"\x16\xfe\xfd" + bytes(300),
        b"\x15\xfe\xfd" + bytes(30),
        bytes([63]) * 1500,
    ):
        pair.first.datagram(data)
        pair.second.datagram(data)
    pair.first.send(b"still", reliable=True)
    pair.second.send(b"here", reliable=True)
    await pair.a.has(1)
    await pair.b.has(1)


async def test_a_session_without_a_way_to_send_is_a_mistake(options: LinkOptions) -> None:
    bare = Session(Recorder(), options, "bare")
    with pytest.raises(TypeError, match="no way to send"):
        bare._send_datagram(b"")
    assert "bare" in repr(bare)
    await ended(bare)
