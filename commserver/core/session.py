"""One peer on one link: what it is, what it may do, and how far it has come."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field

from commserver.core.events import LinkId
from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, Channel, FlowLimits
from protocol.batch import SenderIdentity
from protocol.limits import ERRORS_FORGIVEN_PER_S, MAX_ERRORS
from protocol.pb import broker_pb2 as pb
from protocol.tokens import Claims, TokenRole, anonymous
from service.bucket import TokenBucket

OUR_CAPABILITIES = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS, pb.SUBSCRIPTION_UPDATES, pb.MOVES, pb.UPLINKS)

UPKEEP_PER_S = 10_000.0
UPKEEP_BURST = 100_000.0
"""What a client may make us do beside relaying, in topics looked at (about 2.5 microseconds each): ten of the largest sets at once, and
then no more than some hundredths of a core."""

PINGS_PER_S = 100.0
"""PINGs of one peer that are answered."""

PLAIN_PER_S = 20_000.0
PLAIN_BURST = 5_000.0
"""Plain packets to old peers that one client may cause: nothing can be saved by batching those, so each costs its 25 microseconds."""

ERRORS_TOLD_PER_S = 10.0
"""ERROR messages a peer is sent; what it is refused beyond that is only counted."""


class SessionState(enum.Enum):
    """How far a peer has come.

    ::

        NEGOTIATING ──channels open──▶ AUTHENTICATING ──AUTH accepted──▶ ACTIVE ──▶ CLOSED
             └───────────────────────────────┴───────── refused, lost, too late ──────▲
    """

    NEGOTIATING = "negotiating"
    AUTHENTICATING = "authenticating"
    ACTIVE = "active"
    CLOSED = "closed"


class Kind(enum.Enum):
    """What a peer is to the router."""

    UNKNOWN = "unknown"
    CLIENT = "client"
    SERVER = "server"
    HUB = "hub"


_KINDS = {
    TokenRole.CLIENT: Kind.CLIENT,
    TokenRole.COMMUNICATION_SERVER: Kind.SERVER,
    TokenRole.COMMUNICATION_SERVER_HUB: Kind.HUB,
}
_WIRE_ROLES = {Kind.CLIENT: pb.CLIENT, Kind.SERVER: pb.COMMUNICATION_SERVER, Kind.HUB: pb.COMMUNICATION_SERVER_HUB}


@dataclass(slots=True, eq=False)
class Session:
    """A peer. Compared and hashed by identity: two links of one alias are two sessions."""

    link: LinkId
    alias: int
    dialed: bool
    """We sent the CONNECT (a server link), so it is we who answer offers and send AUTH first."""
    channels: tuple[Channel, Channel]
    """Flow control; index it with the reliable flag."""
    rate: TokenBucket
    errors_left: TokenBucket
    errors_told: TokenBucket
    upkeep: TokenBucket
    pings: TokenBucket
    plain: TokenBucket
    begun_at: float
    """When it was heard of first."""
    request_id: str = ""
    """By which its join is found in the coordinator's log and in ours."""
    active_at: float = 0.0
    """When its first AUTH was accepted."""
    admitted_as_server: bool = False
    """The coordinator says so; until AUTH it counts as one."""
    assumed: bool = False
    """Active as an old server, since it did not prove itself; an AUTH may still come."""
    gone_hint: bool = False
    """The coordinator said that it is gone before it was active: to be probed as soon as it is."""
    doomed: bool = False
    """To be closed at the end of this event."""
    state: SessionState = SessionState.NEGOTIATING
    kind: Kind = Kind.UNKNOWN
    claims: Claims = field(default_factory=lambda: anonymous(TokenRole.CLIENT))
    capabilities: frozenset[int] = frozenset()
    described: bool = False
    """The transport has made our description, so the peer's candidates and answer may come."""
    answered: bool = False
    """Both descriptions were exchanged."""
    candidates: int = 0
    subscribed: int = 0
    """The version of its subscription set that is in force."""
    packets: int = 0
    """Messages received; a probe compares it."""
    speaks_batch: bool = False
    hub: int = 0
    """Of a plain server: the hub by which it hears others, as it said last; 0: it hears each of them itself."""
    speaks_by_hub: bool = False
    """What it publishes goes to its hub alone, which passes it on."""
    by_hub: bool = False
    """That hub is us; or it cannot say by UPLINK what it does, and where there is a hub it does just that."""
    ends: bool = False
    """A hub that has asked us to MOVE."""
    serves: frozenset[int] = frozenset()
    """The plain servers that it is linked with, as it said then."""

    @property
    def names(self) -> dict[str, object]:
        """What tells its log lines from others', as fields of their own."""
        names: dict[str, object] = {"link": self.link, "peer": self.alias}
        return names | {"request_id": self.request_id} if self.request_id else names

    def activate(self, claims: Claims, capabilities: Collection[int]) -> None:
        """AUTH was accepted, or accepted again with a fresh token."""
        self.state = SessionState.ACTIVE
        self.kind = _KINDS[claims.role]
        self.claims = claims
        self.capabilities = frozenset(capabilities)
        self.speaks_batch = pb.BATCH in self.capabilities
        if pb.UPLINKS not in self.capabilities:
            self.by_hub = self.kind is Kind.SERVER

    @property
    def is_active(self) -> bool:
        """It may do what its kind and grants allow."""
        return self.state is SessionState.ACTIVE

    @property
    def is_client(self) -> bool:
        """An active client."""
        return self.kind is Kind.CLIENT

    @property
    def is_server(self) -> bool:
        """An active server, hub or not."""
        return self.kind is Kind.SERVER or self.kind is Kind.HUB

    @property
    def wire_role(self) -> pb.Role:
        """Its verified role as the wire names it."""
        return _WIRE_ROLES.get(self.kind, pb.UNKNOWN_ROLE)

    def sender_identity(self) -> SenderIdentity:
        """Who it is, for receivers of TOPIC_IDENTITY: the verified subject, empty where nobody is verified."""
        return SenderIdentity(self.alias, self.claims.subject.encode(), self.wire_role)

    def can(self, capability: int) -> bool:
        """Whether it offered `capability`."""
        return capability in self.capabilities


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What :func:`new_session` needs of the configuration."""

    reliable: FlowLimits
    unreliable: FlowLimits
    packets_per_second: float = 0.0
    packets_burst: int = 0


def new_session(link: LinkId, alias: int, *, dialed: bool, limits: SessionLimits, now: float) -> Session:
    """A peer that has just been heard of."""
    return Session(
        link=link,
        alias=alias,
        dialed=dialed,
        channels=(Channel(limits.unreliable), Channel(limits.reliable)),
        rate=TokenBucket(limits.packets_per_second, limits.packets_burst, now),
        errors_left=TokenBucket(ERRORS_FORGIVEN_PER_S, MAX_ERRORS, now),
        errors_told=TokenBucket(ERRORS_TOLD_PER_S, 2 * ERRORS_TOLD_PER_S, now),
        upkeep=TokenBucket(UPKEEP_PER_S, UPKEEP_BURST, now),
        pings=TokenBucket(PINGS_PER_S, 2 * PINGS_PER_S, now),
        plain=TokenBucket(PLAIN_PER_S, PLAIN_BURST, now),
        begun_at=now,
    )


def backend_session() -> Session:
    """Who publishes what a backend handed to a coordinator: like a client, but nobody, and on no link."""
    limits = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)
    session = new_session(0, 0, dialed=False, limits=limits, now=0.0)
    session.activate(anonymous(TokenRole.CLIENT), ())
    return session
