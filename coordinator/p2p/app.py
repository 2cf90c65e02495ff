"""Joins the three protocols: which are on, where they are served, and what they count.

Each is served below a prefix of the main port. With `--p2p-ports` also at the root of ports of their own, where clients that cannot be
told a path look for it. A socket or a request that comes by either door meets the same core.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from aiohttp import web

from coordinator.core.outputs import Dismiss
from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.counts import PeerToPeerStats
from coordinator.p2p.core.gstreamer import GStreamer
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import NextRtc
from coordinator.p2p.core.signalling import Signalling
from coordinator.p2p.io.access import Access
from coordinator.p2p.io.apprtc import RoomServer
from coordinator.p2p.io.apprtc_pages import AppRtcPages
from coordinator.p2p.io.collider import ColliderServer
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from coordinator.settings import CoordinatorSettings
from protocol.limits import KIB
from service.clock import Clock

Listener = Literal["apprtc", "collider", "gstreamer"]
"""A port of its own, by the option that names it: ``--<listener>-port``."""


ROOM_BYTES = 1024 * KIB
"""That may wait in one room beside its largest message."""

CONVERSATION_BYTES = 16 * 1024 * KIB
"""Candidates that may wait in one NextRTC conversation: when 64 join at once, each of 2,016 pairs has some KiB until it is finalized."""

JSON_BYTES = 128 * KIB
"""Of one message of AppRTC's and NextRTC's sockets, which is parsed as a whole, and can be made to take a hundred times as long as any other of its
length. A session description with all its candidates has some ten."""

COUNTING_SHARE = 0.05
"""Of all time, for the counts of rooms and members: whoever asks for them may ask again at once."""

OUTBOX_MESSAGES = 8
"""Largest messages that fit into an outbox. One that came by HTTP may be six times as long in JSON, and it is not its receiver's fault."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One that is switched on."""

    name: str
    core: Signalling
    sockets: SocketEndpoint


class PeerToPeer:
    """All that are switched on."""

    def __init__(self, settings: CoordinatorSettings, access: Access, clock: Clock, rng: random.Random) -> None:
        self._protocols: list[Protocol] = []
        self.routes: list[web.RouteDef] = []
        """What the main port answers to."""
        self.rooted: dict[Listener, list[web.RouteDef]] = {}
        """What ports of their own answer to."""
        room_bytes = ROOM_BYTES + settings.p2p_max_message
        self._limits = Limits(settings.p2p_max_rooms, settings.p2p_max_members, settings.p2p_max_room_members, room_bytes)
        self._socket_limits = SocketLimits(
            settings.p2p_max_message,
            settings.p2p_messages_per_s,
            settings.p2p_messages_burst,
            outbox_bytes=OUTBOX_MESSAGES * max(settings.p2p_max_message, 512 * KIB),
        )
        self._access = access
        self.in_vain = access.turnstile.in_vain
        """A middleware for whoever serves what is `rooted`."""
        self._clock = clock
        self._rng = rng
        self._stats: list[PeerToPeerStats] = []
        self._stats_until = -math.inf
        if "apprtc" in settings.p2p:
            self._add_apprtc(settings)
        if "nextrtc" in settings.p2p:
            self._add_nextrtc()
        if "gstreamer" in settings.p2p:
            self._add_gstreamer()

    def stats(self) -> list[PeerToPeerStats]:
        """Each as it is now, or was a moment ago where there is much to count: no more than a share of all time is spent on that."""
        began = self._clock.now()
        if began >= self._stats_until:
            self._stats = [
                PeerToPeerStats(each.name, each.core.rooms, each.core.members, each.sockets.open, each.core.counts)
                for each in self._protocols
            ]
            ended = self._clock.now()
            self._stats_until = ended + (ended - began) / COUNTING_SHARE
        return self._stats

    def stop(self) -> None:
        """Close every socket. Idempotent."""
        for each in self._protocols:
            each.sockets.stop()
        self._access.turns.end()

    def dismiss(self, whom: Dismiss) -> None:
        """Close every socket that came with such a token."""
        for each in self._protocols:
            each.sockets.dismiss(whom)

    def _serve(self, name: str, core: Signalling, *, max_bytes: int = sys.maxsize) -> SocketEndpoint:
        """`max_bytes`: of one message, where that is less than is let in anyway."""
        limits = replace(self._socket_limits, message_bytes=min(max_bytes, self._socket_limits.message_bytes))
        endpoint = SocketEndpoint(name, core, self._access, limits, self._clock)
        self._protocols.append(Protocol(name, core, endpoint))
        return endpoint

    def _root(self, listener: Listener, routes: Iterable[web.RouteDef]) -> None:
        self.rooted.setdefault(listener, []).extend(routes)

    def _add_apprtc(self, settings: CoordinatorSettings) -> None:
        """Room server and Collider; wherever the one is, the other is too, since the one names the other's address."""
        service = AppRtc(self._limits, self._rng)
        sockets = self._serve("apprtc", service, max_bytes=JSON_BYTES)
        pages = AppRtcPages()
        rooms = RoomServer(
            service,
            sockets,
            self._access,
            settings.ice(),
            pages.page,
            public_url=settings.public_url,
            max_message_bytes=settings.p2p_max_message,
        )
        collider = ColliderServer(service, sockets, self._access, max_message_bytes=settings.p2p_max_message)
        in_turn = self._access.turnstile.in_turn
        self.routes += [*rooms.routes("/apprtc"), *in_turn(pages.routes("/apprtc")), *collider.routes("/collider")]
        self._root("apprtc", [*rooms.routes(""), *in_turn(pages.routes("")), *collider.routes("/collider")])
        self._root("collider", collider.routes(""))

    def _add_nextrtc(self) -> None:
        """By convention beside the room server, but it may be on without that."""
        limits = replace(self._limits, max_room_bytes=CONVERSATION_BYTES)
        core = NextRtc(limits, self._rng)
        sockets = self._serve("nextrtc", core, max_bytes=JSON_BYTES)
        core.is_unheard = sockets.is_unheard
        routes = [web.get("/signaling", sockets.handle, allow_head=False)]
        self.routes += routes
        self._root("apprtc", routes)

    def _add_gstreamer(self) -> None:
        """Its reference server takes any path, and answers to one of them without a WebSocket."""
        sockets = self._serve("gstreamer", GStreamer(self._limits))
        self.routes += [
            web.get("/gstreamer", sockets.handle, allow_head=False),
            web.get("/gstreamer/{path:.*}", sockets.handle, allow_head=False),
        ]
        self._root(
            "gstreamer",
            [
                *self._access.turnstile.in_turn([web.get("/health", _health)]),
                web.get("/{path:.*}", sockets.handle, allow_head=False),
            ],
        )


async def _health(request: web.Request) -> web.Response:
    return web.Response(text="OK\n")
