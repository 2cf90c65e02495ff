"""A NAT on the loopback, between clients and one server: gives each client an address, and another one when a test wants it."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from transport.udp import Traffic, UdpSocket


class Nat:
    """Each client that sends to `port` gets an outside socket of its own; :meth:`rebind` gives all of them others, and the old ones are gone."""

    def __init__(self, server_port: int, *, recording: bool = False) -> None:
        """`server_port` may be told later, by :attr:`server_port`."""
        self.server_port = server_port
        self.traffic = Traffic()
        """Between it and the server."""
        self._network = "127.0.0.1"
        self._inside = self._socket(self._from_client, Traffic())
        self._outside: dict[tuple[Any, ...], UdpSocket] = {}
        self.port = self._inside.address[1]
        """What clients are to take for the server's."""
        self.recorded: list[bytes] | None = [] if recording else None
        """What clients have sent."""

    def rebind(self, network: str = "127.0.0.1") -> None:
        """Other ports, or another network."""
        self._network = network
        for client, sock in self._outside.items():
            sock.close()
            self._outside[client] = self._mapping(client)

    def inject(self, data: bytes) -> None:
        """Send something to the server with the source address of the client that came last; an own one where none has."""
        sock = next(reversed(self._outside.values()), None) or self._outside.setdefault((), self._mapping(()))
        sock.send(data, ("127.0.0.1", self.server_port))

    @property
    def outside(self) -> tuple[str, int]:
        """Where the server sees the client that came last."""
        return next(reversed(self._outside.values())).address

    def close(self) -> None:
        """All sockets."""
        for sock in (self._inside, *self._outside.values()):
            sock.close()

    def redirected(self, offer: str) -> str:
        """The server's offer as a client is to see it: this NAT in its place."""
        return offer.replace(f" {self.server_port} typ", f" {self.port} typ")

    def _mapping(self, client: tuple[Any, ...]) -> UdpSocket:
        return self._socket(partial(self._from_server, client), self.traffic, self._network)

    def _socket(self, receive: Any, traffic: Traffic, host: str = "127.0.0.1") -> UdpSocket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((host, 0))
        return UdpSocket(sock, receive, traffic)

    def _from_client(self, data: bytes, address: tuple[Any, ...]) -> None:
        if self.recorded is not None:
            self.recorded.append(data)
        if address not in self._outside:
            self._outside[address] = self._mapping(address)
        self._outside[address].send(data, ("127.0.0.1", self.server_port))

    def _from_server(self, client: tuple[Any, ...], data: bytes, address: tuple[Any, ...]) -> None:
        if client:
            self._inside.send(data, client)
