"""A cluster in memory for the client's tests: a coordinator and comm servers without a socket, on the test's own event loop.

It speaks the real messages; what it does with them is as simple as can be, and can be made to misbehave.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from protocol import packets, signalling
from protocol.batch import SenderIdentity, batch, decode_group, group_frame
from protocol.codes import Code
from protocol.errors import SdpError
from protocol.ice import IceServer
from protocol.limits import PeerLimits
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from rtcbroker.core import events
from rtcbroker.io import driver
from transport.fake import FakeLink, fake_pair
from transport.link import Expiry, Link, LinkEnd, LinkHandler

CAPABILITIES = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)
URL = "ws://coordinator.test"


class FakeCluster:
    """Everything the clients of a test talk to; use the fixture of the same name in ``tests/unit/rtcbroker/conftest.py``."""

    def __init__(self) -> None:
        self.servers: dict[int, FakeServer] = {}
        self.sockets: list[FakeSocket] = []
        """Open ones."""
        self.dials: list[tuple[dict[str, str], str]] = []
        """Query and token of each dial."""
        self.refusal: tuple[int, str] | None = None
        """With what a dial ends; None: it does not."""
        self.is_mute = False
        """No WELCOME comes."""
        self._aliases = 100

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the network in every client that is made."""
        monkeypatch.setattr(driver, "CoordinatorSocket", self._dial)
        monkeypatch.setattr(driver, "make_dialer", lambda options: FakeDialer(self))

    def add_server(self, alias: int, **behaviour: Any) -> FakeServer:
        """One more comm server."""
        server = self.servers[alias] = FakeServer(alias, **behaviour)
        return server

    def kill(self, alias: int) -> None:
        """As ``kill -9``: its links fall silent, and the coordinator tells of its socket."""
        server = self.servers.pop(alias)
        server.is_dead = True
        for socket in self.sockets:
            socket.tell(signalling.peer_gone(alias))

    def stop_coordinator(self, code: int = Code.LINK_LOST) -> None:
        """Every socket ends."""
        for socket in list(self.sockets):
            socket.end(code, "gone")

    def _dial(
        self, http: object, url: str, token: str, report: Callable[[events.Event], None], *, heartbeat: float, ssl: object
    ) -> FakeSocket:
        query = dict(parse_qsl(urlsplit(url).query))
        self.dials.append((query, token))
        self._aliases += 1
        return FakeSocket(self, int(query.get("alias", self._aliases)), report)


class FakeSocket:
    """In the place of :class:`rtcbroker.io.signalling.CoordinatorSocket`."""

    def __init__(self, cluster: FakeCluster, alias: int, report: Callable[[events.Event], None]) -> None:
        self._cluster = cluster
        self.alias = alias
        self._report: Callable[[events.Event], None] | None = report
        self._gone = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        if self._cluster.refusal is not None:
            self.end(*self._cluster.refusal)
            return
        self._tell(events.SocketOpened())
        self._cluster.sockets.append(self)
        if not self._cluster.is_mute:
            self.tell(signalling.welcome(self.alias, self._cluster.servers, resume=f"proof of {self.alias}"))
        try:
            await self._gone.wait()
        finally:
            if self in self._cluster.sockets:
                self._cluster.sockets.remove(self)

    def tell(self, frame: bytes) -> None:
        """Send the client a frame."""
        self._tell(events.SignalReceived(frame))

    def end(self, code: int, reason: str) -> None:
        """End from the coordinator's side."""
        self._tell(events.SocketEnded(code, reason))
        self.hang_up()

    def hang_up(self) -> None:
        """The client's side."""
        self._report = None
        self._gone.set()

    def send(self, frame: bytes) -> None:
        """A frame of the client."""
        message = signalling.decode_signal(frame)
        if isinstance(message, pb.ConnectMessage):
            asyncio.get_running_loop().call_soon(self._connect, message.to_alias)

    def _connect(self, alias: int) -> None:
        server = self._cluster.servers.get(alias)
        code = Code.PEER_NOT_FOUND if server is None else server.refuses
        if code is not None:
            self.tell(signalling.refused(self.alias, alias, code))
        elif server is not None and not server.is_mute:
            data = json.dumps({"type": "offer", "sdp": f"{alias} {self.alias}"}).encode()
            message = pb.WebRtcMessage(type=pb.WEBRTC_OFFER, from_alias=alias, to_alias=self.alias, data=data)
            self.tell(message.SerializeToString())

    def _tell(self, event: events.Event) -> None:
        if self._report is not None:
            self._report(event)


