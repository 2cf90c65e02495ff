"""People on one or two comm servers who say and do things in any order, and a naive account of what each of them must get.

Who is on the server where something is published gets it if subscribed at that moment. Who is on the other one must get it if subscribed
from well before until well after, may get it if subscribed in between, for interest takes its time to get there, and never otherwise.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from commserver.core import events as ev
from protocol import batch, packets
from protocol.limits import RELIABLE_BATCH_BYTES, UNRELIABLE_BATCH_BYTES
from protocol.pb import broker_pb2 as pb
from protocol.topics import PatternSet
from tests.support.world import Server, World
from tests.support.world_client import NEW, OLD, Client

LATEST = "pos"
"""The topic of which only each sender's newest record of a window counts, on the unreliable channel."""
TOPICS = ("a", "b", "c", LATEST)
MAX_PEOPLE = 6
INTEREST_S = 0.2
"""By then the other server knows; ten times its debounce."""
ARRIVAL_S = 0.2
"""By then what was published has arrived; some windows."""
SUBJECT_BYTES = 180


class Packet(NamedTuple):
    """What somebody publishes."""

    topic: str
    size: int
    identity: bool


@dataclass(frozen=True, eq=False)
class Record:
    """What was published; `serial` is the order in which it was."""

    serial: int
    at: float
    sender: Person
    topic: str
    body: bytes
    reliable: bool
    identity: bool


class Person(Client):
    """A client that remembers what it wanted when."""

    def __init__(self, world: World, server: Server, *, new: bool) -> None:
        subject = f"person {len(world.registered)} ".ljust(SUBJECT_BYTES, ".")
        super().__init__(world, subject=subject, capabilities=NEW if new else OLD)
        self.server = server
        self.is_old = not new
        self.in_turn = False
        """What it sends is read by the server now, together with what others send, and before any deadline."""
        self.topics: frozenset[str] = frozenset()
        self.changes: list[tuple[float, frozenset[str]]] = [(-math.inf, frozenset())]
        self.due: set[int] = set()
        """Serials of what was published on its server while it wanted it."""
        self.is_gone = False

    def send(self, data: bytes, *, reliable: bool = True) -> None:
        """As every client, or within the turn."""
        if not self.in_turn:
            super().send(data, reliable=reliable)
            return
        assert self.end is not None
        assert self.end.peer is not None
        self.end.peer.owner.on_message(self.end.peer, data, reliable)

    def wants(self, topics: frozenset[str]) -> None:
        """Note what it is subscribed to from now on."""
        self.topics = topics
        self.changes.append((self.world.now, topics))

    def wanted(self, topic: str, begin: float, end: float) -> tuple[bool, bool]:
        """Whether it was subscribed all the time from `begin` to `end`, and whether at all."""
        states = [topic in topics for at, topics in self.changes if begin < at <= end]
        states.append(topic in [topics for at, topics in self.changes if at <= begin][-1])
        return all(states), any(states)


