"""What lies in a coordinator's inbox on Redis: a line of words, and for some a body behind it.

======================================================  ==========================================================
``claimed KEY ALIAS 0|1 SINCE``                         the answer to a claim; SINCE in milliseconds of Redis' clock
``evicted KEY ALIAS``                                   the alias went to another socket
``up ALIAS NODE`` + state as JSON                       a server of another coordinator
``down ALIAS NODE``                                     it went
``report ALIAS NODE`` + SERVER_REPORT                   it reported
``frame ORIGIN TO FROM ROLE KIND`` + frame              for a peer here
``back TO FROM ROLE KIND`` + frame                      a frame of a peer here that found nobody
``revoked`` + revocation as JSON                        tokens are refused, or not any more
``disconnect`` + whom as JSON                           somebody is to be disconnected
``deed`` + what as JSON                                 somebody who looks after the cluster did something
``mark``                                                all that was asked of Redis before is done
======================================================  ==========================================================

What cannot be read comes from a coordinator of another version, and is passed over.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, get_args

from coordinator.core.cluster import Deed, Disconnect, Forward, Revocation, ServerState, TokenName
from protocol.tokens import TokenRole


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim."""

    key: int
    alias: int
    granted: bool
    since: float
    """Seconds of Redis' clock."""


@dataclass(frozen=True, slots=True)
class Evicted:
    """The alias of that socket went to another one."""

    key: int
    alias: int


@dataclass(frozen=True, slots=True)
class Up:
    """A server of another coordinator."""

    state: ServerState
    node: str


@dataclass(frozen=True, slots=True)
class Down:
    """It went."""

    alias: int
    node: str


@dataclass(frozen=True, slots=True)
class Reported:
    """It sent a SERVER_REPORT."""

    alias: int
    node: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame for a peer here."""

    forward: Forward
    origin: str


@dataclass(frozen=True, slots=True)
class Back:
    """A frame of a peer here that found nobody."""

    forward: Forward


@dataclass(frozen=True, slots=True)
class Mark:
    """All that was asked of Redis before is done."""


Message = Claimed | Evicted | Up | Down | Reported | Frame | Back | Mark | Revocation | Disconnect | Deed


def encode_frame(origin: str, forward: Forward) -> bytes:
    """A :class:`Frame`."""
    return f"frame {origin} {_address(forward)}\n".encode() + forward.frame


def encode_back(forward: Forward) -> bytes:
    """A :class:`Back`."""
    return f"back {_address(forward)}\n".encode() + forward.frame


def encode_report(alias: int, node: str, frame: bytes) -> bytes:
    """A :class:`Reported`."""
    return f"report {alias} {node}\n".encode() + frame


def encode_state(state: ServerState) -> bytes:
    """The body of an :class:`Up`, and what a latecomer gets to read."""
    return _json(state)


def encode_revocation(revocation: Revocation) -> bytes:
    """As Redis keeps it."""
    return _json(revocation)


def encode_disconnect(disconnect: Disconnect) -> bytes:
    """The whole message."""
    return b"disconnect\n" + _json(disconnect)


def encode_deed(deed: Deed) -> bytes:
    """The whole message."""
    return b"deed\n" + _json(deed)


def decode_state(body: bytes) -> ServerState:
    """Raises ValueError for what is no state. Fields of a newer version are passed over."""
    values = _object(body, ServerState)
    try:
        values["role"] = TokenRole(values["role"])
        return ServerState(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"a state lacks {error}") from error


def decode_revocation(body: bytes) -> Revocation:
    """Raises ValueError for what is no revocation."""
    try:
        revocation = Revocation(**_object(body, Revocation))
        if revocation.name not in get_args(TokenName) or not math.isfinite(revocation.until + revocation.made_at):
            raise ValueError("a revocation is not of this version")
    except TypeError as error:
        raise ValueError(f"a revocation lacks {error}") from error
    return revocation


def decode_record(record: bytes) -> Up:
    """A server as Redis keeps it: the coordinator, and the state. Raises ValueError."""
    node, _, body = record.partition(b"\n")
    return Up(decode_state(body), node.decode())


def decode(data: bytes) -> Message:
    """One message. Raises ValueError for one that is not known or not complete."""
    head, _, body = data.partition(b"\n")
    kind, *words = head.decode().split(" ")
    match kind, words:
        case "claimed", [key, alias, granted, since]:
            return Claimed(int(key), int(alias), granted == "1", int(since) / 1000)
        case "evicted", [key, alias]:
            return Evicted(int(key), int(alias))
        case "up", [_, node]:
            return Up(decode_state(body), node)
        case "down", [alias, node]:
            return Down(int(alias), node)
        case "report", [alias, node]:
            return Reported(int(alias), node, body)
        case "frame", [origin, *address]:
            return Frame(_forward(address, body), origin)
        case "back", address:
            return Back(_forward(address, body))
        case "revoked", []:
            return decode_revocation(body)
        case "disconnect", []:
            return Disconnect(**_object(body, Disconnect))
        case "deed", []:
            return _deed(_object(body, Deed))
        case "mark", []:
            return Mark()
    raise ValueError(f"a message of kind {kind[:20]!r} with {len(words)} words")


def _json(value: Any) -> bytes:
    return json.dumps(asdict(value), separators=(",", ":")).encode()


def _object(body: bytes, made: type[Any]) -> dict[str, Any]:
    """The fields of an object that this version knows. Raises ValueError."""
    values = json.loads(body)
    if not isinstance(values, dict):
        raise ValueError(f"no {made.__name__}")
    return {name: value for name, value in values.items() if name in made.__dataclass_fields__}


def _deed(values: dict[str, Any]) -> Deed:
    match values:
        case {"by": str(by), "what": str(what), "server": int(server)}:
            return Deed(by, what, server)
    raise ValueError("a deed is not of this version")


def _address(forward: Forward) -> str:
    return f"{forward.to_alias} {forward.from_alias} {forward.from_role} {forward.kind}"


def _forward(words: list[str], frame: bytes) -> Forward:
    to_alias, from_alias, role, kind = words
    return Forward(int(to_alias), int(from_alias), TokenRole(role), int(kind), frame)
