"""The cluster's busiest topics are what its clients got, wherever publishers and subscribers sit, in a mesh and around a hub."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commserver.core import events as ev
from coordinator.core.busiest import busiest
from protocol import signalling
from tests.support.world import Server, World
from tests.support.world_client import joined

TOPICS = ("a", "b", "c")
SERVERS = 3
SECONDS = 2.0
CLIENTS = st.lists(st.tuples(st.integers(0, SERVERS - 1), st.sets(st.sampled_from(TOPICS))), min_size=1, max_size=6)
PUBLISHED = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(TOPICS), st.integers(1, 4)), min_size=1, max_size=10)


def report(server: Server) -> Any:
    server.feed(ev.ReportDue("1", SECONDS, 0.0, 0))
    return signalling.check_report(server.signals()[-1])


@given(CLIENTS, PUBLISHED, st.booleans(), st.sampled_from([0.0, 0.02]))
@settings(max_examples=50, deadline=None)
def test_of_a_cluster(
    placed: list[tuple[int, set[str]]], published: list[tuple[int, str, int]], star: bool, window: float
) -> None:
    world = World(1, window=window)
    servers = [world.server(hub=star and number == 0) for number in range(SERVERS)]
    world.run()
    clients = [(joined(world, servers[where], *sorted(topics)), topics) for where, topics in placed]
    world.run()
    records: Counter[str] = Counter()
    for who, topic, count in published:
        speaker, _ = clients[who % len(clients)]
        speaker.publish_batch(topic, [b"x"] * count)
        # What only its own sender wants goes nowhere, so nobody counts it.
        records[topic] += count if any(topic in topics for client, topics in clients if client is not speaker) else 0
        world.run(0.2)
    world.run()
    delivered = Counter(got.topic for client, _ in clients for got in client.got)
    found = busiest({server.alias: report(server) for server in servers})
    assert {entry["topic"] for entry in found} == {topic for topic, count in records.items() if count}
    for entry in found:
        topic = entry["topic"]
        assert entry["records_per_s"] == records[topic] / SECONDS
        assert entry["subscribers"] == sum(topic in topics for _, topics in clients)
        assert entry["deliveries_per_s"] == delivered[topic] / SECONDS
