"""The cluster as an operator sees it: every server's figures, the busiest topics, and what has happened lately.

It is told what the coordinator decides and what servers report, decides nothing itself, and is bounded by the number of servers. All
that is shown is in the documents of :mod:`coordinator.core.feed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from coordinator.core.admission import Refusal
from coordinator.core.busiest import busiest
from coordinator.core.cluster import Deed, ServerState
from coordinator.core.feed import INTERVAL_S, CoordinatorNow, Hello, PeerToPeerNow, ServerCondition, ServerNow, State
from coordinator.core.figures import NO_TRAFFIC, Figures, measure, totals
from coordinator.core.journal import Journal
from coordinator.core.links import Links
from coordinator.core.registry import Registry
from coordinator.core.servers import Servers
from coordinator.core.stats import Stats
from protocol.codes import describe
from protocol.pb import broker_pb2 as pb
from protocol.text import cut
from protocol.tokens import TokenRole
from service.bucket import TokenBucket

REPORT_TIMEOUT_S = 5.0
"""Without a report for so long, a server that used to send them is stale, and one that should is silent."""

REFUSAL_LINES_PER_S = 2.0
REFUSAL_LINES_BURST = 20
"""Whoever knocks at the door without a token must not be able to wash everything else out of the log."""

MAX_TEXT_BYTES = 240
"""Of a line that quotes what a stranger sent."""

MAX_HISTORIES = 100
"""Servers whose last minutes are in a :class:`Hello`, those with most clients: some 15 KiB each."""

_ROLE_WORDS = {
    pb.CLIENT: "client",
    pb.COMMUNICATION_SERVER: "server",
    pb.COMMUNICATION_SERVER_HUB: "hub",
}
_SERVER_ROLES = (pb.COMMUNICATION_SERVER, pb.COMMUNICATION_SERVER_HUB)


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the core cannot know of its own process."""

    version: str
    started_at: float
    cpu: float | None
    """Share of one core used lately, or None before it is known."""
    memory_bytes: int
    p2p: Sequence[PeerToPeerNow] = ()


@dataclass(slots=True)
class _Server:
    came_at: float
    told_at: float
    """When its last SERVER_STATUS came."""
    condition: ServerCondition = "ready"
    figures: Figures = field(default_factory=Figures)