class FakeDialer:
    """In the place of :class:`transport.Dialer`."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    async def answer(
        self,
        offer_sdp: str,
        handler: LinkHandler,
        on_candidate: Callable[[CandidateInit], None] | None,
        ice_servers: Sequence[IceServer],
    ) -> FakeDialed:
        """A link to the server that the offer names."""
        server, client = map(int, offer_sdp.split())
        if server not in self._cluster.servers:
            raise SdpError("no such server")
        return self._cluster.servers[server].accept(client, handler)

    async def close(self) -> None:
        """Nothing is left open."""


class FakeDialed:
    """A fake link with what a dialed one has besides."""

    def __init__(self, link: FakeLink) -> None:
        self.fake = link
        self.local_sdp = "the answer"
        self.on_reached: Callable[[], None] | None = None

    @property
    def trouble(self) -> str:
        """As the link."""
        return self.fake.trouble

    @property
    def is_open(self) -> bool:
        """As the link."""
        return self.fake.is_open

    def send(self, data: bytes, *, reliable: bool, expiry: Expiry | None = None) -> None:
        """As the link."""
        self.fake.send(data, reliable=reliable, expiry=expiry)

    def buffered_amount(self, *, reliable: bool) -> int:
        """As the link."""
        return self.fake.buffered_amount(reliable=reliable)

    def close(self) -> None:
        """As the link."""
        self.fake.close()

    def add_candidate(self, init: CandidateInit | None) -> None:
        """There is no network to use it in."""


class FakeServer:
    """A comm server."""

    def __init__(
        self,
        alias: int,
        *,
        refuses: Code | None = None,
        is_mute: bool = False,
        rejects: Code | None = None,
        forbidden: frozenset[str] = frozenset(),
        acknowledges: bool = True,
        limits: PeerLimits | None = None,
    ) -> None:
        """`refuses` CONNECT, or `rejects` AUTH, with a code; `is_mute`: makes no offer; `forbidden` topics."""
        self.alias = alias
        self.refuses = refuses
        self.is_mute = is_mute
        self.rejects = rejects
        self.forbidden = forbidden
        self.acknowledges = acknowledges
        self.limits = limits or PeerLimits()
        self.is_dead = False
        self.clients: list[FakePeer] = []
        self.published: list[tuple[str, bytes, bool]] = []
        """What clients published: topic, body, whether reliably."""
        self.messages = 0
        """In how many messages."""

    def accept(self, alias: int, handler: LinkHandler) -> FakeDialed:
        """A new client."""
        peer = FakePeer(self, alias)
        peer.theirs, peer.link = fake_pair(handler, peer, loop=asyncio.get_running_loop())
        self.clients.append(peer)
        return FakeDialed(peer.theirs)

    def relay(self, sender: FakePeer, topic: str, bodies: list[bytes], *, reliable: bool, identity: bool) -> None:
        """To everyone subscribed, the sender too: it is to drop what is its own."""
        self.published += [(topic, body, reliable) for body in bodies]
        senders = [SenderIdentity(sender.alias, sender.token, pb.CLIENT)] if identity else []
        message = batch([group_frame(topic, [sender.alias] * len(bodies), bodies, senders)])
        for peer in self.clients:
            if topic in peer.topics:
                peer.send(message, reliable=reliable)

    def close(self, code: Code) -> None:
        """Tell everyone to go."""
        for peer in list(self.clients):
            peer.send(packets.close(code))


class FakePeer:
    """The server's side of one client's link."""

    link: Link
    theirs: FakeLink
    """The client's end, where both are in memory."""

    def __init__(self, server: FakeServer, alias: int) -> None:
        self._server = server
        self.alias = alias
        self.token = b""
        self.tokens: list[bytes] = []
        self.topics: set[str] = set()
        self.sets: list[tuple[int, list[str]]] = []
        """Every SUBSCRIPTION: version and topics."""
        self.end: LinkEnd | None = None

    def send(self, data: bytes, *, reliable: bool = True) -> None:
        """To the client, unless the server is dead."""
        if not self._server.is_dead:
            self.link.send(data, reliable=reliable)

    def on_open(self, link: Link) -> None:
        """AUTH follows."""

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """Nothing waits here."""

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """The client left."""
        self.end = end
        self._server.clients.remove(self)

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """One message of the client."""
        if self._server.is_dead:
            return
        packet = packets.decode_packet(data)
        if isinstance(packet, pb.AuthMessage):
            self._authenticate(packet)
        elif isinstance(packet, pb.SubscriptionMessage):
            self._subscribe(packet)
        elif isinstance(packet, pb.PingMessage):
            self.send(data, reliable=reliable)
        else:
            self._publish(packet, reliable)

    def _authenticate(self, packet: pb.AuthMessage) -> None:
        self.token = packet.body
        self.tokens.append(packet.body)
        if self._server.rejects is None:
            self.send(packets.ready(self.alias, CAPABILITIES, self._server.limits))
        else:
            self.send(packets.close(self._server.rejects))

    def _subscribe(self, packet: pb.SubscriptionMessage) -> None:
        topics = packets.subscription_topics(packet)
        self.sets.append((packet.version, topics))
        self.topics = set(topics) - self._server.forbidden
        if self._server.acknowledges:
            refused = [(topic, Code.NOT_ALLOWED) for topic in topics if topic in self._server.forbidden]
            self.send(packets.subscribed(packet.version, refused))

    def _publish(self, packet: packets.Packet | None, reliable: bool) -> None:
        server = self._server
        server.messages += 1
        if isinstance(packet, pb.TopicBatchFrames):
            for frame in packet.groups:
                group = decode_group(frame, from_server=False)
                server.relay(self, group.topic, list(group.body), reliable=reliable, identity=group.identity)
        else:
            assert isinstance(packet, pb.TopicMessage | pb.TopicIdentityMessage)
            identity = isinstance(packet, pb.TopicIdentityMessage)
            server.relay(self, packet.topic, [packet.body], reliable=reliable, identity=identity)
