"""The peers whose sockets are here, and the aliases they go by.

An alias outlives a socket: a peer that comes back asks for its old one and proves that it had it, by an HMAC that only coordinators
can make. What is granted without a proof is decided by :func:`coordinator.core.cluster.may_have`.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from coordinator.core.admission import Admission, AliasWish
from coordinator.core.cluster import Claim, TokenName
from coordinator.core.outbox import Outbox
from protocol.limits import ERRORS_FORGIVEN_PER_S, MAX_ALIAS, MAX_ERRORS
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from service.bucket import TokenBucket

if TYPE_CHECKING:
    from random import Random

    from coordinator.core.config import CoordinatorConfig

MAX_CLIENT_CONTACTS = 256
"""Servers a client is remembered to have been in signalling with; the oldest is forgotten."""

MAX_SERVER_CONTACTS = 100_000
"""The same of a server: more peers than one can carry."""

REPORTS_PER_S = 2.0
"""SERVER_REPORTs taken from one server, twice what it should send."""

REPORTS_BURST = 10
"""How many may come at once, having waited for one another on the way."""

WIRE_ROLES = {
    TokenRole.CLIENT: pb.CLIENT,
    TokenRole.COMMUNICATION_SERVER: pb.COMMUNICATION_SERVER,
    TokenRole.COMMUNICATION_SERVER_HUB: pb.COMMUNICATION_SERVER_HUB,
}

RoleName = Literal["client", "server", "hub"]

ROLE_NAMES: dict[TokenRole, RoleName] = {
    TokenRole.CLIENT: "client",
    TokenRole.COMMUNICATION_SERVER: "server",
    TokenRole.COMMUNICATION_SERVER_HUB: "hub",
}
"""For logs and metrics."""


@dataclass(slots=True, eq=False)
class Peer:
    """One socket that was let in."""

    key: int
    role: TokenRole
    subject: str
    verified: bool
    part2: bool
    wish: AliasWish | None
    outbox: Outbox
    errors: TokenBucket
    frames: TokenBucket
    """Signalling frames allowed; without a limit for servers, which speak to all their clients."""
    reports: TokenBucket
    """SERVER_REPORTs allowed."""
    token_id: str = ""
    """Of the token it came with."""
    request_id: str = ""
    """By which its join is found in logs."""
    joined_at: float = 0.0
    alias: int = 0
    """0 until the claim is granted."""
    backlog: deque[tuple[TokenName, str]] = field(default_factory=deque)
    """Of a server: the revocations it has yet to be told, behind what is in its outbox."""
    contacts: dict[int, int] = field(default_factory=dict)
    """The aliases it has exchanged CONNECT, OFFER or ANSWER with, and how many candidates it has sent to each since."""
    expires_at: float = math.inf
    """When its token ends."""
    came_back: bool = False
    """It has its alias from an earlier socket, so it may have links that were not signalled here."""
    replaced: bool = False
    """A newer socket has its alias."""
    doomed: bool = False
    """Its end is decided; it is heard no more."""

    @property
    def is_server(self) -> bool:
        """It is a comm server, hub or not."""
        return self.role.is_server

    @property
    def names(self) -> dict[str, object]:
        """What tells its log lines from others', as fields of their own."""
        names: dict[str, object] = {"socket": self.key, "peer": self.alias, "request_id": self.request_id}
        return {name: value for name, value in names.items() if value}

    def meet(self, alias: int, *, anew: bool = False) -> None:
        """Remember `alias` as a contact; `anew` when a negotiation begins, which may have candidates again."""
        if alias in self.contacts and not anew:
            return
        self.contacts.pop(alias, None)
        self.contacts[alias] = 0
        if len(self.contacts) > (MAX_SERVER_CONTACTS if self.is_server else MAX_CLIENT_CONTACTS):
            del self.contacts[next(iter(self.contacts))]

    def __str__(self) -> str:
        return f"{ROLE_NAMES[self.role]} {self.alias}" if self.alias else f"{ROLE_NAMES[self.role]} on socket {self.key}"


