"""The coordinator as one thing: events in, outputs out.

Call one of the event methods with `now` (seconds since the epoch), then take all outputs with :meth:`Coordinator.outputs` and carry
them out, then the next event. Between two events everything is settled: a peer that was closed is in no table any more.

The life of a peer: `joined` (a socket was let in; an alias is claimed) → `claimed` (it has its alias; WELCOME) → `frame`s → `left`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from coordinator.core.admission import Admission, Refusal
from coordinator.core.cluster import Deed, Disconnect, Forward, Release, Revocation, ServerDown, ServerState, ServerUp, newcomer
from coordinator.core.config import CoordinatorConfig
from coordinator.core.deeds import Deeds, shortened
from coordinator.core.expiry import Expiries
from coordinator.core.heartbeat import Due, Heartbeats
from coordinator.core.ice import IceServers
from coordinator.core.ice_renewal import IceRenewal
from coordinator.core.neighbours import Neighbours
from coordinator.core.operations import Operations
from coordinator.core.outputs import Output, Ping
from coordinator.core.overview import Overview
from coordinator.core.post import Post
from coordinator.core.registry import Peer, Registry
from coordinator.core.relay import Relay
from coordinator.core.revocations import Revocations
from coordinator.core.selector import RandomSelector, Selector
from coordinator.core.servers import Condition, Servers
from coordinator.core.stats import Stats
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.signalling import ice_servers, welcome
from protocol.tokens import TokenRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

T = TypeVar("T")

log = logging.getLogger(__name__)

OLD_PEER_SERVERS = 600
"""Servers in an old peer's WELCOME, which must stay below 5,000 bytes at up to seven bytes each."""


