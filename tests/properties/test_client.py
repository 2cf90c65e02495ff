"""Whatever happens, in whatever order: one socket, one link, the right subscriptions, nothing stuck, every queue bounded."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import packets, signalling
from protocol.batch import decode_group
from protocol.codes import Code
from protocol.limits import UNRELIABLE_BATCH_BYTES, PeerLimits
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.inbox import Inbox
from rtcbroker.core.outbox import Outbox
from rtcbroker.core.packet import Packet
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats
from rtcbroker.core.subscriptions import SubscriptionSet
from tests.support.session_world import ALIAS, OFFER, SessionWorld
from transport.link import LinkEnd

SERVERS = (5, 6, 7)
TOPICS = ("a", "b", "c", "d")
CODES = [Code.SERVER_FULL, Code.SLOW_CONSUMER, Code.SERVER_STOPPING, Code.LINK_LOST, Code.TOKEN_EXPIRED, Code.BAD_MESSAGE]

topics = st.lists(st.sampled_from(TOPICS), max_size=3, unique=True)


class Watched:
    """A session whose every output is checked against what the world has been told so far."""

    def __init__(self, seed: int, *, renewable: bool) -> None:
        self.world = SessionWorld(seed=seed, renewable=renewable, token=None if renewable else "fixed")
        self.socket = "closed"
        self.link = 0
        """The link that exists, or 0."""
        self.last_link = 0
        self.answered = False
        self.opened = False
        self.asked: int | None = None
        """The server that CONNECT went to."""
        self.token_asked = False
        self.held: Counter[str] = Counter()
        self.server_set: set[str] | None = None
        """What the server at the other end of the link was told; None: nothing yet."""
        self.version = 0
        self.states = [ClientState.NEW]

    def see(self, outputs: list[events.Output]) -> None:
        for output in outputs:
            getattr(self, f"_see_{type(output).__name__}", lambda _: None)(output)

    def _see_AskToken(self, output: events.AskToken) -> None:
        assert not self.token_asked
        self.token_asked = True

    def _see_DialCoordinator(self, output: events.DialCoordinator) -> None:
        assert self.socket == "closed", "one socket at a time"
        self.socket = "dialing"

    def _see_HangUp(self, output: events.HangUp) -> None:
        assert self.socket != "closed"
        self.socket = "closed"

    def _see_SendSignal(self, output: events.SendSignal) -> None:
        signal = signalling.decode_signal(output.frame)
        if isinstance(signal, pb.ConnectMessage):
            assert self.socket == "welcomed"
            assert not self.link, "one link at a time"
            self.asked = signal.to_alias

    def _see_AnswerOffer(self, output: events.AnswerOffer) -> None:
        assert not self.link, "one link at a time"
        assert output.link > self.last_link
        self.link = self.last_link = output.link
        self.answered = self.opened = False
        self.server_set = None

    def _see_AddCandidate(self, output: events.AddCandidate) -> None:
        assert output.link == self.link
        assert self.answered

    def _see_CloseLink(self, output: events.CloseLink) -> None:
        assert output.link == self.link
        self.link = 0

    def _see_SendPacket(self, output: events.SendPacket) -> None:
        assert self.link
        assert self.opened
        packet = packets.decode_packet(output.data)
        if isinstance(packet, pb.SubscriptionMessage):
            assert packet.version > self.version, "versions only grow"
            self.version = packet.version
            self.server_set = set(packets.subscription_topics(packet))

    def _see_StateChanged(self, output: events.StateChanged) -> None:
        self.states.append(output.state)

    def check(self) -> None:
        session = self.world.session
        assert self.states[-1] is session.state
        if session.state is ClientState.CLOSED:
            assert (self.link, self.socket, session.next_deadline()) == (0, "closed", None)
        elif session.state is not ClientState.NEW:
            assert session.next_deadline() is not None or self.token_asked, "stuck: nothing will ever happen"
        if session.state is ClientState.CONNECTED:
            assert self.opened
            wanted = {topic for topic, count in self.held.items() if count}
            assert (self.server_set or set()) == wanted, "the server has what is subscribed"


Action = Callable[[Watched], list[events.Output] | None]


def _start(w: Watched) -> list[events.Output] | None:
    return w.world.start() if w.world.state is ClientState.NEW else None


def _token(works: bool) -> Action:
    def act(w: Watched) -> list[events.Output] | None:
        if not w.token_asked:
            return None
        w.token_asked = False
        return w.world.feed(events.TokenReceived("fresh") if works else events.TokenFailed("away"))

    return act


def _welcome(servers: tuple[int, ...], resume: str) -> Action:
    def act(w: Watched) -> list[events.Output] | None:
        outputs: list[events.Output] = []
        if w.socket == "closed":
            return None
        if w.socket == "dialing":
            outputs += w.world.opened()
        w.socket = "welcomed"
        return outputs + w.world.welcome(*servers, resume=resume)

    return act


def _socket_ended(code: int) -> Action:
    def act(w: Watched) -> list[events.Output] | None:
        if w.socket == "closed":
            return None
        w.socket = "closed"
        return w.world.socket_ended(code)

    return act


def _from_server(frame: Callable[[int], bytes]) -> Action:
    def act(w: Watched) -> list[events.Output] | None:
        return w.world.signal(frame(w.asked)) if w.socket == "welcomed" and w.asked else None

    return act


def _offer_from(server: int) -> bytes:
    return pb.WebRtcMessage(type=pb.WEBRTC_OFFER, from_alias=server, to_alias=ALIAS, data=OFFER).SerializeToString()


def _candidate_from(server: int) -> bytes:
    return signalling.candidate(ALIAS, signalling.END_OF_CANDIDATES, server)


def _answered(w: Watched) -> list[events.Output] | None:
    if not w.link or w.answered:
        return None
    w.answered = True
    return w.world.feed(events.LinkAnswered(w.link, "the answer"))


def _opened(w: Watched) -> list[events.Output] | None:
    if not w.answered or w.opened or not w.link:
        return None
    w.opened = True
    return w.world.feed(events.LinkOpened(w.link))


def _link_ended(end: LinkEnd) -> Action:
    return lambda w: w.world.feed(events.LinkEnded(w.link, end)) if w.answered and w.link else None


def _message(data: Callable[[Watched], bytes]) -> Action:
    return lambda w: w.world.message(w.link, data(w)) if w.opened and w.link else None


def _change(add: list[str], remove: list[str]) -> Action:
    def act(w: Watched) -> list[events.Output]:
        gone = [topic for topic in remove if w.held[topic]]
        w.world.subscriptions.hold(add)
        w.world.subscriptions.release(gone)
        w.held.update(add)
        w.held.subtract(gone)
        return w.world.feed(events.SubscriptionsChanged())

    return act


def _wait(seconds: float) -> Action:
    def act(w: Watched) -> list[events.Output]:
        outputs: list[events.Output] = []
        end = w.world.now + seconds
        fired = 0
        while (due := w.world.session.next_deadline()) is not None and due <= end:
            w.world.now = max(w.world.now, due)
            w.see(w.world.feed(events.DeadlineReached()))
            fired += 1
            assert fired < 1_000, "the timer never comes to rest"
        w.world.now = end
        return outputs

    return act


actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(_token, st.booleans()),
    st.builds(
        _welcome,
        st.lists(st.sampled_from(SERVERS), max_size=3).map(tuple),
        st.sampled_from(["proof", "proof", "proof", ""]),
    ),
    st.builds(_socket_ended, st.sampled_from(CODES)),
    st.just(_from_server(_offer_from)),
    st.just(_from_server(_offer_from)),
    st.just(_from_server(_candidate_from)),
    st.just(_from_server(lambda server: signalling.refused(ALIAS, server, Code.SERVER_FULL))),
    st.just(_from_server(signalling.peer_gone)),
    st.just(_answered),
    st.just(_answered),
    st.just(_opened),
    st.just(_opened),
    st.builds(_link_ended, st.sampled_from(list(LinkEnd))),
    st.builds(_message, st.just(lambda w: packets.ready(ALIAS, (pb.BATCH, pb.SUBSCRIBE_ACK), PeerLimits()))),
    st.builds(_message, st.just(lambda w: packets.subscribed(w.version))),
    st.builds(_message, st.sampled_from(CODES).map(lambda code: lambda w: packets.close(code))),
    st.builds(_message, st.binary(max_size=30).map(lambda data: lambda w: data)),
    st.builds(_change, topics, topics),
    st.builds(_change, topics, topics),
    st.builds(_wait, st.sampled_from([0.0, 0.5, 2.0, 20.0])),
)


CALM: list[Action] = [
    _token(works=True),
    _welcome(SERVERS, "proof"),
    _from_server(_offer_from),
    _answered,
    _opened,
    _message(lambda w: packets.ready(ALIAS, (pb.BATCH, pb.SUBSCRIBE_ACK), PeerLimits())),
    _message(lambda w: packets.subscribed(w.version)),
    _wait(1.0),
]
"""What a cluster in good health does, in turn: it leads from anywhere to being connected."""

steps = st.tuples(st.integers(0, 2 * len(CALM)), actions)
"""So much of good health, and then something else: without the former a client would hardly ever be connected."""


def run(watched: Watched, script: list[tuple[int, Action]]) -> None:
    healthy = itertools.cycle(CALM)
    watched.see(_start(watched) or [])
    for calm, action in script:
        for step in [*itertools.islice(healthy, calm), action]:
            watched.see(step(watched) or [])
            watched.check()


@given(st.integers(0, 1_000), st.booleans(), st.lists(steps, max_size=20))
@settings(max_examples=300)
def test_a_session_keeps_its_promises_whatever_happens(seed: int, renewable: bool, script: list[tuple[int, Action]]) -> None:
    watched = Watched(seed, renewable=renewable)
    run(watched, script)
    watched.see(watched.world.feed(events.Stop()))
    watched.check()
    assert watched.world.state is ClientState.CLOSED


@given(st.integers(0, 1_000), st.lists(steps, max_size=20))
@settings(max_examples=100)
def test_in_a_cluster_that_has_come_to_rest_a_client_is_connected_or_closed(seed: int, script: list[tuple[int, Action]]) -> None:
    watched = Watched(seed, renewable=True)
    run(watched, script)
    for _ in range(40):
        for action in CALM:
            watched.see(action(watched) or [])
    watched.check()
    if watched.world.state is not ClientState.CLOSED:
        assert watched.world.state is ClientState.CONNECTED
        assert watched.world.subscriptions.settled_version == watched.world.subscriptions.awaited_version


@given(st.integers(1, 5), st.lists(st.one_of(st.integers(0, 9), st.none())))
def test_an_inbox_is_a_deque_with_a_bound(size: int, steps: list[int | None]) -> None:
    stats, woken = ClientStats(), list[None]()
    inbox, model, put = Inbox(size, stats, lambda: woken.append(None)), deque[Packet](maxlen=size), 0
    for step in steps:
        if step is None:
            assert inbox.get() == (model.popleft() if model else None)
        else:
            was_empty, wakes = not model, len(woken)
            packet = Packet("t", step, b"")
            inbox.put(packet)
            model.append(packet)
            put += 1
            assert len(woken) - wakes == was_empty
        assert len(inbox) == len(model) <= size
    taken = sum(1 for step in steps if step is None)
    assert inbox.dropped >= put - taken - size


@given(
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(TOPICS), st.binary(max_size=400), st.booleans()), max_size=40),
    st.integers(500, 3_000),
)
def test_an_outbox_loses_nothing_keeps_the_order_and_its_bound(
    reliable: bool, batched: bool, published: list[tuple[str, bytes, bool]], limit: int
) -> None:
    outbox = Outbox(reliable=reliable)
    for topic, body, identity in published:
        outbox.add(topic, body, identity=identity, limit=limit)
    found: list[tuple[str, bytes, bool]] = []
    for message in outbox.drain(batched=batched, limit=limit):
        packet = packets.decode_packet(message.data)
        assert len(message.data) <= limit
        if isinstance(packet, pb.TopicBatchFrames):
            assert batched
            assert reliable or len(message.data) <= UNRELIABLE_BATCH_BYTES
            groups = [decode_group(frame, from_server=False) for frame in packet.groups]
            found += [(group.topic, body, group.identity) for group in groups for body in group.body]
        else:
            assert isinstance(packet, pb.TopicMessage | pb.TopicIdentityMessage)
            found.append((packet.topic, packet.body, isinstance(packet, pb.TopicIdentityMessage)))
    assert found == published
    assert outbox.pending_bytes == 0


@given(st.lists(st.one_of(st.tuples(topics, topics), st.integers(0, 3), st.just("lost"))))
def test_subscriptions_follow_a_naive_model(steps: list[tuple[list[str], list[str]] | int | str]) -> None:
    """A step is a change and its sending, an acknowledgement of a version so many back, or a lost connection."""
    subscriptions = SubscriptionSet()
    held: Counter[str] = Counter()
    sent: dict[int, set[str]] = {}
    in_force: set[str] = set()
    acknowledged = 0
    since: dict[str, int] = {}
    for step in steps:
        if step == "lost":
            subscriptions.connection_lost()
            in_force = set()
            # The set goes out anew, and what was acknowledged before says nothing of it.
            version, names = subscriptions.next_version()
            sent = {version: set(names)}
            since = dict.fromkeys(names, version)
        elif isinstance(step, tuple):
            add, remove = step
            gone = [topic for topic in remove if held[topic]]
            subscriptions.hold(add)
            subscriptions.release(gone)
            held.update(add)
            held.subtract(gone)
            version, names = subscriptions.next_version()
            sent[version] = set(names)
            assert sent[version] == {topic for topic, count in held.items() if count}
            since = {name: since.get(name, version) for name in names}
            in_force &= set(names)
        elif isinstance(step, int) and sent:
            # Any version up to three back; older ones than the connection's, too.
            version = max(sent) - step
            subscriptions.acknowledge(version, [], 1.0)
            if version in sent and version > acknowledged:
                acknowledged = version
                in_force |= {name for name, first in since.items() if first <= version}
        assert {topic for topic in TOPICS if subscriptions.acknowledged(topic) is not None} == in_force
        assert subscriptions.settled_version <= subscriptions.awaited_version
