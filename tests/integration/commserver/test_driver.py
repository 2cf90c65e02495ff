"""The shell around the core: events in, deeds out, one timer; links and clock are the test's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core.broker import Broker
from commserver.core.config import BrokerConfig
from commserver.core.flow import FlowLimits, Policy
from commserver.io.driver import Driver
from protocol import batch, packets, signalling
from protocol.codes import Code
from protocol.errors import CandidateError, MessageTooLarge, SdpError
from protocol.ice import IceGrant, IceServer
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from protocol.tokens import TokenRole, anonymous
from service.clock import Clock
from tests.support.poll import until
from transport import LinkEnd, Listener, ListenerLink
from transport.announce import read_words
from transport.announcer import Announcer
from transport.link import Expiry
from transport.udp import Turn


class StubLink(ListenerLink):
    """A link of the listener that goes nowhere."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.local_sdp = "offer"
        self.sent: list[tuple[bytes, bool]] = []
        self.expiries: list[Expiry | None] = []
        """Of what was sent."""
        self.held = {True: 0, False: 0}
        self.accepted: list[str] = []
        self.candidates: list[CandidateInit | None] = []
        self.closings = 0
        self.max_message = 10**9
        self.holds_back = False
        """What is sent stays in the transport."""

    def accept(self, answer_sdp: str) -> None:
        if answer_sdp == "bad":
            raise SdpError("not usable")
        self.accepted.append(answer_sdp)

    def add_candidate(self, init: CandidateInit | None) -> None:
        if init is not None and init.candidate == "bad":
            raise CandidateError("not usable")
        self.candidates.append(init)

    def send(self, data: bytes, *, reliable: bool, expiry: Expiry | None = None) -> None:
        if len(data) > self.max_message:
            raise MessageTooLarge(len(data), self.max_message)
        self.expiries.append(expiry)
        self.sent.append((data, reliable))
        if self.holds_back:
            self.held[reliable] += len(data)

    def buffered_amount(self, *, reliable: bool) -> int:
        return self.held[reliable]

    def close(self) -> None:
        self.closings += 1

    def low(self, amount: int = 0) -> None:
        self.held[True] = amount
        self.handler.on_buffered_low(self, True)


class StubListener(Listener):
    """Makes stub links."""

    def __init__(self) -> None:
        self.links: list[StubLink] = []
        self.turn = Turn()
        self.announcer = Announcer(read_words(["local"]), [], 7000, ["127.0.0.1"])

    def offer(self, handler: Any) -> ListenerLink:
        self.links.append(StubLink(handler))
        return self.links[-1]


