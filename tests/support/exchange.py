"""The coordinator's side of a comm server's integration tests: a real WebSocket that passes signalling on, and misbehaves when told.

With it a raw client: a real link, and every byte on it in the hands of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

import aiohttp
from aiohttp import web

from protocol import packets, signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from tests.support.poll import until
from transport import Dialer, DialerLink, Link, LinkEnd

PATIENCE_S = 15.0
ROLES = {
    "COMMUNICATION_SERVER": pb.COMMUNICATION_SERVER,
    "COMMUNICATION_SERVER_HUB": pb.COMMUNICATION_SERVER_HUB,
    "CLIENT": pb.CLIENT,
}


class Exchange:
    """Welcomes whoever comes, gives the alias that is asked for, relays."""

    def __init__(self) -> None:
        self.sockets: dict[int, web.WebSocketResponse] = {}
        self.roles: dict[int, pb.Role] = {}
        self.queries: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.frames: list[Any] = []
        """Every frame that came, decoded."""
        self.status = 0
        """HTTP status that is answered instead of a WebSocket."""
        self.welcomes = True
        self.speaks_part_2 = True
        self.reads = True
        """Reads its sockets, and so answers pings."""
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        """What it listens with from the next start on."""
        self._aliases = 1_000
        self._runner: web.AppRunner | None = None
        self._ended = asyncio.Event()

    @property
    def url(self) -> str:
        """What servers dial."""
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen: on a free port at first, afterwards on the same again."""
        self._ended.clear()
        app = web.Application()
        app.router.add_get("/discover", self._serve)
        app.router.add_get("/connect", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Every socket breaks, as when the process is killed; nothing listens any more."""
        self._ended.set()
        for socket in list(self.sockets.values()):
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
        self.sockets.clear()
        if self._runner is not None:
            await self._runner.cleanup()

    async def send(self, alias: int, frame: bytes) -> None:
        """A frame to one peer."""
        await self.sockets[alias].send_bytes(frame)

    def of(self, kind: type[Any]) -> list[Any]:
        """The frames of one class."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        self.authorizations.append(request.headers.get("Authorization"))
        if self.status:
            return web.Response(status=self.status)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._aliases += 1
        alias = int(request.query.get("alias", self._aliases))
        role = ROLES[request.query.get("role", "CLIENT")]
        servers = [other for other in self.sockets if self.roles[other] != pb.CLIENT and other != alias]
        self.sockets[alias], self.roles[alias] = socket, role
        if self.welcomes:
            resume = f"proof of {alias}" if self.speaks_part_2 else ""
            await socket.send_bytes(signalling.welcome(alias, servers, resume=resume))
        if not self.reads:
            await self._ended.wait()
            return socket
        with contextlib.suppress(ConnectionError):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    await self._relay(alias, message.data)
        if self.sockets.get(alias) is socket:
            del self.sockets[alias]
        return socket

    async def _relay(self, sender: int, frame: bytes) -> None:
        message: Any = signalling.decode_signal(frame)
        self.frames.append(message)
        if isinstance(message, pb.ServerStatusMessage | pb.ServerReportMessage):
            return
        message.from_alias = sender
        if isinstance(message, pb.ConnectMessage):
            message.from_role = self.roles[sender]
        if (target := self.sockets.get(message.to_alias)) is not None:
            await target.send_bytes(message.SerializeToString())
        elif isinstance(message, pb.ConnectMessage):
            await self.sockets[sender].send_bytes(signalling.refused(sender, message.to_alias, Code.PEER_NOT_FOUND))


class RawClient:
    """A client with a real link; it does nothing by itself but to answer the offer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._dialer = Dialer()
        self._http = aiohttp.ClientSession()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self.answer: str | None = None
        """The SDP to answer with, instead of a good one."""
        self.alias = 0
        self.signals: list[Any] = []
        self.packets: list[Any] = []
        self.raw: list[tuple[bytes, bool]] = []
        self.is_open = False
        self.end: LinkEnd | None = None
        self.link: DialerLink | None = None

    async def connect(self, server: int) -> None:
        """Ask that server for a link."""
        self._socket = await self._http.ws_connect(f"{self._url}/connect?v=2")
        self._reader = asyncio.create_task(self._read())
        await until(lambda: self.alias, PATIENCE_S, "WELCOME")
        await self._socket.send_bytes(signalling.connect(server))

    async def join(
        self, server: int, token: str = "", capabilities: tuple[pb.Capability, ...] = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)
    ) -> None:
        """Connect, prove, and wait for READY."""
        await self.connect(server)
        await until(lambda: self.is_open, PATIENCE_S, "the channels open")
        self.send(packets.auth(pb.CLIENT, token, capabilities))
        if capabilities:
            await until(lambda: self.of_type(pb.READY), PATIENCE_S, "READY")

    async def subscribe(self, *topics: str) -> None:
        """Subscribe and wait for SUBSCRIBED."""
        before = len(self.of_type(pb.SUBSCRIBED))
        self.send(packets.subscription(topics, version=before + 1))
        await until(lambda: len(self.of_type(pb.SUBSCRIBED)) > before, PATIENCE_S, "SUBSCRIBED")

    def send(self, data: bytes, *, reliable: bool = True) -> None:
        """Any bytes."""
        assert self.link is not None
        self.link.send(data, reliable=reliable)

    def of_type(self, kind: int) -> list[Any]:
        """The packets of one type."""
        return [packet for packet in self.packets if packet.type == kind]

    @property
    def bodies(self) -> list[bytes]:
        """Bodies of the topic packets, in the order they came."""
        groups = [pb.TopicGroup.FromString(raw) for batch in self.of_type(pb.TOPIC_BATCH) for raw in batch.groups]
        return [body for group in groups for body in group.body]

    @property
    def refusals(self) -> list[int]:
        """Codes of CONNECTION_REFUSED."""
        return [signalling.refusal_code(m) for m in self.signals if isinstance(m, pb.ConnectionRefusedMessage)]

    async def close(self) -> None:
        """End everything."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._dialer.close()
        if self._socket is not None:
            await self._socket.close()
        await self._http.close()

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            signal: Any = signalling.decode_signal(message.data)
            self.signals.append(signal)
            if isinstance(signal, pb.WelcomeMessage):
                self.alias = signal.alias
            elif isinstance(signal, pb.WebRtcMessage) and signal.type == pb.WEBRTC_OFFER:
                await self._answer(self._socket, signal)

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, offer: pb.WebRtcMessage) -> None:
        sdp = self.answer
        if sdp is None:
            self.link = await self._dialer.answer(signalling.read_description(offer.data, "offer"), self)
            sdp = self.link.local_sdp
        await socket.send_bytes(signalling.answer(offer.from_alias, sdp))
        await socket.send_bytes(signalling.candidate(offer.from_alias, CandidateInit("")))

    # the link's handler

    def on_open(self, link: Link) -> None:
        self.is_open = True

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        self.raw.append((data, reliable))
        self.packets.append(packets.decode_packet(data))

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        pass

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        self.is_open, self.end = False, end
