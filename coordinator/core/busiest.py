"""The busiest topics of the cluster, put together from the ten or so that each server names.

Every server that has subscribers of a topic sees all its records, whoever published them, so the cluster's rate is the highest of the
servers', not their sum. A server counts linked servers that want the topic among its subscribers; they are taken out again, as far
as they report the topic themselves. So these are good estimates, and the servers' own totals are the exact numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.core.feed import TopicNow
from coordinator.core.figures import measure
from protocol.pb import broker_pb2 as pb

MAX_TOPICS = 20


def busiest(reports: Mapping[int, pb.ServerReportMessage]) -> list[TopicNow]:
    """The topics with most deliveries, from the last report of each server."""
    by_topic: dict[str, dict[int, pb.TopicTraffic]] = {}
    for alias, report in reports.items():
        for entry in report.busiest:
            by_topic.setdefault(entry.topic, {})[alias] = entry
    linked = {alias: {link.alias for link in report.links} for alias, report in reports.items()}
    topics = [_together(topic, entries, linked) for topic, entries in by_topic.items()]
    topics.sort(key=lambda topic: (-topic["deliveries_per_s"], -topic["records_per_s"], topic["topic"]))
    return topics[:MAX_TOPICS]


def _together(topic: str, entries: Mapping[int, pb.TopicTraffic], linked: Mapping[int, set[int]]) -> TopicNow:
    clients = {alias: max(0, entry.subscribers - len(linked[alias] & entries.keys())) for alias, entry in entries.items()}
    return TopicNow(
        topic=topic,
        subscribers=sum(clients.values()),
        records_per_s=measure(max(entry.records_per_second for entry in entries.values())),
        deliveries_per_s=measure(sum(entry.records_per_second * clients[alias] for alias, entry in entries.items())),
    )
