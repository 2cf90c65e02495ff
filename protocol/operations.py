"""What those who look after a cluster ask of its comm servers, sent to them by a coordinator: PUBLISH, REVOKE, DRAIN.

A coordinator checks what it sends and a server what it gets with the same functions.
"""

from __future__ import annotations

import math

from protocol.errors import DecodeError
from protocol.limits import MAX_ALIAS, MAX_DRAIN_S, MAX_JTI_BYTES, MAX_PUBLISH_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.tokens import MAX_SUBJECT_BYTES
from protocol.topics import check_topic


def publish(topic: str, body: bytes, *, reliable: bool = True, identity: bytes = b"", role: pb.Role = pb.UNKNOWN_ROLE) -> bytes:
    """PUBLISH: a packet of a backend for `topic`. Raises what :func:`check_publish` does."""
    message = pb.PublishMessage(type=pb.PUBLISH, topic=topic, body=body, reliable=reliable, identity=identity, role=role)
    return check_publish(message).SerializeToString()


def check_publish(message: pb.PublishMessage) -> pb.PublishMessage:
    """Return `message` if it can be relayed. Raises :class:`TopicError`, and :class:`DecodeError` naming the field."""
    check_topic(message.topic)
    _check_size("PUBLISH", "body", len(message.body), MAX_PUBLISH_BYTES)
    _check_size("PUBLISH", "identity", len(message.identity), MAX_SUBJECT_BYTES)
    return message


def disconnect(*, subject: str = "", alias: int = 0) -> bytes:
    """REVOKE that only disconnects; the peer may come back. Raises what :func:`check_revoke` does."""
    return _revoke(pb.RevokeMessage(subject=subject, alias=alias))


def revoke(*, subject: str = "", jti: str = "", until: float) -> bytes:
    """REVOKE: disconnect whoever has such a token, and refuse it `until` (seconds since the epoch). Raises what :func:`check_revoke` does."""
    return _revoke(pb.RevokeMessage(subject=subject, jti=jti, until=until))


def lift(*, subject: str = "", jti: str = "") -> bytes:
    """REVOKE that takes an earlier one back. Raises what :func:`check_revoke` does."""
    return _revoke(pb.RevokeMessage(subject=subject, jti=jti, lifted=True))


def _revoke(message: pb.RevokeMessage) -> bytes:
    message.type = pb.REVOKE
    return check_revoke(message).SerializeToString()


def check_revoke(message: pb.RevokeMessage) -> pb.RevokeMessage:
    """Return `message` if it names one subject, token or alias, and what it asks for goes with that.

    Raises :class:`DecodeError` naming the field.
    """
    named = [name for name in ("subject", "jti", "alias") if getattr(message, name)]
    if len(named) != 1:
        raise DecodeError(f"REVOKE names {' and '.join(named) or 'nobody'}: one of subject, jti and alias is needed")
    _check_size("REVOKE", "subject", len(message.subject.encode()), MAX_SUBJECT_BYTES)
    _check_size("REVOKE", "jti", len(message.jti.encode()), MAX_JTI_BYTES)
    if message.alias > MAX_ALIAS:
        raise DecodeError(f"REVOKE's alias is {message.alias}, at most {MAX_ALIAS} is one")
    if not 0.0 <= message.until < math.inf:  # neither is NaN
        raise DecodeError(f"REVOKE's until is {message.until}")
    if message.alias and (message.until or message.lifted):
        raise DecodeError("REVOKE's alias is for a disconnection alone: tokens are refused by subject or jti")
    if message.jti and not (message.until or message.lifted):
        raise DecodeError("REVOKE of a jti without a time would only disconnect: name the subject or the alias for that")
    if message.lifted and message.until:
        raise DecodeError("REVOKE that is lifted has no until")
    return message


def drain(seconds: float = 0.0) -> bytes:
    """DRAIN: be empty within `seconds`, then end; 0 leaves the time to the server. Raises what :func:`check_drain` does."""
    return check_drain(pb.DrainMessage(type=pb.DRAIN, seconds=seconds)).SerializeToString()


def check_drain(message: pb.DrainMessage) -> pb.DrainMessage:
    """Return `message` if its seconds are a time to wait. Raises :class:`DecodeError`."""
    if not 0.0 <= message.seconds <= MAX_DRAIN_S:
        raise DecodeError(f"DRAIN's seconds are {message.seconds}, they lie between 0 and {MAX_DRAIN_S}")
    return message


def _check_size(kind: str, field: str, size: int, most: int) -> None:
    if size > most:
        raise DecodeError(f"{kind}'s {field} has {size} bytes, at most {most} are allowed")
