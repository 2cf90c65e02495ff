"""Signalling from one peer to another: what may go where, and what becomes of the rest.

The sender's alias is always written by the coordinator. Frames go between a client and a server or between two servers, never between
two clients. A CONNECT that cannot be passed on is answered with CONNECTION_REFUSED in the name of the peer it was for; any other such
frame is dropped and counted, since its sender learns from the negotiation's own deadline. Only who misbehaves notices: by a refusal,
and past MAX_ERRORS by its end.
"""

from __future__ import annotations

import logging
import math

from coordinator.core.cluster import Forward, ServerReported, ServerState, ServerUp
from coordinator.core.neighbours import Neighbours
from coordinator.core.operations import Operations
from coordinator.core.overview import Overview
from coordinator.core.post import Post
from coordinator.core.registry import WIRE_ROLES, Peer, Registry
from coordinator.core.servers import Servers
from coordinator.core.stats import Stats, kind_name
from protocol.codes import Code
from protocol.errors import DecodeError, ProtocolError
from protocol.limits import MAX_CANDIDATES, OLD_PEER_SIGNAL_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.signalling import check_report, decode_signal, refused
from protocol.tokens import TokenRole

log = logging.getLogger(__name__)

Relayed = pb.ConnectMessage | pb.WebRtcMessage | pb.ConnectionRefusedMessage

MAX_CPU_SHARE = 1_024.0
"""More cores than one process can use: a report above it is nonsense."""


def destination_problem(kind: int, *, from_server: bool, to_server: bool | None) -> Code | None:
    """Why a frame of that kind may not go there, or None if it may. `to_server` None: no such peer is known to this coordinator.

    A server's frame to an unknown alias may go: it may be for a client of another coordinator.
    """
    if to_server is None:
        return None if from_server and kind != pb.CONNECT else Code.PEER_NOT_FOUND
    if not to_server and (kind == pb.CONNECT or not from_server):
        return Code.UNEXPECTED_MESSAGE
    return None


