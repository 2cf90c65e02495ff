"""What a server says to whom, and in which order, while it changes: all the others are played by the test, which decides when they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from commserver.core import events as ev
from commserver.core import session as sessions
from commserver.core.syncing import PATIENCE_S
from protocol import batch, packets, signalling
from protocol.batch import Stamp
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.support.world import WIRE_ROLES, End, Server, World, token
from tests.support.world_client import MOVING, Client, joined

PLAIN, HUB = TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB
SOON_S = 0.2
"""Enough for a few ways to and fro; much less than any patience."""
OLDER = tuple(set(sessions.OUR_CAPABILITIES) - {pb.MOVES, pb.UPLINKS})
"""What a server of an earlier version can do."""
LONG_S = PATIENCE_S + SOON_S
"""Who only waits for so long has gone on by then; who asks for itself still waits for an answer."""


@pytest.fixture
def world() -> World:
    return World(latency=0.01, window=0.0)


class Partner(Client):
    """A server that says what the test says, and answers SYNC by itself while `answers`."""

    def __init__(self, world: World, role: TokenRole, **options: Any) -> None:
        self.answers = True
        self.heard: list[str] = []
        """What came, in order: SYNC, UPLINK, topics of interest with a + or a -, and bodies of packets."""
        self._unanswered: list[int] = []
        options.setdefault("capabilities", sessions.OUR_CAPABILITIES)
        super().__init__(
            world,
            role=role,
            wire_role=WIRE_ROLES[role],
            auth=token("commserver", role).encode(),
            **options,
        )

    def on_message(self, end: End, data: bytes, reliable: bool) -> None:
        messages, got = len(self.messages), len(self.got)
        super().on_message(end, data, reliable)
        for message in self.messages[messages:]:
            self._hear(message)
        self.heard += [one.body.decode() for one in self.got[got:]]

    def _hear(self, message: Any) -> None:
        match message.type:
            case pb.SYNC:
                self.heard.append("SYNC")
                self._unanswered.append(message.number)
                if self.answers:
                    self.answer()
            case pb.UPLINK:
                self.heard.append(f"UPLINK {message.hub} {message.passes_on}")
            case pb.SUBSCRIPTION:
                self.heard += [f"+{topic}" for topic in packets.subscription_topics(message)]
            case pb.SUBSCRIPTION_UPDATE:
                self.heard += [f"-{topic}" for topic in message.removed] + [f"+{topic}" for topic in message.added]

    def answer(self) -> None:
        """SYNCED, to every SYNC that waits for it, and from now on at once."""
        self.answers = True
        for number in self._unanswered:
            self.send(packets.synced(number))
        self._unanswered.clear()

    def wants(self, *topics: str) -> None:
        """Say what it wants."""
        self.send(packets.subscription(topics, version=1))

    def drains(self) -> None:
        """Say, as a hub, that servers are to move."""
        self.send(packets.move(Code.SERVER_DRAINING, 60.0))


def alone(world: World, **config: Any) -> Server:
    """A server that the coordinator has told of nobody, and tells nothing any more: the test does."""
    server = world.server(register=False, **config)
    world.registered[server.alias] = server
    welcome(server)
    return server


def welcome(server: Server, *others: Client, ending: tuple[Client, ...] = ()) -> None:
    """The coordinator names the servers that there are."""
    aliases = [other.alias for other in others]
    server.on_signal(signalling.welcome(server.alias, aliases, resume="r", ending=[hub.alias for hub in ending]))


def linked(world: World, server: Server, role: TokenRole, **options: Any) -> Partner:
    """Another server, linked with `server`."""
    partner = Partner(world, role, **options)
    partner.connect(server)
    world.run(SOON_S)
    assert partner.is_open
    return partner


def ways(server: Server) -> tuple[int, int]:
    """The hubs by which it hears and speaks; 0: by none."""
    router = server.state.router
    return (router.uplink.alias if router.uplink else 0, router.speaker.alias if router.speaker else 0)


# ---------------------------------------------------------------------------------------------- three ways, each about to be gone


def to_another_hub(world: World, server: Server) -> tuple[Partner, Partner]:
    """The server turns from the first hub, which does not answer, to the second."""
    old, new = linked(world, server, HUB), linked(world, server, HUB)
    new.wants("t")
    old.answers = False
    old.drains()
    world.run(SOON_S)
    return old, new


def to_a_mesh(world: World, server: Server) -> tuple[Partner, Partner]:
    """It turns from its last hub, which does not answer, to another plain server."""
    old, new = linked(world, server, HUB), linked(world, server, PLAIN)
    new.wants("t")
    old.answers = False
    old.drains()
    welcome(server, old, new, ending=(old,))
    world.run(SOON_S)
    return old, new


def to_a_hub(world: World, server: Server) -> tuple[Partner, Partner]:
    """It turns from another plain server, which does not answer, to a hub."""
    old, new = linked(world, server, PLAIN), linked(world, server, HUB)
    new.wants("t")
    old.answers = False
    old.send(packets.uplink(new.alias, passes_on=False))
    world.run(SOON_S)
    return old, new


@pytest.mark.parametrize("begin", [to_another_hub, to_a_mesh, to_a_hub])
def test_what_a_client_asks_about_while_its_server_turns_is_answered_when_it_has_taken_effect(
    world: World, begin: Callable[[World, Server], tuple[Partner, Partner]]
) -> None:
    """It may publish at another server then, and must not overtake itself: others are asked after what it had said before has gone out."""
    server = alone(world)
    client = joined(world, server, capabilities=MOVING)
    old, new = begin(world, server)
    client.publish("t", b"x")
    client.send(packets.sync(1))
    world.run(LONG_S)
    assert "x" not in new.heard, "it has not turned"
    assert client.of_type(pb.SYNCED) == []
    old.answer()
    world.run(SOON_S)
    assert new.heard[-2:] == ["x", "SYNC"]
    assert [answer.number for answer in client.of_type(pb.SYNCED)] == [1]


def test_what_clients_want_while_the_next_hub_is_asked_is_told_once_it_has_taken_over(world: World) -> None:
    """Both hubs are to know the same, so that it is the same which one is heard."""
    server = alone(world)
    client = joined(world, server, "t", capabilities=MOVING)
    old, new = linked(world, server, HUB), linked(world, server, HUB)
    new.answers = False
    old.drains()
    world.run(SOON_S)
    assert new.heard[-2:] == ["+t", "SYNC"]
    client.subscribe("t", "u")
    client.send(packets.sync(1))
    world.run(LONG_S)
    assert "+u" not in old.heard + new.heard
    assert client.of_type(pb.SYNCED) == []
    new.answer()
    world.run(SOON_S)
    assert "+u" not in old.heard
    assert "SYNC" in new.heard[new.heard.index("+u") :]
    assert [answer.number for answer in client.of_type(pb.SYNCED)] == [1]


def test_a_server_that_turns_lets_nobody_wait_for_what_its_clients_want_meanwhile(world: World) -> None:
    """That is told later; and of two servers that turn at the same time none could go on before the other."""
    server = alone(world)
    client = joined(world, server, "t")
    old, new = linked(world, server, HUB), linked(world, server, HUB)
    new.answers = False
    old.drains()
    world.run(SOON_S)
    client.subscribe("t", "u")
    world.run(SOON_S)
    old.send(packets.sync(7))
    world.run(SOON_S)
    assert [answer.number for answer in old.of_type(pb.SYNCED)] == [7]


def test_what_was_published_before_it_turns_goes_out_by_the_old_way() -> None:
    """Also what waits for others to leave with it; and what is said after that by the hub."""
    world = World(latency=0.01, window=0.05)
    server = alone(world)
    client = joined(world, server)
    other, hub = linked(world, server, PLAIN), linked(world, server, HUB)
    other.wants("t")
    hub.wants("t")
    other.answers = False
    world.run(SOON_S)
    for body in (b"a", b"b"):
        client.publish("t", body)
    other.send(packets.uplink(hub.alias, passes_on=False))
    world.run(SOON_S)
    client.publish("t", b"c")
    world.run(SOON_S)
    assert other.heard[-3:] == ["a", "b", "SYNC"]
    other.answer()
    world.run(SOON_S)
    assert "c" in hub.heard
    assert "c" not in other.heard


def test_what_the_next_hub_brings_meanwhile_waits_but_for_what_has_no_order(world: World) -> None:
    server = alone(world)
    client = joined(world, server, "t")
    old, new = to_another_hub(world, server)
    third = linked(world, server, HUB)
    third.send(batch.batch([batch.group_frame("t", [99], [b"nobody's"], stamp=Stamp(4712, 1))]))
    for serial, (body, reliable) in enumerate([(b"ordered", True), (b"loose", False)], 1):
        group = batch.group_frame("t", [99], [body], stamp=Stamp(4711, serial))
        new.send(batch.batch([group]), reliable=reliable)
    world.run(SOON_S)
    assert client.bodies == [b"loose"]
    assert packets.subscription_topics(old.of_type(pb.SUBSCRIPTION)[-1]) == ["t"]
    old.answer()
    world.run(SOON_S)
    assert client.bodies == [b"loose", b"ordered"]
    assert packets.subscription_topics(old.of_type(pb.SUBSCRIPTION)[-1]) == [], "it is to bring nothing any more"


def test_what_has_no_order_does_not_overtake_that_a_hub_is_to_pass_on_nothing(world: World) -> None:
    """It would come by the hub as well."""
    server = alone(world)
    client = joined(world, server)
    old, new = to_a_mesh(world, server)
    client.publish("t", b"ordered")
    client.publish("t", b"loose", reliable=False)
    world.run(SOON_S)
    old.answer()
    old.answers = False
    world.run(SOON_S)
    assert old.heard[-2:] == ["UPLINK 0 False", "SYNC"]
    assert new.heard[-1] == "ordered"
    old.answer()
    world.run(SOON_S)
    assert new.heard[-1] == "loose"


# ----------------------------------------------------------------------------------------------------------- changes of its plans


def test_who_comes_later_is_told_by_which_hub_it_hears_and_speaks(world: World) -> None:
    server = alone(world)
    hub = linked(world, server, HUB)
    assert f"UPLINK {hub.alias} True" in linked(world, server, PLAIN).heard


def test_an_old_hub_is_better_than_one_that_drains(world: World) -> None:
    server = alone(world)
    uplink = linked(world, server, HUB)
    old = linked(world, server, HUB, capabilities=OLDER)
    for _ in range(3):
        linked(world, server, HUB).drains()
    uplink.leave()
    world.run(SOON_S)
    assert ways(server) == (old.alias, old.alias)


def test_a_hub_that_drains_before_all_hear_it_is_taken_back(world: World) -> None:
    """Else others would wait for us no longer, and the hub for ever."""
    server = alone(world)
    other, hub = linked(world, server, PLAIN), linked(world, server, HUB)
    assert other.heard[-1] == f"UPLINK {hub.alias} False"
    hub.drains()
    world.run(SOON_S)
    assert other.heard[-1] == "UPLINK 0 False"
    assert hub.heard[-1] == "UPLINK 0 False"


def test_one_change_begins_when_nothing_is_on_its_way_by_two_hubs_any_more(world: World) -> None:
    """What came by the first hub may come by the second one, too, also when that drains; and the third is asked as soon as that is over."""
    server = alone(world)
    client = joined(world, server, "t")
    first, *others = (linked(world, server, HUB) for _ in range(3))
    first.answers = False
    first.drains()
    world.run(SOON_S)
    second, third = sorted(others, key=lambda hub: "SYNC" not in hub.heard)
    brought = batch.batch([batch.group_frame("t", [99], [b"x"], stamp=Stamp(4711, 5))])
    first.send(brought)
    second.answers = False
    world.run(SOON_S)
    first.answer()
    world.run(SOON_S)
    assert ways(server) == (second.alias, second.alias)
    second.drains()
    second.send(brought)
    world.run(SOON_S)
    assert client.bodies == [b"x"]
    assert "SYNC" not in third.heard
    second.answer()
    world.run(SOON_S)
    assert ways(server) == (third.alias, third.alias)


def test_the_hub_that_was_to_be_joined_dies_when_all_hear_it(world: World) -> None:
    """The next one has to be heard by all before anybody may speak by it."""
    server = alone(world)
    client = joined(world, server)
    other, hub, next_hub = linked(world, server, PLAIN), linked(world, server, HUB), linked(world, server, HUB)
    other.wants("t")
    other.answers = False
    other.send(packets.uplink(hub.alias, passes_on=False))
    world.run(SOON_S)
    assert ways(server) == (hub.alias, hub.alias)
    client.publish("t", b"x")
    world.run(SOON_S)
    assert "x" not in other.heard, "it waits for the hub"
    hub.leave()
    world.run(SOON_S)
    assert ways(server)[0] == next_hub.alias
    assert "x" in other.heard


# -------------------------------------------------------------------------------------------------- what the coordinator says of hubs


def test_a_hub_is_left_also_where_only_the_coordinator_says_that_it_ends(world: World) -> None:
    """Its MOVE may still be on its way."""
    server = alone(world)
    hub, other = linked(world, server, HUB), linked(world, server, PLAIN)
    assert ways(server) == (hub.alias, hub.alias)
    welcome(server, hub, other, ending=(hub,))
    world.run(SOON_S)
    assert ways(server) == (hub.alias, 0)
    assert "SYNC" in other.heard
    assert "SYNC" in hub.heard


def test_a_hub_that_comes_under_the_alias_of_one_that_has_ended_does_not_end(world: World) -> None:
    server = alone(world)
    hub = linked(world, server, HUB)
    welcome(server, hub, ending=(hub,))
    hub.leave()
    world.run(SOON_S)
    assert ways(server) == (0, 0)
    linked(world, server, HUB, alias=hub.alias)
    assert ways(server) == (hub.alias, hub.alias)


# ------------------------------------------------------------------------------------------------------------------ the hub's side


def test_a_hub_answers_when_it_is_linked_with_all_by_whom_the_asker_is_heard(world: World) -> None:
    hub = alone(world, hub=True)
    asker, far = linked(world, hub, PLAIN), Partner(world, HUB)
    welcome(hub, asker, far)
    asker.send(packets.sync(7))
    world.run(SOON_S)
    assert asker.of_type(pb.SYNCED) == []
    far.connect(hub)
    world.run(SOON_S)
    assert "SYNC" in far.heard
    assert [answer.number for answer in asker.of_type(pb.SYNCED)] == [7]


def test_of_two_hubs_that_drain_one_stays_while_a_server_speaks_by_the_other(world: World) -> None:
    """It may be heard by way of both."""
    hub = alone(world, hub=True, drain_seconds=60.0)
    other, plain = linked(world, hub, HUB), linked(world, hub, PLAIN)
    plain.send(packets.uplink(other.alias, passes_on=True))
    other.drains()
    world.run(SOON_S)
    hub.feed(ev.DrainRequested())
    world.run(LONG_S)
    assert plain.closed == []
    plain.send(packets.uplink(other.alias, passes_on=False))
    world.run(LONG_S)
    assert plain.closed == ["remote"]
    assert len(hub.broker.peers) == 0
