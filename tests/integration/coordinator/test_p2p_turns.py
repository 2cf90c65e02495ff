"""Who is heard when: an address that causes more than its share waits, others do not, and who reads is never too slow."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from functools import partial
from statistics import median
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from coordinator.core.guests import Guest, Guests, parse_networks
from coordinator.io.turns import DELIVERY_S, PASS_DELIVERIES, PASS_S, TURN_S, Turns
from coordinator.p2p.app import PeerToPeer
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import NextRtc
from coordinator.p2p.core.prices import UNIT_BYTES, price
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from coordinator.settings import CoordinatorSettings
from service.http import start_site
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.p2p_access import access_of
from tests.support.poll import until

ONE, OTHER = "192.0.2.1", "192.0.2.2"
FEW = SocketLimits(messages_per_s=10_000, messages_burst=10_000, outbox_frames=2 * PASS_DELIVERIES)


class Hall:
    """NextRTC on a port, and who is in it."""

    def __init__(self, guests: Guests, limits: SocketLimits = FEW) -> None:
        self.guests = guests
        self.core = NextRtc(Limits(), random.Random(1))
        access = access_of(guests, CLOCK, trusted=parse_networks(["127.0.0.1"]))
        self.endpoint = SocketEndpoint("nextrtc", self.core, access, limits, CLOCK)
        self.http = aiohttp.ClientSession()
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []
        self.url = ""

    async def enter(self, address: str, conversation: str, count: int) -> list[aiohttp.ClientWebSocketResponse]:
        """So many sockets of an address, all in one conversation, and nobody else in it."""
        made = [await self.http.ws_connect(self.url, headers={"X-Forwarded-For": address}) for _ in range(count)]
        self.sockets += made
        before = self.core.members
        for socket in made:
            await socket.send_json({"signal": "join", "content": conversation})
        await until(lambda: self.core.members == before + count, PATIENCE_S, "all are in")
        return made


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    """A thousand deliveries a second, and a thousand at once."""
    made = Hall(Guests(100, 1, 1_000, deliveries_per_s=1_000, deliveries_burst=1_000))
    app = web.Application()
    app.add_routes([web.get("/", made.endpoint.handle)])
    runner, port = await start_site(app, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{port}/"
    yield made
    made.endpoint.stop()
    await made.http.close()
    await asyncio.wait_for(runner.cleanup(), PATIENCE_S)


async def texts(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """The next so many texts that others say."""
    said: list[str] = []
    while len(said) < count:
        message = json.loads(await socket.receive_str(timeout=PATIENCE_S))
        if message["signal"] == "text":
            said.append(message["content"])
    return said


async def test_what_is_over_is_heard_later_by_all_and_nothing_is_lost(hall: Hall) -> None:
    """All sockets of an address together: 20 x 5 texts for 19 others each are twice what may be caused at once."""
    members = await hall.enter(ONE, "hall", 20)
    began = asyncio.get_running_loop().time()
    for number in range(5):
        for member in members:
            await member.send_json({"signal": "text", "content": str(number)})
    heard = await asyncio.gather(*(texts(member, 95) for member in members))
    assert asyncio.get_running_loop().time() - began > 0.8
    assert all(sorted(said) == sorted(str(number) for number in range(5) for _ in range(19)) for said in heard)
    assert not [member for member in members if member.closed]


async def test_a_pair_is_not_given_up_while_what_it_said_is_unheard(hall: Hall) -> None:
    """The protocol is told of each socket, as the coordinator's own does it."""
    hall.core.is_unheard = hall.endpoint.is_unheard
    one, two = await hall.enter(ONE, "hall", 2)
    offer = json.loads(await one.receive_str(timeout=PATIENCE_S))
    while offer["signal"] != "offerRequest":
        offer = json.loads(await one.receive_str(timeout=PATIENCE_S))
    hall.guests.guest(ONE, CLOCK.now()).deliveries.charge(CLOCK.now(), 1_500)
    await one.send_json({"signal": "offerResponse", "to": offer["from"], "content": "sdp"})
    await until(lambda: any(map(hall.endpoint.is_unheard, hall.endpoint._sockets)), PATIENCE_S, "it waits")
    hall.core.tick(CLOCK.now() + 31)
    assert hall.core.counts.errors == {}
    heard = json.loads(await two.receive_str(timeout=PATIENCE_S))
    while heard["signal"] != "answerRequest":
        heard = json.loads(await two.receive_str(timeout=PATIENCE_S))
    assert not any(map(hall.endpoint.is_unheard, hall.endpoint._sockets))
    assert not hall.endpoint.is_unheard(10**9), "one that is gone has nothing to say"


