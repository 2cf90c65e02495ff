"""The ICE servers an agent asks, one by one: each URL with its credentials, of those the kinds we speak. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.errors import ConfigError
from protocol.ice import IceServer, IceUrl, parse_ice_url

MAX_STUN = 2
"""STUN servers asked for one link: all of them answer the same, so the second is for the day the first is away."""

MAX_TURN = 4
"""TURN servers asked for one link: each holds an allocation for it, at least until the link is made."""


@dataclass(frozen=True, slots=True)
class IceTarget:
    """One URL and what it wants."""

    url: IceUrl
    username: str = ""
    credential: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.url.text


def ice_targets(servers: Iterable[IceServer]) -> tuple[IceTarget, ...]:
    """The first few STUN and TURN servers, in their order: the first is the most wanted.

    STUN by TLS (``stuns``) says nothing of our UDP port, and TURN by DTLS is not spoken: such URLs are passed over. Raises
    :class:`ConfigError` for one that does not parse.
    """
    stun: list[IceTarget] = []
    turn: list[IceTarget] = []
    for server in servers:
        for text in server.urls:
            target = IceTarget(_parsed(text), server.username, server.credential)
            if target.url.is_turn and not (target.url.is_secure and target.url.transport == "udp"):
                turn.append(target)
            elif target.url.scheme == "stun":
                stun.append(target)
    return (*stun[:MAX_STUN], *turn[:MAX_TURN])


def _parsed(text: str) -> IceUrl:
    try:
        return parse_ice_url(text)
    except ValueError as error:
        raise ConfigError(f"ice_servers: {error}") from None
