"""Reports agree with a naive model that counts what goes in and out of a server, whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commserver.core import events as ev
from commserver.core.counters import Traffic
from protocol import packets, signalling
from protocol.codes import Code
from protocol.limits import MAX_REPORT_TOPICS
from protocol.pb import broker_pb2 as pb
from tests.support.world import Server, World
from tests.support.world_client import NEW, OLD, Client, joined

TOPICS = tuple(f"topic/{n}" for n in range(MAX_REPORT_TOPICS + 2))
TOPIC_SETS = st.sets(st.sampled_from(TOPICS)).map(sorted)
WHO = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.booleans(), TOPIC_SETS),
        st.tuples(st.just("join elsewhere"), st.booleans(), TOPIC_SETS),
        st.tuples(st.just("refused")),
        st.tuples(st.just("leave"), WHO),
        st.tuples(st.just("subscribe"), WHO, TOPIC_SETS),
        st.tuples(st.just("publish"), WHO, st.sampled_from(TOPICS), st.booleans(), st.integers(0, 200)),
        st.tuples(st.just("batch"), WHO, st.sampled_from(TOPICS), st.booleans(), st.integers(1, 5)),
        st.tuples(st.just("report"), st.integers(1, 3)),
    ),
    min_size=10,
    max_size=40,
)


class Model:
    """Watches one server from outside: counts messages, and records that somebody but their source wants."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.total = Traffic()
        self.links: defaultdict[int, Traffic] = defaultdict(Traffic)
        self.records: Counter[str] = Counter()
        self.own: Counter[str] = Counter()
        self.relayed = 0
        self.events: list[tuple[int, int, int]] = []
        self._feed, server.feed = server.feed, self._watch  # type: ignore[method-assign]  # it is looked over the shoulder

    def _watch(self, event: ev.Event) -> None:
        servers = {session.link: session.alias for session in self.server.broker.peers.servers()}
        if isinstance(event, ev.PacketReceived) and self.server.broker.peers.get(event.link) is not None:
            for traffic in [self.total, *([self.links[servers[event.link]]] if event.link in servers else [])]:
                traffic.packets_in += 1
                traffic.bytes_in += len(event.data)
            self._count_records(event)
        before = len(self.server.outputs)
        self._feed(event)
        for output in self.server.outputs[before:]:
            # CLOSE goes past the flow control, and past the counters.
            if isinstance(output, ev.Send) and not isinstance(packets.decode_packet(output.data), pb.CloseMessage):
                for link in output.links:
                    for traffic in [self.total, *([self.links[servers[link]]] if link in servers else [])]:
                        traffic.packets_out += 1
                        traffic.bytes_out += len(output.data)

    def _count_records(self, event: ev.PacketReceived) -> None:
        packet: Any = packets.decode_packet(event.data)
        source = self.server.broker.peers.get(event.link)
        if isinstance(packet, pb.TopicMessage):
            groups = [(packet.topic, 1)]
        elif isinstance(packet, pb.TopicBatchFrames):
            decoded = [pb.TopicGroup.FromString(raw) for raw in packet.groups]
            groups = [(group.topic, len(group.body)) for group in decoded]
        else:
            return
        for topic, records in groups:
            if set(self.server.state.index.subscribers(topic)) - {source}:
                self.records[topic] += records
                self.relayed += records
                if source is not None and source.is_client and topic in self.server.state.index.topics(source):
                    self.own[topic] += records


