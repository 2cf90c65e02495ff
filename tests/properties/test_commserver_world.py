"""Several comm servers in a pretend world: whatever happens, once things have settled every subscriber gets each packet exactly once."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from commserver.core import events as ev
from protocol import packets, signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from tests.support.world import World, token
from tests.support.world_cluster import TOPICS, check_interest, cluster, new_client, publish_everywhere

TOPIC_SETS = st.sets(st.sampled_from(TOPICS)).map(sorted)
SEEDS = st.integers(0, 2**32)

CLUSTERS = st.one_of(
    st.integers(1, 4).map(lambda n: [False] * n),
    st.lists(st.booleans(), min_size=2, max_size=4).filter(lambda hubs: 1 <= sum(hubs) <= 2),
)
"""Whether each server, in the order they come, is a hub."""

EXAMPLES = settings(max_examples=200)


def window_of(seed: int) -> float:
    """Every property holds packet by packet as with coalescing."""
    return 0.02 if seed % 2 else 0.0


@EXAMPLES
@given(SEEDS, CLUSTERS, st.lists(st.tuples(st.integers(0, 3), TOPIC_SETS, TOPIC_SETS), min_size=1, max_size=6))
def test_every_subscriber_gets_each_packet_exactly_once(
    seed: int, hubs: list[bool], members: list[tuple[int, list[str], list[str]]]
) -> None:
    world = World(seed, jitter=0.03, window=window_of(seed))
    servers = cluster(world, hubs)
    world.run(5)
    clients = {}
    for number, first, _ in members:
        server = servers[number % len(servers)]
        clients[new_client(world, server, first)] = server
    world.run(1)
    publish_everywhere(world, clients)
    check_interest(servers)
    for client, (_, _, second) in zip(clients, members, strict=True):
        client.subscribe(*second)
        world.run(world.rng.random() * 0.03)
    world.run(1)
    publish_everywhere(world, clients)
    check_interest(servers)
    assert not any("ERROR" in line or "refused" in line for server in servers for line in server.logged())


@EXAMPLES
@given(SEEDS, st.lists(st.sampled_from(["hub", "plain", "kill hub", "kill plain", "drain", "restart", "break"]), max_size=8))
# A coordinator's restart while a link is being made: its dialer gives up, and the other side must not take the half-open link for one.
@example(3406, ["break", "restart"])
# A hub that has drained is a hub no more, also for a coordinator that has just come back.
@example(0, ["hub", "hub", "drain", "kill hub", "kill hub", "restart"])
@example(15373, ["restart", "restart", "restart", "plain", "break", "restart"])
def test_also_while_servers_come_and_go_once_things_have_settled(seed: int, steps: list[str]) -> None:
    world = World(seed, jitter=0.02, window=window_of(seed))
    servers = cluster(world, [False, False])
    world.run(3)
    clients = {new_client(world, server, ["a", "b"]): server for server in servers}
    for step in steps:
        living = [server for server in world.servers if server.alive and not server.broker.draining]
        spare = [server for server in living if server not in servers]
        matching = [s for s in spare if s.config.is_hub is (step == "kill hub")]
        if step in ("hub", "plain") and len(living) < 5:
            world.server(hub=step == "hub")
        elif step.startswith("kill") and matching:
            world.rng.choice(matching).die()
        elif step == "drain" and spare:
            world.rng.choice(spare).feed(ev.DrainRequested())
        elif step == "restart":
            world.coordinator_stops()
            world.run(world.rng.random() * 3)
            world.servers = [server for server in world.servers if server.alive]  # one that drains ends its links, too
            world.coordinator_returns()
        elif step == "break":
            session = world.rng.choice([*world.rng.choice(living).broker.peers.servers(), None])
            if session is not None:
                server = next(
                    server for server in living if server.ends.get(session.link) and session in server.broker.peers.servers()
                )
                world.close(server.ends[session.link], "failed")
        world.run(world.rng.random())
    world.run(60)
    publish_everywhere(world, clients)
    check_interest([server for server in world.servers if server.alive and not server.broker.draining])
    for server in world.servers:
        if server.alive and not server.broker.draining:
            aliases = [session.alias for session in server.broker.peers.servers()]
            assert len(aliases) == len(set(aliases)), "one link between two servers"


@EXAMPLES
@given(SEEDS, st.floats(0, 0.9), st.booleans())
def test_on_the_unreliable_channel_packets_may_be_lost_but_never_doubled(seed: int, loss: float, hub: bool) -> None:
    world = World(seed, jitter=0.05, loss=loss, window=window_of(seed))
    servers = cluster(world, [hub, False, False])
    world.run(5)
    clients = {new_client(world, server, ["a"]): server for server in servers}
    world.run(1)
    for n in range(20):
        for client in clients:
            client.publish("a", f"{client.alias} {n}".encode(), reliable=False)
        world.run(0.005)
    world.run(2)
    for client in clients:
        assert len(client.bodies) == len(set(client.bodies))
        assert all(not body.startswith(f"{client.alias} ".encode()) for body in client.bodies)
        assert loss > 0 or len(client.bodies) == 40
        assert not any(got.reliable for got in client.got)


# ------------------------------------------------------------------------------------------------------------------- hostile input

ALIASES = st.sampled_from([0, 1, 1001, 1002, 1003, 1004, 1005])
BYTES = st.binary(max_size=40)
TEXTS = st.text(max_size=20)


def _message(kind: type[Any], **fields: Any) -> st.SearchStrategy[bytes]:
    return st.builds(kind, **fields).map(lambda message: message.SerializeToString())


PACKETS = st.one_of(
    BYTES,
    _message(pb.PingMessage, type=st.just(pb.PING), time=st.floats()),
    _message(pb.AuthMessage, type=st.just(pb.AUTH), role=st.integers(0, 3), body=st.one_of(BYTES, st.just(token("x").encode()))),
    _message(
        pb.SubscriptionMessage, type=st.just(pb.SUBSCRIPTION), format=st.integers(0, 3), topics=BYTES, version=st.integers(0, 9)
    ),
    _message(pb.TopicMessage, type=st.just(pb.TOPIC), from_alias=ALIASES, topic=TEXTS, body=BYTES),
    _message(pb.TopicIdentityMessage, type=st.just(pb.TOPIC_IDENTITY), topic=TEXTS, identity=BYTES, body=BYTES),
    _message(pb.TopicBatchFrames, type=st.just(pb.TOPIC_BATCH), groups=st.lists(BYTES, max_size=3)),
    _message(
        pb.SubscriptionUpdateMessage,
        type=st.just(pb.SUBSCRIPTION_UPDATE),
        version=st.integers(0, 3),
        added=st.lists(TEXTS, max_size=3),
    ),
    _message(pb.ErrorMessage, type=st.just(pb.ERROR), code=st.sampled_from([0, int(Code.RESYNC), 99_999])),
    _message(pb.CloseMessage, type=st.just(pb.CLOSE), code=st.integers(0, 2**32 - 1)),
    st.sampled_from([packets.topic_fw(1, b"x"), packets.subscribed(3), packets.ready(1, (), World().server().config.limits)]),
)
SIGNALS = st.one_of(
    BYTES,
    _message(pb.WelcomeMessage, type=st.just(pb.WELCOME), alias=ALIASES, available_servers=st.lists(ALIASES, max_size=4)),
    _message(pb.ConnectMessage, type=st.just(pb.CONNECT), from_alias=ALIASES, from_role=st.integers(0, 3)),
    _message(
        pb.WebRtcMessage,
        type=st.sampled_from([3, 4, 5]),
        from_alias=ALIASES,
        data=st.one_of(BYTES, st.just(b'{"candidate": ""}')),
    ),
    _message(pb.ConnectionRefusedMessage, type=st.just(pb.CONNECTION_REFUSED), from_alias=ALIASES, code=st.integers(0, 5_000)),
    ALIASES.map(signalling.peer_gone),
)
LINKS = st.integers(0, 6)
EVENTS = st.one_of(
    st.builds(ev.SignalReceived, SIGNALS),
    st.builds(ev.PacketReceived, LINKS, PACKETS, st.booleans()),
    st.builds(ev.LinkOpened, LINKS),
    st.builds(ev.DescriptionMade, LINKS, st.just("sdp")),
    st.builds(ev.CandidateFound, LINKS, st.just(signalling.END_OF_CANDIDATES)),
    st.builds(ev.LinkFailed, LINKS, st.sampled_from(Code)),
    st.builds(ev.LinkClosed, LINKS, st.just("remote")),
    st.builds(ev.Buffered, LINKS, st.booleans(), st.sampled_from([0, 10**4, 10**9])),
    st.just(ev.DeadlineReached()),
    st.just(ev.CoordinatorLost()),
    st.just(ev.TokenRenewed()),
    st.just(ev.LoadSampled(0.1)),
    st.builds(ev.DrainRequested),
)


@settings(max_examples=600)
@given(st.booleans(), st.booleans(), st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.0, 0.1, 2.0, 20.0])), max_size=40))
def test_nothing_that_happens_in_any_order_raises_or_stays(
    auth_required: bool, hub: bool, steps: list[tuple[ev.Event, float]]
) -> None:
    world = World()
    server = world.server(hub=hub, auth_required=auth_required)
    for event, wait in steps:
        server.feed(event)
        world.now += wait
        due = server.broker.next_deadline()
        if due is not None and due <= world.now:
            server.feed(ev.DeadlineReached())
    state = server.state
    assert state.out == []
    assert state.doomed == []
    sessions = list(server.broker.peers)
    assert server.broker.peers.client_count + server.broker.peers.server_count == len(sessions)
    assert server.broker.peers.servers() == [s for s in sessions if s.is_active and s.is_server] or len(sessions) > 1
    for session in sessions:
        server.feed(ev.LinkClosed(session.link, "failed"))
    assert server.broker.subscription_count == 0
    assert state.interest._neighbours == {}
    assert {kind for kind, _ in state.deadlines._live} <= {"status", "interest", "dial", "last call", "linking"}
