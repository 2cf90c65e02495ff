"""A client of the pretend world: speaks the packets of the wire, old or new, and remembers what it got."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from protocol import batch, packets, signalling
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import End, Server, World, token

NEW = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)
MOVING = (*NEW, pb.MOVES)
OLD: tuple[pb.Capability, ...] = ()


class Got(NamedTuple):
    """A topic packet; `topic` is empty where the message did not say it (Part 1)."""

    topic: str
    sender: int
    body: bytes
    reliable: bool
    identity: bytes = b""


class Client:
    """Joins, proves itself when the channels open, and does what the test says."""

    role = TokenRole.CLIENT

    def __init__(
        self,
        world: World,
        *,
        subject: str = "",
        capabilities: Sequence[pb.Capability] = NEW,
        auth: bytes | None = None,
        alias: int = 0,
        role: TokenRole = TokenRole.CLIENT,
        wire_role: pb.Role = pb.CLIENT,
    ) -> None:
        """`auth`: the body of AUTH, by default a token for `subject`. `role`: what the coordinator admitted it as."""
        self.world = world
        self.alias = alias or world.next_alias()
        self.role = role
        self.wire_role = wire_role
        self.capabilities = capabilities
        self.auth = token(subject or f"client {self.alias}").encode() if auth is None else auth
        self.speaks_first = True
        """Send AUTH as soon as the channels open."""
        self.echoes = True
        """Answer PING."""
        self.end: End | None = None
        self.signals: list[Any] = []
        self.messages: list[Any] = []
        """Every packet but topic packets, decoded."""
        self.got: list[Got] = []
        self.closed: list[str] = []
        self.is_open = False
        self._pings: set[bytes] = set()
        self._versions = itertools.count(1)
        world.register(self)

    # what it does

    def connect(self, server: Server) -> Client:
        """Ask for a link; it comes about as time passes."""
        self.signal(signalling.connect(server.alias))
        return self

    def signal(self, frame: bytes) -> None:
        """Send a frame to the coordinator."""
        self.world.signal(self, frame)

    def send(self, data: bytes, *, reliable: bool = True) -> None:
        """Send any bytes."""
        assert self.end is not None
        self.world.send(self.end, data, reliable)

    def prove(self, auth: bytes | None = None) -> None:
        """Send AUTH."""
        body = self.auth if auth is None else auth
        self.send(
            pb.AuthMessage(type=pb.AUTH, role=self.wire_role, body=body, capabilities=self.capabilities).SerializeToString()
        )

    def subscribe(self, *topics: str, gzip: bool = False) -> int:
        """Send the whole set; returns its version."""
        version = next(self._versions) if self.capabilities else 0
        self.send(packets.subscription(topics, version=version, gzip_over=-1 if gzip else None))
        return version

    def publish(self, topic: str, body: bytes = b"x", *, reliable: bool = True, identity: bool = False) -> None:
        """Publish one packet as an old client does."""
        make = packets.topic_identity if identity else packets.topic
        self.send(make(topic, body), reliable=reliable)

    def publish_batch(self, topic: str, bodies: Sequence[bytes], *, reliable: bool = True, identity: bool = False) -> None:
        """Publish a group."""
        self.send(batch.batch([batch.group_frame(topic, (), bodies, identity=identity)]), reliable=reliable)

    def ping(self, time: float = 1.0, *, reliable: bool = True) -> bytes:
        """Send a PING; returns its bytes."""
        data = packets.ping(time)
        self._pings.add(data)
        self.send(data, reliable=reliable)
        return data

    def leave(self) -> None:
        """Close the link."""
        assert self.end is not None
        self.world.close(self.end)

    # what it was told

    def of_type(self, kind: int) -> list[Any]:
        """The packets of one type."""
        return [message for message in self.messages if message.type == kind]

    @property
    def errors(self) -> list[tuple[int, str]]:
        """(code, topic) of the ERRORs."""
        return [(message.code, message.topic) for message in self.of_type(pb.ERROR)]

    @property
    def close_codes(self) -> list[int]:
        """Codes of CLOSE."""
        return [message.code for message in self.of_type(pb.CLOSE)]

    @property
    def refusals(self) -> list[int]:
        """Codes of CONNECTION_REFUSED."""
        return [signalling.refusal_code(m) for m in self.signals if isinstance(m, pb.ConnectionRefusedMessage)]

    @property
    def bodies(self) -> list[bytes]:
        """Bodies of the topic packets, in the order they came."""
        return [got.body for got in self.got]

    # what the world tells

    def on_signal(self, frame: bytes) -> None:
        message: Any = signalling.decode_signal(frame)
        self.signals.append(message)
        if isinstance(message, pb.WebRtcMessage) and message.type == pb.WEBRTC_OFFER:
            self.end, sdp = self.world.end(self, 0)
            self.end.peer = self.world.described(signalling.read_description(message.data, "offer"))
            self.signal(signalling.answer(message.from_alias, sdp))

    def on_open(self, end: End) -> None:
        self.is_open = True
        if self.speaks_first and end is self.end:
            self.prove()

    def on_message(self, end: End, data: bytes, reliable: bool) -> None:
        packet: Any = packets.decode_packet(data)
        if isinstance(packet, pb.TopicBatchFrames):
            for raw in packet.groups:
                self._take(batch.decode_group(raw, from_server=True), reliable)
        elif isinstance(packet, pb.TopicFWMessage):
            self.got.append(Got("", packet.from_alias, packet.body, reliable))
        elif isinstance(packet, pb.TopicIdentityFWMessage):
            self.got.append(Got("", packet.from_alias, packet.body, reliable, packet.identity))
        else:
            self.messages.append(packet)
            if isinstance(packet, pb.PingMessage) and self.echoes and data not in self._pings:
                self.send(data, reliable=reliable)

    def _take(self, group: pb.TopicGroup, reliable: bool) -> None:
        known = {sender.alias: sender.identity for sender in group.senders}
        for alias, body in zip(group.from_alias, group.body, strict=True):
            if alias == self.alias:
                continue  # a batch is the same bytes for all its receivers: each drops its own records
            self.got.append(Got(group.topic, alias, body, reliable, known.get(alias, b"")))

    def on_closed(self, end: End, reason: str) -> None:
        if end is self.end:
            self.is_open = False
            self.closed.append(reason)


def joined(world: World, server: Server, *topics: str, **options: Any) -> Client:
    """A client that is active on `server` and subscribed."""
    client = Client(world, **options).connect(server)
    world.run(0.1)
    assert client.is_open, f"not joined: {client.refusals}, {client.close_codes}"
    if topics:
        client.subscribe(*topics)
        world.run(0.1)
    return client
