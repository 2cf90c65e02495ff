"""What the session is told (events) and what it wants done (outputs): the whole border between core and io.

Links are numbered by the session, from its first CONNECT on; an event of a link that it has closed says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.errors import ConnectionClosed, RtcBrokerError
from protocol.ice import IceServer
from protocol.signalling import CandidateInit
from rtcbroker.core.states import ClientState
from transport.link import LinkEnd

# --------------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Start:
    """Connect."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Come to an end, by the application's wish (no cause) or because it gave up waiting."""

    cause: ConnectionClosed | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """The application is about to leave: what is published now goes by the present link, wherever the client was moving."""


@dataclass(frozen=True, slots=True)
class TokenReceived:
    """The application's token, after :class:`AskToken`."""

    token: str


@dataclass(frozen=True, slots=True)
class TokenFailed:
    """The application's function gave no token."""

    reason: str


@dataclass(frozen=True, slots=True)
class SocketOpened:
    """The WebSocket to the coordinator is open."""


@dataclass(frozen=True, slots=True)
class SignalReceived:
    """A frame from the coordinator."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class SocketEnded:
    """The WebSocket never opened, or closed; not after :class:`HangUp`."""

    code: int
    """Of protocol/codes.py, or a plain WebSocket close code."""
    reason: str


@dataclass(frozen=True, slots=True)
class LinkAnswered:
    """The transport made an answer to the offer."""

    link: int
    sdp: str


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """The transport could not answer the offer."""

    link: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """The transport found a candidate; None ends them."""

    link: int
    candidate: CandidateInit | None


@dataclass(frozen=True, slots=True)
class LinkReached:
    """A way to the server was found (ICE); the channels take a moment more."""

    link: int


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """Both channels of the link are open."""

    link: int


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """The link is gone."""

    link: int
    end: LinkEnd
    trouble: str = ""
    """What STUN and TURN servers did not do."""


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    """The loop turn in which subscriptions changed has ended."""


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """It is time to look at the deadlines."""


Event: TypeAlias = (
    Start
    | Stop
    | Stay
    | TokenReceived
    | TokenFailed
    | SocketOpened
    | SignalReceived
    | SocketEnded
    | LinkAnswered
    | LinkRefused
    | LocalCandidate
    | LinkReached
    | LinkOpened
    | LinkEnded
    | SubscriptionsChanged
    | DeadlineReached
)

# -------------------------------------------------------------------------------------------------------------- outputs


@dataclass(frozen=True, slots=True)
class AskToken:
    """Call the application's function for a token."""


@dataclass(frozen=True, slots=True)
class DialCoordinator:
    """Open the WebSocket at `url`; `alias` and `resume` ask for the old alias back (0: there is none)."""

    url: str
    alias: int
    resume: str
    token: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the WebSocket, or stop dialing; no event of it may follow."""


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Send a frame to the coordinator."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class AnswerOffer:
    """Have the transport answer this offer, by way of these STUN and TURN servers where need be."""

    link: int
    sdp: str
    ice_servers: tuple[IceServer, ...] = ()


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """Give the transport a candidate of the server; None ends them. Only after :class:`LinkAnswered`."""

    link: int
    candidate: CandidateInit | None


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close the link, whatever stage it is in."""

    link: int


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send a message on a link."""

    data: bytes
    reliable: bool
    link: int


@dataclass(frozen=True, slots=True)
class FlushReliable:
    """Send what was published reliably on the joined link; what is published from now on is held back until :class:`Moved`."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Another link is the joined one, or the present one stays it after all: what was held back may be sent."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The client's state is now this."""

    state: ClientState
    cause: ConnectionClosed | None


@dataclass(frozen=True, slots=True)
class CoordinatorJoined:
    """The coordinator that was dialed has welcomed the client."""

    host: str
    """Host and port."""


@dataclass(frozen=True, slots=True)
class SubscriptionsSettled:
    """``subscriptions.settled_version`` has grown."""


@dataclass(frozen=True, slots=True)
class PingEchoed:
    """The PING of that number came back after so many seconds."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Tell the application what was refused."""

    error: RtcBrokerError


Output: TypeAlias = (
    AskToken
    | DialCoordinator
    | HangUp
    | SendSignal
    | AnswerOffer
    | AddCandidate
    | CloseLink
    | SendPacket
    | FlushReliable
    | Moved
    | StateChanged
    | CoordinatorJoined
    | SubscriptionsSettled
    | PingEchoed
    | Refused
)
