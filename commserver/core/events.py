"""What the core is told and what it asks for: the whole surface between decisions and I/O.

A link is named by the number the core gave it. Time is not part of an event: it is passed beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol.codes import Code
from protocol.ice import IceServer
from protocol.signalling import CandidateInit

LinkId = int

# ------------------------------------------------------------------------------------------------------------------ inputs


@dataclass(slots=True)
class SignalReceived:
    """A frame came from the coordinator."""

    frame: bytes


@dataclass(slots=True)
class CoordinatorLost:
    """The coordinator's socket is gone; it is being dialed again."""


@dataclass(slots=True)
class DescriptionMade:
    """The transport made the description it was asked for: an offer (for MakeOffer) or an answer (for MakeAnswer)."""

    link: LinkId
    sdp: str


@dataclass(slots=True)
class CandidateFound:
    """The transport found a local candidate (dialed links only: a listener's are in its offer)."""

    link: LinkId
    candidate: CandidateInit


@dataclass(slots=True)
class LinkFailed:
    """The transport could not do what was asked (a description that does not parse): tell the peer with `code`, then forget it."""

    link: LinkId
    code: Code


@dataclass(slots=True)
class LinkOpened:
    """Both channels are open."""

    link: LinkId


@dataclass(slots=True)
class LinkClosed:
    """The link has ended; nothing more comes from it."""

    link: LinkId
    reason: str


@dataclass(slots=True)
class PacketReceived:
    """A data channel message came."""

    link: LinkId
    data: bytes
    reliable: bool


@dataclass(slots=True)
class Buffered:
    """After a send, or when it fell low: so many bytes wait in the transport for that channel."""

    link: LinkId
    reliable: bool
    amount: int


@dataclass(slots=True)
class DeadlineReached:
    """`next_deadline()` has come."""


@dataclass(slots=True)
class TokenRenewed:
    """Our own token is a new one: linked servers are to see it before the old one expires."""


@dataclass(slots=True)
class LoadSampled:
    """How busy this process is: share of one core used lately. Sent every few seconds; the coordinator is told."""

    cpu: float


@dataclass(slots=True)
class ReportDue:
    """It is time to tell the coordinator what happened lately; and what of that only the process itself can tell."""

    version: str
    uptime: float
    """Seconds since the process' start."""
    cpu: float
    """Share of one core used since the last time."""
    memory: int
    """Resident bytes."""


@dataclass(slots=True)
class DrainRequested:
    """Take no new clients, tell those that are here to move, stop when they are gone."""


Event = (
    SignalReceived
    | CoordinatorLost
    | DescriptionMade
    | CandidateFound
    | LinkFailed
    | LinkOpened
    | LinkClosed
    | PacketReceived
    | Buffered
    | DeadlineReached
    | TokenRenewed
    | LoadSampled
    | ReportDue
    | DrainRequested
)

# ----------------------------------------------------------------------------------------------------------------- outputs


@dataclass(slots=True)
class SendSignal:
    """Send a frame to the coordinator; dropped while it is away (whoever waits for an answer has a deadline)."""

    frame: bytes


@dataclass(slots=True)
class Send:
    """Send one message to each of `links`, on that channel."""

    links: Sequence[LinkId]
    data: bytes
    reliable: bool
    lifetime: float = math.inf
    """Seconds from now after which a transport that still holds it drops it (unreliable channel)."""
    parts: tuple[tuple[str, int], ...] = ()
    """Topics and how many records of each are in it: to be counted as dropped then. Empty where it has no lifetime."""


@dataclass(slots=True)
class AskBuffered:
    """Send Buffered for that channel, whatever the amount is: more waits than was let go."""

    link: LinkId
    reliable: bool


@dataclass(slots=True)
class MakeOffer:
    """Open a listener link and make its offer."""

    link: LinkId


@dataclass(slots=True)
class ApplyAnswer:
    """The peer's answer to our offer."""

    link: LinkId
    sdp: str


@dataclass(slots=True)
class MakeAnswer:
    """Dial: answer this offer, by way of these STUN and TURN servers where need be."""

    link: LinkId
    sdp: str
    ice_servers: tuple[IceServer, ...] = ()


@dataclass(slots=True)
class AddCandidate:
    """A candidate of the peer's."""

    link: LinkId
    candidate: CandidateInit


@dataclass(slots=True)
class CloseLink:
    """End a link; what was sent before goes out first."""

    link: LinkId
    code: int
    """Of protocol/codes.py, or what another server said."""


@dataclass(slots=True)
class Log:
    """A line in the life of a connection. `level` is a number of the logging module; never per packet, never a secret."""

    level: int
    message: str
    arguments: tuple[object, ...]
    names: Mapping[str, object] = field(default_factory=dict)
    """Fields of its own, by which it is found: link, peer, request_id."""


Output = SendSignal | Send | AskBuffered | MakeOffer | ApplyAnswer | MakeAnswer | AddCandidate | CloseLink | Log
