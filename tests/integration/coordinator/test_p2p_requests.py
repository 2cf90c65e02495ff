"""Requests by HTTP are heard in turn, as sockets are: who owes waits, nothing is lost, and few are served in one go."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from coordinator.core.guests import Guest, Guests
from coordinator.io import turnstile
from coordinator.io.turns import PASS_DELIVERIES, REQUEST_DELIVERIES
from coordinator.p2p.app import PeerToPeer
from coordinator.p2p.core import prices
from coordinator.settings import CoordinatorSettings
from protocol.codes import Code
from protocol.limits import KIB
from service.bucket import TokenBucket
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.apprtc_site import MAX_MESSAGE, Answer, Site, apprtc_site
from tests.support.p2p_access import access_of
from tests.support.passes import Passes
from tests.support.poll import until

ONE, OTHER = "192.0.2.1", "192.0.2.2"
RATE, BURST = 1_000, 5_000
REQUESTS = 200
MOST = PASS_DELIVERIES // REQUEST_DELIVERIES
"""Requests that are served in one go."""
SUCCESS = '{"result": "SUCCESS"}'


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    guests = Guests(REQUESTS, 0.001, REQUESTS, deliveries_per_s=RATE, deliveries_burst=BURST)
    async with apprtc_site(CLOCK, guests=guests) as made:
        yield made


def guest_of(site: Site, address: str = ONE) -> Guest:
    return site.guests.guest(address, CLOCK.now())


def owe(site: Site, seconds: float) -> None:
    """Nothing of that address is heard for so long."""
    guest_of(site).deliveries.charge(CLOCK.now(), BURST + seconds * RATE)


async def post(site: Site, path: str, data: str | bytes = "", address: str = ONE) -> Answer:
    return await asyncio.wait_for(site.post(path, data, **{"X-Forwarded-For": address}), PATIENCE_S)


async def test_who_owes_is_answered_later_and_others_meanwhile(site: Site) -> None:
    client = (await site.join("room"))["client_id"]
    owe(site, 0.5)
    began = asyncio.get_running_loop().time()
    asked = [asyncio.create_task(post(site, f"/message/room/{client}", str(number))) for number in range(20)]
    asked += [asyncio.create_task(post(site, f"{site.url}/collider/room/{client}", "x"))]
    await asyncio.sleep(0)
    for path in ("/join/other", f"{site.url}/collider/status"):
        assert (await post(site, path, address=OTHER)).status == 200
    assert not any(task.done() for task in asked)
    answers = [await task for task in asked]
    assert asyncio.get_running_loop().time() - began > 0.4
    assert [answer.body for answer in answers] == [SUCCESS] * 20 + ["OK\n"]
    messages = (await site.join("room"))["messages"]
    assert sorted(map(int, messages)) == list(range(20)), "nothing is lost"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/params"),
        ("POST", "/join/room"),
        ("POST", "/message/room/1"),
        ("POST", "COLLIDER/room/1"),
        ("GET", "COLLIDER/status"),
    ],
)
async def test_not_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    monkeypatch.setattr(turnstile, "TURN_S", 0.2)
    owe(site, 600)
    url = path.replace("COLLIDER", f"{site.url}/collider")
    answer = await asyncio.wait_for(site.ask(method, url, **{"X-Forwarded-For": ONE}), PATIENCE_S)
    assert answer.status == 429
    assert answer.json["code"] == Code.RATE_LIMITED
    assert (await asyncio.wait_for(site.ask(method, url, **{"X-Forwarded-For": OTHER}), PATIENCE_S)).status != 429


async def test_nor_when_all_of_it_is_here(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The debt comes between the request and the last byte of its body."""
    monkeypatch.setattr(turnstile, "TURN_S", 0.2)
    client = (await site.join("room"))["client_id"]

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x"
        await until(lambda: site.guests.kept > 0, PATIENCE_S, "it is being read")
        owe(site, 600)
        yield b"x"

    headers = {"X-Forwarded-For": ONE}
    async with site.http.post(f"{site.url}/apprtc/message/room/{client}", data=slowly(), headers=headers) as response:
        assert response.status == 429
    assert (await site.join("room"))["messages"] == [], "it was refused, and nothing of it is kept"
    assert site.guests.kept == 0


async def test_who_leaves_does_not_wait_until_its_address_owes_nothing(site: Site) -> None:
    clients = [(await site.join(room))["client_id"] for room in ("one", "two", "three")]
    owe(site, 600)
    assert (await post(site, f"/leave/one/{clients[0]}")).status == 200
    assert (await post(site, f"/bye/two/{clients[1]}")).status == 200
    assert (await post(site, f"{site.url}/collider/bye/three/{clients[2]}")).status == 200
    assert site.service.members == 0


