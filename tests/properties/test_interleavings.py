"""Any interleaving of publishing, subscribing, coming, going and windows: each record once to each other subscriber, and nothing stays."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from commserver.core import events as ev
from commserver.core.session import Session
from tests.support.interleaving import LATEST, MAX_PEOPLE, TOPICS, Packet, Person, Play
from tests.support.reach import reachable

WINDOW_S = 0.02
VISITORS, TOPICS_EACH = 60, 50
EXAMPLES = settings(max_examples=150)

WHO = st.integers(0, MAX_PEOPLE - 1)
TOPIC_SETS = st.frozensets(st.sampled_from(TOPICS))
PACKETS = st.builds(Packet, st.sampled_from(TOPICS), st.sampled_from([0, 30, 300, 700]), st.booleans())
PAUSES = st.sampled_from([0.0, 0.0003, 0.001, 0.0047, 0.0083, 0.0117, 0.0131, 0.019, 0.02, 0.021, 0.05, 0.3])


class Say(NamedTuple):
    who: int
    said: list[Packet]
    reliable: bool
    together: bool

    def do(self, play: Play) -> None:
        play.say(play.people[self.who % len(play.people)], self.said, reliable=self.reliable, together=self.together)


class Subscribe(NamedTuple):
    who: int
    topics: frozenset[str]

    def do(self, play: Play) -> None:
        play.subscribe(play.people[self.who % len(play.people)], self.topics)


class Turn(NamedTuple):
    """Several of these, read by the servers before anything else happens."""

    steps: list[Say | Subscribe]

    def do(self, play: Play) -> None:
        with play.turn():
            for step in self.steps:
                step.do(play)


class Join(NamedTuple):
    where: int
    new: bool
    topics: frozenset[str]

    def do(self, play: Play) -> None:
        if len(play.people) < MAX_PEOPLE:
            play.join(self.where, self.topics, new=self.new)


class Leave(NamedTuple):
    who: int

    def do(self, play: Play) -> None:
        if len(play.people) > 1:
            play.leave(play.people[self.who % len(play.people)])


class Wait(NamedTuple):
    seconds: float

    def do(self, play: Play) -> None:
        play.wait(self.seconds)


SAY = st.builds(Say, WHO, st.lists(PACKETS, min_size=1, max_size=8), st.booleans(), st.booleans())
SUBSCRIBE = st.builds(Subscribe, WHO, TOPIC_SETS)
TURN = st.builds(Turn, st.lists(st.one_of(SAY, SAY, SUBSCRIBE), min_size=2, max_size=6))
STEPS = st.lists(
    st.one_of(
        SAY,
        SAY,
        TURN,
        SUBSCRIBE,
        st.builds(Join, WHO, st.booleans(), TOPIC_SETS),
        st.builds(Leave, WHO),
        st.builds(Wait, PAUSES),
        st.builds(Wait, PAUSES),
    ),
    max_size=40,
)


def played(servers: int, window: float, steps: list[Any]) -> Play:
    """Four people to begin with, one of them old; then `steps`."""
    play = Play.begin(servers, window)
    for number, topics in enumerate([{"a", "b", LATEST}, {"a", LATEST}, {"a", "c"}, {"b"}]):
        play.join(number, frozenset(topics), new=number != 2)
    play.wait(0.3)
    play.wait(0.0037)
    for step in steps:
        step.do(play)
    return play


@EXAMPLES
@given(st.integers(1, 2), st.sampled_from([WINDOW_S, WINDOW_S, 0.0]), STEPS)
@example(
    1,
    WINDOW_S,
    [
        Say(0, [Packet(LATEST, 0, identity=False), Packet(LATEST, 300, identity=False)], reliable=False, together=False),
        Say(1, [Packet(LATEST, 0, identity=False), Packet(LATEST, 700, identity=True)], reliable=False, together=False),
    ],
)
def test_each_record_comes_once_to_each_other_subscriber_in_order(servers: int, window: float, steps: list[Any]) -> None:
    played(servers, window, steps).check()


@EXAMPLES
@given(st.integers(1, 2), STEPS)
def test_whoever_is_gone_leaves_nothing_behind(servers: int, steps: list[Any]) -> None:
    """Not a session, not a record: wherever it would have been kept."""
    play = played(servers, WINDOW_S, steps)
    for person in list(play.people):
        play.leave(person)
    play.wait(60.0)
    for server in play.servers:
        left = [one for one in reachable(server.broker) if _is_of_a_client(one)]
        assert left == []


def _is_of_a_client(found: object) -> bool:
    if isinstance(found, Session):
        return not found.is_server and found.link != 0  # 0: whoever publishes by way of a coordinator
    return isinstance(found, bytes) and b"record " in found


@EXAMPLES
@given(
    st.lists(
        st.one_of(SAY, TURN, st.builds(Wait, PAUSES), TOPIC_SETS, st.builds(Join, st.just(0), st.booleans(), TOPIC_SETS)),
        max_size=30,
    )
)
def test_an_old_client_next_to_a_new_one_gets_the_same(steps: list[Any]) -> None:
    """Their subscriptions, and nobody else's, change together, in one turn."""
    play = Play.begin(1, WINDOW_S)
    twins = [play.join(0, frozenset("ab"), new=new) for new in (False, True)]
    for topics in ("abc", "c"):
        play.join(0, frozenset(topics), new=True)
    for step in steps:
        if isinstance(step, frozenset):
            with play.turn():
                for twin in twins:
                    play.subscribe(twin, step - {LATEST})  # that a new client gets fewer of these is what it is for
        else:
            _without(step, twins, play)
    play.check()
    said_by_twins = {twin.alias for twin in twins}
    old, new = (
        [(one.sender, one.body, one.reliable, one.identity) for one in twin.got if one.sender not in said_by_twins]
        for twin in twins
    )
    assert Counter(old) == Counter(new)
    for sender in {one[0] for one in old}:
        assert [one for one in old if one[0] == sender and one[2]] == [one for one in new if one[0] == sender and one[2]]


