"""An allocation at a TURN server (RFC 8656) as a transport that aioice's agent sends by.

aioice brings the client's side of the protocol. Its own transport starts a task for each datagram, lets any number of them wait, binds
a channel anew at each datagram until that is done, and takes a minute to give up a server that is gone; and asyncio's, below it, reads one
datagram a turn. Here a datagram goes out at once or is lost, channels are renewed beside the traffic, and a goodbye takes a second.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from aioice import stun
from aioice.turn import DEFAULT_ALLOCATION_LIFETIME, TurnClientTcpProtocol, TurnClientUdpProtocol

from transport.fastpath.dtls import drive
from transport.ice_targets import IceTarget
from transport.sockets import BUFFER_BYTES
from transport.udp import Traffic, UdpSocket

logger = logging.getLogger(__name__)

RENEW_S = 240.0
"""Between renewals of the channels: a channel lives for 10 minutes, but the permission that comes with it for 5 (RFC 8656 section 9)."""

NEVER_S = 10**9
"""For aioice's own renewals, which hold up what is sent."""

GOODBYE_S = 1.0
"""For the server to free the allocation; without our word it does so once it expires."""

MAX_BINDING = 64
"""Datagrams that wait for their channel: a few checks and the first flight of DTLS."""

MAX_UNSENT_BYTES = 64 * 1024
"""Bytes waiting for the server's socket above which datagrams are lost; more would only be late."""


Refused = Callable[[tuple[str, int], stun.TransactionFailed], None]
"""Called with a peer that the server does not relay to, and what it said."""


class Relay(asyncio.DatagramTransport):
    """One allocation. Made by :func:`allocate`; what peers send goes to the `receiver`, which also hears of the end."""

    def __init__(
        self,
        inner: Any,
        client: TurnClientTcpProtocol | TurnClientUdpProtocol,
        receiver: asyncio.DatagramProtocol,
        refused: Refused,
    ) -> None:
        """`inner` is asyncio's transport to the server, for datagrams or a stream."""
        super().__init__()
        self._refused = refused
        self._inner = inner
        self._client = client
        self._binding: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._goodbye: asyncio.Task[None] | None = None
        self._renewal = self._loop.create_task(self._renew(), name="TURN renewal")
        client.receiver = receiver

    @property
    def relayed(self) -> tuple[str, int]:
        """Where peers reach us."""
        return self._address("relayed_address")

    @property
    def mapped(self) -> tuple[str, int]:
        """Where the server sees us."""
        return self._address("mapped_address")

    def _address(self, name: str) -> tuple[str, int]:
        host, port = getattr(self._client, name)
        return host, port

    def is_closing(self) -> bool:
        """Nothing is sent any more."""
        return self._goodbye is not None or self._inner.is_closing()

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram to a peer, or lose it; never waits."""
        if self.is_closing() or addr is None:
            return
        if addr in self._client.peer_to_channel:
            if self._inner.get_write_buffer_size() <= MAX_UNSENT_BYTES:
                drive(self._client.send_data(data, addr))
        elif len(self._binding) < MAX_BINDING:
            task = self._loop.create_task(self._bind_and_send(data, addr), name="TURN binding")
            self._binding.add(task)
            task.add_done_callback(self._binding.discard)

    async def _bind_and_send(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            await self._client.send_data(data, addr)
        except stun.TransactionFailed as error:
            self._refused(addr, error)
        except (stun.TransactionError, ConnectionError) as error:
            logger.debug("no channel to %s: %s", addr, error)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            for channel, peer in list(self._client.channel_to_peer.items()):
                try:
                    await self._client.channel_bind(channel, peer)
                except (stun.TransactionError, ConnectionError) as error:
                    logger.info("the channel to %s was not renewed: %s", peer, error)

    def close(self) -> None:
        """Free the allocation. Idempotent; the receiver hears of the end within about a second."""
        if self._goodbye is None:
            self._renewal.cancel()
            for task in self._binding:
                task.cancel()
            self._goodbye = self._loop.create_task(self._leave(), name="TURN goodbye")

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._client.delete()
        except TimeoutError:
            logger.debug("the TURN server does not answer our goodbye")
        finally:
            self._inner.close()


async def allocate(
    target: IceTarget, receiver: asyncio.DatagramProtocol, refused: Refused, farewells: set[asyncio.Task[None]]
) -> Relay:
    """An allocation at this server. Raises what aioice and the network raise; the caller sets the deadline.

    Where that is over, or nobody wants it any more, the server may be about to answer: a task in `farewells` frees what it gives.
    """
    url, loop = target.url, asyncio.get_running_loop()
    made: Any
    inner: Any
    if url.transport == "tcp":
        make = partial(_client, TurnClientTcpProtocol, target)
        inner, made = await loop.create_connection(make, url.host, url.port, ssl=url.is_secure)
    else:
        sock = await _connected(url.host, url.port)
        made = _client(TurnClientUdpProtocol, target)
        inner = _UdpTransport(sock, made)
    connecting = loop.create_task(made.connect(), name="TURN allocation")
    try:
        await asyncio.shield(connecting)
    except BaseException:
        farewell = loop.create_task(_give_back(inner, made, connecting), name="TURN farewell")
        farewells.add(farewell)
        farewell.add_done_callback(farewells.discard)
        raise
    return Relay(inner, made, receiver, refused)


class _UdpTransport(asyncio.DatagramTransport):
    """A socket that is connected to the server: a burst from many peers comes by it, so it is read as a listener's is."""

    def __init__(self, sock: socket.socket, client: TurnClientUdpProtocol) -> None:
        super().__init__()
        self._client = client
        self._server = sock.getpeername()
        self._udp = UdpSocket(sock, self._received, Traffic())
        client.connection_made(self)

    def _received(self, data: bytes, address: tuple[Any, ...]) -> None:
        self._client.datagram_received(data, (address[0], address[1]))

    def sendto(self, data: Any, addr: Any = None) -> None:
        self._udp.send(data, self._server)

    def get_write_buffer_size(self) -> int:
        """What the kernel does not take is lost, not kept."""
        return 0

    def is_closing(self) -> bool:
        return self._udp.is_closed

    def close(self) -> None:
        if not self._udp.is_closed:
            self._udp.close()
            asyncio.get_running_loop().call_soon(self._client.connection_lost, None)


async def _connected(host: str, port: int) -> socket.socket:
    """A UDP socket with deep buffers that hears this server alone. Raises OSError."""
    loop, failure = asyncio.get_running_loop(), OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            sock.setblocking(False)
            sock.connect(address)
        except OSError as error:
            failure = error
            sock.close()
        else:
            return sock
    raise failure


async def _give_back(inner: Any, client: Any, connecting: asyncio.Task[Any]) -> None:
    try:
        async with asyncio.timeout(GOODBYE_S):
            await connecting
            await client.delete()
    except (TimeoutError, OSError, stun.TransactionError) as error:
        logger.debug("nothing to give back: %r", error)
    finally:
        inner.close()


def _client(kind: Any, target: IceTarget) -> Any:
    return kind(
        (target.url.host, target.url.port),
        username=target.username or None,
        password=target.credential or None,
        lifetime=DEFAULT_ALLOCATION_LIFETIME,
        channel_refresh_time=NEVER_S,
    )
