"""The listener's side of ICE: who a datagram belongs to, and where each peer is reached. Pure.

An ICE-lite agent (RFC 8445 section 2.5) only answers. Peers share our sockets and are told apart first by the user name
fragment of their binding requests, then by the addresses those requests bound. Nothing a stranger sends changes anything here:
a request has an effect only after its message integrity was checked, and whatever fails is counted and met with silence, so
that we answer nobody who did not read our offer, and no forged source address is ever sent more than it sent us.
"""

from __future__ import annotations

import heapq
import itertools
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from aioice import stun

Address = tuple[Any, ...]
"""What `recvfrom` says: (host, port), or (host, port, flow, scope) over IPv6."""

Path = tuple[int, Address]
"""Which of our sockets, and the peer's address there."""

MAX_PATHS = 8
"""Bound addresses of one peer; the one heard longest ago gives way. A laptop with VPNs checks from about five."""

QUIET_S = 2.0
"""A path we send to counts as left once nothing came by it for this long while the peer's packets arrive by another.

For peers that never nominate again (aiortc and aioice check consent without USE-CANDIDATE) when a NAT gives them a new port. Only
bound addresses count, so this never sends to an address that did not pass a check. Longer than any pause between a client's
checks of its candidates while it still sends by the old path; shorter than the 4 to 6 s between two consent checks, the first of
which binds the new address anyway.
"""

MAX_STUN_BYTES = 1_280
"""Binding requests are about 100 bytes; nothing longer is worth an HMAC."""

_STUN_HEADER: Final = struct.Struct("!HHI")
_BINDING_REQUEST: Final = 0x0001


class Drop:
    """Reasons a datagram is dropped for; also the names of the counters."""

    NOT_OURS = "not_ours"
    """Empty, or a first byte that is neither STUN nor DTLS (RFC 7983)."""
    STUN_MALFORMED = "stun_malformed"
    STUN_NOT_REQUEST = "stun_not_request"
    """A response, indication or other method: an ICE-lite agent asks nothing, so nothing is answered to it."""
    STUN_UNKNOWN_PEER = "stun_unknown_peer"
    STUN_BAD_INTEGRITY = "stun_bad_integrity"
    DTLS_UNKNOWN_ADDRESS = "dtls_unknown_address"

    ALL = (NOT_OURS, STUN_MALFORMED, STUN_NOT_REQUEST, STUN_UNKNOWN_PEER, STUN_BAD_INTEGRITY, DTLS_UNKNOWN_ADDRESS)


@dataclass(eq=False, slots=True)
class IcePeer:
    """One peer as ICE sees it."""

    ufrag: str
    """Our fragment for it: the first half of its USERNAME."""
    key: bytes = field(repr=False)
    """Our ICE password for it, which signs both ways (RFC 8445 section 7.2.2)."""
    heard: float
    """When the last valid request or DTLS packet came."""
    remote_ufrag: str | None = None
    """Its own fragment, once its answer has been read; checks may come before."""
    selected: Path | None = None
    """Where we send."""
    paths: dict[Path, float] = field(default_factory=dict)
    """Bound addresses and when each was heard last."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A datagram to send back by the path a request came by."""

    peer: IcePeer
    data: bytes


