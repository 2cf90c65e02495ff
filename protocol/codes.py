"""Every refusal and every end of a connection: a number, a reason and a retry verdict.

The verdict is in the number's range, so that an old program understands a code it has never heard of:

======  ==========================  ==============================================================
range   verdict                     meaning
======  ==========================  ==============================================================
40xx    :attr:`Retry.SAME`          passing trouble: try again, the same place will do
41xx    :attr:`Retry.ELSEWHERE`     this server will not have you: try another one
42xx    :attr:`Retry.NEVER`         the same request will be refused again: change something first
43xx    (no end at all)             one request was refused; the connection lives on
======  ==========================  ==============================================================

The numbers are WebSocket close codes of the private range (RFC 6455 section 7.4.2), and travel unchanged in CLOSE, ERROR,
CONNECTION_REFUSED and SUBSCRIBED.
"""

from __future__ import annotations

import enum


class Retry(enum.Enum):
    """What the peer that was closed or refused should do next."""

    SAME = "retry"
    ELSEWHERE = "retry elsewhere"
    NEVER = "do not retry"
    NONE = "still connected"


class Code(enum.IntEnum):
    """Why something ended or was refused."""

    # passing trouble
    INTERNAL = 4000
    TIMEOUT = 4001
    SLOW_CONSUMER = 4002
    LINK_LOST = 4003
    REPLACED = 4004
    TOKEN_UNVERIFIABLE = 4005
    COORDINATOR_STOPPING = 4006
    AUTH_TIMEOUT = 4007
    DISCONNECTED = 4008
    TOKEN_UNAVAILABLE = 4009

    # not on this server
    SERVER_FULL = 4100
    SERVER_DRAINING = 4101
    SERVER_STOPPING = 4102
    PEER_NOT_FOUND = 4103
    NO_SERVERS = 4104

    # not like this
    BAD_MESSAGE = 4200
    UNEXPECTED_MESSAGE = 4201
    MESSAGE_TOO_LARGE = 4202
    BAD_SDP = 4203
    BAD_CANDIDATE = 4204
    TOO_MANY_CANDIDATES = 4205
    AUTH_FAILED = 4210
    TOKEN_EXPIRED = 4212
    TOKEN_NOT_YET_VALID = 4213
    WRONG_ROLE = 4214
    ALIAS_TAKEN = 4215
    TOO_MANY_ERRORS = 4216
    NOT_NEEDED = 4217
    ORIGIN_REFUSED = 4218
    TOKEN_REVOKED = 4219

    # one request refused, the connection lives on
    NOT_ALLOWED = 4300
    BAD_TOPIC = 4301
    TOO_MANY_TOPICS = 4302
    RATE_LIMITED = 4303
    RESYNC = 4304

    @property
    def retry(self) -> Retry:
        """The verdict of the code's range."""
        return retry_verdict(self)

    @property
    def reason(self) -> str:
        """A sentence for people, short enough for a WebSocket close frame (123 bytes, RFC 6455 section 5.5)."""
        return _REASONS[self]


def retry_verdict(code: int) -> Retry:
    """The verdict for any number, known or not; numbers outside our ranges (a plain 1006, say) are passing trouble."""
    return {41: Retry.ELSEWHERE, 42: Retry.NEVER, 43: Retry.NONE}.get(code // 100, Retry.SAME)


def reason_of(code: int) -> str:
    """The sentence of a code, empty for a number this version does not know."""
    return _REASONS[Code(code)] if code in _KNOWN else ""


def describe(code: int, reason: str = "") -> str:
    """``"4101 server is draining (retry elsewhere): three more seconds"``, also for a number this version does not know.

    A reason with all of the code's own words in it takes their place.
    """
    own = reason_of(code) or "unknown code"
    is_said = set(own.split()) <= set(reason.split())
    more = f": {reason}" if reason and not is_said else ""
    return f"{code} {reason if is_said else own} ({retry_verdict(code).value}){more}"


# Read by the one that is told and, where it concludes the same by itself, by the other: so none says who did not do what.
_REASONS: dict[Code, str] = {
    Code.INTERNAL: "something failed on the server",
    Code.TIMEOUT: "nothing was heard in time",
    Code.SLOW_CONSUMER: "more is sent than is read",
    Code.LINK_LOST: "the link broke",
    Code.REPLACED: "you connected again; this older connection gave way",
    Code.TOKEN_UNVERIFIABLE: "the keys to verify the token cannot be had just now",
    Code.COORDINATOR_STOPPING: "the coordinator is stopping",
    Code.AUTH_TIMEOUT: "no AUTH came in time",
    Code.DISCONNECTED: "an administrator ended the connection",
    Code.TOKEN_UNAVAILABLE: "there is no token to show just now",
    Code.SERVER_FULL: "the server is full",
    Code.SERVER_DRAINING: "the server is draining",
    Code.SERVER_STOPPING: "the server is stopping",
    Code.PEER_NOT_FOUND: "no such peer",
    Code.NO_SERVERS: "no server is available",
    Code.BAD_MESSAGE: "a message could not be decoded",
    Code.UNEXPECTED_MESSAGE: "this message may not be sent in this state or to this peer",
    Code.MESSAGE_TOO_LARGE: "a message is larger than allowed",
    Code.BAD_SDP: "the session description could not be parsed",
    Code.BAD_CANDIDATE: "an ICE candidate could not be parsed",
    Code.TOO_MANY_CANDIDATES: "more ICE candidates than allowed",
    Code.AUTH_FAILED: "the token was refused",
    Code.TOKEN_EXPIRED: "the token has expired",
    Code.TOKEN_NOT_YET_VALID: "the token is not valid yet",
    Code.WRONG_ROLE: "the token's role does not allow this",
    Code.ALIAS_TAKEN: "the alias belongs to someone else",
    Code.TOO_MANY_ERRORS: "too many refused messages",
    Code.NOT_NEEDED: "this link has no place in the cluster's topology",
    Code.ORIGIN_REFUSED: "web pages of this origin may not connect here",
    Code.TOKEN_REVOKED: "the token was revoked",
    Code.NOT_ALLOWED: "the token does not grant this topic",
    Code.BAD_TOPIC: "not a valid topic",
    Code.TOO_MANY_TOPICS: "more topics than allowed",
    Code.RATE_LIMITED: "more packets than allowed; some were dropped",
    Code.RESYNC: "versions do not follow; send the whole set",
}
_KNOWN = frozenset(int(code) for code in Code)
