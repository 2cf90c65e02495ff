"""A client's session and the world around it, by hand: a clock that stands still, and everything the session wants done, in a list."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from protocol import packets, signalling
from protocol.codes import Code
from protocol.ice import NO_ICE, IceGrant
from protocol.limits import PeerLimits
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.session import Session
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats
from rtcbroker.core.subscriptions import SubscriptionSet
from service.urls import Turns

NOW = 1_000_000.0
ALIAS = 77
URL = "ws://coordinator:9090/connect"
ALL = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS, pb.MOVES)
OFFER = json.dumps({"type": "offer", "sdp": "the offer"}).encode()

Kind = TypeVar("Kind")


class LongestPauses(random.Random):
    """Chance at its extreme, so that pauses are known."""

    def uniform(self, a: float, b: float) -> float:
        """The upper end."""
        return b


class SessionWorld:
    """One session; what happens to it is done by methods, and each returns what the session wants done."""

    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        token: str | None = None,
        renewable: bool = False,
        seed: int | None = None,
        urls: Sequence[str] = (URL,),
    ) -> None:
        """With a `seed` chance is as it comes, without pauses are the longest."""
        self.now = NOW
        self.options = options or ClientOptions()
        self.stats = ClientStats()
        self.subscriptions = SubscriptionSet()
        self.delivery = Delivery(self.stats)
        self.received: list[Packet] = []
        self.session = Session(
            Turns(urls, random.Random(seed)),
            self.options,
            self.stats,
            self.subscriptions,
            self.delivery,
            LongestPauses() if seed is None else random.Random(seed),
            token=token,
            renewable=renewable,
        )

    @property
    def state(self) -> ClientState:
        """The session's state."""
        return self.session.state

    @property
    def server(self) -> int:
        """The joined server, or 0."""
        link = self.session.joined
        return 0 if link is None else link.server

    # ------------------------------------------------------------------------------------------------- what happens

    def feed(self, event: events.Event) -> list[events.Output]:
        """Anything."""
        return self.session.handle(event, self.now)

    def start(self) -> list[events.Output]:
        """The application connects."""
        return self.feed(events.Start())

    def wait(self, seconds: float) -> list[events.Output]:
        """Time passes, and the timer fires whenever it is due."""
        outputs: list[events.Output] = []
        end = self.now + seconds
        while (due := self.session.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            outputs += self.feed(events.DeadlineReached())
        self.now = end
        return outputs

    def opened(self) -> list[events.Output]:
        """The WebSocket is open."""
        return self.feed(events.SocketOpened())

    def welcome(
        self, *servers: int, alias: int = ALIAS, resume: str = "proof", auth_required: bool = True, ice: IceGrant = NO_ICE
    ) -> list[events.Output]:
        """The coordinator's WELCOME, without `resume` that of an old one."""
        return self.signal(signalling.welcome(alias, servers, resume=resume, auth_required=auth_required, ice=ice))

    def signal(self, frame: bytes) -> list[events.Output]:
        """A frame from the coordinator."""
        return self.feed(events.SignalReceived(frame))

    def socket_ended(self, code: int = Code.LINK_LOST, reason: str = "gone") -> list[events.Output]:
        """The WebSocket is gone, or never was."""
        return self.feed(events.SocketEnded(code, reason))

    def offer(self, server: int, data: bytes = OFFER) -> list[events.Output]:
        """The server's offer."""
        frame = pb.WebRtcMessage(type=pb.WEBRTC_OFFER, from_alias=server, to_alias=ALIAS, data=data)
        return self.signal(frame.SerializeToString())

    def message(self, link: int, data: bytes, *, reliable: bool = True) -> list[events.Output]:
        """A message of the server."""
        return self.session.received(link, data, reliable, self.now)

    def ready(self, link: int, alias: int = ALIAS, capabilities: Iterable[pb.Capability] = ALL) -> list[events.Output]:
        """The server's READY."""
        return self.message(link, packets.ready(alias, capabilities, PeerLimits()))

    def subscribed(self, link: int, version: int, refused: Iterable[tuple[str, Code]] = ()) -> list[events.Output]:
        """The server's SUBSCRIBED."""
        return self.message(link, packets.subscribed(version, list(refused)))

    # --------------------------------------------------------------------------------------------- whole stretches

    def open_link(self, server: int, link: int) -> list[events.Output]:
        """From a CONNECT that was just sent to an open link; returns what its opening brought."""
        answer = one(self.offer(server), events.AnswerOffer)
        assert (answer.link, answer.sdp) == (link, "the offer")
        self.feed(events.LinkAnswered(link, "the answer"))
        return self.feed(events.LinkOpened(link))

    def join(self, server: int, link: int) -> list[events.Output]:
        """From a CONNECT that was just sent to READY; returns what that brought."""
        self.open_link(server, link)
        return self.ready(link)

    def connect(self, *servers: int) -> list[events.Output]:
        """From the beginning to being joined to the first of `servers`; returns what READY brought."""
        self.start()
        self.opened()
        self.welcome(*servers)
        return self.join(servers[0], 1)

    def subscribe(self, *topics: str) -> list[events.Output]:
        """Hold topics; they are sent at the end of the turn."""
        self.subscriptions.hold(topics)
        self.delivery.attach(topics, self.received.append)
        return self.feed(events.SubscriptionsChanged())


def only(outputs: list[events.Output], kind: type[Kind]) -> list[Kind]:
    """The outputs of one kind."""
    return [output for output in outputs if isinstance(output, kind)]


def one(outputs: list[events.Output], kind: type[Kind]) -> Kind:
    """The only output of one kind."""
    found = only(outputs, kind)
    assert len(found) == 1, outputs
    return found[0]


def signals(outputs: list[events.Output]) -> list[signalling.Signal]:
    """What goes to the coordinator."""
    decoded = [signalling.decode_signal(output.frame) for output in only(outputs, events.SendSignal)]
    return [signal for signal in decoded if signal is not None]


def asked(outputs: list[events.Output]) -> list[int]:
    """The servers that CONNECT goes to."""
    return [signal.to_alias for signal in signals(outputs) if isinstance(signal, pb.ConnectMessage)]


def sent(outputs: list[events.Output]) -> list[packets.Packet]:
    """What goes to the server."""
    decoded = [packets.decode_packet(output.data) for output in only(outputs, events.SendPacket)]
    return [packet for packet in decoded if packet is not None]


def sets(outputs: list[events.Output]) -> list[tuple[int, set[str]]]:
    """The subscription sets that go to the server: version and topics."""
    return [
        (packet.version, set(packets.subscription_topics(packet)))
        for packet in sent(outputs)
        if isinstance(packet, pb.SubscriptionMessage)
    ]


def states(outputs: list[events.Output]) -> list[ClientState]:
    """The states that are announced."""
    return [output.state for output in only(outputs, events.StateChanged)]
