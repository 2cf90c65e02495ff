"""The listener's side of ICE: who a datagram belongs to, and where each peer is reached. Pure.

An ICE-lite agent (RFC 8445 section 2.5) only answers. Peers share our sockets and are told apart first by the user name
fragment of their binding requests, then by the addresses those requests bound. Nothing a stranger sends changes anything here:
a request has an effect only after its message integrity was checked, and whatever fails is counted and met with silence.

A signed request proves who wrote it, not where it came from: its source address may be forged, by its writer or by somebody who has
recorded it. So there is one thing that this agent does ask: once a link is up, a peer is followed to another address only after that
address has answered a binding request of ours (a *challenge*), signed with the peer's password. Every full agent answers those. The first
address proves itself by the DTLS handshake. Until it has, :class:`transport.paths.Route` bounds what it gets.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass

from transport import stun_binding as stun
from transport.challenges import Challenges
from transport.paths import AMPLIFICATION, Address, IcePeer, Path, Route

__all__ = ["Address", "Drop", "IceLite", "IcePeer", "Path", "Reply"]

MAX_PATHS = 8
"""Bound addresses of one peer; the one heard longest ago gives way. A laptop with VPNs checks from about five."""

QUIET_S = 2.0
"""A path we send to counts as left once nothing came by it for this long while the peer's packets arrive by another.