class StubDialer:
    """Dials when the test lets it."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.links: list[StubLink] = []
        self.ice_servers: tuple[IceServer, ...] = ()
        """Of the last call."""
        self.cancelled = 0

    async def answer(
        self, sdp: str, handler: Any, on_candidate: Callable[[CandidateInit | None], None], ice_servers: Sequence[IceServer]
    ) -> StubLink:
        self.ice_servers = tuple(ice_servers)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        self.links.append(StubLink(handler))
        self.links[-1].local_sdp = "answer"
        asyncio.get_running_loop().call_soon(on_candidate, None)
        return self.links[-1]

    async def close(self) -> None:
        pass


class Shell:
    """A driver without a network."""

    def __init__(self, **config: Any) -> None:
        self.signals: list[Any] = []
        self.listener, self.dialer = StubListener(), StubDialer()
        self.broker = Broker(
            BrokerConfig(auth_required=False, **{"coalesce_window": 0.0, **config}),
            verify=lambda token: anonymous(TokenRole.CLIENT),
            own_token=lambda: "",
            rng=random.Random(1),
        )
        dialer: Any = self.dialer
        self.driver = Driver(self.broker, self.listener, dialer, self._signal, Clock())

    def _signal(self, frame: bytes) -> None:
        self.signals.append(signalling.decode_signal(frame))

    def signal(self, frame: bytes) -> None:
        self.driver.feed(ev.SignalReceived(frame))

    def join(self, alias: int, *topics: str) -> StubLink:
        """A client that is active and subscribed."""
        self.signal(signalling.connect(1, alias))
        link = self.listener.links[-1]
        self.signal(signalling.answer(1, "good", alias))
        link.handler.on_open(link)
        link.handler.on_message(link, packets.auth(pb.CLIENT, "", [pb.BATCH, pb.ERRORS]), True)
        link.handler.on_message(link, packets.subscription(topics, version=1), True)
        link.sent.clear()
        return link


def publish(link: StubLink, topic: str, body: bytes = b"x", *, reliable: bool = True) -> None:
    link.handler.on_message(link, packets.topic(topic, body), reliable)


async def test_a_connect_becomes_an_offer_and_an_answer_goes_to_the_link() -> None:
    shell = Shell()
    shell.signal(signalling.connect(1, 77))
    (link,) = shell.listener.links
    (offer,) = shell.signals
    assert (offer.type, offer.to_alias) == (pb.WEBRTC_OFFER, 77)
    shell.signal(signalling.candidate(1, CandidateInit("candidate"), 77))
    shell.signal(signalling.answer(1, "good", 77))
    assert link.accepted == ["good"]
    assert [init.candidate for init in link.candidates if init] == ["candidate"]
    await shell.driver.close()


async def test_an_offer_waits_until_it_is_known_what_to_announce() -> None:
    shell = Shell()
    shell.listener.announcer = Announcer(read_words(["auto"]), [], 7000, ["127.0.0.1"])
    shell.signal(signalling.connect(1, 77))
    shell.signal(signalling.connect(1, 78))
    assert shell.signals == []
    shell.driver.link_ended(1, LinkEnd.TIMEOUT)
    shell.signals.clear()
    shell.listener.announcer.discover([])
    await until(lambda: shell.signals, 2, "the offer goes out")
    assert [(signal.type, signal.to_alias) for signal in shell.signals] == [(pb.WEBRTC_OFFER, 78)], (
        "none for a link that has ended"
    )
    shell.listener.announcer.close()
    await shell.driver.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [(signalling.answer(1, "bad", 77), Code.BAD_SDP), (signalling.candidate(1, CandidateInit("bad"), 77), Code.BAD_CANDIDATE)],
)
async def test_what_the_transport_cannot_use_is_refused(frame: bytes, code: Code) -> None:
    shell = Shell()
    shell.signal(signalling.connect(1, 77))
    shell.signal(frame)
    assert signalling.refusal_code(shell.signals[-1]) == code
    assert shell.listener.links[0].closings == 1
    assert not shell.driver._links
    await shell.driver.close()


def bodies(link: StubLink) -> list[list[bytes]]:
    """What was sent to a link: a list a message."""
    return [[body for g in pb.TopicBatchMessage.FromString(data).groups for body in g.body] for data, _ in link.sent]


async def test_packets_are_relayed_and_their_time_is_taken() -> None:
    shell = Shell()
    speaker, listener = shell.join(1_000), shell.join(1_001, "t")
    publish(speaker, "t")
    publish(speaker, "nobody wants this")
    assert [reliable for _, reliable in listener.sent] == [True]
    assert sum(shell.broker.counters.relay_latency.counts) == 1
    await shell.driver.close()


async def test_a_lone_packet_leaves_at_once_and_others_at_the_end_of_the_window() -> None:
    shell = Shell(coalesce_window=0.01)
    speaker, listener = shell.join(1_000), shell.join(1_001, "t")
    publish(speaker, "t", b"0")
    assert bodies(listener) == [[b"0"]]
    for n in (1, 2):
        publish(speaker, "t", b"%d" % n)
    assert bodies(listener) == [[b"0"]]
    await until(lambda: len(listener.sent) == 2, 5.0, "the end of the window")
    assert bodies(listener) == [[b"0"], [b"1", b"2"]]
    assert sum(shell.broker.counters.relay_latency.counts) == 3, "the time of each is taken"
    await shell.driver.close()


async def test_what_comes_in_one_burst_leaves_at_its_end() -> None:
    """Packets of one message, or of several that were read in one turn."""
    shell = Shell(coalesce_window=0.01)
    speaker, listener = shell.join(1_000), shell.join(1_001, "t", "u")
    shell.listener.turn.reading = True
    message = batch.batch(batch.group_frame(topic, (), (b"0",)) for topic in ("t", "u"))
    speaker.handler.on_message(speaker, message, True)
    assert listener.sent == []
    shell.listener.turn.reading = False
    shell.listener.turn.ended()
    assert bodies(listener) == [[b"0", b"0"]], "no turn of the loop later, and in one message"
    await shell.driver.close()


async def test_what_nobody_here_knows_does_nothing() -> None:
    shell = Shell()
    for output in (
        ev.Send((99,), b"x", True),
        ev.ApplyAnswer(99, "good"),
        ev.AddCandidate(99, CandidateInit("candidate")),
        ev.AskBuffered(99, True),
        ev.CloseLink(99, Code.TIMEOUT),
    ):
        shell.driver._deeds[type(output)](output)
    assert not shell.signals
    await shell.driver.close()


async def test_a_message_over_the_receivers_limit_is_counted() -> None:
    shell = Shell()
    speaker, listener, other = shell.join(1_000), shell.join(1_001, "t"), shell.join(1_002, "t")
    listener.max_message = 100
    publish(speaker, "t", b"x" * 200)
    assert (len(listener.sent), len(other.sent)) == (0, 1)
    assert shell.broker.counters.dropped == {"too large for the peer": 1}
    await shell.driver.close()


SMALL = FlowLimits(Policy.BUFFERED, queue_bytes=100_000, high_bytes=1_000, low_bytes=100)


async def test_a_full_transport_pauses_its_channel_alone() -> None:
    shell = Shell(reliable=SMALL)
    speaker, slow, quick = shell.join(1_000), shell.join(1_001, "t"), shell.join(1_002, "t")
    slow.holds_back = True
    for n in range(100):
        publish(speaker, "t", b"%02d" % n + b"." * 60)
    assert len(quick.sent) == 100
    assert 10 <= len(slow.sent) <= 16
    publish(speaker, "t", b"unreliable", reliable=False)
    assert slow.sent[-1][1] is False
    await shell.driver.close()


async def test_a_queue_goes_out_whole_though_the_transport_takes_all_at_once() -> None:
    shell = Shell(reliable=SMALL)
    speaker, slow = shell.join(1_000), shell.join(1_001, "t")
    slow.holds_back = True
    for n in range(100):
        publish(speaker, "t", b"%02d" % n + b"." * 60)
    slow.holds_back = False
    slow.low()
    bodies = [pb.TopicBatchMessage.FromString(data).groups[0].body[0][:2] for data, _ in slow.sent]
    assert bodies == [b"%02d" % n for n in range(100)]
    publish(speaker, "t", b"and on")
    assert len(slow.sent) == 101
    await shell.driver.close()


async def test_what_a_transport_drops_as_stale_is_counted() -> None:
    shell = Shell(max_staleness=0.25)
    speaker, listener, other = shell.join(1_000), shell.join(1_001, "t"), shell.join(1_002, "t")
    publish(speaker, "t")
    publish(speaker, "t", reliable=False)
    assert listener.expiries[-2] is None
    for link in (listener, other):
        expiry = link.expiries[-1]
        assert expiry is not None
        assert expiry.lifetime == 0.25
        expiry.dropped()
    assert shell.broker.counters.dropped_by_topic == {("t", "stale"): 2}
    await shell.driver.close()


async def test_it_wakes_for_deadlines() -> None:
    shell = Shell(setup_timeout=0.05)
    shell.signal(signalling.connect(1, 77))
    await until(lambda: shell.listener.links[0].closings, 5.0, "the set-up deadline")
    assert len(shell.broker.peers) == 0
    await shell.driver.close()


async def test_an_earlier_deadline_moves_the_timer() -> None:
    shell = Shell(setup_timeout=30.0, auth_timeout=0.05)
    shell.signal(signalling.connect(1, 77))
    (link,) = shell.listener.links
    link.handler.on_open(link)
    await until(lambda: link.closings, 5.0, "the AUTH deadline, which is set later and due earlier")
    await shell.driver.close()


def dialing(shell: Shell) -> None:
    """The shell asked alias 5 for an offer and gets it."""
    shell.signal(signalling.welcome(1, [5], ice=IceGrant((IceServer("stun:a"),))))


async def dialed(shell: Shell) -> None:
    dialing(shell)
    await until(lambda: any(isinstance(m, pb.ConnectMessage) for m in shell.signals), 5.0, "CONNECT")
    shell.signal(signalling.candidate(1, CandidateInit("first"), 5))
    shell.signal(signalling.offer(1, "offer", 5))
    shell.signal(signalling.candidate(1, CandidateInit("second"), 5))


async def test_candidates_wait_until_the_dialer_has_its_link() -> None:
    shell = Shell()
    await dialed(shell)
    shell.dialer.go.set()
    await until(lambda: shell.dialer.links, 5.0, "the answer")
    (link,) = shell.dialer.links
    await until(lambda: link.candidates, 5.0, "the candidates")
    assert [init.candidate for init in link.candidates if init] == ["first", "second"]
    assert shell.dialer.ice_servers == (IceServer("stun:a"),)
    assert any(isinstance(m, pb.WebRtcMessage) and m.type == pb.WEBRTC_ANSWER for m in shell.signals)
    await until(lambda: shell.signals[-1].type == pb.WEBRTC_ICE_CANDIDATE, 5.0, "our candidates")
    assert not shell.driver._early
    await shell.driver.close()
    assert link.closings == 1


@pytest.mark.parametrize("error", [SdpError("not usable"), OSError("no socket")])
async def test_an_offer_that_cannot_be_answered_ends_the_dial(error: Exception) -> None:
    shell = Shell()
    shell.dialer.error = error
    await dialed(shell)
    shell.dialer.go.set()
    await until(lambda: not shell.broker.peers, 5.0, "the dial is over")
    assert not shell.driver._early
    assert not shell.driver._dialing
    await shell.driver.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_dial_may_be_ended_before_it_has_a_link(at_once: bool) -> None:
    shell = Shell()
    await dialed(shell)
    if not at_once:
        await asyncio.sleep(0)
    shell.signal(signalling.refused(1, 5, Code.PEER_NOT_FOUND))
    assert not shell.driver._early
    assert not shell.driver._dialing
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert shell.dialer.cancelled == (0 if at_once else 1)
    await shell.driver.close()


async def test_nothing_happens_after_close() -> None:
    shell = Shell(setup_timeout=0.02)
    link = shell.join(1_000)
    shell.signal(signalling.connect(1, 77))
    await shell.driver.close()
    assert link.closings == 1
    before = len(shell.signals)
    link.handler.on_closed(link, LinkEnd.LOCAL)
    shell.signal(signalling.connect(1, 78))
    await asyncio.sleep(0.05)
    assert len(shell.signals) == before
    assert len(shell.broker.peers) == 2


async def test_draining_ends_when_the_last_peer_has_gone() -> None:
    shell = Shell(drain_seconds=0.0)
    link = shell.join(1_000)
    shell.driver.feed(ev.DrainRequested())
    assert shell.driver.draining.is_set()
    draining = asyncio.create_task(shell.driver.drained())
    await until(lambda: link.sent, 5.0, "CLOSE")
    await asyncio.sleep(0.01)
    assert not draining.done()
    link.handler.on_closed(link, LinkEnd.REMOTE)
    await asyncio.wait_for(draining, 5.0)
    await shell.driver.close()


async def test_draining_without_peers_is_over_at_once() -> None:
    shell = Shell()
    shell.driver.feed(ev.DrainRequested())
    await asyncio.wait_for(shell.driver.drained(), 5.0)
    await shell.driver.close()