def _without(step: Any, twins: list[Person], play: Play) -> None:
    """Do `step`, where a subscription of a twin is not changed."""
    if isinstance(step, Turn):
        step = Turn(
            [one for one in step.steps if not isinstance(one, Subscribe) or play.people[one.who % len(play.people)] not in twins]
        )
    step.do(play)


@given(st.lists(st.sampled_from(TOPICS), min_size=2, max_size=4, unique=True), st.booleans(), st.booleans())
def test_what_came_in_one_message_leaves_in_one(topics: list[str], reliable: bool, identity: bool) -> None:
    play = Play.begin(1, WINDOW_S)
    speaker, listener = (play.join(0, frozenset(TOPICS), new=True) for _ in range(2))
    play.wait(1.0037)
    (session,) = play.servers[0].broker.peers.of_alias(listener.alias)
    before = len(play.servers[0].sent(session.link))
    play.say(speaker, [Packet(topic, 30, identity) for topic in topics], reliable=reliable, together=True)
    assert len(listener.got) == len(topics), "they were quiet, so nothing waits"
    assert len(play.servers[0].sent(session.link)) - before == 1
    play.check()


def test_memory_is_bounded_by_who_is_there_and_not_by_who_was() -> None:
    """Thousands of topics and hundreds of people come and go; the last visit leaves what the second did."""
    play = Play.begin(2, WINDOW_S)
    sizes: list[int] = []
    for visit in range(5):
        for number in range(VISITORS):
            _visit(play, [f"{visit}/{number}/{n}" for n in range(TOPICS_EACH)])
        play.wait(60.0)
        for server in play.servers:
            server.feed(ev.ReportDue("1", visit, 0.0, 0))  # topics are counted by name until then
            server.outputs.clear()
        play.wait(1.0)
        sizes.append(sum(1 for server in play.servers for _ in reachable(server.broker)))
    assert len(play.records) == 5 * VISITORS * TOPICS_EACH * 2
    # Windows that are over are swept out now and then: some thousand remain, sometimes fewer, sometimes more.
    assert max(sizes[1:]) < sizes[0] + VISITORS * TOPICS_EACH, sizes


def _visit(play: Play, topics: list[str]) -> None:
    """Two people, one on each server, talk about these and go."""
    person, other = (play.join(where, frozenset(topics), new=True) for where in (0, 1))
    play.wait(0.051)
    for number, topic in enumerate(topics):
        play.say(person, [Packet(topic, 30, identity=True)] * 2, reliable=number % 2 == 0, together=number % 3 == 0)
    play.wait(0.0117)
    play.leave(person)
    play.leave(other)


@given(st.integers(1, 2), st.lists(PACKETS, min_size=1, max_size=30), st.booleans())
def test_what_waits_is_for_those_who_wanted_it_when_it_was_said(servers: int, said: list[Packet], reliable: bool) -> None:
    """The case by itself that the mixture only sometimes has: something is pending when somebody comes, changes or goes."""
    play = Play.begin(servers, WINDOW_S)
    speaker, listener, late = (play.join(0, topics, new=True) for topics in (frozenset(), frozenset(TOPICS), frozenset()))
    play.wait(0.3)
    play.say(speaker, [Packet(topic, 30, identity=False) for topic in TOPICS], reliable=reliable, together=True)
    play.wait(0.0011)
    play.say(speaker, said, reliable=reliable, together=True)
    waiting = {one.serial for one in play.records} - {int(one.body.split()[1]) for one in listener.got}
    play.subscribe(late, frozenset(TOPICS))
    assert late.got == []
    heard = {int(one.body.split()[1]) for one in listener.got}
    assert heard >= {serial for serial in waiting if play.records[serial].topic != LATEST}
    play.say(speaker, said, reliable=reliable, together=False)
    play.leave(speaker)
    play.check()


def test_something_waits_in_that_case() -> None:
    play = Play.begin(1, WINDOW_S)
    speaker, listener = play.join(0, frozenset(), new=True), play.join(0, frozenset("a"), new=True)
    play.wait(0.3)
    for _ in range(2):
        play.wait(0.0011)
        play.say(speaker, [Packet("a", 30, identity=False)], reliable=True, together=False)
    assert len(listener.got) == 1, "the first opens the window, the second waits"
    assert any(kind == "flush" for kind, _ in play.servers[0].state.deadlines._live)
    assert isinstance(play.servers[0].outputs[-1], ev.Send)