class Coordinator:
    """Peers, servers and the frames between them."""

    def __init__(
        self, config: CoordinatorConfig, rng: Random, selector: Selector | None = None, ice: IceServers | None = None
    ) -> None:
        self._config = config
        self._rng = rng
        self._selector = selector or RandomSelector()
        self.stats = Stats()
        self._post = Post(self.stats)
        self._registry = Registry(config)
        self._servers = Servers(config.status_timeout_s)
        self._neighbours = Neighbours(self._servers)
        self.overview = Overview(self._servers, self._registry, self.stats, auth_required=config.auth_required)
        self.revocations = Revocations()
        self.operations = Operations(self._registry, self._servers, self._post, self.revocations)
        self._relay = Relay(
            self._registry, self._servers, self._post, self.stats, self.overview, self.operations, self._neighbours
        )
        self._deeds = Deeds()
        self._heartbeats = Heartbeats(config.ping_interval_s, config.ping_timeout_s)
        self._expiries = Expiries()
        self._ice = IceRenewal(ice or IceServers(), rng)
        self._joining: dict[int, float] = {}  # sockets that wait for their alias, and until when, the oldest first
        self._stopping = False

    # Events of sockets here

    def refused(self, path: str, refusal: Refusal, now: float) -> None:
        """A peer was refused at the door, before it had a socket."""
        self.stats.refused[refusal.status, refusal.code] += 1
        self.overview.refused(path, refusal, now)

    def joined(self, key: int, admission: Admission, now: float) -> None:
        """A socket was let in; `key` tells it from all others, for ever."""
        peer = self._registry.add(key, admission, now)
        self._heartbeats.add(key, now)
        if not peer.is_server:
            self._expiries.add(key, peer.expires_at)
        if self._stopping:
            self._post.close(peer, Code.COORDINATOR_STOPPING)
        elif self.revocations.refuses_bearer(peer.subject, peer.token_id, now):
            self._post.close(peer, Code.TOKEN_REVOKED)  # it was, while the socket was on its way
        else:
            self._joining[key] = now + self._config.join_timeout_s
            wish = peer.wish
            self._post.emit(self._registry.claim_wish(peer, wish) if wish else self._registry.claim_new(peer, self._rng))
        self._settle(now)

    def frame(self, key: int, data: bytes, now: float) -> None:
        """A binary frame came."""
        peer = self._registry.by_key(key)
        if peer is None:
            return
        self._heartbeats.heard(key, now)
        if peer.alias:
            self._relay.frame(peer, data, now)
        else:
            self._relay.offence(peer, "any", "before WELCOME", now)
        self._settle(now)

    def misframed(self, key: int, detail: str, now: float, code: Code = Code.BAD_MESSAGE) -> None:
        """Something came that is no binary frame, or none that can be taken."""
        peer = self._registry.by_key(key)
        if peer is not None:
            self._post.close(peer, code, detail)
        self._settle(now)

    def heard(self, key: int, now: float) -> None:
        """A ping or a pong came."""
        self._heartbeats.heard(key, now)

    def left(self, key: int, now: float) -> None:
        """The socket is gone. Does nothing for one that the core has closed itself."""
        peer = self._registry.by_key(key)
        if peer is not None:
            peer.doomed = True
            log.info("%s left", peer, extra=peer.names)
            self._end(peer, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        """Time has passed. Call it at `next_deadline`, or at any other time."""
        for key, due in self._heartbeats.due(now):
            peer = self._registry.by_key(key)
            if peer is None:
                continue
            if due is Due.PING:
                self._post.emit(Ping(key))
            else:
                self._post.close(peer, Code.TIMEOUT)
        for key in self._expiries.due(now):
            peer = self._registry.by_key(key)
            if peer is not None:
                self._post.close(peer, Code.TOKEN_EXPIRED)
        for key in self._ice.due(now):
            peer = self._registry.by_key(key)
            if peer is not None:
                self._post.send(peer, ice_servers(self._ice.grant(peer, now)))
        for key, deadline in list(self._joining.items()):
            if deadline > now:
                break
            del self._joining[key]
            peer = self._registry.by_key(key)
            if peer is not None:
                self._post.close(peer, Code.INTERNAL, "the other coordinators did not answer")
        for alias in self._neighbours.due(now):
            server = self._registry.by_alias(alias)
            if server is not None and server.part2 and not server.doomed:
                self._send_welcome(server, now)
        self.overview.look(now)
        self._settle(now)

    def stop(self, now: float) -> None:
        """Close every peer; whoever still comes is closed too."""
        self._stopping = True
        for peer in self._registry:
            self._post.close(peer, Code.COORDINATOR_STOPPING)
        self._settle(now)

    # Events of the backplane

    def claimed(self, key: int, alias: int, granted: bool, now: float) -> None:
        """The answer to a Claim."""
        peer = self._registry.by_key(key)
        if peer is None or peer.alias:
            if granted and (peer is None or peer.alias != alias):
                self._post.emit(Release(key, alias))
        elif granted:
            self._welcome(peer, alias, now)
        else:
            peer.wish = None
            self._post.emit(self._registry.claim_new(peer, self._rng))
        self._settle(now)

    def evicted(self, key: int, now: float) -> None:
        """The alias of that peer has gone to a newer socket, here or elsewhere."""
        peer = self._registry.by_key(key)
        if peer is not None:
            peer.replaced = True
            self._post.close(peer, Code.REPLACED)
        self._settle(now)

    def forwarded(self, forward: Forward, now: float) -> bool:
        """A frame came from another coordinator; False when its recipient is not here."""
        here = self._relay.forwarded(forward)
        self._settle(now)
        return here

    def undeliverable(self, forward: Forward, now: float) -> None:
        """A frame that was forwarded found nobody."""
        self._relay.undeliverable(forward)
        self._settle(now)

    def server_up(self, state: ServerState, node: str, now: float) -> None:
        """A server of another coordinator came or reported."""
        if self._registry.by_alias(state.alias) is None:
            before = self._servers.get(state.alias)
            self._servers.update(state, now, node)
            self.overview.server_up(state, now)
            if before is None:
                self._neighbours.came_elsewhere(state.alias, now)
            self._neighbours.reported(before, state, now)

    def server_down(self, alias: int, node: str, now: float) -> None:
        """A server of another coordinator went."""
        state = self._servers.get(alias)
        if state is not None and self._servers.remove(alias, node):
            self._neighbours.went(state.role, now)
            self.overview.server_down(alias, now)
            self._tell_server_gone(alias, came_back=False)
        self._settle(now)

    def server_reported(self, alias: int, frame: bytes, node: str, now: float) -> None:
        """A server of another coordinator sent a SERVER_REPORT, which that coordinator has checked; its version may be another."""
        if self._servers.home(alias) == node:
            self._relay.reported_elsewhere(alias, frame, now)

    def rejoined(self, now: float) -> None:
        """The other coordinators could not be reached, and can be again: servers here may have asked for others in vain, or others for
        them, so they hear once more whom there is."""
        for peer in self._registry:
            if peer.is_server and peer.part2 and peer.alias:
                self._send_welcome(peer, now)
        self._settle(now)

    def revoked(self, revocation: Revocation, now: float) -> None:
        """Another coordinator made or lifted a revocation."""
        self.operations.revoked(revocation, now)
        self._settle(now)

    def disconnected(self, what: Disconnect, now: float) -> None:
        """Another coordinator wants somebody disconnected."""
        self.operations.disconnected(what)
        self._settle(now)

    def done_elsewhere(self, deed: Deed, now: float) -> None:
        """Somebody asked another coordinator for something, and it was done."""
        self.overview.done(shortened(deed), now)

    # Those who look after the cluster

    def done(self, deed: Deed, now: float, *, often: bool = False) -> None:
        """Somebody asked for something here, and it was done: all dashboards show it. `often`: it is one of very many, perhaps."""
        told = self._deeds.published(deed, now) if often else self._deeds.asked(deed, now)
        if told is not None:
            self.overview.done(told, now)
            self._post.emit(told)

    def operate(self, operation: Callable[[Operations], T], now: float) -> T:
        """Do what is asked by one of :class:`Operations`' methods, and what follows from it."""
        result = operation(self.operations)
        self._settle(now)
        return result

    # Outputs and questions

    def outputs(self) -> list[Output]:
        """What is to be done, in order; asking again gives only what has come since."""
        return self._post.drain()

    def take(self, key: int, now: float) -> bytes | None:
        """The next frame to be sent to that socket, or None when there is none for now."""
        peer = self._registry.by_key(key)
        if peer is None:
            return None
        frame = peer.outbox.pop()
        return frame if frame is not None or not peer.backlog else self.operations.next_of_backlog(peer, now)

    def next_deadline(self) -> float | None:
        """When `tick` is due, or None when nothing is waited for."""
        joining = next(iter(self._joining.values()), None)
        parts = (self._heartbeats, self._expiries, self._ice, self._neighbours)
        deadlines = (joining, *(part.next_deadline() for part in parts))
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def peers(self) -> Iterator[Peer]:
        """Those here that have their alias."""
        return (peer for peer in self._registry if peer.alias and not peer.doomed)

    def has_room(self, role: TokenRole) -> bool:
        """Whether another peer of that role may come."""
        return not self._stopping and self._registry.has_room(role)

    @property
    def auth_required(self) -> bool:
        """Whether peers must bring tokens."""
        return self._config.auth_required

    @property
    def peer_counts(self) -> dict[TokenRole, int]:
        """Peers here, by role."""
        return self._registry.counts

    def server_conditions(self, now: float) -> dict[Condition, int]:
        """Servers of the whole cluster by condition."""
        return self._servers.conditions(now)

    def outbox_bytes(self) -> int:
        """What waits in all outboxes."""
        return sum(peer.outbox.size for peer in self._registry)

    # Inside

    def _welcome(self, peer: Peer, alias: int, now: float) -> None:
        del self._joining[peer.key]
        peer.came_back = peer.wish is not None
        self._registry.place(peer, alias)
        self.stats.joined[peer.role] += 1
        self.stats.came_back[peer.role] += peer.came_back
        again, old = " again" if peer.came_back else "", "" if peer.part2 else ", an old peer"
        log.info("%s joined%s%s", peer, again, old, extra=peer.names)
        self._send_welcome(peer, now)
        if peer.is_server:
            is_alone = not self._servers.neighbours(alias, peer.role)
            state = newcomer(alias, peer.role, part2=peer.part2, is_linked=peer.came_back or is_alone)
            self._servers.update(state, now)
            self.overview.server_up(state, now)
            self._post.emit(ServerUp(state))
            self.operations.server_joined(peer, now)

    def _send_welcome(self, peer: Peer, now: float) -> None:
        servers = self._servers_for(peer, now)
        auth_required, ice = self._config.auth_required, self._ice.grant(peer, now)
        name = peer.request_id if peer.part2 else ""
        hubs = peer.role is TokenRole.COMMUNICATION_SERVER and self._servers.has_hub(besides=peer.alias)
        ending = self._servers.ending_hubs() if peer.is_server else ()
        self._neighbours.told(peer.alias)
        frame = welcome(
            peer.alias,
            servers,
            resume=self._registry.proof(peer, peer.alias),
            auth_required=auth_required,
            ice=ice,
            request_id=name,
            hubs=hubs,
            ending=ending,
        )
        self._post.send(peer, frame)

    def _servers_for(self, peer: Peer, now: float) -> list[int]:
        """For a client those that take clients, the chosen one first; for a server its neighbours."""
        if peer.is_server:
            servers = self._servers.neighbours(peer.alias, peer.role)
        else:
            servers = self._selector.order(self._servers.candidates(now), self._rng)
        return servers if peer.part2 else servers[:OLD_PEER_SERVERS]

    def _settle(self, now: float) -> None:
        while (peer := self._post.next_doomed()) is not None:
            self._end(peer, now)

    def _end(self, peer: Peer, now: float) -> None:
        """Forget a peer, and tell whom it concerns - unless it was replaced: then its alias lives on."""
        self._registry.remove(peer)
        self._heartbeats.remove(peer.key)
        self._expiries.remove(peer.key)
        self._ice.remove(peer.key)
        self._joining.pop(peer.key, None)
        if peer.alias == 0:
            return
        self._post.emit(Release(peer.key, peer.alias))
        if self._registry.by_alias(peer.alias) is not None:
            return
        if peer.is_server and self._servers.remove(peer.alias) and not peer.replaced:
            self._neighbours.went(peer.role, now)
            self._post.emit(ServerDown(peer.alias))
            self.overview.server_down(peer.alias, now)
        if self._stopping or peer.replaced:
            return
        if peer.is_server:
            self._tell_server_gone(peer.alias, came_back=peer.came_back)
        else:
            self._tell_client_gone(peer)

    def _tell_server_gone(self, alias: int, *, came_back: bool) -> None:
        """Links may exist that were never signalled here, where one of the two has outlived a coordinator: these are told too."""
        for other in self._registry:
            if came_back or other.came_back or alias in other.contacts:
                self._relay.peer_gone(other, alias)

    def _tell_client_gone(self, peer: Peer) -> None:
        concerned = set(peer.contacts) | (set(self._servers.aliases()) if peer.came_back else set())
        for alias in sorted(concerned):
            other = self._registry.by_alias(alias)
            if other is not None:
                other.contacts.pop(peer.alias, None)
                self._relay.peer_gone(other, peer.alias)
            elif alias in self._servers:
                self._post.emit(Forward(alias, peer.alias, peer.role, pb.PEER_GONE, b""))
