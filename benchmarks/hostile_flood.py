"""The process that floods a comm server: a client like any other, which overhears itself, and then sends what no client should.

Reads one order a line from its standard input, ``{"kind": .., "own_address": .., "packets": .., "hz": ..}``, and answers each with
``{"sent": .., "seconds": ..}``. What goes out by the client's own socket has the source address of a peer, as forged datagrams would.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.hostile_packets import Recording, kinds
from rtcbroker import Client
from service.run import run as run_loop
from transport import stun_binding as stun
from transport.udp import UdpSocket

HOST = "127.0.0.1"
STRANGERS = 64
"""Sockets, of which each has another address on the loopback."""
OVERHEARD = 60
"""Datagrams, before the flood begins."""
TURN_S = 0.002
"""Between two bursts: as even a rate as an event loop can keep."""


class Tap:
    """Overhears what this process sends by UDP, and can send by the same socket."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.forge: Callable[[bytes], None] = lambda data: None
        original = UdpSocket.send

        def send(sock: UdpSocket, data: bytes, address: tuple[Any, ...]) -> None:
            if len(self.datagrams) < OVERHEARD:
                self.datagrams.append(data)
                self.forge = lambda forged: original(sock, forged, address)
            original(sock, data, address)

        UdpSocket.send = send  # type: ignore[method-assign, assignment]  # this process does nothing else

    def recording(self) -> Recording:
        """Of the one client that is here."""
        request = next(data for data in self.datagrams if data[0] == 0)
        return Recording(stun.read(request).username.decode(), self.datagrams)


async def flood(send: Callable[[bytes], None], make: Callable[[], bytes], packets: int, hz: float) -> float:
    """Send so many, at a steady rate or as fast as it goes; returns the seconds it took."""
    began = time.monotonic()
    sent = 0
    while sent < packets:
        due = min(packets, int((time.monotonic() - began) * hz) + 1)
        for _ in range(due - sent):
            send(make())
        sent = due
        await asyncio.sleep(TURN_S)
    return time.monotonic() - began


async def serve(url: str, token: str, port: int) -> int:
    """Join, overhear, and then take orders until there are no more."""
    tap, rng = Tap(), random.Random(1)
    strangers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(STRANGERS)]
    for number, sock in enumerate(strangers):
        sock.bind((f"127.0.{number}.66", 0))
        sock.setblocking(False)
    loop = asyncio.get_running_loop()
    async with Client(url, token=token) as client:
        while len(tap.datagrams) < OVERHEARD:
            await client.publish("hostile/own", b"to be overheard", reliable=True)
            await asyncio.sleep(0.01)
        makers = kinds(tap.recording())

        def from_strangers(data: bytes) -> None:
            rng.choice(strangers).sendto(data, (HOST, port))

        _tell({"kinds": list(makers)})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            maker = makers[order["kind"]]
            send = tap.forge if order["own_address"] else from_strangers
            seconds = await flood(send, lambda maker=maker: maker(rng), order["packets"], order["hz"])  # type: ignore[misc]  # a default binds it now
            for sock in strangers:
                _drain(sock)
            _tell({"sent": order["packets"], "seconds": seconds})
    return 0


def _drain(sock: socket.socket) -> None:
    """Throw away what was answered."""
    try:
        while sock.recv(2_048):
            pass
    except OSError:
        return


def _tell(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(run_loop(lambda: serve(sys.argv[1], sys.stdin.readline().strip(), int(sys.argv[2]))))
