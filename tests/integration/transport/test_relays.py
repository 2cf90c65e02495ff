"""Links by way of a TURN server: as the only way, as the way that is left, and as one that is not needed; and servers that fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from aioice import stun

from protocol.ice import IceServer
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from service.self_signed import self_signed
from tests.support.poll import until
from tests.support.rtc import Recorder
from tests.support.turn import MiniTurn, mini_turn
from transport import Dialer, DialerLink, LinkEnd, Listener, dialer
from transport.candidates import IceCandidate, parse_candidate
from transport.fastpath import ice, relay
from transport.listener import ListenerLink
from transport.options import LinkOptions

RELAY = LinkOptions(ice_transport_policy="relay")


@pytest_asyncio.fixture
async def turn() -> AsyncIterator[MiniTurn]:
    async with mini_turn() as made:
        yield made


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[Listener]:
    made = await Listener.open(bind=["127.0.0.1"])
    yield made
    await made.close()


@pytest.fixture
def no_direct_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What our own sockets send gets lost, as behind a firewall that lets nothing through but TURN."""
    monkeypatch.setattr(ice._StunTransport, "sendto", lambda self, data, addr=None: None)


class Joined:
    """One link from a dialer to a listener, and what was trickled."""

    def __init__(self, dialer: Dialer) -> None:
        self.dialer = dialer
        self.offered, self.answering = Recorder(), Recorder()
        self.told: list[CandidateInit] = []
        self.link: ListenerLink = None  # type: ignore[assignment]  # made by `join`
        self.other: DialerLink = None  # type: ignore[assignment]  # likewise

    @property
    def candidates(self) -> list[IceCandidate]:
        return [parse_candidate(init.candidate) for init in self.told if init != END_OF_CANDIDATES]

    async def is_open(self) -> None:
        await self.offered.is_open()
        await self.answering.is_open()

    async def ended(self) -> LinkEnd:
        """It ends before it opens."""
        end = await self.answering.has_ended()
        assert not self.answering.opened
        return end


async def join(listener: Listener, *servers: IceServer, options: LinkOptions = RELAY, trickle: bool = True) -> Joined:
    joined = Joined(Dialer(options=options))
    joined.link = listener.offer(joined.offered)
    on_candidate = joined.told.append if trickle else None
    joined.other = await joined.dialer.answer(joined.link.local_sdp, joined.answering, on_candidate, servers)
    joined.link.accept(joined.other.local_sdp)
    return joined


async def talk(joined: Joined) -> None:
    """Large messages and small ones, both ways, on both channels."""
    for number in range(20):
        joined.link.send(b"%d" % number + bytes(3_000), reliable=True)
        joined.other.send(b"%d" % number + bytes(3_000), reliable=True)
        joined.link.send(b"%d" % number, reliable=False)
        joined.other.send(b"%d" % number, reliable=False)
    await joined.offered.has(40)
    await joined.answering.has(40)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("trickle", [True, False])
async def test_a_relay_as_the_only_way(listener: Listener, turn: MiniTurn, transport: str, trickle: bool) -> None:
    joined = await join(listener, turn.server(transport), trickle=trickle)
    await joined.is_open()
    await talk(joined)
    [allocation] = turn.allocations.values()
    assert joined.link.remote_address == allocation.udp.address, "what the listener sees is the relay"
    assert allocation.relayed > 80
    assert joined.other.trouble == ""
    if trickle:
        [candidate] = joined.candidates
        assert (candidate.type, candidate.host, candidate.port) == ("relay", *allocation.udp.address)
        assert (candidate.related_host, candidate.related_port) == ("0.0.0.0", 9), "our own address is nobody's business"
    await joined.dialer.close()
    await until(lambda: not turn.allocations, 5, "the allocation is freed")


