"""What would become of flows if processes shared one UDP port by SO_REUSEPORT: `python -m benchmarks.reuse_port` (docs/networks.md).

A flow is a client's address and port. The kernel chooses among the sockets of the port by a hash of it, so what is counted here is
which socket of four gets a flow's datagram: sockets of one process will do, the kernel does not look at whose they are.
"""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass, fields

HOST = "127.0.0.1"
SOCKETS = 4
FLOWS = 1_000
ROUNDS = 5
ARRIVE_S = 2.0
PORTS = range(1_024, 65_536)


@dataclass(frozen=True, slots=True)
class Shares:
    """Of all flows, or of the other processes' ones, from 0 to 1."""

    chosen: float
    """Reach the process that was chosen for their client."""
    moved: float
    """Reach the same process after their NAT gave them another port."""
    away: float
    """Of the others' flows: reach theirs while one process is away."""
    back: float
    """Of the others' flows: reach theirs when it is back."""


class Group:
    """Sockets that share a port; `place` is which process one belongs to."""

    def __init__(self, count: int) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self.port = 0
        for place in range(count):
            self.open(place)

    def open(self, place: int) -> None:
        """A process starts."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((HOST, self.port))
        self.port = sock.getsockname()[1]
        self._sockets[place] = sock

    def close(self, place: int) -> None:
        """A process ends."""
        self._sockets.pop(place).close()

    def end(self) -> None:
        """All end."""
        for place in list(self._sockets):
            self.close(place)

    def owner(self, port: int) -> int | None:
        """Which gets a datagram from this port; None where the port is taken."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
            try:
                flow.bind((HOST, port))
            except OSError:
                return None
            flow.sendto(b"x", (HOST, self.port))
        ready, _, _ = select.select(list(self._sockets.values()), [], [], ARRIVE_S)
        if not ready:
            raise TimeoutError(f"a datagram did not arrive within {ARRIVE_S:g} s")
        (got,) = ready
        got.recv(1)
        return next(place for place, sock in self._sockets.items() if sock is got)

    def owners(self, ports: list[int]) -> list[int | None]:
        """The same of each."""
        return [self.owner(port) for port in ports]


def measure(rng: random.Random, gone: int, flows: int = FLOWS) -> Shares:
    """One round: flows from random ports, clients given to processes at random, the process `gone` away for a while."""
    group = Group(SOCKETS)
    try:
        ports = rng.sample(PORTS, 2 * flows)
        first, moved = group.owners(ports[:flows]), group.owners(ports[flows:])
        group.close(gone)
        away = group.owners(ports[:flows])
        group.open(gone)
        back = group.owners(ports[:flows])
    finally:
        group.end()
    others = [index for index, owner in enumerate(first) if owner not in (gone, None)]
    return Shares(
        chosen=_share(owner == rng.randrange(SOCKETS) for owner in first if owner is not None),
        moved=_share(one == other for one, other in zip(first, moved, strict=True) if None not in (one, other)),
        away=_share(first[index] == away[index] for index in others),
        back=_share(first[index] == back[index] for index in others),
    )


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found)


def main() -> None:
    """Print the shares of all rounds: least and most."""
    rng = random.Random()
    rounds = [measure(rng, gone) for gone in range(SOCKETS) for _ in range(ROUNDS)]
    print(f"{SOCKETS} sockets on one port, {FLOWS} flows, each away in {ROUNDS} rounds: least and most")
    for field in fields(Shares):
        found = sorted(100 * getattr(each, field.name) for each in rounds)
        print(f"{field.name:8} {found[0]:3.0f} to {found[-1]:3.0f} %")


if __name__ == "__main__":
    main()
