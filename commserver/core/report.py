"""What the coordinator, and whoever looks at its dashboard, is told of this server once a second: SERVER_REPORT.

Counts are totals, so that a lost report loses only its moment. What is about the time since the report before (latency, busiest topics,
who came and went) comes from the difference of two looks, or from what is emptied at each.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from commserver.core.counters import Tallies, Traffic
from commserver.core.events import ReportDue
from commserver.core.state import State
from protocol import signalling
from protocol.limits import MAX_REPORT_DROPS, MAX_REPORT_LINKS, MAX_REPORT_TEXT_BYTES, MAX_REPORT_TOPICS, MAX_TOPIC_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.text import cut


class Reporter:
    """Makes reports; each begins where the last one, or the last interval without one, ended."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._until = 0.0
        """Where the last interval ended, in seconds since the process' start."""
        self._latency = list(state.counters.relay_latency.counts)

    def report(self, due: ReportDue) -> bytes:
        """The frame; a new interval begins."""
        interval, latency, topics = due.uptime - self._until, self._latency, self._state.counters.topics
        events, events_lost = self.skip(due)
        report = self._totals(due)
        report.busiest.extend(self._busiest(topics, interval))
        report.events.extend(events)
        report.events_lost = events_lost
        histogram = self._state.counters.relay_latency
        spent = [after - before for after, before in zip(self._latency, latency, strict=True)]
        if any(spent):
            report.latency_p50, report.latency_p99 = (quantile(histogram.bounds, spent, share) for share in (0.5, 0.99))
        return signalling.server_report(report)

    def skip(self, due: ReportDue) -> tuple[list[pb.PeerEvent], int]:
        """A new interval begins; returns the peer events of the last one."""
        counters = self._state.counters
        self._until = due.uptime
        self._latency = list(counters.relay_latency.counts)
        counters.topics = Tallies()
        return self._state.peer_events.take()

    def _totals(self, due: ReportDue) -> pb.ServerReportMessage:
        state, counters = self._state, self._state.counters
        return pb.ServerReportMessage(
            version=cut(due.version, MAX_REPORT_TEXT_BYTES),
            uptime=due.uptime,
            clients=sum(1 for session in state.peers if session.is_client),
            topics=state.index.topic_count,
            subscriptions=state.index.subscription_count,
            packets_in=sum(channel.packets_in for channel in counters.channels),
            packets_out=sum(channel.packets_out for channel in counters.channels),
            bytes_in=sum(channel.bytes_in for channel in counters.channels),
            bytes_out=sum(channel.bytes_out for channel in counters.channels),
            records_relayed=counters.records_relayed,
            deliveries=counters.deliveries,
            drops=[
                pb.ReasonCount(reason=cut(reason, MAX_REPORT_TEXT_BYTES), count=count)
                for reason, count in counters.dropped.most_common(MAX_REPORT_DROPS)
            ],
            cpu=due.cpu,
            memory=due.memory,
            links=[_link(alias, traffic) for alias, traffic in self._links()],
        )

    def _links(self) -> list[tuple[int, Traffic]]:
        """The links to other servers, oldest first; where those are too many the ones with the most traffic, the most first."""
        counted = self._state.counters.links
        links = [(server.alias, counted[server.link]) for server in self._state.peers.servers()]
        if len(links) <= MAX_REPORT_LINKS:
            return links
        return heapq.nlargest(MAX_REPORT_LINKS, links, key=lambda link: link[1].bytes_in + link[1].bytes_out)

    def _busiest(self, topics: Tallies, interval: float) -> Iterator[pb.TopicTraffic]:
        if interval <= 0.0:
            return
        # By name among equals, so that a page that shows them does not flicker.
        for topic, tally in heapq.nsmallest(MAX_REPORT_TOPICS, topics.items(), key=lambda item: (-item[1].records, item[0])):
            clients = sum(session.is_client for session in self._state.index.subscribers(topic))
            yield pb.TopicTraffic(
                topic=cut(topic, MAX_TOPIC_BYTES),
                subscribers=clients,
                records_per_second=tally.records / interval,
                # Who came or went within the interval is counted as if it had always been so.
                deliveries_per_second=max(0, tally.records * clients - tally.from_subscribers) / interval,
            )


def _link(alias: int, traffic: Traffic) -> pb.LinkTraffic:
    return pb.LinkTraffic(
        alias=alias,
        bytes_in=traffic.bytes_in,
        bytes_out=traffic.bytes_out,
        packets_in=traffic.packets_in,
        packets_out=traffic.packets_out,
    )


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float:
    """Below which value that `share` (0..1) of the observations lies, as a histogram knows it: straight lines within its buckets.

    `counts` has one entry more than the upper `bounds`, for what is above all of them: of that only the last bound is known. Not empty.
    """
    rank = share * sum(counts)
    below, lower = 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return lower + (bound - lower) * (rank - below) / count
        below += count
        lower = bound
    return bounds[-1]
