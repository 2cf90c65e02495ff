"""A listener and dialers on loopback: many messages, many links, ends, deadlines, strangers."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time

import pytest
from aiortc import RTCDtlsTransport, RTCSctpTransport

from protocol.errors import CandidateError, ConfigError, SdpError
from protocol.limits import MAX_CANDIDATES
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from tests.integration.transport.conftest import OpenRtc, Rtc
from tests.support.poll import until
from tests.support.rtc import Recorder
from tests.support.stun_server import StunServer
from transport import Dialer, IceServer, Link, LinkEnd, Listener
from transport.candidates import parse_candidate
from transport.ice_lite import Drop
from transport.sdp import parse_offer


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_ipv4_and_ipv6(open_rtc: OpenRtc, fast: bool, host: str) -> None:
    rtc = await open_rtc(host=host, fast=fast)
    a, b = Recorder(), Recorder()
    link, other = await rtc.join(a, b)
    link.send(b"there", reliable=True)
    other.send(b"back", reliable=False)
    await a.has(1)
    await b.has(1)
    assert link.remote_address is not None
    assert link.remote_address[0] == host
    stats = rtc.listener.stats
    assert stats.links == 1
    assert stats.binding_requests >= 1
    assert stats.datagrams_in > 5
    assert stats.bytes_out > 500
    assert stats.dropped[Drop.DTLS_UNKNOWN_ADDRESS] == 0


async def test_a_way_is_told_before_the_channels_and_only_where_there_is_one(open_rtc: OpenRtc) -> None:
    rtc = await open_rtc()
    told: list[str] = []
    a, b, c = Recorder(), Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(link.local_sdp, b)
    other.on_reached = lambda: told.append("open" if other.is_open else "reached")
    astray = await rtc.dialer.answer(rtc.listener.offer(Recorder()).local_sdp.replace("127.0.0.1", "127.0.0.77"), c)
    astray.on_reached = lambda: told.append("never")
    link.accept(other.local_sdp)
    await b.is_open()
    assert told == ["reached"]


async def test_both_address_families_at_once(open_rtc: OpenRtc) -> None:
    listener = await Listener.open(bind=["127.0.0.1", "::1"])
    dialer = Dialer()
    a, b = Recorder(), Recorder()
    link = listener.offer(a)
    assert {c.host for c in parse_offer(link.local_sdp).candidates} == {"127.0.0.1", "::1"}
    assert len({c.port for c in parse_offer(link.local_sdp).candidates}) == 1
    other = await dialer.answer(link.local_sdp, b)
    link.accept(other.local_sdp)
    await a.is_open()
    await dialer.close()
    await listener.close()


@pytest.mark.parametrize(("anywhere", "announce"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
async def test_bound_to_any_address(open_rtc: OpenRtc, anywhere: str, announce: str) -> None:
    listener = await Listener.open(bind=[anywhere], announce=[announce])
    dialer, a, b = Dialer(), Recorder(), Recorder()
    link = listener.offer(a)
    other = await dialer.answer(link.local_sdp, b)
    link.accept(other.local_sdp)
    await b.is_open()
    other.send(b"x", reliable=True)
    await a.has(1)
    await dialer.close()
    await listener.close()


async def test_a_storm_of_joins_does_not_stall_an_open_link(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link, _ = await rtc.join(a, b)
    storm = asyncio.gather(*(rtc.join(Recorder(), Recorder()) for _ in range(60)))
    passed = 0
    while not storm.done():
        link.send(b"x", reliable=True)
        passed += 1
        await b.has(passed)
    await storm
    # Counted and not timed: what else a process of tests has to do may take longer than all sixty joins.
    assert passed >= 5, "messages pass between the joins, they do not wait for all of them"


async def test_thousands_of_messages_both_ways(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link, other = await rtc.join(a, b)
    count = 3000
    for number in range(count):
        link.send(b"%d" % number, reliable=True)
        other.send(b"%d" % number, reliable=True)
        if number % 100 == 0:
            await asyncio.sleep(0)
    await a.has(count, 40)
    await b.has(count, 40)
    expected = [b"%d" % number for number in range(count)]
    assert a.bodies(reliable=True) == expected
    assert b.bodies(reliable=True) == expected


async def test_unreliable_messages_at_a_pace_all_arrive_once(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link, _ = await rtc.join(a, b)
    for number in range(1000):
        link.send(b"%d" % number, reliable=False)
        if number % 20 == 0:
            await asyncio.sleep(0.001)
    await b.has(1000)
    assert sorted(b.bodies(reliable=False), key=int) == [b"%d" % number for number in range(1000)]


async def test_large_messages(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link, other = await rtc.join(a, b)
    rng = random.Random(7)
    bodies = [rng.randbytes(65536) for _ in range(30)]
    for body in bodies:
        link.send(body, reliable=True)
        other.send(body, reliable=True)
    await a.has(len(bodies), 40)
    await b.has(len(bodies), 40)
    assert a.bodies(reliable=True) == bodies
    assert b.bodies(reliable=True) == bodies


async def test_thirty_links_on_one_socket(rtc: Rtc) -> None:
    ends = [(Recorder(), Recorder()) for _ in range(30)]
    links = await asyncio.gather(*(rtc.join(a, b) for a, b in ends))
    assert rtc.listener.stats.links == 30
    for round_ in range(20):
        for number, (link, other) in enumerate(links):
            link.send(b"%d:%d" % (number, round_), reliable=True)
            other.send(b"%d:%d" % (number, round_), reliable=False)
        await asyncio.sleep(0.005)
    for number, (a, b) in enumerate(ends):
        await a.has(20)
        await b.has(20)
        expected = [b"%d:%d" % (number, round_) for round_ in range(20)]
        assert sorted(a.bodies(reliable=False)) == sorted(expected), "of its own link, and no other's"
        assert b.bodies(reliable=True) == expected
    links[0][0].close()
    await ends[0][1].has_ended()
    links[1][0].send(b"still", reliable=True)
    await ends[1][1].has(21)


@pytest.mark.parametrize("side", ["listener", "dialer"])
async def test_closing_everything_tells_every_peer(rtc: Rtc, side: str) -> None:
    ends = [(Recorder(), Recorder()) for _ in range(5)]
    await asyncio.gather(*(rtc.join(a, b) for a, b in ends))
    await (rtc.listener if side == "listener" else rtc.dialer).close()
    for a, b in ends:
        ours, theirs = (a, b) if side == "listener" else (b, a)
        assert await ours.has_ended(2) is LinkEnd.LOCAL
        assert await theirs.has_ended(2) is LinkEnd.REMOTE


async def test_a_closed_listener_offers_nothing(rtc: Rtc) -> None:
    await rtc.listener.close()
    await rtc.listener.close()
    with pytest.raises(RuntimeError, match="closed"):
        rtc.listener.offer(Recorder())


async def test_set_up_has_a_deadline(open_rtc: OpenRtc, fast: bool) -> None:
    rtc = await open_rtc(fast=fast, setup_timeout=0.2)
    unanswered, unaccepted = Recorder(), Recorder()
    rtc.listener.offer(unanswered)
    await rtc.dialer.answer(rtc.listener.offer(Recorder()).local_sdp, unaccepted)
    assert await unanswered.has_ended(2) is LinkEnd.TIMEOUT
    assert await unaccepted.has_ended(2) is LinkEnd.TIMEOUT


async def test_a_listener_that_falls_silent_is_noticed(open_rtc: OpenRtc, fast: bool) -> None:
    rtc = await open_rtc(fast=fast, silence=0.8)
    a, b = Recorder(), Recorder()
    await rtc.join(a, b)
    for sock in rtc.listener._sockets:
        sock.close()
    assert await b.has_ended(5) is LinkEnd.SILENT
    assert await a.has_ended(5) is LinkEnd.SILENT


async def test_an_idle_link_lives_on_consent_checks_alone(open_rtc: OpenRtc, fast: bool) -> None:
    rtc = await open_rtc(fast=fast, silence=0.6)
    a, b = Recorder(), Recorder()
    await rtc.join(a, b)
    await asyncio.sleep(2.0)  # for the end that must not come
    assert a.ends == b.ends == []
    assert rtc.listener.stats.binding_requests > 5


async def test_a_dialer_that_vanishes_is_noticed(open_rtc: OpenRtc, fast: bool) -> None:
    rtc = await open_rtc(fast=fast, silence=0.5)
    a, b = Recorder(), Recorder()
    _, other = await rtc.join(a, b)
    await other._agent.close()  # without a word, as a machine that lost its power
    assert await a.has_ended(3) is LinkEnd.SILENT
    other.close()


async def test_strangers_do_not_disturb(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link, other = await rtc.join(a, b)
    rng = random.Random(5)
    loop = asyncio.get_running_loop()
    [own] = other._agent.local_candidates
    dialer_address = (own.host, own.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind(("127.0.0.1", 0))
        for number in range(200):
            for first in (0, 1, 22, 23, 63, 128, rng.randrange(256)):
                data = bytes([first]) + rng.randbytes(rng.randrange(120))
                await loop.sock_sendto(stranger, data, ("127.0.0.1", rtc.listener.port))
                await loop.sock_sendto(stranger, data, dialer_address)
            # A STUN header with an attribute of a wrong length, which aioice does not survive by itself.
            bad = b"\0\1\0\x08!\x12\xa4B" + bytes(12) + b"\0\x24\0\2" + bytes(4)
            await loop.sock_sendto(stranger, bad, dialer_address)
            link.send(b"%d" % number, reliable=True)
            other.send(b"%d" % number, reliable=True)
            await asyncio.sleep(0)
        await a.has(200)
        await b.has(200)
        with pytest.raises(BlockingIOError):
            stranger.recv(2000)  # nobody answered
    dropped = rtc.listener.stats.dropped
    assert dropped[Drop.DTLS_UNKNOWN_ADDRESS] >= 500
    assert dropped[Drop.STUN_MALFORMED] >= 300
    assert dropped[Drop.NOT_OURS] >= 200
    assert rtc.listener.stats.links == 1
    assert link.is_open
    assert other.is_open


async def test_a_flood_on_the_socket_does_not_starve_the_loop(rtc: Rtc) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(20_000):
            stranger.sendto(b"\x17" * 100, ("127.0.0.1", rtc.listener.port))
    worst, began = 0.0, loop.time()
    while loop.time() - began < 0.3:
        before = time.process_time()  # not of other programs on this machine
        await asyncio.sleep(0)
        worst = max(worst, time.process_time() - before)
    assert worst < 0.1
    assert rtc.listener.stats.dropped[Drop.DTLS_UNKNOWN_ADDRESS] > 100


async def test_the_offer_is_made_without_waiting(rtc: Rtc) -> None:
    before = time.process_time()
    links = [rtc.listener.offer(Recorder()) for _ in range(100)]
    assert time.process_time() - before < 1.0
    assert len({parse_offer(link.local_sdp).ufrag for link in links}) == 100


async def test_answers_that_cannot_be_used(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    with pytest.raises(SdpError):
        link.accept("nonsense")
    with pytest.raises(SdpError, match="actpass"):
        link.accept(link.local_sdp)
    other = await rtc.dialer.answer(link.local_sdp, b)
    with pytest.raises(SdpError, match="ice-lite"):
        link.accept(other.local_sdp.replace("s=-", "s=-\r\na=ice-lite"))
    link.accept(other.local_sdp)
    with pytest.raises(SdpError, match="second"):
        link.accept(other.local_sdp)
    await a.is_open()
    link.close()
    link.accept("anything")


async def test_a_passive_answer_makes_the_listener_the_dtls_client(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(link.local_sdp.replace("setup:actpass", "setup:active"), b)
    assert "a=setup:passive" in other.local_sdp
    link.accept(other.local_sdp)
    await a.is_open()
    await b.is_open()
    link.send(b"x", reliable=True)
    await b.has(1)


async def test_an_answer_with_another_certificate_fails(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(link.local_sdp, b)
    position = other.local_sdp.index("a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
    wrong = other.local_sdp[:position] + ("11" if other.local_sdp[position : position + 2] == "00" else "00")
    link.accept(wrong + other.local_sdp[position + 2 :])
    assert await a.has_ended() is LinkEnd.FAILED
    assert not a.opened


async def test_candidates_for_the_listener(rtc: Rtc) -> None:
    link = rtc.listener.offer(Recorder())
    good = CandidateInit("candidate:1 1 udp 5 192.0.2.1 4000 typ host", "")
    link.add_candidate(good)
    link.add_candidate(None)
    link.add_candidate(END_OF_CANDIDATES)
    with pytest.raises(CandidateError):
        link.add_candidate(CandidateInit("candidate:nonsense"))
    for _ in range(MAX_CANDIDATES - 1):
        link.add_candidate(good)
    with pytest.raises(CandidateError, match="more than"):
        link.add_candidate(good)


async def test_candidates_for_the_dialer(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    link = rtc.listener.offer(a)
    without = "".join(x for x in link.local_sdp.splitlines(True) if "candidate" not in x)
    other = await rtc.dialer.answer(without, b)
    link.accept(other.local_sdp)
    with pytest.raises(CandidateError):
        other.add_candidate(CandidateInit("candidate:nonsense"))
    other.add_candidate(CandidateInit("candidate:9 1 tcp 5 127.0.0.1 9 typ host tcptype active"))
    for candidate in parse_offer(link.local_sdp).candidates:
        other.add_candidate(candidate.to_init())
        other.add_candidate(candidate.to_init())
    other.add_candidate(None)
    other.add_candidate(None)
    await a.is_open()
    await b.is_open()
    for _ in range(MAX_CANDIDATES - 3):
        other.add_candidate(CandidateInit("candidate:1 1 udp 5 192.0.2.1 4000 typ host"))
    with pytest.raises(CandidateError, match="more than"):
        other.add_candidate(CandidateInit("candidate:1 1 udp 5 192.0.2.1 4000 typ host"))


async def test_local_candidates_are_trickled_when_asked_for(rtc: Rtc) -> None:
    a, b = Recorder(), Recorder()
    told: list[CandidateInit] = []
    link = rtc.listener.offer(a)
    other = await rtc.dialer.answer(link.local_sdp, b, told.append)
    assert "a=candidate" not in other.local_sdp
    assert told == [], "only once the caller has the answer"
    await until(lambda: told and told[-1] == END_OF_CANDIDATES, 5, "the end of candidates does not come")
    assert [init.candidate.split()[4] for init in told[:-1]] == ["127.0.0.1"]
    link.accept(other.local_sdp)
    await a.is_open()


async def test_one_local_socket_is_enough_for_a_known_server(rtc: Rtc) -> None:
    other = await rtc.dialer.answer(rtc.listener.offer(Recorder()).local_sdp, Recorder())
    assert [c.host for c in parse_offer(other.local_sdp).candidates] == ["127.0.0.1"]
    assert "a=end-of-candidates" in other.local_sdp


async def test_offers_that_cannot_be_used(rtc: Rtc) -> None:
    with pytest.raises(SdpError):
        await rtc.dialer.answer("v=0\r\n", Recorder())


async def test_a_stun_server_that_does_not_answer_costs_nothing_but_its_candidate(fast: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        listener = await Listener.open(bind=["127.0.0.1"], fast=fast)
        dialer = Dialer(fast=fast, ice_servers=[IceServer(f"stun:127.0.0.1:{mute.getsockname()[1]}")])
        a, b = Recorder(), Recorder()
        told: list[CandidateInit] = []
        link = listener.offer(a)
        other = await dialer.answer(link.local_sdp, b, told.append)
        link.accept(other.local_sdp)
        await a.is_open()
        await until(lambda: END_OF_CANDIDATES in told, 2, "it is asked no longer, now that the link is there")
        await dialer.close()
        await listener.close()


@pytest.mark.parametrize("urls", ["nonsense", "stun:", ["turn:host:port"]])
def test_ice_servers_that_cannot_be_used(urls: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="ice_servers"):
        Dialer(ice_servers=[IceServer(urls)])


def test_the_credential_of_an_ice_server_is_not_shown() -> None:
    assert "hush" not in repr(IceServer("turn:example.org", "me", "hush"))


@pytest.mark.parametrize(("option", "message"), [({"bind": ["nowhere"]}, "bind"), ({"announce": ["no where"]}, "announce")])
async def test_addresses_that_are_none(option: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigError, match=f"{message}: 'no ?where'"):
        await Listener.open(**({"bind": ["127.0.0.1"]} | option))  # type: ignore[arg-type]  # only these two options


async def test_announced_addresses_stand_in_the_offer() -> None:
    listener = await Listener.open(bind=["127.0.0.1"], announce=["203.0.113.5", "2001:db8::5", "203.0.113.5"])
    link = listener.offer(Recorder())
    assert [c.host for c in parse_offer(link.local_sdp).candidates] == ["203.0.113.5", "2001:db8::5"]
    await listener.close()


async def test_many_options_at_once(open_rtc: OpenRtc) -> None:
    """A handler that answers every message with two, on links of all kinds, while links come and go."""
    rtc = await open_rtc()

    def echo(link: Link, data: bytes, reliable: bool) -> None:
        link.send(data, reliable=True)
        link.send(data, reliable=False)

    for _ in range(10):
        a, b = Recorder(react=echo), Recorder()
        _link, other = await rtc.join(a, b)
        for number in range(20):
            other.send(b"%d" % number, reliable=True)
        await b.has(40)
        other.close()
    await until(lambda: rtc.listener.stats.links == 0, 5, "links are left")


@pytest.mark.parametrize("trickle", [True, False])
async def test_a_stun_server_adds_a_server_reflexive_candidate(trickle: bool) -> None:
    server = StunServer(("203.0.113.9", 41000))
    listener, dialer = await Listener.open(bind=["127.0.0.1"]), Dialer(ice_servers=[server.server])
    told: list[CandidateInit] = []
    other = await dialer.answer(listener.offer(Recorder()).local_sdp, Recorder(), told.append if trickle else None)
    if trickle:
        await until(lambda: END_OF_CANDIDATES in told, 5, "no end of candidates")
        found = [parse_candidate(init.candidate) for init in told[:-1]]
    else:
        found = list(parse_offer(other.local_sdp).candidates)
    assert [(c.type, c.host) for c in found] == [("host", "127.0.0.1"), ("srflx", "203.0.113.9")]
    assert (found[1].port, found[1].related_host, found[1].related_port) == (41000, "127.0.0.1", found[0].port)
    server.udp.close()
    await dialer.close()
    await listener.close()


async def test_an_answer_given_up_leaves_nothing() -> None:
    server = StunServer(None)
    listener, dialer = await Listener.open(bind=["127.0.0.1"]), Dialer(ice_servers=[server.server])
    b = Recorder()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(dialer.answer(listener.offer(Recorder()).local_sdp, b), 0.1)
    await dialer.close()
    assert b.ends == [], "a link that was never handed out has nothing to say"
    server.udp.close()
    await listener.close()


async def test_ended_links_leave_no_objects_behind(rtc: Rtc) -> None:
    """Not even for the collector of cycles, for the most part: a server sees thousands of short visits."""

    def alive() -> int:
        return sum(isinstance(thing, RTCSctpTransport | RTCDtlsTransport) for thing in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        for _ in range(5):
            a, b = Recorder(), Recorder()
            link, other = await rtc.join(a, b)
            link.send(b"x", reliable=True)
            await b.has(1)
            other.close()
            await a.has_ended()
            await other.wait_closed()
            await link.wait_closed()
            del link, other, a, b
        await asyncio.sleep(0)
        assert alive() - before <= 4, "five links of two ends are twenty objects"
    finally:
        gc.enable()