def test_the_coordinators_nextrtc_is_told() -> None:
    p2p = PeerToPeer(
        CoordinatorSettings(auth="none", p2p=["nextrtc"]), access_of(Guests(1, 1, 1), CLOCK), CLOCK, random.Random(1)
    )
    (nextrtc,) = p2p._protocols
    assert isinstance(nextrtc.core, NextRtc)
    assert nextrtc.core.is_unheard == nextrtc.sockets.is_unheard


async def test_other_addresses_are_not_concerned(hall: Hall) -> None:
    loud = await hall.enter(ONE, "loud", 20)
    for _ in range(20):
        for member in loud:
            await member.send_json({"signal": "text", "content": "x"})
    listening = [asyncio.create_task(texts(member, 10_000)) for member in loud]
    one, two = await hall.enter(OTHER, "quiet", 2)
    await texts_between(one, two, 20)
    guest = hall.guests.guest(ONE, CLOCK.now())
    assert guest.deliveries.debt_s(CLOCK.now()) > 0 or hall.core.counts.messages < 400, "the others still wait"
    for task in listening:
        task.cancel()


async def texts_between(one: aiohttp.ClientWebSocketResponse, two: aiohttp.ClientWebSocketResponse, count: int) -> None:
    """One after the other, and soon, but for what else this machine may have to do at some moment."""
    loop = asyncio.get_running_loop()
    took = []
    for number in range(count):
        began = loop.time()
        await one.send_json({"signal": "text", "content": str(number)})
        assert await texts(two, 1) == [str(number)]
        took.append(loop.time() - began)
    assert median(took) < 0.5


async def test_a_peer_that_reads_is_never_too_slow_however_much_comes_at_once(hall: Hall) -> None:
    """What one address may cause at once is many times what may wait for one socket."""
    sayer, *listeners = await hall.enter(ONE, "hall", 2)
    count = 4 * FEW.outbox_frames
    got = [asyncio.create_task(texts(listener, count)) for listener in listeners]
    for number in range(count):
        await sayer.send_json({"signal": "text", "content": str(number)})
    for task in got:
        assert await task == [str(number) for number in range(count)]


async def test_pings_are_heard_in_turn_like_anything_else(hall: Hall) -> None:
    (socket,) = await hall.enter(ONE, "hall", 1)
    before = hall.guests.guest(ONE, CLOCK.now()).deliveries
    for _ in range(2_000):
        await socket.ping()
    await until(lambda: before.debt_s(CLOCK.now()) > 0 or before._tokens < 100, PATIENCE_S, "they were counted")
    await socket.send_json({"signal": "text", "content": "x"})
    await until(lambda: hall.core.counts.messages == 1, PATIENCE_S, "it is heard after them")


def test_what_a_message_counts() -> None:
    assert [price(size) for size in (0, 1, UNIT_BYTES, UNIT_BYTES + 1, 10 * UNIT_BYTES)] == [1, 1, 1, 2, 10]


class Speakers:
    """Who has been heard, and when others had their turn. Nothing takes any time here but waiting, where there are `rates` to wait for."""

    def __init__(self, **rates: Any) -> None:
        began = CLOCK.now()
        self.now = CLOCK.now if rates else lambda: began
        self.turns = Turns(self.now, lambda: 0.0)
        self.guests = Guests(1, 1, 1, **rates)
        self.order: list[str] = []

    def guest(self, name: str) -> Guest:
        return self.guests.guest(name, self.now())

    async def speak(self, name: str, cost: int = PASS_DELIVERIES) -> None:
        """Something that wakes a writer."""

        def hear() -> int:
            self.order.append(name)
            asyncio.get_running_loop().call_soon(self.order.append, "-")
            return cost

        await asyncio.wait_for(self.turns.take(self.guest(name), hear), PATIENCE_S)