async def test_by_tls_where_the_certificate_is_trusted(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = self_signed(["127.0.0.1"], now=datetime.now(UTC), days=1)
    file = tmp_path / "pair.pem"
    file.write_bytes(pair.certificate + pair.key)
    async with mini_turn(file) as turn:
        stranger = await join(listener, turn.server("tls"))
        assert await stranger.ended() is LinkEnd.FAILED
        assert "certificate verify failed" in stranger.other.trouble
        await stranger.dialer.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        joined = await join(listener, turn.server("tls"))
        await joined.is_open()
        await talk(joined)
        assert turn.relayed > 80
        await joined.dialer.close()


async def test_on_the_plain_path_too(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(), options=LinkOptions(ice_transport_policy="relay", fast=False))
    await joined.is_open()
    await talk(joined)
    await joined.dialer.close()


@pytest.mark.usefixtures("no_direct_way")
@pytest.mark.parametrize("trickle", [True, False])
async def test_a_relay_is_found_where_there_is_no_direct_way(listener: Listener, turn: MiniTurn, trickle: bool) -> None:
    began = time.monotonic()
    joined = await join(listener, turn.server(), options=LinkOptions(), trickle=trickle)
    await joined.is_open()
    assert time.monotonic() - began < 5
    await talk(joined)
    if trickle:
        assert [(c.type, c.related_host) for c in joined.candidates] == [("host", None), ("relay", "203.0.113.9")]
    await joined.dialer.close()


async def test_a_relay_that_is_not_needed_is_never_asked_for(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(), turn.server("tcp"), options=LinkOptions())
    await joined.is_open()
    await until(lambda: END_OF_CANDIDATES in joined.told, 5, "the end of candidates")
    await talk(joined)
    assert turn.made == 0
    await joined.dialer.close()


async def test_a_relay_that_is_not_needed_is_let_go(listener: Listener, turn: MiniTurn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "RELAY_AFTER_S", 0.0)
    joined = await join(listener, turn.server(), turn.server("tcp"), options=LinkOptions())
    await joined.is_open()
    assert joined.link.remote_address is not None
    await until(lambda: not turn.allocations and END_OF_CANDIDATES in joined.told, 5, "no allocation is left")
    assert joined.other.is_open
    await talk(joined)
    assert turn.relayed == 0
    await joined.dialer.close()


async def test_refused_credentials_are_told_at_once(listener: Listener, turn: MiniTurn, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    server = turn.server(credential="wrong")
    joined = await join(listener, server)
    assert await joined.ended() is LinkEnd.FAILED
    assert time.monotonic() - began < 3
    assert joined.other.trouble.startswith(f"{server.urls[0]}: 401 Unauthorized (it refuses")
    [line] = [record.getMessage() for record in caplog.records if "no way by" in record.getMessage()]
    assert server.urls[0] in line
    assert "wrong" not in line
    await joined.dialer.close()


async def test_a_peer_that_the_server_does_not_relay_to_is_told_at_once(listener: Listener, turn: MiniTurn) -> None:
    turn.forbids = True
    began = time.monotonic()
    server = turn.server()
    joined = await join(listener, server)
    assert await joined.ended() is LinkEnd.FAILED
    assert time.monotonic() - began < 3
    assert joined.other.trouble == f"{server.urls[0]}: 403 Forbidden IP for 127.0.0.1"
    await joined.dialer.close()


async def test_refused_credentials_do_not_keep_a_link_from_its_direct_way(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(credential="wrong"), options=LinkOptions())
    await joined.is_open()
    await joined.dialer.close()


async def test_the_second_server_serves_where_the_first_does_not(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(credential="wrong"), turn.server())
    await joined.is_open()
    assert "401" in joined.other.trouble
    await joined.dialer.close()


async def test_of_two_relays_one_is_kept(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(), turn.server("tcp"))
    await joined.is_open()
    await until(lambda: len(turn.allocations) == 1, 5, "the other one is let go")
    await talk(joined)
    await joined.dialer.close()
    await until(lambda: not turn.allocations, 5, "the last allocation is freed")


async def test_a_silent_server_is_given_up_in_time(listener: Listener, turn: MiniTurn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "GATHER_TIMEOUT_S", 0.3)
    turn.is_silent = True
    joined = await join(listener, turn.server())
    assert await joined.ended() is LinkEnd.FAILED
    assert "no answer within 0.3 s" in joined.other.trouble
    await joined.dialer.close()


async def test_it_ends_once_the_last_server_has_failed(
    listener: Listener, turn: MiniTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice, "GATHER_TIMEOUT_S", 0.5)
    turn.forbids = True
    async with mini_turn() as other:
        other.is_silent = True
        began = time.monotonic()
        joined = await join(listener, turn.server(), other.server())
        assert await joined.ended() is LinkEnd.FAILED
        assert 0.4 < time.monotonic() - began < 4, "the second one is waited for, and not longer"
        assert [problem.split(": ", 1)[1] for problem in joined.other.trouble.split("; ")] == [
            "403 Forbidden IP for 127.0.0.1",
            "no answer within 0.5 s",
        ]
        await joined.dialer.close()


async def test_nobody_there_is_told(listener: Listener, unused_tcp_port: int) -> None:
    joined = await join(listener, IceServer(f"turn:127.0.0.1:{unused_tcp_port}?transport=tcp", "me", "hush"))
    assert await joined.ended() is LinkEnd.FAILED
    assert f":{unused_tcp_port}?transport=tcp: " in joined.other.trouble
    await joined.dialer.close()


@pytest.mark.parametrize("servers", [[], [IceServer("stun:127.0.0.1:9")]])
async def test_relays_alone_without_a_turn_server_cannot_work(
    listener: Listener, servers: list[IceServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice, "GATHER_TIMEOUT_S", 0.3)
    joined = await join(listener, *servers)
    assert await joined.ended() is LinkEnd.FAILED
    assert "no TURN server is known" in joined.other.trouble
    assert joined.candidates == []
    await joined.dialer.close()


async def test_an_end_while_the_server_is_asked_leaves_nothing(listener: Listener, turn: MiniTurn) -> None:
    for wait in (0, 1, 2, 3, 5, 8):
        joined = await join(listener, turn.server(), turn.server("tcp"))
        for _ in range(wait):
            await asyncio.sleep(0)
        joined.other.close()
        await asyncio.wait_for(joined.other.wait_closed(), 5)
    await until(lambda: not turn.allocations, 5, "no allocation is left")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_server_that_died_does_not_hold_up_the_end(listener: Listener, turn: MiniTurn, transport: str) -> None:
    joined = await join(listener, turn.server(transport))
    await joined.is_open()
    turn.is_silent = True
    began = time.monotonic()
    joined.other.close()
    await asyncio.wait_for(joined.other.wait_closed(), 5)
    assert time.monotonic() - began < relay.GOODBYE_S + 1


async def test_a_connection_that_breaks_ends_the_link_at_once(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server("tcp"))
    await joined.is_open()
    turn.hang_up()
    assert await joined.answering.has_ended(3) is LinkEnd.FAILED
    await asyncio.wait_for(joined.other.wait_closed(), 5)


async def test_a_relay_falls_silent_like_any_other_way(listener: Listener, turn: MiniTurn) -> None:
    joined = await join(listener, turn.server(), options=LinkOptions(ice_transport_policy="relay", silence=1.0))
    await joined.is_open()
    turn.is_silent = True
    assert await joined.answering.has_ended(5) is LinkEnd.SILENT
    await asyncio.wait_for(joined.other.wait_closed(), 5)


async def test_channels_are_renewed_beside_the_traffic(
    listener: Listener, turn: MiniTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "RENEW_S", 0.05)
    joined = await join(listener, turn.server())
    await joined.is_open()
    await until(lambda: turn.requests.count(stun.Method.CHANNEL_BIND) >= 4, 5, "channels are bound again")
    await talk(joined)
    await joined.dialer.close()


async def test_a_link_without_servers_of_its_own_uses_the_dialers(listener: Listener, turn: MiniTurn) -> None:
    made = Dialer(ice_servers=[turn.server()], options=RELAY)
    for servers, opens in ((None, True), ([], False)):
        a, b = Recorder(), Recorder()
        link = listener.offer(a)
        other = await made.answer(link.local_sdp, b, None, servers)
        link.accept(other.local_sdp)
        await until(lambda b=b: b.opened or b.ends, 5, "it opens or ends")  # type: ignore[misc]  # a default binds it now
        assert bool(b.opened) is opens
    await made.close()
