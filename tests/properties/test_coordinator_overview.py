"""Whatever servers report, in whatever order: the dashboard's documents are JSON, bounded, and of the servers that are there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.busiest import MAX_TOPICS
from coordinator.core.figures import HISTORY_POINTS
from coordinator.core.journal import MAX_LINES
from coordinator.core.overview import Vitals
from coordinator.io.frames import encode
from protocol.pb import broker_pb2 as pb
from tests.support.coordination import NOW, FakePeer, World
from tests.support.reports import as_frame, reports

VITALS = Vitals("0", NOW, None, 0)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(0, 2), reports()),
        st.tuples(st.sampled_from(["join", "leave", "status", "wait"]), st.integers(0, 2), st.none()),
    ),
    max_size=30,
)


def plain(document: object) -> Any:
    """As a page reads it."""
    return json.loads(encode(document))


@given(STEPS)
def test_documents_are_sound_whatever_is_reported(steps: Sequence[tuple[str, int, pb.ServerReportMessage | None]]) -> None:
    world = World()
    servers: dict[int, FakePeer] = {}
    last = 0
    for step, number, report in steps:
        server = servers.get(number)
        if step == "join" and server is None:
            servers[number] = world.server()
        elif step == "leave" and server is not None:
            servers.pop(number).leave()
        elif step == "status" and server is not None:
            server.report(clients=number, max_clients=1, draining=number == 2)
        elif step == "wait":
            world.advance(3.0)
        elif report is not None and server is not None:
            server.send(as_frame(report))
        document = plain(world.core.overview.state(VITALS, last, world.now))
        assert {shown["alias"] for shown in document["servers"]} == {str(peer.alias) for peer in servers.values()}
        assert len(document["topics"]) <= MAX_TOPICS
        assert [line["id"] for line in document["log"]] == list(range(last + 1, last + 1 + len(document["log"])))
        last += len(document["log"])
    hello = plain(world.core.overview.hello(VITALS, world.now))
    assert set(hello["history"]) == {str(peer.alias) for peer in servers.values()}
    assert all(len(points) <= HISTORY_POINTS for points in hello["history"].values())
    assert len(hello["log"]) == min(last, MAX_LINES)
