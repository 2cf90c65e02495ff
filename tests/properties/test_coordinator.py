"""Whatever peers do, in whatever order: aliases are unique, senders are true, and no frame reaches a stranger."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from coordinator.core.admission import AliasWish
from coordinator.core.outbox import Outbox
from coordinator.core.selector import SELECTORS
from protocol import signalling
from protocol.codes import Code
from protocol.errors import ProtocolError
from protocol.pb import broker_pb2 as pb
from protocol.signalling import CandidateInit
from tests.support.coordination import FakePeer, World

OUTBOX_FRAMES = 20

FRAMES: list[Callable[[int, int], bytes]] = [
    lambda to, lie: signalling.connect(to, lie),
    lambda to, lie: signalling.offer(to, "v=0", lie),
    lambda to, lie: signalling.answer(to, "v=0", lie),
    lambda to, lie: signalling.candidate(to, CandidateInit("x"), lie),
    lambda to, lie: signalling.refused(to, lie, Code.SERVER_FULL),
]
"""Everything that is passed on: to whom, and from whom it says it is."""


class Cluster(RuleBasedStateMachine):
    """Two coordinators, and peers that come, talk (sense and nonsense), fall silent and go."""

    peers = Bundle("peers")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(outbox_frames=OUTBOX_FRAMES, client_frames_per_s=5, client_frames_burst=30, join_timeout_s=1)
        self.world.add_node()
        self.everyone: list[FakePeer] = []
        self.servers: set[FakePeer] = set()
        self.left: set[FakePeer] = set()
        self.subjects: dict[FakePeer, str] = {}
        self.sent: set[tuple[int, int, int]] = set()
        """(sender, receiver, type) of every frame that may arrive."""

    def _note(self, peer: FakePeer, subject: str, is_server: bool) -> FakePeer:
        self.everyone.append(peer)
        self.subjects[peer] = subject
        if is_server:
            self.servers.add(peer)
        return peer

    def _alive(self, peer: FakePeer) -> bool:
        return peer.closed is None and peer not in self.left

    @rule(target=peers, node=st.integers(0, 1), subject=st.sampled_from("abc"), server=st.booleans(), part2=st.booleans())
    def join(self, node: int, subject: str, server: bool, part2: bool) -> FakePeer:
        join = self.world.server if server else self.world.client
        return self._note(join(subject, node=node, part2=part2), subject, server)

    @rule(target=peers, before=peers, node=st.integers(0, 1), proven=st.booleans(), server=st.booleans())
    def come_back(self, before: FakePeer, node: int, proven: bool, server: bool) -> FakePeer:
        """As the same subject, with or without proof, perhaps in another role."""
        wish = before.wish if proven else AliasWish(before.alias)
        subject = self.subjects[before]
        join = self.world.server if server else self.world.client
        peer = self._note(join(subject, node=node, wish=wish), subject, server)
        if peer.alias == before.alias:
            assert server or before not in self.servers or not proven
            assert not self._alive(before)
        return peer

    @rule(target=peers, victim=peers, node=st.integers(0, 1))
    def steal(self, victim: FakePeer, node: int) -> FakePeer:
        """As another subject, with the victim's proof: never."""
        alive = self._alive(victim)
        name = f"thief {len(self.everyone)}"
        thief = self._note(self.world.client(name, node=node, wish=victim.wish), name, False)
        assert thief.alias != victim.alias
        assert self._alive(victim) == alive
        return thief

    @rule(peer=consumes(peers))
    def leave(self, peer: FakePeer) -> None:
        peer.leave()
        self.left.add(peer)

    @rule(sender=peers, receiver=peers, lie=st.integers(0, 2**42), make=st.sampled_from(FRAMES))
    def talk(self, sender: FakePeer, receiver: FakePeer, lie: int, make: Callable[[int, int], bytes]) -> None:
        if not self._alive(sender):
            return
        frame = make(receiver.alias, lie)
        # The alias may be another's by now.
        if sender in self.servers or any(peer.alias == receiver.alias and self._alive(peer) for peer in self.servers):
            self.sent.add((sender.alias, receiver.alias, pb.CoordinatorMessage.FromString(frame).type))
        sender.send(frame)

    @rule(sender=peers, data=st.binary(max_size=40))
    def nonsense(self, sender: FakePeer, data: bytes) -> None:
        if not self._alive(sender):
            return
        others = {peer: peer.closed for peer in self.everyone if peer is not sender}
        sender.send(data)
        try:
            signalling.decode_signal(data)
        except ProtocolError:
            # Dropped unread when the sender talks too much; otherwise its end. The others may only be too slow to be told of it.
            assert sender.closed is not None or self.world.nodes[0].core.stats.dropped or self.world.nodes[1].core.stats.dropped
        for peer, closed in others.items():
            assert peer.closed in (closed, Code.SLOW_CONSUMER)

    @rule(server=peers, clients=st.integers(0, 9), draining=st.booleans())
    def report(self, server: FakePeer, clients: int, draining: bool) -> None:
        if self._alive(server):
            server.report(clients=clients, max_clients=8, draining=draining)

    @rule(peer=peers, reading=st.booleans(), answering=st.booleans())
    def change_manners(self, peer: FakePeer, reading: bool, answering: bool) -> None:
        peer.reading, peer.answering = reading, answering
        if reading and self._alive(peer):
            peer.read()

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(target=peers, count=st.integers(2, 4))
    def crowd(self, count: int) -> object:
        return multiple(*(self._note(self.world.client("crowd", node=n % 2), "crowd", False) for n in range(count)))

    @invariant()
    def aliases_are_unique(self) -> None:
        aliases = [peer.alias for peer in self.everyone if self._alive(peer)]
        assert len(aliases) == len(set(aliases))
        assert 0 not in aliases

    @invariant()
    def every_frame_is_from_its_sender_to_its_receiver(self) -> None:
        for peer in self.everyone:
            for frame in peer.frames:
                if isinstance(frame, pb.ConnectMessage | pb.WebRtcMessage | pb.ConnectionRefusedMessage):
                    assert frame.to_alias == peer.alias
                    refusal = isinstance(frame, pb.ConnectionRefusedMessage) and frame.code != Code.SERVER_FULL
                    assert refusal or (frame.from_alias, peer.alias, frame.type) in self.sent
                if isinstance(frame, pb.PeerGoneMessage):
                    assert frame.alias != peer.alias

    @invariant()
    def the_tables_hold_who_is_here_and_nobody_else(self) -> None:
        for node in self.world.nodes:
            here = [peer for peer in self.everyone if peer.node is node and self._alive(peer)]
            assert sum(node.core.peer_counts.values()) == len(here)
            assert {peer.alias for peer in node.core._registry} == {peer.alias for peer in here}
        alive = {peer.alias for peer in self.servers if self._alive(peer)}
        for node in self.world.nodes:
            assert set(node.core._servers.aliases()) == alive
        assert set(self.world.cluster._holders) == {peer.alias for peer in self.everyone if self._alive(peer)}

    @invariant()
    def no_outbox_passes_its_mark(self) -> None:
        for node in self.world.nodes:
            assert all(len(peer.outbox) <= OUTBOX_FRAMES for peer in node.core._registry)


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=200, stateful_step_count=40)


class OutboxAgainstAList(RuleBasedStateMachine):
    """The outbox against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(5, 1_000)
        self.model: list[bytes] = []

    @rule(frame=st.binary(max_size=400))
    def push(self, frame: bytes) -> None:
        fits = len(self.model) < 5 and sum(len(f) + 64 for f in self.model) + len(frame) + 64 <= 1_000
        assert self.outbox.push(frame) is fits
        if fits:
            self.model.append(frame)

    @rule()
    def pop(self) -> None:
        assert self.outbox.pop() == (self.model.pop(0) if self.model else None)

    @invariant()
    def same(self) -> None:
        assert len(self.outbox) == len(self.model)
        assert self.outbox.size == sum(len(f) + 64 for f in self.model)


TestOutbox = OutboxAgainstAList.TestCase


def test_the_selectors_are_all_there() -> None:
    assert set(SELECTORS) == {"random", "two-choices"}
