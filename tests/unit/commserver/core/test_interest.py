"""What neighbours are told, read as they would read it."""

from __future__ import annotations

import random
from typing import Any

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.interest import PORTION_TOPICS, SET_CHUNK_BYTES, UPDATE_CHUNK_BYTES, UPDATE_CHUNK_TOPICS, Interest, RemoteSet
from commserver.core.router import Router
from commserver.core.session import OUR_CAPABILITIES, Session, SessionLimits, new_session
from commserver.core.subscriptions import SubscriptionIndex
from protocol import packets
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole, anonymous

LIMITS = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)


class Told:
    """One server's interest, an old or new neighbour or several, and what they were told, read as they would."""

    def __init__(self, *, hub: bool = False) -> None:
        self.index: SubscriptionIndex[Session] = SubscriptionIndex()
        self.router = Router(self.index, is_hub=hub)
        self.interest = Interest(self.index, self.router, is_hub=hub)
        self.known: dict[Session, set[str]] = {}
        self.remote: dict[Session, RemoteSet] = {}
        self._links = 0

    def peer(self, role: TokenRole, *, old: bool = False) -> Session:
        self._links += 1
        session = new_session(self._links, self._links, dialed=False, limits=LIMITS, now=0.0)
        session.activate(anonymous(role), () if old else OUR_CAPABILITIES)
        return session

    def neighbour(self, role: TokenRole = TokenRole.COMMUNICATION_SERVER, *, old: bool = False) -> Session:
        session = self.peer(role, old=old)
        self.known[session], self.remote[session] = set(), RemoteSet()
        self.interest.add(session)
        return session

    def wants(self, session: Session, *topics: str) -> None:
        added, removed = self.index.replace(session, topics)
        self.interest.changed(added | removed)

    def tell(self) -> list[Any]:
        messages = []
        for session, data in self.interest.tell():
            packet: Any = packets.decode_packet(data)
            messages.append(packet)
            if packet.type == pb.SUBSCRIPTION:
                self.known[session] = set(packets.subscription_topics(packet))
                self.remote[session].whole(packet.version)
            else:
                assert self.remote[session].update(packet.version), "versions must follow"
                assert len(data) <= UPDATE_CHUNK_BYTES + 4 * UPDATE_CHUNK_TOPICS, "tags and lengths included"
                assert len(packet.added) + len(packet.removed) <= UPDATE_CHUNK_TOPICS
                self.known[session] = self.known[session] - set(packet.removed) | set(packet.added)
            assert len(data) <= SET_CHUNK_BYTES
        return messages

    def tell_all(self) -> int:
        """Tell until nobody is behind; returns how many rounds that took."""
        for rounds in range(1_000):
            if not self.interest.behind:
                return rounds
            assert len(self.tell()) < 40
        raise AssertionError("never done")


def test_a_new_neighbour_gets_the_whole_set_and_then_changes() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(client, "a", "b")
    assert [m.type for m in told.tell()] == [pb.SUBSCRIPTION]
    assert told.known[server] == {"a", "b"}
    told.wants(client, "b", "c")
    (update,) = told.tell()
    assert (update.type, list(update.added), list(update.removed)) == (pb.SUBSCRIPTION_UPDATE, ["c"], ["a"])
    assert told.tell() == []
    assert not told.interest.behind


def test_what_was_taken_back_within_the_debounce_is_not_told() -> None:
    told = Told()
    client, _ = told.peer(TokenRole.CLIENT), told.neighbour()
    told.tell()
    told.wants(client, "a")
    told.wants(client)
    assert told.tell() == []


def test_a_topic_stays_while_one_client_wants_it() -> None:
    told = Told()
    alice, bob, server = told.peer(TokenRole.CLIENT), told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(alice, "a")
    told.wants(bob, "a")
    told.tell()
    told.wants(alice)
    assert told.tell() == []
    told.wants(bob)
    told.tell()
    assert told.known[server] == set()


def test_a_plain_server_does_not_pass_on_what_servers_want() -> None:
    told = Told()
    one, other = told.neighbour(), told.neighbour()
    told.wants(one, "a")
    told.tell()
    assert told.known[other] == set()