class _Dropped(Exception):
    """A datagram came to nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IceLite:
    """The registry of a listener's peers."""

    def __init__(self, silence: float) -> None:
        """`silence`: seconds after which a peer that was not heard is reported by :meth:`expired`."""
        self._silence = silence
        self._peers: dict[str, IcePeer] = {}
        self._routes: dict[Path, IcePeer] = {}
        # (deadline, tie-break, peer), at most one a peer. Hearing a peer does not touch the heap: a deadline that has come
        # is compared with `heard` then, and put back when it was early.
        self._deadlines: list[tuple[float, int, IcePeer]] = []
        self._ties = itertools.count()
        self.dropped: Counter[str] = Counter(dict.fromkeys(Drop.ALL, 0))
        self.requests = 0
        """Valid binding requests."""
        self.moved = 0
        """Times a peer was followed to another address."""

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, ufrag: str, pwd: str, now: float) -> IcePeer:
        """Expect a peer that will be offered `ufrag` and `pwd`. Raises KeyError where the fragment is in use."""
        if ufrag in self._peers:
            raise KeyError(f"the user name fragment {ufrag!r} is in use")
        peer = self._peers[ufrag] = IcePeer(ufrag, pwd.encode(), heard=now)
        heapq.heappush(self._deadlines, (now + self._silence, next(self._ties), peer))
        return peer

    def remove(self, peer: IcePeer) -> None:
        """Forget a peer; what still comes from it is dropped as a stranger's."""
        if self._peers.get(peer.ufrag) is not peer:
            return
        del self._peers[peer.ufrag]
        for path in peer.paths:
            if self._routes.get(path) is peer:
                del self._routes[path]
        peer.paths.clear()
        peer.selected = None
        # Without this a burst of short lives would keep their entries for `silence` seconds.
        if len(self._deadlines) > 64 and len(self._deadlines) > 4 * len(self._peers):
            self._deadlines = [entry for entry in self._deadlines if self._peers.get(entry[2].ufrag) is entry[2]]
            heapq.heapify(self._deadlines)

    def datagram(self, data: bytes, path: Path, now: float) -> IcePeer | Reply | None:
        """Whose a datagram is: the peer for DTLS, the reply to send for a valid request, None for what was dropped."""
        first = data[0] if data else 255
        if 20 <= first <= 63:
            peer = self._routes.get(path)
            if peer is None:
                self.dropped[Drop.DTLS_UNKNOWN_ADDRESS] += 1
                return None
            peer.heard = peer.paths[path] = now
            if path != peer.selected:
                self._follow(peer, path, now)
            return peer
        if first <= 3:
            return self._binding_request(data, path, now)
        self.dropped[Drop.NOT_OURS] += 1
        return None

    def next_deadline(self) -> float | None:
        """When to call :meth:`expired`; it may turn out to be early, never late."""
        return self._deadlines[0][0] if self._deadlines else None

    def expired(self, now: float) -> list[IcePeer]:
        """Peers that fell silent; each is reported once and stays until it is removed."""
        silent = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, tie, peer = heapq.heappop(self._deadlines)
            if self._peers.get(peer.ufrag) is not peer:
                continue
            if peer.heard + self._silence <= now:
                silent.append(peer)
            else:
                heapq.heappush(self._deadlines, (peer.heard + self._silence, tie, peer))
        return silent

    def _binding_request(self, data: bytes, path: Path, now: float) -> Reply | None:
        request = self._authenticated(data)
        if request is None:
            return None
        peer, message = request
        self.requests += 1
        peer.heard = now
        if "ICE-CONTROLLED" in message.attributes:
            # An ICE-lite agent never takes the controlling role, so the peer has to (RFC 8445 sections 6.1.1 and 7.3.1.1).
            return Reply(peer, _response(message, peer, {"ERROR-CODE": (487, "Role Conflict")}, stun.Class.ERROR))
        self._bind(peer, path, now)
        if path != peer.selected and (peer.selected is None or "USE-CANDIDATE" in message.attributes):
            self._select(peer, path)
        return Reply(peer, _response(message, peer, {"XOR-MAPPED-ADDRESS": path[1][:2]}, stun.Class.RESPONSE))

    def _authenticated(self, data: bytes) -> tuple[IcePeer, stun.Message] | None:
        """The peer a request belongs to, if everything about it holds; counts what does not."""
        try:
            return self._check(data)
        except _Dropped as dropped:
            self.dropped[dropped.reason] += 1
            return None

    def _check(self, data: bytes) -> tuple[IcePeer, stun.Message]:
        if not 20 <= len(data) <= MAX_STUN_BYTES:
            raise _Dropped(Drop.STUN_MALFORMED)
        kind, length, cookie = _STUN_HEADER.unpack_from(data)
        if cookie != stun.COOKIE or length != len(data) - 20 or length % 4:
            raise _Dropped(Drop.STUN_MALFORMED)
        if kind != _BINDING_REQUEST:
            raise _Dropped(Drop.STUN_NOT_REQUEST)
        try:
            message = stun.parse_message(data)
        except (ValueError, struct.error) as error:  # struct.error: an attribute of the wrong length
            raise _Dropped(Drop.STUN_MALFORMED) from error
        ours, _, theirs = str(message.attributes.get("USERNAME", "")).partition(":")
        peer = self._peers.get(ours)
        if peer is None or peer.remote_ufrag not in (None, theirs):
            raise _Dropped(Drop.STUN_UNKNOWN_PEER)
        if not message.check_message_integrity(peer.key):
            raise _Dropped(Drop.STUN_BAD_INTEGRITY)
        return peer, message

    def _bind(self, peer: IcePeer, path: Path, now: float) -> None:
        if path not in peer.paths:
            if len(peer.paths) >= MAX_PATHS:
                oldest = min((p for p in peer.paths if p != peer.selected), key=peer.paths.__getitem__)
                del peer.paths[oldest]
                self._routes.pop(oldest, None)
            former = self._routes.get(path)
            if former is not None:
                # The same port now speaks for another peer: a client that came again, or a NAT that gave the port away.
                del former.paths[path]
                if former.selected == path:
                    former.selected = max(former.paths, key=former.paths.__getitem__, default=None)
            self._routes[path] = peer
        peer.paths[path] = now

    def _follow(self, peer: IcePeer, path: Path, now: float) -> None:
        """DTLS came by a bound path that is not the selected one: follow if that one has gone quiet."""
        if peer.selected is None or now - peer.paths[peer.selected] > QUIET_S:
            self._select(peer, path)

    def _select(self, peer: IcePeer, path: Path) -> None:
        self.moved += peer.selected is not None
        peer.selected = path


def _response(request: stun.Message, peer: IcePeer, attributes: dict[str, Any], kind: stun.Class) -> bytes:
    message = stun.Message(stun.Method.BINDING, kind, request.transaction_id, attributes)
    message.add_message_integrity(peer.key)
    return bytes(message)
