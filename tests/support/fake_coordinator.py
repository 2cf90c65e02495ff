"""A coordinator on a real WebSocket, and comm servers on real links, for the client's integration tests.

The coordinator does as little as a coordinator can; servers are objects of the same process that it hands signalling to.
"""

from __future__ import annotations

import asyncio
import json
import ssl as tls
from typing import Protocol

from aiohttp import WSMsgType, web
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from protocol import packets, signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.fake_cluster import FakePeer, FakeServer
from transport.listener import Listener, ListenerLink


class Signalled(Protocol):
    """A comm server, as the coordinator knows it."""

    alias: int
    coordinator: FakeCoordinator

    async def signal(self, message: signalling.Signal) -> None:
        """A client's message, with `from_alias` filled in."""
        ...


class FakeCoordinator:
    """One coordinator on the loopback."""

    def __init__(self, *, is_old: bool = False, ssl: tls.SSLContext | None = None) -> None:
        """`is_old`: it speaks Part 1 only."""
        self.servers: dict[int, Signalled] = {}
        self.sockets: dict[int, web.WebSocketResponse] = {}
        self.requests: list[web.Request] = []
        self.refusal: tuple[int, str] | None = None
        """HTTP status and body of what is answered instead of a WebSocket."""
        self.is_mute = False
        """No WELCOME comes."""
        self.first_frames: list[bytes | str] = []
        """Sent before WELCOME."""
        self.port = 0
        self._is_old = is_old
        self._ssl = ssl
        self._runner: web.AppRunner | None = None
        self._aliases = 100

    @property
    def url(self) -> str:
        """What clients dial."""
        return f"{'wss' if self._ssl else 'ws'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen: on a free port at first, afterwards on the same again."""
        app = web.Application()
        app.router.add_get("/connect", self._connect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._ssl)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every socket, and listen no more."""
        for socket in list(self.sockets.values()):
            await socket.close(code=Code.COORDINATOR_STOPPING, message=b"stopping")
        if self._runner is not None:
            await self._runner.cleanup()

    def add(self, server: Signalled) -> None:
        """Make a comm server known."""
        self.servers[server.alias] = server
        server.coordinator = self

    async def tell(self, alias: int, frame: bytes) -> None:
        """Send a client a frame, if it is there."""
        if (socket := self.sockets.get(alias)) is not None and not socket.closed:
            await socket.send_bytes(frame)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._aliases += 1
        alias = int(request.query.get("alias", self._aliases))
        self.sockets[alias] = socket
        for frame in self.first_frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        if not self.is_mute:
            await self.tell(alias, signalling.welcome(alias, self.servers, resume="" if self._is_old else f"proof of {alias}"))
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._relay(alias, message.data)
        if self.sockets.get(alias) is socket:
            del self.sockets[alias]
        return socket

    async def _relay(self, alias: int, frame: bytes) -> None:
        signal = signalling.decode_signal(frame)
        assert isinstance(signal, pb.ConnectMessage | pb.WebRtcMessage)
        signal.from_alias = alias
        if (server := self.servers.get(signal.to_alias)) is not None:
            await server.signal(signal)
        else:
            await self.tell(alias, signalling.refused(alias, signal.to_alias, Code.PEER_NOT_FOUND))


class LinkServer(FakeServer):
    """The server of :mod:`tests.support.fake_cluster` on a real listener."""

    coordinator: FakeCoordinator

    def __init__(self, alias: int, listener: Listener) -> None:
        super().__init__(alias)
        self.listener = listener
        self.candidates = 0
        """Candidates that clients trickled."""
        self._links: dict[int, ListenerLink] = {}

    async def signal(self, message: signalling.Signal) -> None:
        """As a comm server: an offer for CONNECT, then the answer, then candidates."""
        if isinstance(message, pb.ConnectMessage):
            peer = FakePeer(self, message.from_alias)
            link = self.listener.offer(peer)
            peer.link = link
            self.clients.append(peer)
            self._links[message.from_alias] = link
            await self.coordinator.tell(
                message.from_alias, signalling.offer(message.from_alias, link.local_sdp, from_alias=self.alias)
            )
        elif isinstance(message, pb.WebRtcMessage) and message.type == pb.WEBRTC_ANSWER:
            self._links[message.from_alias].accept(signalling.read_description(message.data, "answer"))
        elif isinstance(message, pb.WebRtcMessage):
            self.candidates += 1
            self._links[message.from_alias].add_candidate(signalling.read_candidate(message.data))


class OldServer:
    """A comm server that knows Part 1 only, made of aiortc as it comes: a full ICE agent, its candidates trickled before and after
    the offer, AUTH answered with nothing.
    """

    coordinator: FakeCoordinator

    def __init__(self, alias: int) -> None:
        self.alias = alias
        self.messages: list[tuple[str, packets.Packet]] = []
        """Everything received: channel and packet."""
        self._peers: dict[int, RTCPeerConnection] = {}
        self._channels: dict[int, dict[str, RTCDataChannel]] = {}
        self._topics: dict[int, set[str]] = {}

    async def signal(self, message: signalling.Signal) -> None:
        """Offer, and take the answer."""
        client = message.from_alias if isinstance(message, pb.ConnectMessage | pb.WebRtcMessage) else 0
        if isinstance(message, pb.ConnectMessage):
            await self._offer(client)
        elif isinstance(message, pb.WebRtcMessage) and message.type == pb.WEBRTC_ANSWER:
            sdp = signalling.read_description(message.data, "answer")
            await self._peers[client].setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        elif isinstance(message, pb.WebRtcMessage):
            init = signalling.read_candidate(message.data)
            if init.candidate:
                candidate = candidate_from_sdp(init.candidate.removeprefix("candidate:"))
                candidate.sdpMid = init.sdp_mid
                await self._peers[client].addIceCandidate(candidate)

    async def _offer(self, client: int) -> None:
        peer = self._peers[client] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channels[client] = {
            "reliable": peer.createDataChannel("reliable", ordered=True),
            "unreliable": peer.createDataChannel("unreliable", ordered=False, maxRetransmits=0),
        }
        for channel in self._channels[client].values():
            self._listen(client, channel)
        await peer.setLocalDescription(await peer.createOffer())
        lines = peer.localDescription.sdp.splitlines(keepends=True)
        candidates = [line.strip().removeprefix("a=") for line in lines if line.startswith("a=candidate:")]
        sdp = "".join(line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates")))
        # The first overtakes the offer; the last is the end, as pion writes it.
        await self._trickle(client, candidates[0])
        await self.coordinator.tell(client, signalling.offer(client, sdp, from_alias=self.alias))
        for line in [*candidates[1:], ""]:
            await self._trickle(client, line)

    async def _trickle(self, client: int, line: str) -> None:
        data = json.dumps({"candidate": line, "sdpMid": "", "sdpMLineIndex": 0, "usernameFragment": None}).encode()
        message = pb.WebRtcMessage(type=pb.WEBRTC_ICE_CANDIDATE, from_alias=self.alias, to_alias=client, data=data)
        await self.coordinator.tell(client, message.SerializeToString())

    def _listen(self, client: int, channel: RTCDataChannel) -> None:
        @channel.on("message")
        def message(data: bytes) -> None:
            packet = packets.decode_packet(data)
            assert packet is not None, "an old server knows no newer messages"
            self.messages.append((channel.label, packet))
            if isinstance(packet, pb.PingMessage):
                channel.send(data)
            elif isinstance(packet, pb.SubscriptionMessage):
                self._topics[client] = set(packets.subscription_topics(packet))
            elif isinstance(packet, pb.TopicMessage):
                self._relay(client, packet.topic, channel.label, packets.topic_fw(client, packet.body))
            elif isinstance(packet, pb.TopicIdentityMessage):
                forwarded = packets.topic_identity_fw(client, b"known to the server", pb.CLIENT, packet.body)
                self._relay(client, packet.topic, channel.label, forwarded)

    def _relay(self, sender: int, topic: str, label: str, data: bytes) -> None:
        for client, topics in self._topics.items():
            if client != sender and topic in topics:
                self._channels[client][label].send(data)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))
