"""The busiest topics of the cluster, put together from the ten or so that each server names.

Every server that has subscribers of a topic sees all its records, whoever published them, so the cluster's rate is the highest of the
servers', not their sum. Subscribers and deliveries are those of each server's own clients, so these are added up. What a server does not
name, for ten others are busier there, is not in it: so these are good estimates, and the servers' own totals are the exact numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.core.feed import TopicNow
from coordinator.core.figures import measure
from protocol.pb import broker_pb2 as pb

MAX_TOPICS = 20


def busiest(reports: Mapping[int, pb.ServerReportMessage]) -> list[TopicNow]:
    """The topics with most deliveries, from the last report of each server."""
    by_topic: dict[str, list[pb.TopicTraffic]] = {}
    for report in reports.values():
        for entry in report.busiest:
            by_topic.setdefault(entry.topic, []).append(entry)
    topics = [_together(topic, entries) for topic, entries in by_topic.items()]
    topics.sort(key=lambda topic: (-topic["deliveries_per_s"], -topic["records_per_s"], topic["topic"]))
    return topics[:MAX_TOPICS]


def _together(topic: str, entries: Sequence[pb.TopicTraffic]) -> TopicNow:
    return TopicNow(
        topic=topic,
        subscribers=sum(entry.subscribers for entry in entries),
        records_per_s=measure(max(entry.records_per_second for entry in entries)),
        deliveries_per_s=measure(sum(entry.deliveries_per_second for entry in entries)),
    )
