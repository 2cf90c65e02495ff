"""Addresses that are found out: by STUN servers, over real sockets, and by names; and what an offer has of them, and when."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protocol.errors import ConfigError
from protocol.ice import IceServer
from tests.support.poll import until
from tests.support.rtc import Recorder
from tests.support.stun_server import StunServer
from transport import Dialer, Listener, announcer
from transport import stun_binding as stun
from transport.sdp import parse_offer

PUBLIC = "203.0.113.7"


@pytest_asyncio.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Listener | StunServer]]:
    monkeypatch.setattr(announcer, "RENEW_S", 0.1)
    monkeypatch.setattr(announcer, "RETRY_S", 0.1)
    monkeypatch.setattr(announcer, "ATTEMPTS_S", (0.1, 0.1))
    made: list[Listener | StunServer] = []
    yield made
    for one in made:
        if isinstance(one, Listener):
            await one.close()
        else:
            one.close()


def told(listener: Listener) -> list[tuple[str, int]]:
    """What an offer made now has."""
    return [(c.host, c.port) for c in parse_offer(listener.offer(Recorder()).local_sdp).candidates]


def server(opened: list[Listener | StunServer], mapped: tuple[str, int] | None, host: str = "127.0.0.1") -> StunServer:
    opened.append(made := StunServer(mapped, host))
    return made


async def listen(
    opened: list[Listener | StunServer], *announce: str, stun: list[str] | None = None, bind: str = "127.0.0.1"
) -> Listener:
    made = await Listener.open(bind=bind.split(), announce=announce, stun=stun or [])
    opened.append(made)
    return made


async def test_auto_waits_for_the_public_address_and_follows_it(opened: list[Listener | StunServer]) -> None:
    seer = server(opened, (PUBLIC, 0))
    listener = await listen(opened, "auto", stun=[seer.url])
    link = listener.offer(Recorder())
    ready = asyncio.Event()
    listener.announcer.when_known(ready.set)
    assert not ready.is_set()
    await asyncio.wait_for(ready.wait(), 2)
    [candidate] = parse_offer(link.local_sdp).candidates
    assert (candidate.host, candidate.port, candidate.type) == (PUBLIC, listener.port, "host")
    assert listener.announcer.changes == 0
    seer.mapped = ("203.0.113.8", 0)
    await until(lambda: told(listener) == [("203.0.113.8", listener.port)], 3, "the new address is announced")
    assert listener.announcer.changes == 1
    seer.mapped = None
    asked = seer.asked
    await until(lambda: seer.asked > asked + 4, 3, "it is asked on")
    assert told(listener) == [("203.0.113.8", listener.port)], "what was known stays so while nobody answers"
    assert listener.stats.dropped["stun_not_request"] == 0


async def test_both_families_and_the_private_addresses_too(opened: list[Listener | StunServer]) -> None:
    four, six = server(opened, (PUBLIC, 0)), server(opened, ("2001:db8::7", 0), "::1")
    listener = await listen(opened, "auto", "local", stun=[four.url, six.url], bind="127.0.0.1 ::1")
    expected = [(PUBLIC, listener.port), ("2001:db8::7", listener.port), ("127.0.0.1", listener.port), ("::1", listener.port)]
    await until(lambda: told(listener) == expected, 3, lambda: f"{told(listener)}")


async def test_a_nat_that_changes_ports_is_told_of(opened: list[Listener | StunServer], caplog: pytest.LogCaptureFixture) -> None:
    seer = server(opened, (PUBLIC, 41_000))
    listener = await listen(opened, "auto", stun=[seer.url])
    await until(lambda: told(listener) == [(PUBLIC, listener.port), (PUBLIC, 41_000)], 3, lambda: f"{told(listener)}")
    assert f"a NAT shows UDP port {listener.port} as port 41000 of {PUBLIC}" in caplog.text


async def test_the_coordinators_servers_will_do_where_none_are_given(opened: list[Listener | StunServer]) -> None:
    seer, other = server(opened, (PUBLIC, 0)), server(opened, ("203.0.113.9", 0))
    listener = await listen(opened, "auto")
    ready = asyncio.Event()
    listener.announcer.when_known(ready.set)
    turn = IceServer([f"turns:127.0.0.1:{other.udp.address[1]}", seer.url.replace("stun:", "turn:")], "me", "hush")
    listener.announcer.discover([turn])
    await asyncio.wait_for(ready.wait(), 2)
    assert told(listener) == [(PUBLIC, listener.port)]
    listener.announcer.discover([other.server])
    await until(lambda: told(listener) == [("203.0.113.9", listener.port)], 3, "the newer servers count")
    given = await listen(opened, "auto", stun=[seer.url])
    given.announcer.discover([other.server])
    await until(lambda: told(given) == [(PUBLIC, given.port)], 3, "those that were given count")


async def test_no_server_at_all_is_told_once_and_costs_no_wait(
    opened: list[Listener | StunServer], caplog: pytest.LogCaptureFixture
) -> None:
    listener = await listen(opened, "auto")
    listener.announcer.discover([])
    listener.announcer.discover([])
    ready = asyncio.Event()
    listener.announcer.when_known(ready.set)
    await asyncio.wait_for(ready.wait(), 1)
    assert told(listener) == [("127.0.0.1", listener.port)], "better than nothing"
    assert caplog.text.count("names a STUN server") == 1


async def test_servers_that_do_not_answer_are_told_once_and_nobody_waits_for_ever(
    opened: list[Listener | StunServer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = server(opened, None)
    listener = await listen(opened, "auto", stun=[mute.url])
    await until(lambda: mute.asked >= 6, 3, "asked several times")
    assert caplog.text.count(f"no answer from {mute.url}") == 1
    mute.mapped = (PUBLIC, 0)
    await until(lambda: told(listener) == [(PUBLIC, listener.port)], 3, "found at last")
    mute.mapped = None
    monkeypatch.setattr(announcer, "ATTEMPTS_S", (60.0,))
    monkeypatch.setattr(announcer, "WAIT_S", 0.2)
    patient = await listen(opened, "auto", stun=[mute.url])
    ready, began = asyncio.Event(), time.monotonic()
    patient.announcer.when_known(ready.set)
    await asyncio.wait_for(ready.wait(), 2)
    assert time.monotonic() - began > 0.15


async def test_forged_answers_are_none(opened: list[Listener | StunServer]) -> None:
    """From another address than was asked, or to another question: dropped, and counted as what they are."""
    mute, forger = server(opened, None), server(opened, None)
    listener = await listen(opened, "auto", stun=[mute.url])
    await until(lambda: bool(listener.announcer._asked), 2, "it asks")
    [transaction] = listener.announcer._asked
    answer = stun.response(transaction, b"k", ("198.51.100.66", 6))
    forger.udp.send(answer, ("127.0.0.1", listener.port))
    mute.udp.send(stun.response(bytes(12), b"k", ("198.51.100.66", 6)), ("127.0.0.1", listener.port))
    mute.udp.send(answer[:-3], ("127.0.0.1", listener.port))
    await until(lambda: sum(listener.stats.dropped.values()) == 3, 3, lambda: f"{listener.stats.dropped}")
    assert told(listener) == [("127.0.0.1", listener.port)]


async def test_names_are_looked_up_and_followed(
    opened: list[Listener | StunServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = [(PUBLIC, 0), ("2001:db8::7", 0)]

    async def look_up(self: object, host: str, port: int) -> list[tuple[str, int]]:
        assert host == "edge.example.org"
        return found

    monkeypatch.setattr(announcer.Announcer, "_look_up", look_up)
    listener = await listen(opened, "edge.example.org:7777", "192.0.2.1")
    expected = [(PUBLIC, 7777), ("192.0.2.1", listener.port)]
    await until(lambda: told(listener) == expected, 3, "IPv6 is not bound, so the name's other address is of no use")
    found[:] = [("203.0.113.8", 0)]
    await until(lambda: told(listener)[0] == ("203.0.113.8", 7777), 3, "the new address is announced")
    found.clear()
    await until(lambda: "edge.example.org: the name has no address" in caplog.text, 3, "it is told")
    assert told(listener)[0] == ("203.0.113.8", 7777)
    assert [r.levelno for r in caplog.records if "has no address" in r.getMessage()] == [logging.WARNING]


async def test_a_name_of_the_system(opened: list[Listener | StunServer]) -> None:
    listener = await listen(opened, "localhost")
    await until(lambda: told(listener) == [("127.0.0.1", listener.port)], 5, lambda: f"{told(listener)}")


async def test_a_link_by_an_address_that_was_found_out(opened: list[Listener | StunServer]) -> None:
    """A STUN server that sees 127.0.0.1 as it is, and a client that comes there."""
    seer = server(opened, ("127.0.0.1", 0))
    listener = await listen(opened, "auto", stun=[seer.url], bind="0.0.0.0")
    await until(lambda: told(listener) == [("127.0.0.1", listener.port)], 3, lambda: f"{told(listener)}")
    a, b, dialer = Recorder(), Recorder(), Dialer()
    link = listener.offer(a)
    other = await dialer.answer(link.local_sdp, b)
    link.accept(other.local_sdp)
    await a.is_open()
    await dialer.close()


@pytest.mark.parametrize("url", ["nonsense", "turn:127.0.0.1", "stuns:127.0.0.1"])
async def test_what_is_no_stun_server_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="stun: "):
        await Listener.open(bind=["127.0.0.1"], stun=[url])
