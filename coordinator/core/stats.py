"""What the coordinator has done so far, counted. Read by the metrics page; nothing is decided by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole


@dataclass(slots=True)
class Stats:
    """Counts since the start."""

    joined: Counter[TokenRole] = field(default_factory=Counter)
    """Peers that got their WELCOME."""
    came_back: Counter[TokenRole] = field(default_factory=Counter)
    """Of these, under their old alias."""
    relayed: Counter[str] = field(default_factory=Counter)
    """Frames passed on, by message type."""
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Frames not passed on, by message type and reason."""
    closed: Counter[Code] = field(default_factory=Counter)
    """Sockets closed by the coordinator, by code."""
    peer_gone: int = 0
    """PEER_GONE sent to local peers."""
    refused: Counter[tuple[int, Code]] = field(default_factory=Counter)
    """Peers refused before the upgrade, by HTTP status and code."""
    reports: int = 0
    """SERVER_REPORT taken, also those that other coordinators passed on."""


def kind_name(kind: int) -> str:
    """``webrtc_offer``; ``unknown`` for a number this version does not know."""
    return pb.MessageType.Name(pb.MessageType.ValueType(kind)).lower() if kind in pb.MessageType.values() else "unknown"
