"""Forged, cut, replayed and flooding datagrams against a real listener, beside a link that is in use."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import aioice.stun
import pytest
import pytest_asyncio
from google_crc32c import value as crc32c

from benchmarks.hostile_packets import Recording, client_hello, kinds
from tests.integration.transport.conftest import OpenRtc, Rtc
from tests.support.nat import Nat
from tests.support.poll import until
from tests.support.rtc import Recorder
from transport import stun_binding as stun
from transport.dialer import DialerLink
from transport.ice_lite import Drop
from transport.listener import ListenerLink
from transport.paths import AMPLIFICATION
from transport.sdp import parse_offer

PACKETS = 20_000
BURST = 200


class Victim:
    """A link by way of a NAT that overhears it, and can forge its source address."""

    def __init__(self, rtc: Rtc, nat: Nat, link: ListenerLink, other: DialerLink, a: Recorder, b: Recorder) -> None:
        self.rtc, self.nat, self.link, self.other, self.a, self.b = rtc, nat, link, other, a, b

    @property
    def recording(self) -> Recording:
        assert self.nat.recorded is not None
        agent = self.other._agent
        return Recording(f"{agent.remote_username}:{agent.local_username}", list(self.nat.recorded))

    async def talks(self) -> None:
        """Something goes through, both ways."""
        count = len(self.a.messages) + 1
        self.link.send(b"there", reliable=True)
        self.other.send(b"back", reliable=True)
        await until(lambda: min(len(self.a.messages), len(self.b.messages)) >= count, 10, "the link is stuck")

    def state(self) -> list[Any]:
        """What a flood must not change."""
        ice, listener = self.rtc.listener.ice, self.rtc.listener
        peer = self.link._peer
        tables = [len(ice), ice.paths, len(ice._numbered), len(ice._deadlines), len(ice.challenges), len(listener._links)]
        return [*tables, peer.selected, sorted(peer.routes), peer.moves, self.link.held_back, len(asyncio.all_tasks())]


@pytest_asyncio.fixture
async def victim(open_rtc: OpenRtc, fast: bool) -> AsyncIterator[Victim]:
    rtc = await open_rtc(fast=fast)
    nat = Nat(rtc.listener.port, recording=True)
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(nat.redirected(link.local_sdp), b)
    link.accept(other.local_sdp)
    await a.is_open()
    await b.is_open()
    made = Victim(rtc, nat, link, other, a, b)
    await made.talks()
    yield made
    other.close()
    await a.has_ended()
    nat.close()


@pytest.mark.parametrize("where", ["from strangers", "from the peer's own address"])
async def test_a_flood_of_every_kind_changes_nothing(victim: Victim, where: str, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(6)
    makers = kinds(victim.recording)
    strangers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
    for number, sock in enumerate(strangers):
        sock.bind((f"127.0.{number}.77", 0))
    server = ("127.0.0.1", victim.rtc.listener.port)
    before, dropped = victim.state(), sum(victim.rtc.listener.stats.dropped.values())
    came = victim.rtc.listener.stats.datagrams_in
    for count in range(PACKETS // BURST):
        for _ in range(BURST):
            data = rng.choice(list(makers.values()))(rng)
            if where == "from strangers":
                rng.choice(strangers).sendto(data, server)
            else:
                victim.nat.inject(data)
        await until(lambda c=came + BURST * (count + 1): victim.rtc.listener.stats.datagrams_in >= c, 5, "they arrive")  # type: ignore[misc]  # a default argument
        if count % 10 == 0:
            await victim.talks()
    await victim.talks()
    assert victim.state() == before
    assert victim.link.remote_address == victim.nat.outside
    assert (victim.a.ends, victim.b.ends) == ([], [])
    if where == "from strangers":
        # All but the replayed checks, which are answered, so that their sender may prove itself.
        share = (sum(victim.rtc.listener.stats.dropped.values()) - dropped) / PACKETS
        assert 1 - 2 / len(makers) < share < 1
    told = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert not told, "nobody logs what strangers send"
    for sock in strangers:
        sock.close()


async def test_a_recorded_flood_after_the_end_is_strangers_talk(victim: Victim) -> None:
    recording = victim.recording
    victim.other.close()
    await victim.a.has_ended()
    await until(lambda: victim.rtc.listener.stats.links == 0, 5, "the link is let go")
    before = victim.rtc.listener.stats.bytes_out
    for data in recording.datagrams:
        victim.nat.inject(data)
    dropped = victim.rtc.listener.stats.dropped
    await until(
        lambda: sum(victim.rtc.listener.stats.dropped.values()) >= sum(dropped.values()) + len(recording.datagrams),
        5,
        "all are dropped",
    )
    assert victim.rtc.listener.stats.bytes_out == before
    assert victim.rtc.listener.ice.paths == 0


async def test_garbage_inside_of_dtls_costs_its_sender_its_link_and_nobody_else_anything(
    rtc: Rtc, caplog: pytest.LogCaptureFixture
) -> None:
    """SCTP packets that are random, cut, or random with the right checksum, by a peer that is what it says."""
    rng = random.Random(8)
    honest_a, honest_b = Recorder(), Recorder()
    link, _ = await rtc.join(honest_a, honest_b)
    lost = sent = 0
    while sent < 1_200:
        a, b = Recorder(), Recorder()
        _, other = await rtc.join(a, b)
        assert other._sctp is not None
        header = struct.pack("!HHL", 5000, 5000, other._sctp._remote_verification_tag)
        while sent < 1_200 and not a.ends and not b.ends:
            for _ in range(20):
                body = _chunks(rng)
                packet = header + struct.pack("<L", crc32c(header + bytes(4) + body)) + body
                data = (packet, rng.randbytes(rng.randrange(1, 200)), packet[: rng.randrange(1, len(packet))])[sent % 3]
                if other._dtls is not None:
                    await other._dtls._send_data(data)
                sent += 1
            link.send(b"%d" % sent, reliable=True)
            await asyncio.sleep(0.001)
        lost += bool(a.ends)
        other.close()
        await a.has_ended()
    assert lost > 0, "some of it breaks the rules"
    await until(lambda: honest_b.messages and honest_b.messages[-1][0] == b"%d" % sent, 10, "the honest link goes on")
    assert honest_a.ends == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def _chunks(rng: random.Random) -> bytes:
    """A few, of any type, with a length that mostly fits."""
    made = b""
    for _ in range(rng.randrange(1, 4)):
        value = rng.randbytes(rng.randrange(0, 40))
        length = 4 + len(value) if rng.random() < 0.9 else rng.randrange(70)
        made += (
            struct.pack("!BBH", rng.choice((*range(16), 64, 130, 192, 255)), rng.randrange(256), length)
            + value
            + bytes(-len(value) % 4)
        )
    return made


async def test_garbage_keeps_no_dead_peer_alive(open_rtc: OpenRtc, fast: bool) -> None:
    """Somebody forges its address and goes on sending what looks like DTLS."""
    rtc = await open_rtc(fast=fast, silence=0.6)
    nat = Nat(rtc.listener.port, recording=True)
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(nat.redirected(link.local_sdp), b)
    link.accept(other.local_sdp)
    await a.is_open()
    assert nat.recorded is not None
    records = [data for data in nat.recorded if 20 <= data[0] <= 63]
    await other._agent.close()  # it dies without a word

    async def forging() -> bool:
        for data in (*records, b"\x17\xfe\xfd\0\1" + bytes(60), client_hello()):
            nat.inject(data)
        return bool(a.ends)

    await until(forging, 3, "its link is over", interval=0.02)
    await b.has_ended()
    nat.close()


async def test_who_does_the_first_steps_and_falls_silent_gets_three_times_what_it_sent_and_no_more(
    open_rtc: OpenRtc, fast: bool
) -> None:
    """Flights of the handshake are repeated for seconds; counted where they arrive."""
    rtc = await open_rtc(fast=fast, setup_timeout=4.0)
    answer = await _an_answer(rtc)
    a = Recorder()
    link = rtc.listener.offer(a)
    offer = parse_offer(link.local_sdp)
    link.accept(answer)
    sent = [_check(f"{offer.ufrag}:{parse_offer(answer).ufrag}", offer.pwd), client_hello()]
    got: list[bytes] = []
    loop, server = asyncio.get_running_loop(), ("127.0.0.1", rtc.listener.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        for data in sent:
            sock.sendto(data, server)
            got.append(await asyncio.wait_for(loop.sock_recv(sock, 2_000), 2))
        while not a.ends:
            with contextlib.suppress(TimeoutError):
                got.append(await asyncio.wait_for(loop.sock_recv(sock, 2_000), 0.2))
    assert stun.read(got[0]).kind == stun.RESPONSE
    assert got[1][0] == 22, "the handshake began"
    assert sum(map(len, got)) <= AMPLIFICATION * sum(map(len, sent))
    assert len(got) <= AMPLIFICATION * len(sent)
    assert link.held_back or rtc.listener.stats.dropped[Drop.AMPLIFICATION], "more was to be sent"


async def _an_answer(rtc: Rtc) -> str:
    """Of a client that does nothing more."""
    scratch = Recorder()
    other = await rtc.dialer.answer(rtc.listener.offer(Recorder()).local_sdp.replace("127.0.0.1", "127.0.0.88"), scratch)
    other.close()
    await scratch.has_ended()
    return other.local_sdp


def _check(username: str, pwd: str) -> bytes:
    """A controlling agent's, which nominates."""
    message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    message.attributes.update({"USERNAME": username, "PRIORITY": 1, "ICE-CONTROLLING": 1, "USE-CANDIDATE": None})
    message.add_message_integrity(pwd.encode())
    return bytes(message)
