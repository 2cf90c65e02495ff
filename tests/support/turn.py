"""A TURN server (RFC 8656) on the loopback, as small as can be, that can be made to misbehave: UDP, TCP and TLS, one user, channels alone."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aioice import stun
from aioice.turn import make_integrity_key

from protocol.ice import IceServer
from transport.sockets import bind_all
from transport.udp import Traffic, UdpSocket

REALM, NONCE = "tests", b"nonce"
USER, PASSWORD = "me", "hush"
LIFETIME_S = 600

Reply = Callable[[bytes], None]


class Allocation:
    """What one client has."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        [sock] = bind_all(["127.0.0.1"], 0)
        self.udp = UdpSocket(sock, self._from_peer, Traffic())
        self.channels: dict[int, tuple[str, int]] = {}
        self.relayed = 0
        """Datagrams, both ways."""

    def _from_peer(self, data: bytes, address: tuple[Any, ...]) -> None:
        for number, peer in self.channels.items():
            if peer == address[:2]:
                self.relayed += 1
                self._reply(struct.pack("!HH", number, len(data)) + data + bytes(-len(data) % 4))

    def to_peer(self, data: bytes) -> None:
        """ChannelData from the client."""
        number, length = struct.unpack_from("!HH", data)
        if number in self.channels:
            self.relayed += 1
            self.udp.send(data[4 : 4 + length], self.channels[number])


class MiniTurn:
    """Use :func:`mini_turn`."""

    def __init__(self) -> None:
        [sock] = bind_all(["127.0.0.1"], 0)
        self.udp = UdpSocket(sock, lambda data, address: self._received(address, data, self._by_udp(address)), Traffic())
        self.tcp: asyncio.Server | None = None
        self.tls: asyncio.Server | None = None
        self.streams: list[asyncio.StreamWriter] = []
        self.allocations: dict[object, Allocation] = {}
        """Those that live, by client."""
        self.made = 0
        """Allocations so far."""
        self.requests: list[stun.Method] = []
        """Of clients that proved themselves."""
        self.is_silent = False
        self.forbids = False
        """It relays to nobody."""

    def server(self, transport: str = "udp", credential: str = PASSWORD) -> IceServer:
        """How it is told to a client; `transport` is udp, tcp or tls."""
        listening = {"tcp": self.tcp, "tls": self.tls}.get(transport)
        port = self.udp.address[1] if listening is None else listening.sockets[0].getsockname()[1]
        if transport == "tls":
            return IceServer(f"turns:127.0.0.1:{port}", USER, credential)
        return IceServer(f"turn:127.0.0.1:{port}?transport={transport}", USER, credential)

    async def listen(self, certificate: Path | None = None) -> None:
        """Take connections, by TLS too with a file that has a certificate and its key."""
        self.tcp = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.tls = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=context)

    @property
    def relayed(self) -> int:
        """Datagrams relayed for those that are here."""
        return sum(allocation.relayed for allocation in self.allocations.values())

    def _by_udp(self, address: tuple[Any, ...]) -> Reply:
        return lambda data: None if self.is_silent else self.udp.send(data, address)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(4)
                kind, length = struct.unpack("!HH", head)
                rest = length + (-length % 4) if kind & 0xC000 == 0x4000 else length + 16
                self._received(writer, head + await reader.readexactly(rest), writer.write)
        self._free(writer)
        writer.close()

    def _received(self, client: object, data: bytes, reply: Reply) -> None:
        if self.is_silent:
            return
        if data[0] & 0xC0 == 0x40:
            if client in self.allocations:
                self.allocations[client].to_peer(data)
            return
        request = stun.parse_message(data)
        answer = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        key = make_integrity_key(USER, REALM, PASSWORD)
        if "USERNAME" not in request.attributes or not request.check_message_integrity(key):
            answer.message_class = stun.Class.ERROR
            answer.attributes |= {"ERROR-CODE": (401, "Unauthorized"), "REALM": REALM, "NONCE": NONCE}
            reply(bytes(answer))
            return
        self.requests.append(request.message_method)
        self._answer(client, request, answer, reply)
        answer.add_message_integrity(key)
        reply(bytes(answer))

    def _answer(self, client: object, request: stun.Message, answer: stun.Message, reply: Reply) -> None:
        match request.message_method:
            case stun.Method.ALLOCATE:
                self.made += 1
                made = self.allocations.setdefault(client, Allocation(reply))
                answer.attributes |= {"XOR-RELAYED-ADDRESS": made.udp.address, "XOR-MAPPED-ADDRESS": ("203.0.113.9", 40000)}
                answer.attributes["LIFETIME"] = LIFETIME_S
            case stun.Method.REFRESH:
                answer.attributes["LIFETIME"] = request.attributes["LIFETIME"]
                if request.attributes["LIFETIME"] == 0:
                    self._free(client)
            case stun.Method.CHANNEL_BIND if self.forbids:
                answer.message_class = stun.Class.ERROR
                answer.attributes["ERROR-CODE"] = (403, "Forbidden IP")
            case stun.Method.CHANNEL_BIND:
                peer = request.attributes["XOR-PEER-ADDRESS"]
                self.allocations[client].channels[request.attributes["CHANNEL-NUMBER"]] = peer

    def _free(self, client: object) -> None:
        if (allocation := self.allocations.pop(client, None)) is not None:
            allocation.udp.close()

    def hang_up(self) -> None:
        """End every TCP connection."""
        for writer in self.streams:
            writer.close()

    async def close(self) -> None:
        """Free everything."""
        for client in list(self.allocations):
            self._free(client)
        self.udp.close()
        self.hang_up()
        for listening in (self.tcp, self.tls):
            if listening is not None:
                listening.close()
                await listening.wait_closed()


@contextlib.asynccontextmanager
async def mini_turn(certificate: Path | None = None) -> AsyncIterator[MiniTurn]:
    """A running one; see :meth:`MiniTurn.listen`."""
    made = MiniTurn()
    await made.listen(certificate)
    try:
        yield made
    finally:
        await made.close()