class Registry:
    """The local peers by socket and by alias."""

    def __init__(self, config: CoordinatorConfig) -> None:
        self._config = config
        self._by_key: dict[int, Peer] = {}
        self._by_alias: dict[int, Peer] = {}
        self._counts = dict.fromkeys(WIRE_ROLES, 0)

    def add(self, key: int, admission: Admission, now: float) -> Peer:
        """A peer that was let in, without an alias yet."""
        config = self._config
        is_server = admission.role.is_server
        peer = Peer(
            key=key,
            role=admission.role,
            subject=admission.subject,
            verified=admission.is_verified,
            part2=admission.part2,
            wish=admission.wish,
            outbox=Outbox(config.outbox_frames, config.outbox_bytes),
            errors=TokenBucket(ERRORS_FORGIVEN_PER_S, MAX_ERRORS, now),
            frames=TokenBucket(0.0 if is_server else config.client_frames_per_s, config.client_frames_burst, now),
            reports=TokenBucket(REPORTS_PER_S, REPORTS_BURST, now),
            expires_at=admission.expires_at,
            token_id=admission.token_id,
            request_id=admission.request_id,
            joined_at=now,
        )
        self._by_key[key] = peer
        self._counts[peer.role] += 1
        return peer

    def place(self, peer: Peer, alias: int) -> None:
        """The peer's claim was granted. Whoever has the alias here hands its contacts over."""
        peer.alias = alias
        before = self._by_alias.get(alias)
        if before is not None:
            peer.contacts = dict(before.contacts)
        self._by_alias[alias] = peer

    def remove(self, peer: Peer) -> None:
        """Forget a peer. Its alias may already be another's."""
        if self._by_key.pop(peer.key, None) is not None:
            self._counts[peer.role] -= 1
        if self._by_alias.get(peer.alias) is peer:
            del self._by_alias[peer.alias]

    def by_key(self, key: int) -> Peer | None:
        """The peer of that socket."""
        return self._by_key.get(key)

    def by_alias(self, alias: int) -> Peer | None:
        """The local peer that goes by that alias."""
        return self._by_alias.get(alias)

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._by_key.values()))

    @property
    def counts(self) -> dict[TokenRole, int]:
        """Peers by role, with those whose alias is not settled yet."""
        return dict(self._counts)

    def has_room(self, role: TokenRole) -> bool:
        """Whether another peer of that role may come."""
        if role.is_server:
            servers = sum(count for r, count in self._counts.items() if r.is_server)
            return servers < self._config.max_servers
        return self._counts[role] < self._config.max_clients

    def claim_wish(self, peer: Peer, wish: AliasWish) -> Claim:
        """The claim for the alias a peer asks for."""
        return Claim(
            key=peer.key,
            alias=wish.alias,
            role=peer.role,
            subject=peer.subject,
            proven=hmac.compare_digest(wish.proof.encode(errors="replace"), self.proof(peer, wish.alias).encode()),
            takes_free=(peer.verified and peer.is_server) or not self._config.auth_required,
            takes_own=peer.verified,
            part2=peer.part2,
        )

    def claim_new(self, peer: Peer, rng: Random) -> Claim:
        """A claim for a random alias, to be repeated with another when someone has it."""
        alias = rng.randrange(MAX_ALIAS) + 1
        while alias in self._by_alias:
            alias = rng.randrange(MAX_ALIAS) + 1
        return Claim(peer.key, alias, peer.role, peer.subject, takes_free=True, part2=peer.part2)

    def proof(self, peer: Peer, alias: int) -> str:
        """What a peer of this role and subject shows to get `alias` back."""
        text = f"{peer.role}|{alias}|{peer.subject}".encode()
        return hmac.new(self._config.resume_key, text, hashlib.sha256).hexdigest()
