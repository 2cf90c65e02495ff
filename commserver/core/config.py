"""What the core is configured with; filled from the settings by `app.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW, FlowLimits
from protocol.limits import PeerLimits
from protocol.tokens import TokenRole
from protocol.topics import NOTHING, PatternSet


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Times in seconds."""

    role: TokenRole = TokenRole.COMMUNICATION_SERVER
    """Plain server, or hub."""
    auth_required: bool = True
    max_peers: int = 2_000
    """Clients at once, joining ones included; a CONNECT beyond gets CONNECTION_REFUSED. Servers always get in. 0: no limit."""
    max_servers: int = 500
    """Server links at once."""
    setup_timeout: float = 15.0
    """From CONNECT to open channels."""
    auth_timeout: float = 10.0
    """From open channels to an accepted AUTH."""
    probe_timeout: float = 1.0
    """How long a peer whose coordinator socket is gone has to answer a PING."""
    interest_debounce: float = 0.02
    """Changes of interest are collected so long before servers are told."""
    dial_backoff_base: float = 0.2
    dial_backoff_cap: float = 10.0
    """Dialing a server again: full jitter between 0 and min(cap, base * 2^attempts)."""
    coalesce_window: float = 0.02
    """Packets of a busy topic leave together, once in so long; 0: each as it comes."""
    latest: PatternSet = NOTHING
    """Topics of which only each sender's newest packet of a window is sent (unreliable channel)."""
    max_staleness: float = 0.25
    """What has waited longer for a slow peer's unreliable channel is dropped; 0: no such limit."""
    drain_seconds: float = 20.0
    """Over which the clients of a stopping server are told to move."""
    reliable: FlowLimits = RELIABLE_FLOW
    unreliable: FlowLimits = UNRELIABLE_FLOW
    limits: PeerLimits = field(default_factory=PeerLimits)

    @property
    def is_hub(self) -> bool:
        """Whether this server passes packets on between servers."""
        return self.role is TokenRole.COMMUNICATION_SERVER_HUB