async def test_whoever_is_to_write_has_its_turn_between() -> None:
    """However many speak: after so many deliveries all others run once, in the order in which they asked."""
    speakers = Speakers()
    await asyncio.gather(*(speakers.speak(name) for name in "abcd"))
    await asyncio.sleep(0)
    assert "".join(speakers.order) == "a-b-c-d-"


async def test_an_address_with_many_sockets_is_heard_no_more_often_than_one_with_one() -> None:
    speakers = Speakers()
    await asyncio.gather(*(speakers.speak(name) for name in "aaaaab"))
    assert "".join(speakers.order).replace("-", "") == "aabaaa", "the first found nobody waiting"


async def test_much_is_heard_in_one_pass_when_it_costs_little() -> None:
    speakers = Speakers()
    speakers.turns.charge(speakers.guest("z"), PASS_DELIVERIES)
    await asyncio.gather(*(speakers.speak(name, 1) for name in "abab"))
    assert "".join(speakers.order[:4]) == "abab"


@pytest.mark.parametrize(("cost", "took_s"), [(PASS_DELIVERIES // 2, 0.0), (1, PASS_S / 2)])
async def test_a_pass_ends_when_much_was_done_or_it_took_long(cost: int, took_s: float) -> None:
    now = 0.0
    turns, order = Turns(lambda: now), list[str]()
    guests = Guests(1, 1, 1)
    turns.charge(guests.guest("z", now), PASS_DELIVERIES)

    def hear(name: str) -> int:
        nonlocal now
        now += took_s
        order.append(name)
        asyncio.get_running_loop().call_soon(order.append, "-")
        return cost

    await asyncio.gather(*(turns.take(guests.guest(name, now), partial(hear, name)) for name in "abcdef"))
    await asyncio.sleep(0)
    assert "".join(order) == "ab--cd--ef--"


async def test_to_see_that_there_is_nothing_to_do_is_work_too() -> None:
    speakers = Speakers()
    speakers.turns.charge(speakers.guest("z"), PASS_DELIVERIES)
    await asyncio.gather(*(speakers.speak("a", 0) for _ in range(2 * PASS_DELIVERIES)))
    assert speakers.order.index("-") == PASS_DELIVERIES


async def test_who_need_not_wait_for_its_debt_waits_for_its_turn() -> None:
    speakers = Speakers(deliveries_per_s=1, deliveries_burst=1)
    guest, heard = speakers.guest("a"), list[str]()
    speakers.turns.charge(guest, 1_000)
    speakers.turns.ask(guest, lambda: heard.append("asked") or 1)  # type: ignore[func-returns-value]
    assert not heard, "not now"
    await asyncio.wait_for(speakers.turns.take(guest, lambda: 1, despite_debt=True), PATIENCE_S)
    assert heard == ["asked"]


async def test_who_owes_is_heard_later_and_others_meanwhile() -> None:
    speakers = Speakers(deliveries_per_s=100, deliveries_burst=1)
    speakers.turns.charge(speakers.guest("a"), 11)
    await asyncio.gather(*(speakers.speak(name, 1) for name in "ab"))
    assert "".join(speakers.order).replace("-", "") == "ba"


async def test_one_that_gives_up_does_not_end_the_waiting_of_others() -> None:
    speakers = Speakers()
    speakers.turns.charge(speakers.guest("z"), PASS_DELIVERIES)
    waiting = [asyncio.create_task(speakers.speak(name)) for name in "aab"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    await waiting[2]
    assert "a" not in speakers.order
    assert not speakers.turns._waiting


async def test_nothing_is_kept_of_who_gives_up_while_its_address_owes() -> None:
    speakers = Speakers(deliveries_per_s=1, deliveries_burst=1)
    speakers.turns.charge(speakers.guest("a"), 1_000)
    waiting = [asyncio.create_task(speakers.turns.take(speakers.guest("a"), lambda: 1)) for _ in range(3)]
    await asyncio.sleep(0)
    assert sum(map(len, speakers.turns._waiting.values())) == 3
    for left, task in zip((2, 1, 0), reversed(waiting), strict=True):
        task.cancel()
        await asyncio.wait({task})
        assert sum(map(len, speakers.turns._waiting.values())) == left
    assert not speakers.turns._waiting
    await speakers.speak("b", 1)


async def test_to_wait_until_somebody_owes_nothing_takes_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = 0
    inner = Turns._pass

    def counted(turns: Turns) -> None:
        nonlocal passes
        passes += 1
        inner(turns)

    monkeypatch.setattr(Turns, "_pass", counted)
    speakers = Speakers(deliveries_per_s=100, deliveries_burst=1)
    speakers.turns.charge(speakers.guest("a"), 21)
    await speakers.speak("a", 1)
    assert 1 < passes < 10


async def test_what_goes_wrong_is_for_the_one_whose_turn_it_was() -> None:
    speakers = Speakers()
    speakers.turns.charge(speakers.guest("z"), PASS_DELIVERIES)

    def fail() -> int:
        raise RuntimeError("no")

    failing = asyncio.create_task(speakers.turns.take(speakers.guest("a"), fail))
    await speakers.speak("b")
    with pytest.raises(RuntimeError, match="no"):
        await failing


LARGE = 10_000
"""Deliveries that may be caused at once."""


def owed(guest: Guest) -> int:
    """Of LARGE."""
    return LARGE - guest.deliveries.take_some(0.0, LARGE)


@pytest.mark.parametrize(
    ("cost", "worked_s", "charged"),
    [(1, 0.0, 1), (1, TURN_S, 1), (1, TURN_S + 50 * DELIVERY_S, 50), (50, TURN_S + 30 * DELIVERY_S, 50), (0, 0.0, 0)],
)
async def test_what_takes_longer_than_its_price_costs_what_it_takes(cost: int, worked_s: float, charged: int) -> None:
    """Whether it had to wait or not."""
    worked = 0.0
    turns, guests = Turns(lambda: 0.0, lambda: worked), Guests(1, 1, 1, deliveries_per_s=1, deliveries_burst=LARGE)

    def hear() -> int:
        nonlocal worked
        worked += worked_s
        return cost

    at_once, later = guests.guest("a", 0.0), guests.guest("b", 0.0)
    assert turns.take_now(at_once, hear)
    turns.charge(guests.guest("z", 0.0), PASS_DELIVERIES)
    assert not turns.take_now(later, hear)
    await turns.take(later, hear)
    assert charged <= owed(at_once) <= charged + 1, "rounded up"
    assert charged <= owed(later) <= charged + 1


async def test_what_is_done_around_a_turn_ends_its_pass_and_is_not_owed() -> None:
    speakers = Speakers(deliveries_per_s=1, deliveries_burst=LARGE)
    guest, heard = speakers.guest("a"), list[int]()
    waiting = [
        asyncio.create_task(speakers.turns.take(guest, lambda: heard.append(1) or 1, beside=PASS_DELIVERIES // 2 - 1))  # type: ignore[func-returns-value]
        for _ in range(6)
    ]
    seen = []
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0)
        seen.append(len(heard))
    assert set(seen) == {2, 4, 6}, "two in one go"
    assert owed(guest) == 6


async def test_those_in_one_line_are_not_behind_those_in_another() -> None:
    speakers = Speakers()
    guest, order = speakers.guest("a"), list[str]()
    speakers.turns.charge(guest, PASS_DELIVERIES)

    async def wait(line: str) -> None:
        await speakers.turns.take(guest, lambda: order.append(line) or PASS_DELIVERIES, line=line)  # type: ignore[func-returns-value]

    await asyncio.gather(*(wait(line) for line in "xxxxy"))
    assert "".join(order) == "xyxxx"


async def test_at_the_end_nobody_waits_for_its_debt() -> None:
    speakers = Speakers(deliveries_per_s=1, deliveries_burst=1)
    speakers.turns.charge(speakers.guest("a"), 1_000)
    waiting = asyncio.create_task(speakers.speak("a", 1))
    await asyncio.sleep(0)
    speakers.turns.end()
    await waiting
    await speakers.speak("a", 1)
    assert "".join(speakers.order).replace("-", "") == "aa"