class Scene:
    """Two linked servers, the first of which is watched, and their clients."""

    def __init__(self, seed: int, window: float) -> None:
        self.world = World(seed, window=window)
        self.server, self.other = self.world.server(), self.world.server()
        self.model = Model(self.server)
        self.world.run()
        self.model.events.append((pb.PeerEvent.JOINED, self.other.alias, 0))
        self.here: list[tuple[Client, set[str]]] = []
        self.there: list[tuple[Client, set[str]]] = []
        self.uptime = 0.0
        self.reported: list[int] = []

    def do(self, step: tuple[Any, ...]) -> None:
        what, *arguments = step
        everyone = self.here + self.there
        if what in ("join", "join elsewhere"):
            self.join(what == "join", *arguments)
        elif what == "refused":
            client = Client(self.world, auth=b"no token").connect(self.server)
            self.model.events.append((pb.PeerEvent.REFUSED, client.alias, Code.AUTH_FAILED))
        elif what == "report":
            self.report(float(arguments[0]))
        elif everyone:
            client, topics = everyone[arguments[0] % len(everyone)]
            if what == "leave":
                client.leave()
                if (client, topics) in self.here:
                    self.model.events.append((pb.PeerEvent.LEFT, client.alias, 0))
                for clients in (self.here, self.there):
                    clients[:] = [entry for entry in clients if entry[0] is not client]
            elif what == "subscribe":
                client.subscribe(*arguments[1])
                topics.clear()
                topics.update(arguments[1])
            elif what == "publish":
                client.publish(arguments[1], b"x" * arguments[3], reliable=arguments[2])
            elif client.capabilities:
                client.publish_batch(arguments[1], [b"y"] * arguments[3], reliable=arguments[2])
        self.world.run(0.2)

    def join(self, here: bool, new: bool, topics: list[str]) -> None:
        client = joined(self.world, self.server if here else self.other, *topics, capabilities=NEW if new else OLD)
        (self.here if here else self.there).append((client, set(topics)))
        if here:
            self.model.events.append((pb.PeerEvent.JOINED, client.alias, 0))

    def report(self, seconds: float) -> None:
        self.uptime += seconds
        self.server.feed(ev.ReportDue("1", self.uptime, 0.0, 0))
        report = signalling.check_report(self.server.signals()[-1])
        self.check_totals(report)
        self.check_interval(report, seconds)

    def check_totals(self, report: pb.ServerReportMessage) -> None:
        model = self.model
        far = set[str]().union(*(topics for _, topics in self.there))
        near = [topics for _, topics in self.here]
        assert report.clients == len(self.here)
        assert report.topics == len(far.union(*near))
        assert report.subscriptions == sum(map(len, near)) + len(far)
        assert traffic_of(report) == model.total
        assert {link.alias: traffic_of(link) for link in report.links} == dict(model.links)
        assert report.records_relayed == model.relayed
        assert report.deliveries == self.server.broker.counters.deliveries
        assert {drop.reason: drop.count for drop in report.drops} == self.server.broker.counters.dropped

    def check_interval(self, report: pb.ServerReportMessage, seconds: float) -> None:
        model = self.model
        ranked = sorted(model.records.items(), key=lambda item: (-item[1], item[0]))[:MAX_REPORT_TOPICS]
        assert [(entry.topic, entry.records_per_second) for entry in report.busiest] == [
            (topic, records / seconds) for topic, records in ranked
        ]
        for entry in report.busiest:
            near = sum(entry.topic in topics for _, topics in self.here)
            assert entry.subscribers == near
            out = max(0, model.records[entry.topic] * near - model.own[entry.topic])
            assert entry.deliveries_per_second == out / seconds
        assert [(event.kind, event.alias, event.code) for event in report.events] == model.events
        assert not report.events_lost
        if report.HasField("latency_p50"):
            assert 0.0 <= report.latency_p50 <= report.latency_p99 <= 1.0
            assert model.records
        model.records.clear()
        model.own.clear()
        model.events.clear()


def traffic_of(counted: Any) -> Traffic:
    return Traffic(counted.packets_in, counted.bytes_in, counted.packets_out, counted.bytes_out)


@given(STEPS, st.integers(0, 2**32), st.sampled_from([0.0, 0.02]))
@settings(max_examples=100)
def test_a_report_says_what_a_naive_count_says(steps: list[tuple[Any, ...]], seed: int, window: float) -> None:
    scene = Scene(seed, window)
    for step in steps:
        scene.do(step)
    scene.report(1.0)