For peers that never nominate again (aiortc and aioice check consent without USE-CANDIDATE) when a NAT gives them a new port. Longer than
any pause between a client's checks of its candidates while it still sends by the old path; shorter than the 4 to 6 s between two consent
checks, the first of which shows the new address anyway.
"""

CHALLENGE_S = 0.25
"""Between two challenges by a path that DTLS goes on arriving by."""


class Drop:
    """Reasons a datagram is dropped for; also the names of the counters."""

    NOT_OURS = "not_ours"
    """Empty, or a first byte that is neither STUN nor DTLS (RFC 7983)."""
    STUN_MALFORMED = "stun_malformed"
    STUN_NOT_REQUEST = "stun_not_request"
    """A response to nothing we asked, an indication or another method."""
    STUN_UNKNOWN_PEER = "stun_unknown_peer"
    STUN_BAD_INTEGRITY = "stun_bad_integrity"
    DTLS_UNKNOWN_ADDRESS = "dtls_unknown_address"
    AMPLIFICATION = "amplification"
    """Ours, to an address that had already got as much as one may that has not proven itself."""

    ALL = (
        NOT_OURS,
        STUN_MALFORMED,
        STUN_NOT_REQUEST,
        STUN_UNKNOWN_PEER,
        STUN_BAD_INTEGRITY,
        DTLS_UNKNOWN_ADDRESS,
        AMPLIFICATION,
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """A peer was heard by STUN, and what to send back by the path it came by."""

    peer: IcePeer
    data: bytes
    """Empty: nothing."""


class _Dropped(Exception):
    """A datagram came to nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IceLite:
    """The registry of a listener's peers."""

    def __init__(self, silence: float, secret: bytes) -> None:
        """`silence`: seconds after which a peer that was not heard is reported by :meth:`expired`. `secret`: what challenges are made
        of, so that none need be remembered; random, at least 16 bytes.
        """
        self._silence = silence
        self._challenges = Challenges(secret)
        self._peers: dict[bytes, IcePeer] = {}
        self._numbered: dict[int, IcePeer] = {}
        self._numbers = itertools.count(1)
        self._routes: dict[Path, Route] = {}
        # (deadline, tie-break, peer), at most one a peer. Hearing a peer does not touch the heap: a deadline that has come
        # is compared with `heard` then, and put back when it was early.
        self._deadlines: list[tuple[float, int, IcePeer]] = []
        self.challenges: list[tuple[bytes, Path]] = []
        """To be sent by whoever called, which takes them out."""
        self.dropped: Counter[str] = Counter(dict.fromkeys(Drop.ALL, 0))
        self.requests = 0
        """Valid binding requests."""
        self.moved = 0
        """Times a peer was followed to another address."""

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def paths(self) -> int:
        """Bound addresses of all peers."""
        return len(self._routes)

    # ------------------------------------------------------------------------------------------------------- the life of a peer

    def add(self, ufrag: str, pwd: str, now: float) -> IcePeer:
        """Expect a peer that will be offered `ufrag` and `pwd`. Raises KeyError where the fragment is in use."""
        if ufrag.encode() in self._peers:
            raise KeyError(f"the user name fragment {ufrag!r} is in use")
        number = next(self._numbers)
        peer = self._peers[ufrag.encode()] = self._numbered[number] = IcePeer(ufrag, pwd.encode(), number, heard=now)
        heapq.heappush(self._deadlines, (now + self._silence, number, peer))
        return peer

    def answered(self, peer: IcePeer, ufrag: str, pwd: str) -> None:
        """The peer's answer has come, with its own fragment and password."""
        peer.remote_ufrag, peer.remote_key = ufrag, pwd.encode()

    def begins(self, peer: IcePeer) -> None:
        """The DTLS handshake begins, by the path that is selected."""
        peer.handshake = peer.route

    def established(self, peer: IcePeer, now: float) -> None:
        """The DTLS handshake is over, so whoever did it received what we sent. That proves the path, if it was the same one all the time."""
        peer.established = True
        if peer.route is not None and peer.handshake is peer.route:
            peer.route.proven = True
        elif peer.route is not None:
            self._challenge(peer.route, now, nominated=True)
        peer.handshake = None

    def remove(self, peer: IcePeer) -> None:
        """Forget a peer; what still comes from it is dropped as a stranger's."""
        if self._peers.get(peer.ufrag.encode()) is not peer:
            return
        del self._peers[peer.ufrag.encode()]
        self._numbered.pop(peer.number, None)
        for path in peer.routes:
            del self._routes[path]
        peer.routes.clear()
        peer.route = peer.handshake = None
        # Without this a burst of short lives would keep their entries for `silence` seconds.
        if len(self._deadlines) > 64 and len(self._deadlines) > 4 * len(self._peers):
            self._deadlines = [entry for entry in self._deadlines if self._numbered.get(entry[2].number) is entry[2]]
            heapq.heapify(self._deadlines)

    def next_deadline(self) -> float | None:
        """When to call :meth:`expired`; it may turn out to be early, never late."""
        return self._deadlines[0][0] if self._deadlines else None

    def expired(self, now: float) -> list[IcePeer]:
        """Peers that fell silent; each is reported once and stays until it is removed."""
        silent = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, tie, peer = heapq.heappop(self._deadlines)
            if self._numbered.get(peer.number) is not peer:
                continue
            if peer.heard + self._silence <= now:
                silent.append(peer)
            else:
                heapq.heappush(self._deadlines, (peer.heard + self._silence, tie, peer))
        return silent

    # ---------------------------------------------------------------------------------------------------------------- datagrams

    def datagram(self, data: bytes, path: Path, now: float) -> IcePeer | Reply | None:
        """Whose a datagram is: the peer for DTLS, a reply for valid STUN, None for what was dropped.

        A peer counts as heard (`heard`) by what is signed: a DTLS datagram may be anyone's, so whoever decrypts it says so.
        """
        first = data[0] if data else 255
        if 20 <= first <= 63:
            route = self._routes.get(path)
            if route is None:
                self.dropped[Drop.DTLS_UNKNOWN_ADDRESS] += 1
                return None
            route.heard = now
            if not route.proven:
                route.came(len(data))
                if route is not route.peer.route:
                    self._follow(route, now)
            return route.peer
        try:
            if first > 3:
                raise _Dropped(Drop.NOT_OURS)
            return self._stun(data, path, now)
        except _Dropped as dropped:
            self.dropped[dropped.reason] += 1
        except stun.Malformed:
            self.dropped[Drop.STUN_MALFORMED] += 1
        return None

    def takes(self, route: Route, size: int) -> bool:
        """Whether a datagram may be sent by a path that may not be proven; it is counted, one way or the other."""
        taken = route.takes(size)
        if not taken:
            self.dropped[Drop.AMPLIFICATION] += 1
        return taken

    def _stun(self, data: bytes, path: Path, now: float) -> Reply | None:
        message = stun.read(data)
        if message.kind == stun.REQUEST:
            return self._request(data, message, path, now)
        if message.kind == stun.RESPONSE:
            return self._proof(data, message, path, now)
        raise _Dropped(Drop.STUN_NOT_REQUEST)

    def _request(self, data: bytes, message: stun.Binding, path: Path, now: float) -> Reply | None:
        ours, _, theirs = message.username.partition(b":")
        peer = self._peers.get(ours)
        if peer is None or (peer.remote_ufrag is not None and theirs != peer.remote_ufrag.encode()):
            raise _Dropped(Drop.STUN_UNKNOWN_PEER)
        if not stun.is_signed(data, message, peer.key):
            raise _Dropped(Drop.STUN_BAD_INTEGRITY)
        self.requests += 1
        if message.is_controlled:
            # An ICE-lite agent never takes the controlling role, so the peer has to (RFC 8445 sections 6.1.1 and 7.3.1.1).
            return Reply(peer, stun.refusal(message.transaction, peer.key, 487, "Role Conflict"))
        reply = stun.response(message.transaction, peer.key, path[1])
        route = self._route(peer, path, now)
        if route is None:
            self._challenge_unbound(peer, path, AMPLIFICATION * len(data) - len(reply), nominated=message.nominates)
            return Reply(peer, reply)
        peer.heard = route.heard = now
        route.came(len(data))
        if not self.takes(route, len(reply)):
            return None
        if route is not peer.route and (peer.route is None or message.nominates):
            self._nominate(route, now)
        return Reply(peer, reply)

    # ---------------------------------------------------------------------------------------------------------------- addresses

    def _route(self, peer: IcePeer, path: Path, now: float) -> Route | None:
        """The peer's route for a path, made where there is none; None where the path has to prove itself first: it speaks for another
        peer, or this one has its link already.
        """
        route = self._routes.get(path)
        if route is None:
            return None if peer.established else self._bind(peer, path, now)
        return route if route.peer is peer else None

    def _bind(self, peer: IcePeer, path: Path, now: float) -> Route:
        former = self._routes.get(path)
        if former is not None:
            if former.peer is peer:
                return former
            # The same port now speaks for another peer: a client that came again, or a NAT that gave the port away.
            self._unbind(former)
        if len(peer.routes) >= MAX_PATHS:
            self._unbind(min((r for r in peer.routes.values() if r is not peer.route), key=lambda route: route.heard))
        route = self._routes[path] = peer.routes[path] = Route(peer, path, now)
        return route

    def _unbind(self, route: Route) -> None:
        del self._routes[route.path], route.peer.routes[route.path]
        if route.peer.route is route:
            route.peer.route = route.peer.handshake = None

    def _nominate(self, route: Route, now: float) -> None:
        """The peer wants to be reached there."""
        peer = route.peer
        if peer.established:
            self._challenge(route, now, nominated=True)
            return
        begun = peer.handshake is not None
        self._select(route)
        if begun:  # so the handshake will not prove this path: it may be proven by the time that is over
            self._challenge(route, now, nominated=True)

    def _follow(self, route: Route, now: float) -> None:
        """DTLS came by a bound path that is not the selected one: follow if that one has gone quiet."""
        if not self._is_quiet(route.peer, now):
            return
        if not route.peer.established:
            self._select(route)
        elif route.challenged + CHALLENGE_S <= now:
            self._challenge(route, now, nominated=False)

    def _is_quiet(self, peer: IcePeer, now: float) -> bool:
        return peer.route is None or now - peer.route.heard > QUIET_S

    def _select(self, route: Route) -> None:
        peer = route.peer
        if peer.route is not None:
            peer.route.proven = False  # to come back there, it has to be proven again
            peer.moves += 1
            self.moved += 1
        peer.route = route
        peer.handshake = None

    # --------------------------------------------------------------------------------------------------------------- challenges

    def _challenge(self, route: Route, now: float, *, nominated: bool) -> None:
        """Ask whoever is there to prove that it is the peer."""
        route.challenged = now
        data = self._challenges.make(route.peer, route.path, nominated=nominated)
        if data and self.takes(route, len(data)):
            self.challenges.append((data, route.path))

    def _challenge_unbound(self, peer: IcePeer, path: Path, room: int, *, nominated: bool) -> None:
        """The same by a path that nothing is kept of until then; `room`: the bytes it may take."""
        data = self._challenges.make(peer, path, nominated=nominated)
        if len(data) > room:
            self.dropped[Drop.AMPLIFICATION] += 1
        elif data:
            self.challenges.append((data, path))

    def _proof(self, data: bytes, message: stun.Binding, path: Path, now: float) -> Reply:
        """The answer to a challenge: whoever is at that address received it, and has the peer's password."""
        peer = self._numbered.get(self._challenges.number(message.transaction))
        nominated = None if peer is None else self._challenges.read(message.transaction, peer, path)
        if peer is None or nominated is None:
            raise _Dropped(Drop.STUN_NOT_REQUEST)
        if not stun.is_signed(data, message, peer.remote_key):
            raise _Dropped(Drop.STUN_BAD_INTEGRITY)
        route = self._bind(peer, path, now)
        peer.heard = route.heard = now
        if route is not peer.route and (nominated or self._is_quiet(peer, now)):
            self._select(route)
        if route is peer.route:
            route.proven = True
        return Reply(peer, b"")