async def test_an_upgrade_waits_too(site: Site) -> None:
    owe(site, 0.3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.wait_for(site.dial(headers={"X-Forwarded-For": ONE}), PATIENCE_S)
    assert loop.time() - began > 0.2


async def test_what_is_said_and_what_is_answered_is_owed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each 8 KiB one, and no less than what it takes."""
    monkeypatch.setattr(site.endpoint._access.turns, "_worked", lambda: 0.0)
    monkeypatch.setattr(prices, "UNIT_BYTES", 100)
    client = (await site.join("room"))["client_id"]
    guest = guest_of(site)

    async def owed(path: str, data: str = "") -> int:
        guest.deliveries = TokenBucket(0.001, BURST, CLOCK.now())
        assert (await post(site, path, data)).status == 200
        return BURST - guest.deliveries.take_some(CLOCK.now(), BURST)

    message, request, answer = MAX_MESSAGE // 100, 1, 1
    assert await owed(f"/message/room/{client}", "x" * MAX_MESSAGE) == message + request + answer
    assert await owed(f"{site.url}/collider/room/{client}", "x" * MAX_MESSAGE) == message + request + answer
    assert await owed("/a/", "x" * MAX_MESSAGE) == message + request + answer
    assert await owed("/join/room") >= message + request, "what waited is in the answer"


async def test_few_are_served_in_one_go(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = Passes(monkeypatch, site.service.room_server, "join")
    answers = await asyncio.gather(*(post(site, f"/join/room-{number}") for number in range(100)))
    assert [answer.status for answer in answers] == [200] * 100
    assert passes.calls == 100
    assert passes.most <= 2 * MOST


async def test_few_are_refused_in_one_go(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    guest_of(site).requests.take(CLOCK.now(), REQUESTS)
    passes = Passes(monkeypatch, site.endpoint._access._door, "refuse")
    answers = await asyncio.gather(*(post(site, "/join/room") for _ in range(100)))
    assert [answer.status for answer in answers] == [429] * 100
    assert passes.calls == 100
    assert passes.most <= 2 * MOST


async def test_whether_a_token_is_needed_is_asked_when_the_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there when it comes, and somebody is when it is heard."""
    async with apprtc_site(CLOCK, auth=True) as site:
        turns, room_server = site.endpoint._access.turns, site.service.room_server
        take = turns.take

        async def later(*args: Any, **options: Any) -> None:
            room_server.join("room", guest_of(site, OTHER).account, CLOCK.now(), loopback=True)
            await take(*args, **options)

        monkeypatch.setattr(turns, "take", later)
        for path in ("/leave/room/LOOPBACK_CLIENT_ID", f"{site.url}/collider/bye/room/LOOPBACK_CLIENT_ID"):
            turns.charge(guest_of(site), PASS_DELIVERIES)
            assert (await post(site, path)).status == 401
        assert room_server.members == 2


async def test_requests_that_wait_are_answered_at_the_end(site: Site) -> None:
    owe(site, 600)
    asked = [asyncio.create_task(post(site, f"/join/room-{number}")) for number in range(10)]
    turns = site.endpoint._access.turns
    await until(lambda: bool(turns._waiting), PATIENCE_S, "they wait")
    turns.end()
    assert [(await task).status for task in asked] == [200] * 10


async def test_the_end_comes_with_that_of_the_protocols() -> None:
    guests = Guests(1, 1, 1, deliveries_per_s=1, deliveries_burst=1)
    its_access = access_of(guests, CLOCK)
    p2p = PeerToPeer(CoordinatorSettings(auth="none", p2p=["apprtc"]), its_access, CLOCK, random.Random(1))
    guest = guests.guest(ONE, CLOCK.now())
    its_access.turns.charge(guest, 1_000)
    p2p.stop()
    await asyncio.wait_for(its_access.turns.take(guest, lambda: 1), PATIENCE_S)


async def test_what_is_parsed_as_a_whole_is_short(site: Site) -> None:
    """The longest event there may be."""
    assert (await post(site, "/a/", "{" + " " * 16 * KIB)).status == 413
    event = '{"type":"event","request_time_ms":1,"event":{"event_type":1,"event_time_ms":1}}'
    assert (await post(site, "/a/", event.ljust(16 * KIB))).body == SUCCESS