class Overview:
    """Everything the dashboard shows."""

    def __init__(self, servers: Servers, registry: Registry, stats: Stats, *, auth_required: bool) -> None:
        self._directory = servers
        self._registry = registry
        self._stats = stats
        self._auth_required = auth_required
        self._servers: dict[int, _Server] = {}
        self._links = Links()
        self._refusals = TokenBucket(REFUSAL_LINES_PER_S, REFUSAL_LINES_BURST, 0.0)
        self._refusals_untold = 0
        self._looked_at = -math.inf
        self.journal = Journal()

    # What happens

    def server_up(self, state: ServerState, now: float) -> None:
        """A server of the cluster came, or said how it is."""
        server = self._servers.get(state.alias)
        if server is None:
            server = self._servers[state.alias] = _Server(now, now)
            server.condition = self._condition(state.alias, server, now)
            hub = "hub" if state.role is TokenRole.COMMUNICATION_SERVER_HUB else "server"
            self.journal.add("server-joined", f"{hub} {state.alias} joined the cluster", now, server=state.alias)
        server.told_at = now
        self._note_condition(state.alias, server, now)

    def server_down(self, alias: int, now: float) -> None:
        """It went."""
        server = self._servers.pop(alias, None)
        if server is not None:
            # A server that was killed has nobody to say that its clients left: they stand here, and join others.
            clients = self._clients(alias, server)
            moved = f", with {clients} client{'s' if clients > 1 else ''} on it" if clients else ""
            self.journal.add("server-left", f"server {alias} left the cluster{moved}", now, server=alias)
            self._note_links(alias, frozenset(), now)

    def report(self, alias: int, report: pb.ServerReportMessage, now: float) -> None:
        """SERVER_REPORT, checked. One of a server that is not there is late, and ignored."""
        server = self._servers.get(alias)
        if server is None:
            return
        self._stats.reports += 1
        server.figures.take(report, now)
        self._note_condition(alias, server, now)
        self._note_links(alias, server.figures.linked(), now)
        for event in report.events:
            self._note_peer(alias, event, now)
        if report.events_lost:
            text = f"server {alias} had {report.events_lost} more joins, leaves and refusals than fit into its report"
            self.journal.add("lost-events", text, now, server=alias)
        self.look(now)

    def refused(self, path: str, refusal: Refusal, now: float) -> None:
        """A peer was refused before the upgrade."""
        if not self._refusals.take(now):
            self._refusals_untold += 1
            return
        more = f" (and {self._refusals_untold} more before)" if self._refusals_untold else ""
        self._refusals_untold = 0
        detail = cut(refusal.detail, MAX_TEXT_BYTES)
        self.journal.add("refused", f"refused at {path}: {int(refusal.code)} {detail}{more}", now)

    def done(self, deed: Deed, now: float) -> None:
        """Somebody who looks after the cluster did something, here or at another coordinator."""
        self.journal.add("operator", deed.text, now, server=deed.server or None)

    def look(self, now: float) -> None:
        """Time has passed: notice who has fallen silent. Once in an interval is enough."""
        if now - self._looked_at >= INTERVAL_S:
            self._look(now)

    # What is shown

    def hello(self, vitals: Vitals, now: float) -> Hello:
        """For somebody who has just come."""
        self._look(now)
        crowded_first = sorted(self._servers.items(), key=lambda item: (-self._clients(*item), item[0]))
        started = [now - report.uptime for server in self._servers.values() if (report := server.figures.report) is not None]
        return Hello(
            type="hello",
            version=vitals.version,
            cluster_started=round(max(0.0, min([vitals.started_at, *started])), 3),
            auth=self._auth_required,
            history={str(alias): server.figures.history() for alias, server in crowded_first[:MAX_HISTORIES]},
            log=self.journal.since(0),
            interval_s=INTERVAL_S,
        )

    def state(self, vitals: Vitals, since: int, now: float) -> State:
        """How things stand, with the log's lines after number `since`."""
        self._look(now)
        reports = {
            alias: server.figures.report
            for alias, server in self._servers.items()
            if server.figures.report is not None and self._is_fresh(server, now)
        }
        return State(
            type="state",
            time=round(now, 3),
            coordinator=self._coordinator(vitals, now),
            servers=[self._server(alias, server, now) for alias, server in sorted(self._servers.items())],
            topics=busiest(reports),
            log=self.journal.since(since),
        )

    # Inside

    def _look(self, now: float) -> None:
        self._looked_at = now
        for alias, server in list(self._servers.items()):
            if alias in self._directory:
                self._note_condition(alias, server, now)
            else:  # it moves to another coordinator, which will say so
                self.server_down(alias, now)

    def _coordinator(self, vitals: Vitals, now: float) -> CoordinatorNow:
        return CoordinatorNow(
            version=vitals.version,
            uptime_s=round(now - vitals.started_at, 3),
            clients=self._registry.counts[TokenRole.CLIENT],
            servers=len(self._directory),
            joins=self._stats.joined.total(),
            refusals=self._stats.refused.total(),
            cpu=None if vitals.cpu is None else measure(vitals.cpu),
            memory_bytes=vitals.memory_bytes,
            p2p=list(vitals.p2p),
        )

    def _server(self, alias: int, server: _Server, now: float) -> ServerNow:
        state = self._directory.get(alias)
        figures, report = server.figures, server.figures.report
        fresh = self._is_fresh(server, now)
        told_at = figures.reported_at if report is not None else server.told_at
        return ServerNow(
            alias=str(alias),
            role="hub" if state is not None and state.role is TokenRole.COMMUNICATION_SERVER_HUB else "server",
            state=server.condition,
            version=report.version if report else "",
            uptime_s=measure(report.uptime) if report else 0.0,
            clients=self._clients(alias, server),
            max_clients=state.max_clients if state else 0,
            topics=report.topics if report else 0,
            subscriptions=report.subscriptions if report else 0,
            totals=totals(report) if report else NO_TRAFFIC,
            rates=figures.rates if fresh else NO_TRAFFIC,
            drops=figures.drops(fresh=fresh),
            latency_ms=figures.latency() if fresh else None,
            cpu=measure(report.cpu if report and fresh else state.cpu if state and not report else 0.0),
            memory_bytes=report.memory if report else 0,
            links=figures.links(fresh=fresh),
            age_s=round(max(0.0, now - told_at), 3),
        )

    def _clients(self, alias: int, server: _Server) -> int:
        if server.figures.report is not None:
            return server.figures.report.clients
        state = self._directory.get(alias)
        return state.clients if state else 0

    def _is_fresh(self, server: _Server, now: float) -> bool:
        """Its last report says how it is now."""
        return server.figures.report is not None and now - server.figures.reported_at <= REPORT_TIMEOUT_S

    def _condition(self, alias: int, server: _Server, now: float) -> ServerCondition:
        condition = self._directory.condition(alias, now)
        if condition in ("stale", "draining", "linking"):
            return condition
        if server.figures.report is not None:
            return condition if self._is_fresh(server, now) else "stale"
        state = self._directory.get(alias)
        is_new = state is not None and state.part2 and now - server.came_at <= REPORT_TIMEOUT_S
        return condition if is_new else "silent"

    def _note_condition(self, alias: int, server: _Server, now: float) -> None:
        before, server.condition = server.condition, self._condition(alias, server, now)
        if server.condition != before and (before, server.condition) != ("linking", "ready"):  # that is how every server begins
            self.journal.add("state", f"server {alias}: {before}, now {server.condition}", now, server=alias)

    def _note_links(self, alias: int, linked: frozenset[int], now: float) -> None:
        up, down = self._links.update(alias, linked)
        for one, other in up:
            self.journal.add("link-up", f"servers {one} and {other} are linked", now, server=one, alias=other)
        for one, other in down:
            self.journal.add("link-down", f"servers {one} and {other} are not linked any more", now, server=one, alias=other)

    def _note_peer(self, server: int, event: pb.PeerEvent, now: float) -> None:
        """Servers' comings and goings at one another are told as links."""
        who = f"{_ROLE_WORDS.get(event.role, 'peer')} {event.alias}"
        why = f": {describe(event.code)}" if event.code else ""
        if event.kind == pb.PeerEvent.REFUSED:
            self.journal.add("refused", f"server {server} refused {who}{why}", now, server=server, alias=event.alias)
        elif event.role in _SERVER_ROLES:
            return
        elif event.kind == pb.PeerEvent.JOINED:
            self.journal.add("joined", f"{who} joined server {server}", now, server=server, alias=event.alias)
        elif event.kind == pb.PeerEvent.LEFT:
            self.journal.add("left", f"{who} left server {server}{why}", now, server=server, alias=event.alias)
