"""Who may speak a peer-to-peer protocol, without the rest of a coordinator."""

from __future__ import annotations

import random

from pydantic import SecretStr

from coordinator.core.coordinator import Coordinator
from coordinator.core.guests import Guests, Network
from coordinator.core.origins import OriginPolicy
from coordinator.io.backplane import MemoryBackplane
from coordinator.io.door import Door
from coordinator.io.driver import Driver
from coordinator.io.turnstile import Turnstile
from coordinator.p2p.io.access import Access
from coordinator.settings import CoordinatorSettings
from service.auth import Authenticator
from service.clock import Clock
from tests.support.forge import SECRET


def access_of(
    guests: Guests, clock: Clock, *, auth: bool = False, is_open: bool = False, trusted: tuple[Network, ...] = ()
) -> Access:
    """`auth`: the cluster wants tokens; `is_open`: but not here. `trusted`: our proxies."""
    settings = CoordinatorSettings(auth_secret=SecretStr(SECRET.decode())) if auth else CoordinatorSettings(auth="none")
    authenticator = Authenticator.from_settings(settings, clock)
    door = door_of(clock, settings)
    return Access(Turnstile(door, guests, clock, trusted), door, authenticator, is_open=is_open)


def door_of(clock: Clock, settings: CoordinatorSettings | None = None) -> Door:
    """What refuses requests; without authentication unless the settings say so."""
    config = (settings or CoordinatorSettings(auth="none")).core_config()
    return Door(Driver(Coordinator(config, random.Random(1)), MemoryBackplane(), clock), OriginPolicy())
