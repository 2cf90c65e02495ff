"""What the coordinator's core is told at its start."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.limits import KIB


@dataclass(frozen=True, slots=True)
class CoordinatorConfig:
    """The numbers of one coordinator; times in seconds. The operator's words for them are in `coordinator/settings.py`."""

    resume_key: bytes
    """Signs resume proofs. All coordinators of a cluster need the same."""
    auth_required: bool = True
    """Whether peers must bring tokens; told to them in WELCOME."""
    ping_interval_s: float = 10.0
    """A peer that was silent for so long is pinged."""
    ping_timeout_s: float = 5.0
    """A pinged peer that stays silent for so long is closed with TIMEOUT."""
    join_timeout_s: float = 5.0
    """How long the other coordinators may take to agree to an alias."""
    status_timeout_s: float = 20.0
    """A server whose last SERVER_STATUS is older gets no new clients: four times the interval at which it is sent."""
    outbox_frames: int = 4_096
    """Frames waiting for one peer, above which it is closed with SLOW_CONSUMER."""
    outbox_bytes: int = 1_024 * KIB
    """The same in bytes. A server that two hundred clients join at once is sent about half of that."""
    max_clients: int = 20_000
    max_servers: int = 1_000
    client_frames_per_s: float = 20.0
    """Signalling frames of one client; a join is about five, and twenty more with many network interfaces."""
    client_frames_burst: int = 200
    """How many of them at once: a client that is refused by several servers sends a join's worth for each."""
