"""How a client behaves where its defaults do not suit. Times are in seconds, sizes in bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from protocol.errors import ConfigError
from protocol.ice import ICE_TRANSPORT_POLICIES, IceServer, IceTransportPolicy, check_ice_servers
from protocol.limits import KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Every number a client works by.

    Raises :class:`protocol.errors.ConfigError` for one that cannot work.
    """

    connect_timeout: float = 10.0
    """How long ``connect()`` goes on trying before it raises. A join takes well under a second; the rest is for a coordinator that is
    just starting."""
    subscribe_timeout: float = 10.0
    """How long a subscription waits to be acknowledged, over reconnects too."""
    publish_timeout: float = 10.0
    """How long a reliable ``publish()`` waits for room in the send buffer, or for a connection."""
    close_timeout: float = 2.0
    """How long ``close()`` waits for the server to have received what was sent reliably."""
    max_attempts: int | None = None
    """Failed attempts in a row after which the client closes itself; None: it never gives up, as a client that is to survive a
    night's outage must not. An attempt is a dial of the coordinator that failed, or all of its servers tried in vain."""
    backoff_base: float = 0.25
    """The first pause after a failed attempt is random between 0 and this; each further one doubles the upper end (full jitter,
    so that a thousand clients that lost the same server do not come back in step)."""
    backoff_cap: float = 10.0
    """The upper end of a pause never grows beyond this: how late, at worst, a client notices that an outage is over."""
    dial_timeout: float = 5.0
    """For the WebSocket to the coordinator to be open and WELCOME to be there; half of it while there is another coordinator that was
    not tried since the last WELCOME."""
    offer_timeout: float = 5.0
    """For a chosen server's offer, which needs no more than the way there and back."""
    reach_timeout: float = 3.0
    """From CONNECT until there is a way to the server (ICE), while there is another to try: one that UDP does not reach never says so.
    A server that is reached, and the last one of a fresh list, have all of ``join_timeout``."""
    join_timeout: float = 15.0
    """From CONNECT until the server has accepted us; longer than ``offer_timeout``, since DTLS repeats a lost packet after 1, 2, 4 s."""
    old_server_after: float = 1.5
    """Without an answer to AUTH for so long, behind a coordinator that speaks Part 1 only, the server is taken for an old one."""
    stable_after: float = 10.0
    """A connection that was lost sooner counts as a failed attempt, so that a server which accepts and drops is not asked at full speed."""
    ping_interval: float = 5.0
    """Nothing heard from the server for so long: it is pinged."""
    link_timeout: float = 15.0
    """Nothing heard for so long: the link is lost. Three pings."""
    probe_timeout: float = 1.0
    """The same once the coordinator said that the server's socket is gone: then it probably is dead, and every second counts."""
    heartbeat: float = 20.0
    """Between two pings of the coordinator's WebSocket."""
    token_timeout: float = 10.0
    """For the token callable to come up with a token."""
    reliable_buffer: int = 256 * KIB
    """Bytes waiting on the reliable channel above which ``publish()`` waits: about a second's worth of a slow mobile uplink."""
    unreliable_buffer: int = 64 * KIB
    """Bytes waiting on the unreliable channel above which packets are dropped: what waits longer is stale when it arrives."""
    part1_only: bool = False
    """Speak to servers as a client of webrtc-broker does (``docs/protocol.md``, Part 1), whatever they can: no batches, no acknowledged
    subscriptions, no errors and closes with codes. A topic then counts as subscribed once it was asked for, packets name their topic
    only while a single one is subscribed, a refused token shows as a lost link, and it is never renewed on a link. For tests and
    measurements beside such clients."""
    fast: bool = True
    """Drive links synchronously (``transport.fastpath``); False takes the plain path of aiortc."""
    ice_servers: tuple[IceServer, ...] | None = None
    """STUN and TURN servers. None: those the coordinator names, if any. Whatever stands here is used instead, and ``()`` is none at all."""
    ice_transport_policy: IceTransportPolicy = "all"
    """``"relay"``: reach servers by way of a TURN server and no other, so that they never learn this machine's addresses."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{field.name}: {value} is not a positive, finite number")
        if self.ice_transport_policy not in ICE_TRANSPORT_POLICIES:
            raise ConfigError(f"ice_transport_policy: {self.ice_transport_policy!r} is neither 'all' nor 'relay'")
        try:
            check_ice_servers(self.ice_servers or ())
        except ValueError as error:
            raise ConfigError(f"ice_servers: {error}") from None
        if self.ping_interval >= self.link_timeout:
            raise ConfigError(
                f"ping_interval ({self.ping_interval:g} s) must be shorter than link_timeout ({self.link_timeout:g} s)"
            )
