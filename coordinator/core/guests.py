"""Who comes from where: how many sockets an address has open, how much it says and asks, and how much waits because of it.

Two things wait, each with a bound for an address and one for all of them: what is to be sent to it, and what it has said that is kept here,
so that neither can take the place of the other. No address takes more than it leaves for all others. Addresses are forgotten when nothing
is open and nothing waits, so what is kept follows what happens.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.core.accounts import Account
from coordinator.core.store import Store
from service.bucket import TokenBucket

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_ADDRESSES = 20_000
"""Known at once. More than that at a time is an attack; the oldest of those with nothing open are forgotten then."""

_V6_PREFIX = 64
"""Whoever has one IPv6 address usually has all of its /64 (RFC 6177), so they count as one."""

MAX_WAITING_BYTES = 256 * 1024 * 1024
MAX_ADDRESS_BYTES = 64 * 1024 * 1024

_ROUND_REQUESTS = 6
"""Of each of two in an AppRTC call: its page, `/join`, `iceconfig` and the socket; when it hangs up, `/leave` and Collider's DELETE."""
_SAID_REQUESTS = 22
"""What the first of the two says, which is a `/message` each: an offer, 20 candidates of a laptop with VPNs, and `bye`. The other one has
its socket for that."""
CALL_REQUESTS = 2 * _ROUND_REQUESTS + _SAID_REQUESTS

REQUESTS_PER_S = 50.0
REQUESTS_BURST = 5_000
"""A class that calls one another when its lesson begins: 128 calls, as many as 256 sockets are enough for, take 4,352. That is some two
seconds of a processor, which the next ones have when it has flowed in again."""

DELIVERIES_PER_S = 2_000.0
"""A tenth of what a processor manages, or somewhat more."""
DELIVERIES_BURST = 200_000.0
"""64 members of a NextRTC mesh who negotiate all at once, with 20 candidates on each side of each of 2,016 pairs, cause 171,000."""


@dataclass(slots=True, eq=False)
class Guest:
    """What an address may cost, and does."""

    requests: TokenBucket
    deliveries: TokenBucket
    """Messages that went out because of it."""
    outbox: Store
    """What waits to be sent to it."""
    account: Account
    """What it has said and is kept: messages for who is to come, messages and bodies of which a part is here."""
    sockets: int = 0
    bodies: int = 0
    """Of requests, that are coming."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when it is forgotten."""
        return self.sockets <= 0 and self.bodies <= 0 and self.account.is_empty and not self.outbox.bytes


class Guests:
    """Bounds on each address."""

    def __init__(
        self,
        max_sockets: int,
        requests_per_s: float,
        requests_burst: float,
        *,
        deliveries_per_s: float = DELIVERIES_PER_S,
        deliveries_burst: float = DELIVERIES_BURST,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_address_bytes: int = MAX_ADDRESS_BYTES,
    ) -> None:
        """`max_sockets`: as many places in AppRTC's rooms, too. `max_waiting_bytes` may wait to be sent in all outboxes together, and as
        many may be kept; `max_address_bytes` for one address.
        """
        self._max_sockets = max_sockets
        self._requests = (requests_per_s, requests_burst)
        self._deliveries = (deliveries_per_s, deliveries_burst)
        self._max_address_bytes = max_address_bytes
        self._guests: dict[str, Guest] = {}
        self._outboxes = Store(max_waiting_bytes)
        self._accounts = Store(max_waiting_bytes)

    def request(self, address: str, now: float) -> bool:
        """Count a request; False when the address has made too many."""
        guest = self.guest(address, now)
        if not guest.requests.take(now):
            return False
        guest.deliveries.charge(now, 1)
        return True

    def enter(self, address: str, now: float) -> Guest | None:
        """Count a socket of the guest that this returns. None, and it is not counted, when there are too many."""
        guest = self.guest(address, now)
        if guest.sockets >= self._max_sockets:
            return None
        guest.sockets += 1
        return guest

    def leave(self, address: str) -> None:
        """A socket that was counted is gone."""
        guest = self._guests.get(group_of(address))
        if guest is not None:
            guest.sockets -= 1

    def begin_body(self, address: str, now: float) -> Guest | None:
        """Count the body of a request that is going to be read. None, and it is not counted, when as many are coming as may be sockets."""
        guest = self.guest(address, now)
        if guest.bodies >= self._max_sockets:
            return None
        guest.bodies += 1
        return guest

    def end_body(self, address: str) -> None:
        """A body that was counted is here, or will never be."""
        guest = self._guests.get(group_of(address))
        if guest is not None:
            guest.bodies -= 1

    @property
    def waiting(self) -> int:
        """Bytes that are to be sent to all of them."""
        return self._outboxes.bytes

    @property
    def kept(self) -> int:
        """Bytes of what all of them have said."""
        return self._accounts.bytes

    def __len__(self) -> int:
        return len(self._guests)

    def guest(self, address: str, now: float) -> Guest:
        """The entry of an address, which is the newest afterwards."""
        name = group_of(address)
        guest = self._guests.pop(name, None)
        if guest is None:
            self._make_room()
            outbox = Store(self._max_address_bytes, self._outboxes, fair=True)
            account = Account(self._max_address_bytes, self._accounts, fair=True, max_places=self._max_sockets)
            guest = Guest(TokenBucket(*self._requests, now), TokenBucket(*self._deliveries, now), outbox, account)
        self._guests[name] = guest
        return guest

    def _make_room(self) -> None:
        if len(self._guests) < MAX_ADDRESSES:
            return
        idle = [name for name, guest in self._guests.items() if guest.is_idle]
        # Half of them at once: clearing costs as much as there are, and must not come with each new address.
        for name in idle[: max(1, len(idle) // 2)]:
            del self._guests[name]


def group_of(address: str) -> str:
    """What an address is counted as: itself, or its IPv6 network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _V6_PREFIX), strict=False))


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks and addresses as an operator writes them. Raises ValueError naming the one that is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Where a request really comes from: the last address in `forwarded` (X-Forwarded-For, as it stands) that no trusted proxy has.

    Everything left of it may be invented by the client, so only what our own proxies have added counts. Some of them add the port, which
    is another one for each connection.
    """
    chain = [_without_port(part.strip()) for line in forwarded for part in line.split(",")]
    address = peer
    while chain and _is_within(address, trusted):
        address = chain.pop()
    return address


def _without_port(text: str) -> str:
    """`192.0.2.1:5000`, `[2001:db8::1]:5000` and `[2001:db8::1]` as addresses alone; everything else as it is."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, port = text.partition(":")
    return host if colon and ":" not in port else text


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
