"""A session whose server asks it to go: the next link first, then the present one is left; and what may go wrong on the way."""

from __future__ import annotations

from protocol import batch, packets, signalling
from protocol.batch import Stamp
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.moving import REMEMBERED_S, SYNC_TIMEOUT_S
from rtcbroker.core.states import ClientState
from tests.support.session_world import SessionWorld, asked, one, only, sent, sets, states
from transport.link import LinkEnd

MOVE = packets.move(Code.SERVER_DRAINING, 20.0)
OLD_ALL = (pb.BATCH, pb.SUBSCRIBE_ACK, pb.ERRORS)


def syncs(outputs: list[events.Output], link: int) -> list[int]:
    """The SYNCs that go out on a link."""
    decoded = [packets.decode_packet(output.data) for output in only(outputs, events.SendPacket) if output.link == link]
    return [packet.number for packet in decoded if isinstance(packet, pb.SyncMessage)]


def is_parting(world: SessionWorld) -> bool:
    return world.session.is_parting


def record(body: bytes, serial: int, origin: int = 9) -> bytes:
    return batch.batch([batch.group_frame("a", [4], [body], stamp=Stamp(origin, serial))])


def told(*topics: str) -> SessionWorld:
    """Joined to server 5 by link 1, subscribed, and told to move."""
    world = SessionWorld()
    world.connect(5, 6)
    if topics:
        world.subscribe(*topics)
        world.subscribed(1, 1)
    world.message(1, MOVE)
    return world


def seeking(world: SessionWorld, *servers: int) -> list[events.Output]:
    """Its fresh WELCOME."""
    assert only(world.wait(0.0), events.DialCoordinator)
    world.opened()
    return world.welcome(*servers)


def overlapping(*topics: str) -> SessionWorld:
    """Joined to server 6 by link 2, beside it."""
    world = told(*topics)
    assert asked(seeking(world, 6, 7)) == [6]
    outputs = world.join(6, 2)
    assert syncs(outputs, 2) == [1]
    return world


def test_the_whole_way() -> None:
    world = told("a")
    outputs = seeking(world, 6, 7)
    assert asked(outputs) == [6]
    outputs = world.join(6, 2)
    assert sets(outputs) == [(1, {"a"})], "the same version of the same set"
    assert [output.link for output in only(outputs, events.SendPacket)] == [2, 2]
    assert syncs(outputs, 2) == [1]
    assert world.server == 5
    world.message(1, record(b"1", 1))
    world.message(2, record(b"1", 1))
    world.message(2, record(b"2", 2))
    assert [packet.body for packet in world.received] == [b"1"]
    world.subscribed(2, 1)
    assert not is_parting(world)
    outputs = world.message(2, packets.synced(1))
    assert syncs(outputs, 1) == [1]
    assert isinstance(outputs[0], events.FlushReliable), "what was published goes before SYNC"
    assert is_parting(world)
    world.message(1, record(b"2", 2))
    world.message(2, record(b"3", 3))
    outputs = world.message(1, packets.synced(1))
    assert one(outputs, events.CloseLink).link == 1
    assert only(outputs, events.Moved)
    assert states(outputs) == []
    assert [packet.body for packet in world.received] == [b"1", b"2", b"3"]
    assert (world.server, world.state, is_parting(world)) == (6, ClientState.CONNECTED, False)
    assert (world.stats.joins, world.stats.moves, world.stats.reconnects) == (2, 1, 0)
    assert world.message(1, record(b"late", 9)) == []
    world.wait(REMEMBERED_S)
    assert world.delivery.seen._stamps is None


def test_the_next_server_may_ask_it_to_go_on() -> None:
    world = overlapping()
    world.message(2, MOVE)
    world.message(2, packets.synced(1))
    world.message(1, packets.synced(1))
    assert world.server == 6
    assert asked(seeking(world, 6, 7)) == [7], "not to where it is"


def test_a_server_that_does_not_do_is_followed_by_the_next() -> None:
    world = told("a")
    seeking(world, 5, 6, 7)
    frame = signalling.refused(77, 6, Code.SERVER_FULL)
    outputs = world.signal(frame)
    assert asked(outputs) == [7]
    world.open_link(7, 3)
    outputs = world.feed(events.LinkEnded(3, LinkEnd.REMOTE))
    assert one(outputs, events.CloseLink).link == 3
    assert (world.server, world.state) == (5, ClientState.CONNECTED)
    outputs = world.wait(world.options.backoff_base)
    assert only(outputs, events.DialCoordinator), "for a fresh list"


def test_without_another_server_it_stays_until_it_is_sent_away() -> None:
    world = told()
    seeking(world, 5)
    for _ in range(5):
        world.wait(10.0)
        world.message(1, packets.ping(1.0))
        if only(world.feed(events.SocketOpened()), events.HangUp):
            continue
        world.welcome()
    assert world.server == 5
    outputs = world.message(1, packets.close(Code.SERVER_STOPPING))
    assert states(outputs) == [ClientState.RECONNECTING]