class Relay:
    """Handles the frames of peers that have their alias."""

    def __init__(
        self,
        registry: Registry,
        servers: Servers,
        post: Post,
        stats: Stats,
        overview: Overview,
        operations: Operations,
        neighbours: Neighbours,
    ) -> None:
        self._registry = registry
        self._servers = servers
        self._post = post
        self._stats = stats
        self._overview = overview
        self._operations = operations
        self._neighbours = neighbours

    def frame(self, peer: Peer, data: bytes, now: float) -> None:
        """One frame from `peer`."""
        if not peer.frames.take(now):
            self.offence(peer, "any", "rate", now)
            return
        try:
            message = decode_signal(data)
        except ProtocolError as error:
            self._stats.dropped["any", "malformed"] += 1
            self._post.close(peer, error.code, error.detail)
            return
        if message is None:
            self._stats.dropped["unknown", "unknown type"] += 1
        elif isinstance(message, Relayed):
            self._relay(peer, message, now)
        elif isinstance(message, pb.ServerStatusMessage) and peer.is_server:
            self._status(peer, message, now)
        elif isinstance(message, pb.ServerReportMessage) and peer.is_server:
            self._report(peer, message, data, now)
        else:
            self.offence(peer, kind_name(message.type), "unexpected", now)

    def offence(self, peer: Peer, kind: str, reason: str, now: float) -> None:
        """Drop a frame that should not have been sent; too many of them end its sender."""
        self._stats.dropped[kind, reason] += 1
        if not peer.errors.take(now):
            self._post.close(peer, Code.TOO_MANY_ERRORS)

    def forwarded(self, forward: Forward) -> bool:
        """A frame from another coordinator's peer; False when the peer it is for is not here."""
        recipient = self._registry.by_alias(forward.to_alias)
        if recipient is None or recipient.doomed:
            return False
        if forward.kind == pb.PEER_GONE:
            recipient.contacts.pop(forward.from_alias, None)
            self.peer_gone(recipient, forward.from_alias)
        elif forward.from_role is TokenRole.ADMIN:
            if not self._operations.forwarded(recipient, forward.frame):
                self._stats.dropped[kind_name(forward.kind), "unexpected"] += 1
        elif destination_problem(forward.kind, from_server=forward.from_role.is_server, to_server=recipient.is_server) is None:
            self._deliver(recipient, forward.from_alias, forward.from_role.is_server, forward.kind, forward.frame)
        else:
            self._stats.dropped[kind_name(forward.kind), "unexpected"] += 1
        return True

    def undeliverable(self, forward: Forward) -> None:
        """A frame that was forwarded came back: nobody has its alias."""
        if forward.kind == pb.PEER_GONE:
            return
        self._stats.dropped[kind_name(forward.kind), "no such peer"] += 1
        sender = self._registry.by_alias(forward.from_alias)
        if sender is not None and forward.kind == pb.CONNECT:
            self._post.send(sender, refused(sender.alias, forward.to_alias, Code.PEER_NOT_FOUND))

    def reported_elsewhere(self, alias: int, frame: bytes, now: float) -> None:
        """The SERVER_REPORT of a server at another coordinator."""
        try:
            message = decode_signal(frame)
            if isinstance(message, pb.ServerReportMessage):
                self._overview.report(alias, check_report(message), now)
        except ProtocolError:
            self._stats.dropped["server_report", "malformed"] += 1

    def peer_gone(self, recipient: Peer, alias: int) -> None:
        """Tell a peer that the socket of `alias` is gone; old peers do not know the message."""
        if recipient.part2:
            self._stats.peer_gone += 1
            self._post.send(recipient, pb.PeerGoneMessage(type=pb.PEER_GONE, alias=alias).SerializeToString())

    def _relay(self, peer: Peer, message: Relayed, now: float) -> None:
        kind, to_alias = message.type, message.to_alias
        local = self._registry.by_alias(to_alias)
        known = local is not None or to_alias in self._servers
        problem = (
            Code.UNEXPECTED_MESSAGE
            if to_alias == peer.alias
            else destination_problem(
                kind, from_server=peer.is_server, to_server=(local is None or local.is_server) if known else None
            )
        )
        if problem is not None:
            self._refuse(peer, message, problem, now)
            return
        if kind == pb.WEBRTC_ICE_CANDIDATE and not self._count_candidate(peer, to_alias):
            self.offence(peer, kind_name(kind), "too many", now)
            return
        frame = self._stamped(peer, message)
        if local is not None and not local.part2 and len(frame) > OLD_PEER_SIGNAL_BYTES:
            self.offence(peer, kind_name(kind), "too large for an old peer", now)
            return
        self._note_contact(peer, to_alias, kind, sends=True, other_is_server=known and (local is None or local.is_server))
        if kind == pb.CONNECT:
            log.info("%s asks for server %d", peer, to_alias, extra={**peer.names, "server": to_alias})
            if not peer.is_server:
                self._servers.client_sent(to_alias)
        if local is not None:
            self._deliver(local, peer.alias, peer.is_server, kind, frame)
        else:
            self._post.emit(Forward(to_alias, peer.alias, peer.role, kind, frame))

    def _stamped(self, peer: Peer, message: Relayed) -> bytes:
        """The frame as it goes out: its sender is who sent it, whatever it says."""
        message.from_alias = peer.alias
        if isinstance(message, pb.ConnectMessage):
            message.from_role = WIRE_ROLES[peer.role]
            message.request_id = peer.request_id
        return message.SerializeToString()

    def _deliver(self, recipient: Peer, from_alias: int, from_server: bool, kind: int, frame: bytes) -> None:
        if not recipient.part2 and len(frame) > OLD_PEER_SIGNAL_BYTES:
            self._stats.dropped[kind_name(kind), "too large for an old peer"] += 1
            return
        self._note_contact(recipient, from_alias, kind, sends=False, other_is_server=from_server)
        self._stats.relayed[kind_name(kind)] += 1
        self._post.send(recipient, frame)

    def _refuse(self, peer: Peer, message: Relayed, problem: Code, now: float) -> None:
        """A peer that is not there may have left a moment ago: only what could never be right is an offence."""
        if message.type == pb.CONNECT:
            self._post.send(peer, refused(peer.alias, message.to_alias, problem))
        if problem is Code.PEER_NOT_FOUND:
            self._stats.dropped[kind_name(message.type), "no such peer"] += 1
        else:
            self.offence(peer, kind_name(message.type), "unexpected", now)

    def _count_candidate(self, peer: Peer, to_alias: int) -> bool:
        peer.meet(to_alias)
        peer.contacts[to_alias] += 1
        return peer.contacts[to_alias] <= MAX_CANDIDATES

    def _note_contact(self, peer: Peer, alias: int, kind: int, *, sends: bool, other_is_server: bool) -> None:
        """Remember who negotiates with whom. A new negotiation begins with a CONNECT, or an offer of the side that makes offers: a client
        cannot have its candidates forgotten by sending offers."""
        if kind not in (pb.CONNECT, pb.WEBRTC_OFFER, pb.WEBRTC_ANSWER):
            return
        offered_by_server = kind == pb.WEBRTC_OFFER and (peer.is_server if sends else other_is_server)
        peer.meet(alias, anew=kind == pb.CONNECT or offered_by_server)

    def _status(self, peer: Peer, message: pb.ServerStatusMessage, now: float) -> None:
        cpu = message.cpu if math.isfinite(message.cpu) and 0.0 <= message.cpu <= MAX_CPU_SHARE else 0.0
        state = ServerState(
            peer.alias,
            peer.role,
            peer.part2,
            message.clients,
            message.max_clients,
            message.draining,
            cpu,
            linking=message.linking,
        )
        before = self._servers.get(peer.alias)
        self._servers.update(state, now)
        self._neighbours.reported(before, state, now)
        self._overview.server_up(state, now)
        self._post.emit(ServerUp(state))

    def _report(self, peer: Peer, message: pb.ServerReportMessage, frame: bytes, now: float) -> None:
        if not peer.reports.take(now):
            self.offence(peer, kind_name(message.type), "rate", now)
            return
        try:
            check_report(message)
        except DecodeError as error:
            log.debug("a report of %s is refused: %s", peer, error.detail)
            self.offence(peer, kind_name(message.type), "malformed", now)
            return
        self._overview.report(peer.alias, message, now)
        self._post.emit(ServerReported(peer.alias, frame))
