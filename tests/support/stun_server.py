"""A STUN server on the loopback that sees everyone where a test wants."""

from __future__ import annotations

from typing import Any

from protocol.ice import IceServer
from transport import stun_binding as stun
from transport.sockets import bind_all
from transport.udp import Traffic, UdpSocket


class StunServer:
    """Answers binding requests with an address of the documentation's (None: not at all); port 0 stands for the one it sees."""

    def __init__(self, mapped: tuple[str, int] | None, host: str = "127.0.0.1") -> None:
        self.mapped = mapped
        self.asked = 0
        [sock] = bind_all([host], 0)
        self.udp = UdpSocket(sock, self._received, Traffic())
        self.url = f"stun:[{host}]:{self.udp.address[1]}" if ":" in host else f"stun:{host}:{self.udp.address[1]}"
        self.server = IceServer(self.url)

    def _received(self, data: bytes, address: tuple[Any, ...]) -> None:
        self.asked += 1
        if self.mapped is not None:
            mapped = (self.mapped[0], self.mapped[1] or address[1])
            self.udp.send(stun.response(stun.read(data).transaction, b"of no meaning", mapped), address)

    def close(self) -> None:
        """Answer nothing any more."""
        self.udp.close()