def test_while_it_overlaps_the_subscriptions_stay_as_they_are() -> None:
    world = overlapping("a")
    assert world.subscribe("b") == []
    world.subscribed(2, 1)
    world.message(2, packets.synced(1))
    outputs = world.message(1, packets.synced(1))
    assert sets(outputs) == [(2, {"a", "b"})]
    assert only(outputs, events.SendPacket)[-1].link == 2


def test_what_changed_before_is_told_both() -> None:
    world = told("a")
    seeking(world, 6)
    world.open_link(6, 2)
    world.subscriptions.hold(["b"])
    outputs = world.ready(2)
    found = [(output.link, packets.decode_packet(output.data)) for output in only(outputs, events.SendPacket)]
    assert [(link, p.version) for link, p in found if isinstance(p, pb.SubscriptionMessage)] == [(1, 2), (2, 2)]


def test_topics_that_the_next_server_refuses_are_told_when_it_counts() -> None:
    world = overlapping("a", "b")
    assert only(world.subscribed(2, 1, [("b", Code.NOT_ALLOWED)]), events.Refused) == []
    world.message(2, packets.synced(1))
    outputs = world.message(1, packets.synced(1))
    assert only(outputs, events.Refused)
    assert world.subscriptions.refused(["a", "b"]) == {"b": Code.NOT_ALLOWED}


def test_a_next_server_that_does_not_answer_is_left() -> None:
    world = overlapping("a")
    outputs = world.wait(SYNC_TIMEOUT_S)
    assert one(outputs, events.CloseLink).link == 2
    assert asked(outputs) == [7]
    assert world.server == 5


def test_a_present_server_that_does_not_answer_is_left_all_the_same() -> None:
    world = overlapping("a")
    world.message(2, packets.synced(1))
    outputs = world.wait(SYNC_TIMEOUT_S)
    assert CLOSED_1 in outputs
    assert world.server == 6


CLOSED_1 = events.CloseLink(1)


def test_a_next_link_that_is_lost_at_the_last_moment_changes_nothing() -> None:
    world = overlapping("a")
    world.message(2, packets.synced(1))
    assert is_parting(world)
    outputs = world.feed(events.LinkEnded(2, LinkEnd.REMOTE))
    assert only(outputs, events.Moved), "what was held back may be sent on the present link"
    assert (world.server, is_parting(world)) == (5, False)
    assert asked(outputs) == [7]
    assert world.message(1, packets.synced(1)) == []


def test_where_the_present_link_is_lost_the_next_takes_its_place() -> None:
    world = overlapping("a")
    world.message(2, record(b"1", 1))
    outputs = world.feed(events.LinkEnded(1, LinkEnd.REMOTE))
    assert states(outputs) == [ClientState.RECONNECTING, ClientState.CONNECTED]
    assert sets(outputs) == [(2, {"a"})]
    assert [packet.body for packet in world.received] == [b"1"]
    assert world.server == 6


def test_also_where_it_is_only_being_made() -> None:
    world = told("a")
    seeking(world, 6)
    world.open_link(6, 2)
    outputs = world.message(1, packets.close(Code.SERVER_STOPPING))
    assert states(outputs) == [ClientState.RECONNECTING]
    assert asked(outputs) == []
    outputs = world.ready(2)
    assert states(outputs) == [ClientState.CONNECTED]
    assert sets(outputs) == [(2, {"a"})]


def test_an_older_server_is_joined_without_more_ado() -> None:
    world = told("a")
    seeking(world, 6)
    world.open_link(6, 2)
    outputs = world.ready(2, capabilities=OLD_ALL)
    assert one(outputs, events.CloseLink).link == 1
    assert sets(outputs) == [(2, {"a"})]
    assert world.server == 6


def test_leaving_in_the_middle_goes_by_the_present_link() -> None:
    world = overlapping("a")
    world.message(2, packets.synced(1))
    outputs = world.feed(events.Stay())
    assert one(outputs, events.CloseLink).link == 2
    assert only(outputs, events.Moved)
    assert (world.server, is_parting(world)) == (5, False)
    assert {output.link for output in only(world.feed(events.Stop()), events.CloseLink)} == {1}


def test_a_client_that_ends_closes_both() -> None:
    world = overlapping("a")
    outputs = world.feed(events.Stop())
    assert {output.link for output in only(outputs, events.CloseLink)} == {1, 2}
    assert world.session.next_deadline() is None


def test_a_fresh_token_is_shown_to_both() -> None:
    world = overlapping("a")
    outputs = world.feed(events.TokenReceived("fresh"))
    assert [output.link for output in only(outputs, events.SendPacket)] == [1, 2]
    assert all(isinstance(packet, pb.AuthMessage) for packet in sent(outputs))


def test_a_next_link_that_brings_far_too_much_is_left() -> None:
    world = overlapping("a")
    outputs: list[events.Output] = []
    serial = 0
    while not only(outputs, events.CloseLink):
        serial += 1
        outputs = world.message(2, record(bytes(60_000), serial))
        assert serial < 100
    assert world.server == 5
