"""Clients that move, in the pretend world: the real session of a client, on a wire between cores, and the naive account of what it gets."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from commserver.core import events as ev
from protocol import packets, signalling
from protocol.tokens import TokenRole
from rtcbroker.core import events
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.session import Session
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats
from rtcbroker.core.subscriptions import SubscriptionSet
from service.urls import Turns
from tests.support.world import End, Server, World, token
from transport.link import LinkEnd

OPTIONS = ClientOptions(stable_after=0.001)
MAX_SERVERS = 4
"""That a property lets be there at once."""


class Mover:
    """One client and the shell around it, much as `rtcbroker/io` is."""

    role = TokenRole.CLIENT

    def __init__(self, world: World, *topics: str) -> None:
        self.world = world
        self.alias = world.next_alias()
        self.stats = ClientStats()
        self.subscriptions = SubscriptionSet()
        self.delivery = Delivery(self.stats)
        self.got: list[Packet] = []
        self.states: list[ClientState] = []
        self.said: list[bytes] = []
        """Bodies it has published reliably, in order."""
        self._ends: dict[int, End] = {}
        self._held: list[tuple[str, bytes]] = []
        self._is_dialed = False
        self._events: list[events.Event] = []
        self._is_busy = False
        self.session = Session(
            Turns(["ws://coordinator:9090/connect"], random.Random(0)),
            OPTIONS,
            self.stats,
            self.subscriptions,
            self.delivery,
            random.Random(world.rng.random()),
            token=token(f"mover {self.alias}"),
            renewable=False,
        )
        self.subscribe(*topics)
        self.feed(events.Start())

    # ------------------------------------------------------------------------------------------------- what it does

    @property
    def server(self) -> int:
        """The alias of its server; 0 while there is none."""
        return 0 if self.session.joined is None else self.session.joined.server

    def subscribe(self, *topics: str) -> None:
        """Want these, too."""
        self.delivery.attach(topics, self.got.append)
        self.subscriptions.hold(topics)
        self.feed(events.SubscriptionsChanged())

    def publish(self, topic: str, body: bytes, *, reliable: bool = True) -> None:
        """Publish, as `io/sender.py` does."""
        if reliable:
            self.said.append(body)
        if reliable and self.session.is_parting:
            self._held.append((topic, body))
        elif self.session.joined is not None:
            self._send(self.session.joined.number, packets.topic(topic, body), reliable)

    def _send(self, link: int, data: bytes, reliable: bool) -> None:
        if (end := self._ends.get(link)) is not None:
            self.world.send(end, data, reliable)

    # ------------------------------------------------------------------------------------------------- the shell

    def feed(self, event: events.Event) -> None:
        """Handle an event and do what the session asks for."""
        self._events.append(event)
        if self._is_busy:
            return
        self._is_busy = True
        while self._events:
            self._perform(self.session.handle(self._events.pop(0), self.world.now))
        self._is_busy = False
        self._set_timer()

    def _perform(self, outputs: list[events.Output]) -> None:
        for output in outputs:
            self._do(output)

    def _set_timer(self) -> None:
        due = self.session.next_deadline()
        if due is not None:
            self.world.later(max(0.0, due - self.world.now), lambda: self._look(due))

    def _look(self, due: float) -> None:
        if self.session.next_deadline() == due:
            self.feed(events.DeadlineReached())

    def _do(self, output: events.Output) -> None:
        world = self.world
        match output:
            case events.DialCoordinator():
                world.later(world.delay(), self._dialed)
                self._is_dialed = True
            case events.HangUp():
                self._is_dialed = False
                if world.registered.get(self.alias) is self:
                    world.unregister(self)
            case events.SendSignal():
                world.signal(self, output.frame)
            case events.AnswerOffer():
                end, sdp = world.end(self, output.link)
                self._ends[output.link] = end
                world.later(0.0, lambda: self.feed(events.LinkAnswered(output.link, sdp)))
            case events.CloseLink():
                if (gone := self._ends.pop(output.link, None)) is not None:
                    world.close(gone)
            case events.SendPacket():
                self._send(output.link, output.data, output.reliable)
            case events.Moved():
                held, self._held = self._held, []
                assert self.session.joined is not None
                for topic, body in held:
                    self._send(self.session.joined.number, packets.topic(topic, body), True)
            case events.StateChanged():
                self.states.append(output.state)

    def _dialed(self) -> None:
        if self._is_dialed and self.world.registered.get(self.alias) is not self:
            self.feed(events.SocketOpened())
            self.world.register(self)

    # ------------------------------------------------------------------------------------------------- what the world tells

    def on_signal(self, frame: bytes) -> None:
        if self._is_dialed:
            message: Any = signalling.decode_signal(frame)
            assert message is not None
            self.feed(events.SignalReceived(frame))

    def on_open(self, end: End) -> None:
        self.feed(events.LinkOpened(end.number))

    def on_message(self, end: End, data: bytes, reliable: bool) -> None:
        self._perform(self.session.received(end.number, data, reliable, self.world.now))
        self._set_timer()

    def on_closed(self, end: End, reason: str) -> None:
        if self._ends.pop(end.number, None) is not None:
            self.feed(events.LinkEnded(end.number, LinkEnd.REMOTE))


class Crowd:
    """Servers that come and go one after the other, and clients who talk all the time."""

    def __init__(
        self, world: World, servers: int, topics: list[tuple[str, ...]], *, hubs: int = 0, drain_seconds: float = 2.0
    ) -> None:
        self.world = world
        self.drain_seconds = drain_seconds
        self.hubs = [world.server(hub=True, drain_seconds=drain_seconds) for _ in range(hubs)]
        self.servers: list[Server] = []
        """Those that take clients."""
        for _ in range(servers):
            self.add()
        world.run(5.0)
        self.movers = [Mover(world, *one) for one in topics]
        self.topics = topics
        world.run(5.0)
        assert all(mover.server for mover in self.movers)
        self.records: list[tuple[Mover, str, bytes]] = []
        """What was published reliably."""
        self._said = 0

    def add(self) -> None:
        """A server starts."""
        self.servers.append(self.world.server(drain_seconds=self.drain_seconds))

    def drain(self, number: int) -> None:
        """A server is to end, if there is another one."""
        if len(self.servers) > 1:
            self.servers.pop(number % len(self.servers)).feed(ev.DrainRequested())

    def add_hub(self) -> None:
        """A hub starts."""
        self.hubs.append(self.world.server(hub=True, drain_seconds=self.drain_seconds))

    def drain_hub(self, number: int) -> None:
        """A hub is to end, the last one, too."""
        if self.hubs:
            self.hubs.pop(number % len(self.hubs)).feed(ev.DrainRequested())

    def say(self, number: int, topic: str, *, reliable: bool = True) -> None:
        """Somebody publishes."""
        mover = self.movers[number % len(self.movers)]
        self._said += 1
        body = b"%d" % self._said
        if reliable:
            self.records.append((mover, topic, body))
        mover.publish(topic, body, reliable=reliable)

    def check(self, is_settled: Callable[[Mover], bool] = lambda _: True) -> None:
        """Everyone got every record of its topics once, each sender's in its order."""
        self.world.run(20.0)
        for mover, topics in zip(self.movers, self.topics, strict=True):
            got = [(packet.sender, packet.body) for packet in mover.got if packet.reliable]
            expected = [(who.alias, body) for who, topic, body in self.records if topic in topics and who is not mover]
            assert len(got) == len(set(got)), "twice"
            assert set(got) == set(expected), f"{len(set(expected) - set(got))} lost"
            assert _by_sender(got) == _by_sender(expected), "out of order"
            loose = [packet.body for packet in mover.got if not packet.reliable]
            assert len(loose) == len(set(loose)), "twice, on the unreliable channel"
            assert mover.states == [ClientState.CONNECTING, ClientState.CONNECTED], "the application noticed nothing"
            assert is_settled(mover)


def _by_sender(records: list[tuple[int, bytes]]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for sender, body in records:
        found[sender].append(body)
    return found


class Say(NamedTuple):
    """A step of a property: somebody publishes."""

    who: int
    topic: str
    reliable: bool

    def do(self, crowd: Crowd) -> None:
        crowd.say(self.who, self.topic, reliable=self.reliable)


class Drain(NamedTuple):
    """A plain server drains."""

    which: int

    def do(self, crowd: Crowd) -> None:
        crowd.drain(self.which)


class Start(NamedTuple):
    """A plain server comes, where there are not too many."""

    def do(self, crowd: Crowd) -> None:
        if len(crowd.servers) < MAX_SERVERS:
            crowd.add()
