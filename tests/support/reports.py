"""Reports of comm servers, as small as they can be."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from protocol import signalling
from protocol.limits import MAX_REPORT_EVENTS, MAX_REPORT_TOPICS
from protocol.pb import broker_pb2 as pb

UINT64 = 2**64 - 1


def a_report(uptime: float = 10.0, *, links: dict[int, int] | None = None, **fields: Any) -> pb.ServerReportMessage:
    """A report; `links`: other servers, and how many bytes came and went (as many again as there are)."""
    report = pb.ServerReportMessage(type=pb.SERVER_REPORT, version="1.2.3", uptime=uptime, **fields)
    report.links.extend(pb.LinkTraffic(alias=alias, bytes_in=size, bytes_out=2 * size) for alias, size in (links or {}).items())
    return report


def as_frame(report: pb.ServerReportMessage) -> bytes:
    """As it goes over the wire."""
    return signalling.server_report(report)


def peer_event(kind: pb.PeerEvent.Kind, alias: int, code: int = 0, role: pb.Role = pb.CLIENT) -> pb.PeerEvent:
    """Somebody came or went."""
    return pb.PeerEvent(kind=kind, alias=alias, code=code, role=role)


def reports() -> st.SearchStrategy[pb.ServerReportMessage]:
    """Any report that is within the limits, true or not."""
    measures = st.floats(0, math.nextafter(math.inf, 0))
    numbers = st.integers(0, UINT64)
    aliases = st.integers(0, 6)
    texts = st.text(st.characters(codec="utf-8"), max_size=10)
    drops = st.lists(st.builds(lambda reason, count: pb.ReasonCount(reason=reason, count=count), texts, numbers), max_size=3)
    links = st.lists(
        st.builds(lambda alias, size: pb.LinkTraffic(alias=alias, bytes_in=size, bytes_out=size), aliases, numbers), max_size=4
    )
    topics = st.lists(
        st.builds(
            lambda topic, count, rate: pb.TopicTraffic(topic=topic, subscribers=count, records_per_second=rate),
            texts,
            st.integers(0, 2**32 - 1),
            measures,
        ),
        max_size=MAX_REPORT_TOPICS,
    )
    events = st.lists(
        st.builds(peer_event, st.sampled_from(pb.PeerEvent.Kind.values()), aliases, st.integers(0, 5_000)),
        max_size=MAX_REPORT_EVENTS,
    )
    return st.builds(
        pb.ServerReportMessage,
        uptime=measures,
        clients=st.integers(0, 2**32 - 1),
        packets_in=numbers,
        deliveries=numbers,
        drops=drops,
        latency_p50=st.none() | measures,
        latency_p99=st.none() | measures,
        cpu=measures,
        memory=numbers,
        links=links,
        busiest=topics,
        events=events,
        events_lost=st.integers(0, 3),
    )
