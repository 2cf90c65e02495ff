"""What coordinators tell one another, and the one rule they share: who may have which alias.

A coordinator knows its own sockets. Of the others' it knows only the servers; everything else goes through the backplane: an alias is
claimed there before it is used, and a frame for an alias that is not here is forwarded. The core only states these as outputs and
takes the answers as events (:class:`coordinator.core.coordinator.Coordinator`), so a backplane is one file of I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from protocol.tokens import TokenRole


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has an alias at present."""

    node: str
    """The coordinator whose socket it is."""
    key: int
    """The socket there."""
    role: TokenRole
    subject: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A peer wants an alias. Answered by the event `claimed`."""

    key: int
    alias: int
    role: TokenRole
    subject: str
    proven: bool = False
    """It brought the resume proof of this alias."""
    takes_free: bool = False
    """It may have the alias when nobody holds it."""
    takes_own: bool = False
    """It may have the alias when someone of the same verified subject and role holds it."""
    part2: bool = False
    """It speaks Part 2: for the :class:`ServerState` that a server has from the moment it is granted its alias."""


def may_have(claim: Claim, holder: Holder | None) -> bool:
    """The rule. A present holder that has to give way is closed with REPLACED.

    While somebody holds it, an alias does not change between client and server: links and lists of servers go by it.
    """
    if holder is None:
        return claim.proven or claim.takes_free
    if holder.role.is_server != claim.role.is_server:
        return False
    if claim.proven:
        return True
    return claim.takes_own and claim.subject != "" and (claim.subject, claim.role) == (holder.subject, holder.role)


@dataclass(frozen=True, slots=True)
class Release:
    """The socket that held an alias is gone. A holder that has taken over in the meantime keeps it."""

    key: int
    alias: int


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of a comm server wherever its socket is."""

    alias: int
    role: TokenRole
    part2: bool
    """It speaks Part 2, so SERVER_STATUS is to be expected from it."""
    clients: int = 0
    max_clients: int = 0
    """0: no limit."""
    draining: bool = False
    cpu: float = 0.0
    """Share of one core used lately."""
    linking: bool = False
    """Its links to the other servers do not stand yet, or it has not said that they do."""

    @property
    def is_full(self) -> bool:
        """Takes no more clients."""
        return 0 < self.max_clients <= self.clients


def newcomer(alias: int, role: TokenRole, *, part2: bool, is_linked: bool) -> ServerState:
    """A server that has just got its alias and has not said how it is. `is_linked`: it is known to need no new links. An old server will
    never say whether it has some, so it counts as linked, too.
    """
    return ServerState(alias, role, part2, linking=part2 and not is_linked)


@dataclass(frozen=True, slots=True)
class ServerUp:
    """A server of this coordinator came, or its state changed. For all other coordinators."""

    state: ServerState


@dataclass(frozen=True, slots=True)
class ServerDown:
    """A server of this coordinator went. For all other coordinators."""

    alias: int


@dataclass(frozen=True, slots=True)
class Forward:
    """A frame for an alias that is not here. Arrives as the event `forwarded` at the coordinator that has it, or comes back as
    `undeliverable`."""

    to_alias: int
    from_alias: int
    """0: an operator's, by way of a coordinator."""
    from_role: TokenRole
    """ADMIN: an operator's."""
    kind: int
    """The frame's message type."""
    frame: bytes


@dataclass(frozen=True, slots=True)
class ServerReported:
    """A server of this coordinator sent a SERVER_REPORT. For all other coordinators' dashboards; one that is lost is no loss."""

    alias: int
    frame: bytes


TokenName = Literal["subject", "jti"]
"""By what tokens are revoked: whose they are, or which single one it is."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens that are refused for a time although they are genuine. Of two with the same name and value the later one counts."""

    name: TokenName
    value: str
    """Not empty."""
    until: float
    """When the refusal ends, in seconds since the epoch; finite."""
    made_at: float
    """By the clock of the coordinator that made it."""
    lifted: bool = False
    """It was taken back before its time. That is remembered until then, so that nobody who hears of it late still refuses."""

    @property
    def key(self) -> tuple[TokenName, str]:
        """What there is one revocation of."""
        return self.name, self.value

    def supersedes(self, other: Revocation) -> bool:
        """Whether this one counts, and not the `other` of the same key. Any two coordinators agree on it."""
        return (self.made_at, self.lifted, self.until) > (other.made_at, other.lifted, other.until)


MAX_REVOCATIONS = 10_000
"""That a cluster remembers at once."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revocation was made or lifted here. For all other coordinators, also those that start later or cannot be reached just now."""

    revocation: Revocation


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Whoever has this subject, or this alias, is to be disconnected and may come back. For all other coordinators that are there."""

    subject: str = ""
    """Empty: it is about an alias."""
    alias: int = 0
    """0: it is about a subject."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody who looks after the cluster has done something. For all other coordinators' dashboards; one that is lost is no loss."""

    by: str
    """The subject of their token, never the token; empty where there is none."""
    what: str
    """As it follows the name: "asked server 7 to drain"."""
    server: int = 0
    """The server that it is about; 0: none."""

    @property
    def text(self) -> str:
        """For people."""
        return f"{repr(self.by) if self.by else 'someone'} {self.what}"


ClusterOutput = Claim | Release | ServerUp | ServerDown | ServerReported | Forward | Revoked | Disconnect | Deed
"""What the core asks of the backplane."""
