"""The core's counters as Prometheus metrics. Nothing is counted here: the numbers are read when somebody asks."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from commserver.core.broker import Broker
from commserver.core.counters import Histogram
from commserver.io.coordinator_link import CoordinatorLink
from service.process import cpu_seconds, rss_bytes
from transport import Listener
from transport.announcer import shown

VERSION = importlib.metadata.version("rtcbroker")
_CHANNELS = ("unreliable", "reliable")


class BrokerCollector(Collector):
    """Collects one comm server. Names are part of the public interface: `docs/metrics.md` lists them."""

    def __init__(self, broker: Broker, coordinator: CoordinatorLink, listener: Listener) -> None:
        self._broker = broker
        self._coordinator = coordinator
        self._listener = listener

    def collect(self) -> Iterable[Metric]:
        """Everything, as it is now."""
        yield from self._peers()
        yield from self._packets()
        yield from self._trouble()
        yield from self._process()

    def _peers(self) -> Iterable[Metric]:
        peers = Counter((session.kind.value, session.state.value) for session in self._broker.peers)
        for role in ("client", "server", "hub"):
            peers.setdefault((role, "active"), 0)
        gauge = GaugeMetricFamily("rtcbroker_peers", "Peers by role and state.", labels=["role", "state"])
        for labels, count in sorted(peers.items()):
            gauge.add_metric(labels, count)
        yield gauge
        yield _gauge("rtcbroker_topics", "Topics that a client or a linked server wants.", self._broker.topic_count)
        yield _gauge("rtcbroker_subscriptions", "Pairs of peer and topic.", self._broker.subscription_count)
        yield _counter("rtcbroker_joins", "Peers that became active.", self._broker.counters.joins)

    def _packets(self) -> Iterable[Metric]:
        counters = self._broker.counters
        for name, text, values in (
            ("packets", "Data channel messages", [(c.packets_in, c.packets_out) for c in counters.channels]),
            ("bytes", "Bytes of data channel messages", [(c.bytes_in, c.bytes_out) for c in counters.channels]),
        ):
            family = CounterMetricFamily(
                f"rtcbroker_{name}", f"{text}, by channel and direction.", labels=["channel", "direction"]
            )
            for channel, (received, sent) in zip(_CHANNELS, values, strict=True):
                family.add_metric([channel, "in"], received)
                family.add_metric([channel, "out"], sent)
            yield family
        yield _counter("rtcbroker_records_relayed", "Topic packets that somebody wanted.", counters.records_relayed)
        yield _counter("rtcbroker_deliveries", "Topic packets times their receivers.", counters.deliveries)
        yield _histogram("rtcbroker_relay_latency_seconds", "From a packet's arrival to its last send.", counters.relay_latency)

    def _trouble(self) -> Iterable[Metric]:
        counters = self._broker.counters
        yield _labelled("rtcbroker_dropped_packets", "Topic packets not delivered, by reason.", "reason", counters.dropped)
        by_topic = CounterMetricFamily(
            "rtcbroker_dropped_topic_packets", "The same by topic; the first hundred topics by name.", labels=["topic", "reason"]
        )
        for (topic, reason), count in sorted(counters.dropped_by_topic.items()):
            by_topic.add_metric([topic, reason], count)
        yield by_topic
        yield _labelled("rtcbroker_refusals", "What peers were refused or closed for, by code.", "code", counters.errors)
        yield _labelled("rtcbroker_links_closed", "Links that ended, by reason.", "reason", counters.closes)
        yield _labelled(
            "rtcbroker_signals_ignored", "Signalling frames that did not fit, by reason.", "reason", counters.signals_ignored
        )
        stats = self._listener.stats
        yield _labelled("rtcbroker_datagrams_dropped", "Datagrams dropped, by reason.", "reason", stats.dropped)
        yield _counter("rtcbroker_peer_moves", "Times a peer was followed to another address.", stats.address_changes)
        announced = GaugeMetricFamily("rtcbroker_announced", "Always 1; where peers are told to come.", labels=["address"])
        for endpoint in self._listener.announcer.told:
            announced.add_metric([shown(endpoint)], 1)
        yield announced
        yield _counter("rtcbroker_announced_changes", "Times that turned out to be another.", self._listener.announcer.changes)

    def _process(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("rtcbroker_server_info", "Always 1; says who this is.", labels=["alias", "version"])
        info.add_metric([str(self._broker.alias), VERSION], 1)
        yield info
        link = self._coordinator
        yield _gauge("rtcbroker_coordinator_connected", "1 while the coordinator knows us.", int(link.welcomed))
        yield _counter("rtcbroker_coordinator_connects", "Sockets made to the coordinator.", link.connects)
        yield _counter("rtcbroker_coordinator_frames_dropped", "Frames the coordinator could not be sent.", link.dropped)
        yield _gauge("rtcbroker_draining", "1 while no new peers are taken.", int(self._broker.draining))
        yield _gauge("rtcbroker_linking", "1 while links to the other servers are being made.", int(self._broker.linking))
        yield _counter("rtcbroker_process_cpu_seconds", "Processor time used, user and system.", cpu_seconds())
        yield _gauge("rtcbroker_process_resident_bytes", "Resident memory.", rss_bytes())


def registry_of(collector: Collector) -> CollectorRegistry:
    """A registry with this collector alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in sorted(values.items()):
        family.add_metric([key], count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets, sum_value=histogram.sum)
    return family


ReadyCheck = Callable[[], str | None]


def readiness(broker: Broker, coordinator: CoordinatorLink) -> ReadyCheck:
    """Why this server should get no clients just now; None when it should."""

    def check() -> str | None:
        if broker.draining:
            return "draining"
        if not coordinator.welcomed:
            return "the coordinator does not know us"
        return "links to the other servers are being made" if broker.linking else None

    return check
