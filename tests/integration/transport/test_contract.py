"""What transport/link.py promises, held against the fake and against real links on both paths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from protocol.errors import MessageTooLarge
from tests.integration.transport.conftest import OpenRtc
from tests.support.poll import until
from tests.support.rtc import Recorder
from transport import Link, LinkEnd, fake_pair

Join = Callable[[Recorder, Recorder], Awaitable[tuple[Link, Link]]]
LIMIT = 20_000


@pytest_asyncio.fixture(params=["fake", "fast", "plain"])
async def join(request: pytest.FixtureRequest, open_rtc: OpenRtc) -> Join:
    kind = request.param

    async def make(a: Recorder, b: Recorder) -> tuple[Link, Link]:
        if kind == "fake":
            links = fake_pair(a, b, loop=asyncio.get_running_loop(), max_message=LIMIT)
            await a.is_open()
            await b.is_open()
            return links
        return await (await open_rtc(fast=kind == "fast", max_message=LIMIT)).join(a, b)

    return make


async def test_open_comes_first_and_once(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, second = await join(a, b)
    assert a.opened == [first]
    assert b.opened == [second]
    assert first.is_open
    assert second.is_open


@pytest.mark.parametrize("reliable", [True, False])
async def test_messages_go_both_ways_on_their_channel(join: Join, reliable: bool) -> None:
    a, b = Recorder(), Recorder()
    first, second = await join(a, b)
    first.send(b"to b", reliable=reliable)
    second.send(b"to a", reliable=reliable)
    await a.has(1)
    await b.has(1)
    assert a.messages == [(b"to a", reliable)]
    assert b.messages == [(b"to b", reliable)]


async def test_reliable_messages_keep_their_order(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, _ = await join(a, b)
    bodies = [b"%d" % number * (1 + number % 50) for number in range(500)]
    for body in bodies:
        first.send(body, reliable=True)
    await b.has(len(bodies))
    assert b.bodies(reliable=True) == bodies


@pytest.mark.parametrize("body", [b"", b"\0", b"x" * LIMIT], ids=["empty", "zero byte", "the largest"])
async def test_bodies_of_every_size(join: Join, body: bytes) -> None:
    a, b = Recorder(), Recorder()
    first, _ = await join(a, b)
    first.send(body, reliable=True)
    await b.has(1)
    assert b.messages == [(body, True)]


async def test_a_message_over_the_limit_is_refused_and_the_link_goes_on(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, _ = await join(a, b)
    with pytest.raises(MessageTooLarge) as caught:
        first.send(bytes(LIMIT + 1), reliable=True)
    assert (caught.value.size, caught.value.limit) == (LIMIT + 1, LIMIT)
    first.send(b"ok", reliable=True)
    await b.has(1)


async def test_nothing_is_told_within_send(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, second = await join(a, b)
    first.send(b"x", reliable=True)
    assert b.messages == []
    a.react = lambda link, data, reliable: link.send(b"pong", reliable=reliable)
    second.send(b"ping", reliable=True)
    assert a.messages == []
    await b.has(2)
    assert b.bodies(reliable=True) == [b"x", b"pong"]


@pytest.mark.parametrize("side", [0, 1], ids=["offering", "answering"])
async def test_close(join: Join, side: int) -> None:
    recorders = Recorder(), Recorder()
    links = await join(*recorders)
    links[side].close()
    assert not links[side].is_open
    assert recorders[side].ends == [], "told on the next turn"
    assert await recorders[side].has_ended() is LinkEnd.LOCAL
    assert await recorders[1 - side].has_ended(2) is LinkEnd.REMOTE
    assert not links[1 - side].is_open


async def test_after_the_end_nothing_follows(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, second = await join(a, b)
    first.close()
    first.close()
    first.send(b"x", reliable=True)
    second.send(b"y", reliable=True)
    await a.has_ended()
    await b.has_ended()
    second.close()
    first.send(b"x", reliable=False)
    await asyncio.sleep(0.05)  # for what must not come
    assert a.messages == b.messages == []
    assert (a.ends, b.ends) == ([LinkEnd.LOCAL], [LinkEnd.REMOTE])
    assert first.buffered_amount(reliable=True) == 0


async def test_close_within_a_handler(join: Join) -> None:
    a, b = Recorder(), Recorder()
    first, _ = await join(a, b)
    b.react = lambda link, data, reliable: link.close()
    for _ in range(10):
        first.send(b"x", reliable=True)
    assert await b.has_ended() is LinkEnd.LOCAL
    assert len(b.messages) == 1
    await until(lambda: a.ends, 5, "the other side does not hear of it")