def test_a_hub_tells_what_lies_behind_it_and_nobody_their_own() -> None:
    told = Told(hub=True)
    client, plain, other, hub, far_hub = (
        told.peer(TokenRole.CLIENT),
        told.neighbour(),
        told.neighbour(),
        told.neighbour(TokenRole.COMMUNICATION_SERVER_HUB),
        told.neighbour(TokenRole.COMMUNICATION_SERVER_HUB),
    )
    for session, topic in ((client, "of-client"), (plain, "of-plain"), (hub, "of-hub")):
        told.wants(session, topic)
    told.tell()
    assert told.known[plain] == {"of-client", "of-hub"}
    assert told.known[other] == {"of-client", "of-plain", "of-hub"}
    assert told.known[hub] == {"of-client", "of-plain"}
    assert told.known[far_hub] == {"of-client", "of-plain"}, "hubs are all linked: what one wants the other hears itself"


def test_of_hubs_only_the_uplink_is_told_anything_and_the_one_that_comes() -> None:
    told = Told()
    client, plain = told.peer(TokenRole.CLIENT), told.neighbour()
    hub, other = (told.neighbour(TokenRole.COMMUNICATION_SERVER_HUB) for _ in range(2))
    told.wants(client, "a")
    told.tell()
    assert told.known == {plain: {"a"}, hub: {"a"}, other: {"a"}}
    told.router.uplink = hub
    told.interest.resync_all()
    told.tell()
    assert told.known == {plain: {"a"}, hub: {"a"}, other: set()}
    told.router.coming = other
    told.interest.resync(other)
    told.tell()
    assert told.known == {plain: {"a"}, hub: {"a"}, other: {"a"}}


def test_while_it_is_frozen_changes_wait_and_who_is_new_is_told() -> None:
    told = Told()
    client, plain = told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(client, "a")
    told.tell()
    told.interest.frozen = True
    told.wants(client, "a", "b")
    late = told.neighbour()
    told.tell()
    assert told.known == {plain: {"a"}, late: {"a", "b"}}
    assert told.interest.behind
    told.interest.frozen = False
    told.tell()
    assert told.known == {plain: {"a", "b"}, late: {"a", "b"}}


def test_an_old_server_gets_the_whole_set_each_time() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour(old=True)
    told.wants(client, "a")
    told.tell()
    told.wants(client, "a", "b")
    (message,) = told.tell()
    assert (message.type, message.version) == (pb.SUBSCRIPTION, 0)
    assert told.known[server] == {"a", "b"}
    told.wants(client, "a", "b")
    assert told.tell() == []


def test_resync_sends_everything_again() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(client, "a")
    told.tell()
    told.known[server].clear()
    told.interest.resync(server)
    assert told.interest.behind
    (message,) = told.tell()
    assert (message.type, message.version) == (pb.SUBSCRIPTION, 2)
    assert told.known[server] == {"a"}
    told.interest.resync(told.peer(TokenRole.COMMUNICATION_SERVER))  # a stranger's is nothing to us
    assert told.tell() == []


def test_a_large_set_goes_out_in_portions() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    topics = [f"{n * 2654435761 % 2**32:08x}/ü{n}" for n in range(3 * PORTION_TOPICS)]
    told.wants(client, *topics)
    assert 3 <= told.tell_all() < 10
    assert told.known[server] == set(topics)
    told.wants(client, "one")
    assert 3 <= told.tell_all() < 10
    assert told.known[server] == {"one"}


def test_a_set_that_does_not_get_smaller_by_gzip_begins_with_what_fits() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    rng = random.Random(1)
    topics = [rng.randbytes(100).hex() for _ in range(2_000)]
    told.wants(client, *topics)
    assert told.tell_all() == 2
    assert told.known[server] == set(topics)


def test_changes_while_portions_wait() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(client, *(str(n) for n in range(2 * PORTION_TOPICS)))
    told.tell()
    told.wants(client, "1", "new")
    told.tell_all()
    assert told.known[server] == {"1", "new"}


def test_nothing_is_told_on_a_paused_channel() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    told.wants(client, "a")
    reliable = server.channels[True]
    reliable.buffered(10**9)
    assert told.tell() == []
    assert told.interest.behind
    assert reliable.buffered(0)
    list(reliable.drain())
    told.tell()
    assert told.known[server] == {"a"}


def test_who_has_left_is_told_nothing() -> None:
    told = Told()
    client, server = told.peer(TokenRole.CLIENT), told.neighbour()
    told.interest.remove(server)
    told.wants(client, "a")
    assert not told.interest.changed(["a"])
    assert told.tell() == []
    assert not told.interest.behind


def test_versions_that_do_not_follow_are_lost_until_the_next_whole_set() -> None:
    remote = RemoteSet()
    remote.whole(5)
    steps = [(remote.update(version), remote.lost) for version in (6, 8, 7)]
    assert steps == [(True, False), (False, True), (False, True)], "one of them is missing, whatever comes then"
    remote.whole(9)
    assert (remote.lost, remote.update(10)) == (False, True)
