"""The coordinator's numbers in Prometheus form, read from the core when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.core.registry import ROLE_NAMES
from coordinator.io.dashboard import Dashboard
from coordinator.io.driver import Driver
from coordinator.p2p.core.counts import PeerToPeerStats
from protocol.tokens import TokenRole
from service.process import cpu_seconds, rss_bytes

PREFIX = "rtcbroker_coordinator_"


class CoordinatorCollector(Collector):
    """Collects everything at once, so that no number is kept twice."""

    def __init__(
        self,
        driver: Driver,
        dashboard: Dashboard,
        p2p: Callable[[], Iterable[PeerToPeerStats]] = tuple,
        api_requests: Mapping[tuple[str, int], int] = MappingProxyType({}),
        held: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """`api_requests`: by operation and status. `held`: bytes, by why they are."""
        self._held = held
        self._driver = driver
        self._dashboard = dashboard
        self._p2p = p2p
        self._api_requests = api_requests

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: names are taken from the first collection otherwise, before there is anything to collect."""
        return []

    def collect(self) -> Iterable[Metric]:
        """All metrics."""
        core = self._driver.core
        stats = core.stats
        conditions = core.server_conditions(self._driver.now())
        yield _gauge("peers", "Peers whose socket is here.", ["role"], _by_role(core.peer_counts))
        yield _gauge(
            "servers", "Comm servers of the whole cluster; only ready ones get new clients.", ["state"], _by_one(conditions)
        )
        yield _gauge("outbox_bytes", "Bytes waiting to be sent, all peers together.", [], [((), core.outbox_bytes())])
        yield _counter("joins", "Peers that got their WELCOME.", ["role"], _by_role(stats.joined))
        yield _counter("rejoins", "Of these, under their old alias.", ["role"], _by_role(stats.came_back))
        refused = [((str(status), str(int(code))), n) for (status, code), n in stats.refused.items()]
        yield _counter("refusals", "Peers refused before the upgrade, by HTTP status and code.", ["status", "code"], refused)
        yield _counter("frames_relayed", "Signalling frames passed on.", ["type"], _by_one(stats.relayed))
        yield _counter("frames_dropped", "Signalling frames not passed on.", ["type", "reason"], stats.dropped.items())
        closed = [((str(int(code)),), n) for code, n in stats.closed.items()]
        yield _counter("sockets_closed", "Sockets closed by the coordinator; 4002: the outbox passed its mark.", ["code"], closed)
        yield _counter("peer_gone_sent", "PEER_GONE sent.", [], [((), stats.peer_gone)])
        yield _counter("reports", "Reports of servers taken, also from other coordinators.", [], [((), stats.reports)])
        yield _gauge("viewers", "Dashboards that are shown the cluster.", [], [((), self._dashboard.viewers)])
        yield from self._backplane()
        revocations = len(core.revocations.in_force(self._driver.now()))
        yield _gauge("revocations", "Revocations of tokens in force.", [], [((), revocations)])
        asked = [((operation, str(status)), n) for (operation, status), n in self._api_requests.items()]
        yield _counter("api_requests", "Requests to the API that were answered.", ["operation", "status"], asked)
        yield _gauge("held_bytes", "Bytes that are bounded for each address.", ["what"], _by_one(self._held()))
        yield from self._peer_to_peer()
        yield CounterMetricFamily("process_cpu_seconds", "User and system processor time.", value=cpu_seconds())
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory.", value=rss_bytes())

    def _backplane(self) -> Iterable[Metric]:
        stats = self._driver.backplane_stats()
        yield _gauge("backplane_up", "1 while the other coordinators can be reached.", [], [((), int(stats.up))])
        yield _gauge("coordinators", "Coordinators of the cluster, with this one.", [], [((), stats.coordinators)])
        yield GaugeMetricFamily(
            PREFIX + "backplane_round_trip_seconds", "To the cluster's state and back, lately.", value=stats.round_trip_s
        )
        yield _gauge("backplane_waiting", "Steps that have not left for the backplane.", [], [((), stats.waiting)])
        yield _counter("backplane_outages", "How often the others could not be reached any more.", [], [((), stats.outages)])
        dropped = [((reason,), n) for reason, n in sorted(stats.dropped.items())]
        yield _counter("backplane_dropped", "What was for other coordinators, or of them, and was dropped.", ["reason"], dropped)

    def _peer_to_peer(self) -> Iterable[Metric]:
        all_of_them = list(self._p2p())
        name = ["protocol"]
        yield _gauge("p2p_rooms", "Rooms, conversations and sessions.", name, [((p.protocol,), p.rooms) for p in all_of_them])
        yield _gauge("p2p_members", "Members of all of these.", name, [((p.protocol,), p.members) for p in all_of_them])
        yield _gauge("p2p_sockets", "WebSockets that are open.", name, [((p.protocol,), p.sockets) for p in all_of_them])
        yield _counter("p2p_joins", "Members that came.", name, [((p.protocol,), p.counts.joined) for p in all_of_them])
        yield _counter(
            "p2p_messages",
            "Messages passed on, or kept for later.",
            name,
            [((p.protocol,), p.counts.messages) for p in all_of_them],
        )
        errors = [((p.protocol, reason), n) for p in all_of_them for reason, n in sorted(p.counts.errors.items())]
        yield _counter("p2p_errors", "What was refused, by reason.", [*name, "reason"], errors)


def registry_of(
    driver: Driver,
    dashboard: Dashboard,
    p2p: Callable[[], Iterable[PeerToPeerStats]] = tuple,
    api_requests: Mapping[tuple[str, int], int] = MappingProxyType({}),
    held: Callable[[], Mapping[str, int]] = dict,
) -> CollectorRegistry:
    """A registry of its own, so that several coordinators fit into one process."""
    registry = CollectorRegistry()
    registry.register(CoordinatorCollector(driver, dashboard, p2p, api_requests, held))
    return registry


Samples = Iterable[tuple[tuple[str, ...], int]]


def _gauge(name: str, text: str, labels: list[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _counter(name: str, text: str, labels: list[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _by_one(counts: Mapping[Any, int]) -> Samples:
    """Samples with a single label, whose values print as themselves."""
    return [((str(value),), number) for value, number in counts.items()]


def _by_role(counts: Mapping[TokenRole, int]) -> Samples:
    return [((ROLE_NAMES[role],), number) for role, number in counts.items()]