@dataclass
class Play:
    """A world, its people, and what they said. Nothing takes time but :meth:`wait`."""

    world: World
    servers: list[Server]
    people: list[Person] = field(default_factory=list)
    gone: list[Person] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    @classmethod
    def begin(cls, servers: int, window: float) -> Play:
        """Servers that know each other; in the middle of a window."""
        world = World(latency=0.0)
        made = [world.server(coalesce_window=window, latest=PatternSet([LATEST])) for _ in range(servers)]
        world.run(5.0)
        tick = window or 0.02
        world.run((math.floor(world.now / tick) + 1.35) * tick - world.now)
        return cls(world, made)

    # ------------------------------------------------------------------------------------------------------- what people do

    def join(self, where: int, topics: frozenset[str], *, new: bool) -> Person:
        """Somebody comes."""
        person = Person(self.world, self.servers[where % len(self.servers)], new=new)
        person.connect(person.server)
        self.world.run(0.0)
        assert person.is_open
        self.people.append(person)
        self.subscribe(person, topics)
        return person

    def subscribe(self, person: Person, topics: frozenset[str]) -> None:
        """Somebody wants something else."""
        person.subscribe(*sorted(topics))
        self._settle()
        person.wants(topics)

    def leave(self, person: Person) -> None:
        """Somebody goes."""
        person.leave()
        self._settle()
        person.wants(frozenset())
        person.is_gone = True
        self.people.remove(person)
        self.gone.append(person)

    def say(self, person: Person, said: Sequence[Packet], *, reliable: bool, together: bool) -> None:
        """Somebody publishes: packet by packet, or all `together` in one message, if it is no old client."""
        frames = []
        for (topic, identity), run in itertools.groupby(said, lambda packet: (packet.topic, packet.identity)):
            bodies = [self._note(person, packet, reliable).body for packet in run]
            if together and not person.is_old:
                frames.append(batch.group_frame(topic, (), bodies, identity=identity))
                continue
            for body in bodies:
                person.publish(topic, body, reliable=reliable, identity=identity)
        if frames:
            person.send(batch.batch(frames), reliable=reliable)
        self._settle()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """What is sent inside is read in one turn: nothing that becomes due by it is done before its end."""
        for person in self.people:
            person.in_turn = True
        try:
            yield
        finally:
            for person in [*self.people, *self.gone]:
                person.in_turn = False
        self._settle()

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.world.run(seconds)

    def _settle(self) -> None:
        if not any(person.in_turn for person in self.people):
            self.world.run(0.0)

    def _note(self, sender: Person, packet: Packet, reliable: bool) -> Record:
        serial = len(self.records)
        body = b"record %d " % serial
        record = Record(serial, self.world.now, sender, packet.topic, body.ljust(packet.size, b"."), reliable, packet.identity)
        self.records.append(record)
        for person in self.people:
            if person is not sender and person.server is sender.server and packet.topic in person.topics:
                person.due.add(serial)
        return record

    # --------------------------------------------------------------------------------------------------------- what must be

    def check(self) -> None:
        """Once all has arrived: everyone got what the account says."""
        self.world.run(2.0)
        for person in [*self.people, *self.gone]:
            self._check(person)
        for server in self.servers:
            check_sizes(server)
            assert not server.broker.counters.dropped.keys() - {"replaced by newer", "peer gone"}

    def _check(self, person: Person) -> None:
        got = [self.records[int(one.body.split()[1])] for one in person.got]
        for one, record in zip(person.got, got, strict=True):
            subject = record.sender.auth.split(b"|")[0] if record.identity else b""
            topic = "" if person.is_old else record.topic
            assert one == (topic, record.sender.alias, record.body, record.reliable, subject)
        serials = [record.serial for record in got]
        assert len(set(serials)) == len(serials), "twice"
        assert all(record.sender is not person for record in got), "its own"
        must, may = self._account(person)
        assert set(serials) <= must | may, "never asked for"
        if not person.is_gone:
            self._check_nothing_is_missing(person, set(serials), must)
        _check_order(got)
        self._check_nothing_was_sent_in_vain(person)
        assert (person.errors, person.close_codes) == ([], [])

    def _account(self, person: Person) -> tuple[set[int], set[int]]:
        must, may = set(person.due), set[int]()
        for record in self.records:
            if record.sender.server is not person.server:
                always, ever = person.wanted(record.topic, record.at - INTEREST_S, record.at + ARRIVAL_S)
                (must if always else may if ever else set()).add(record.serial)
        return must, may

    def _check_nothing_is_missing(self, person: Person, got: set[int], must: set[int]) -> None:
        newest: dict[Person, int] = {}
        for serial in sorted(must):
            record = self.records[serial]
            if record.topic == LATEST and not record.reliable and not person.is_old:
                newest[record.sender] = serial
                must = must - {serial}
        assert must <= got, "missing"
        for sender, serial in newest.items():
            same = [n for n in got if self.records[n].sender is sender and self.records[n].topic == LATEST]
            assert max(same, default=-1) >= serial, "the newest is missing"

    @staticmethod
    def _check_nothing_was_sent_in_vain(person: Person) -> None:
        """A batch is the same for all its receivers, and may hold the receiver's own records; but not those alone."""
        assert person.end is not None
        assert person.end.peer is not None
        for data in person.server.sent(person.end.peer.number):
            message: Any = packets.decode_packet(data)
            if isinstance(message, pb.TopicBatchFrames):
                assert any(set(pb.TopicGroup.FromString(raw).from_alias) - {person.alias} for raw in message.groups)


def _check_order(got: list[Record]) -> None:
    """Per sender on the reliable channel, over all topics; on the other one a topic's packets of a sender do not overtake each other."""
    last: dict[Any, int] = defaultdict(lambda: -1)
    for record in got:
        key = (record.sender,) if record.reliable else (record.sender, record.topic, record.identity)
        assert record.serial > last[key], "out of order"
        last[key] = record.serial


def check_sizes(server: Server) -> None:
    """Every batch it has sent is within its limit, or holds one record."""
    for output in server.outputs:
        if isinstance(output, ev.Send):
            message: Any = packets.decode_packet(output.data)
            limit = RELIABLE_BATCH_BYTES if output.reliable else UNRELIABLE_BATCH_BYTES
            if isinstance(message, pb.TopicBatchFrames) and len(output.data) > limit:
                groups = [pb.TopicGroup.FromString(raw) for raw in message.groups]
                assert sum(len(group.body) for group in groups) == 1, f"{len(output.data)} bytes"
