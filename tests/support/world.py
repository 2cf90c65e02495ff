"""Comm servers without a network: several cores, a pretend wire, a pretend coordinator, and a time of their own.

Everything is decided by one seed. Reliable channels keep their order, different links do not wait for one another, and the unreliable
channel may lose and reorder. Nothing sleeps: :meth:`World.run` goes from event to event.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import math
import random
from collections.abc import Callable
from typing import Any, Protocol

from commserver.core import events as ev
from commserver.core.broker import Broker
from commserver.core.config import BrokerConfig
from commserver.core.state import State
from coordinator.core.cluster import ServerState, newcomer
from coordinator.core.neighbours import Neighbours
from coordinator.core.servers import Servers
from protocol import signalling
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.pb import broker_pb2 as pb
from protocol.signalling import END_OF_CANDIDATES
from protocol.tokens import Claims, TokenRole
from protocol.topics import PatternSet

START = 1_000_000.0
SILENCE = 30.0
"""After which the transport ends a link whose other side is dead."""
EXIT_S = 2.0
"""Within which the process of a server that has drained is gone."""
WIRE_ROLES = {
    TokenRole.CLIENT: pb.CLIENT,
    TokenRole.COMMUNICATION_SERVER: pb.COMMUNICATION_SERVER,
    TokenRole.COMMUNICATION_SERVER_HUB: pb.COMMUNICATION_SERVER_HUB,
}


def token(
    subject: str, role: TokenRole = TokenRole.CLIENT, expires_at: float = 1e12, publish: str = "**", subscribe: str = "**"
) -> str:
    """What stands for a signed token here: its claims, readable; grants are separated by commas."""
    return f"{subject}|{role}|{expires_at}|{publish}|{subscribe}"


def claims_of(text: str, now: float) -> Claims:
    """Verify what :func:`token` made. Raises TokenError."""
    try:
        subject, role, expires_at, publish, subscribe = text.split("|")
    except ValueError as error:
        raise TokenError(Code.AUTH_FAILED, "not a token") from error
    if float(expires_at) <= now:
        raise TokenError(Code.TOKEN_EXPIRED, "the token has expired")
    may_publish, may_subscribe = (PatternSet([one for one in part.split(",") if one]) for part in (publish, subscribe))
    return Claims(subject, TokenRole(role), float(expires_at), may_publish, may_subscribe)


class Owner(Protocol):
    """Whoever holds an end of a link: a server or a client."""

    alias: int

    @property
    def role(self) -> TokenRole: ...
    def on_signal(self, frame: bytes) -> None: ...
    def on_open(self, end: End) -> None: ...
    def on_message(self, end: End, data: bytes, reliable: bool) -> None: ...
    def on_closed(self, end: End, reason: str) -> None: ...


@dataclasses.dataclass(eq=False)
class End:
    """One end of a link."""

    owner: Owner
    number: int
    peer: End | None = None
    is_open: bool = False
    closed: bool = False
    mute: bool = False
    """What is sent here gets lost on the way: a peer that is gone without a word."""
    last: dict[bool, float] = dataclasses.field(default_factory=lambda: {True: 0.0, False: 0.0})
    """When the last message of each channel arrives."""


class World:
    """The clock, the wire and the coordinator."""

    def __init__(
        self, seed: int = 0, *, latency: float = 0.001, jitter: float = 0.0, loss: float = 0.0, window: float = 0.0
    ) -> None:
        """`latency` and `jitter` in seconds, each way; `loss` of the unreliable channel, 0..1; `window` of the servers' coalescing."""
        self.window = window
        self.rng = random.Random(seed)
        self.now = START
        self.latency, self.jitter, self.loss = latency, jitter, loss
        self.servers: list[Server] = []
        self.registered: dict[int, Owner] = {}
        """The coordinator's memory."""
        self._forget_servers()
        self.coordinator_up = True
        self._ends: dict[int, End] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count()
        self._aliases = itertools.count(1001)
        self._signal_order: dict[int, float] = {}
        self._status_order: dict[int, float] = {}

    # ---------------------------------------------------------------------------------------------------------------- time

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Do something in `delay` seconds."""
        heapq.heappush(self._queue, (self.now + delay, next(self._counter), do))

    def run(self, seconds: float = 1.0) -> None:
        """Let `seconds` pass."""
        end = self.now + seconds
        for _ in range(1_000_000):
            waiting = [(at, number) for number, server in enumerate(self.servers) if (at := server.due()) is not None]
            due = min(waiting, default=(math.inf, -1))
            at = min(due[0], self._queue[0][0] if self._queue else math.inf)
            if at > end:
                self.now = end
                return
            self.now = max(self.now, at)
            if due[0] <= at:
                self.servers[due[1]].feed(ev.DeadlineReached())
            else:
                heapq.heappop(self._queue)[2]()
        raise AssertionError("the world does not come to rest: something goes to and fro for ever")

    def delay(self) -> float:
        """One way over the network."""
        return self.latency + (self.rng.random() * self.jitter if self.jitter else 0.0)

    # ---------------------------------------------------------------------------------------------------------- coordinator

    def _forget_servers(self) -> None:
        self.directory = Servers(math.inf)
        self.neighbours = Neighbours(self.directory)

    def server(self, *, hub: bool = False, alias: int = 0, register: bool = True, **config: Any) -> Server:
        """A server that has just been started."""
        role = TokenRole.COMMUNICATION_SERVER_HUB if hub else TokenRole.COMMUNICATION_SERVER
        config.setdefault("coalesce_window", self.window)
        server = Server(self, alias or next(self._aliases), BrokerConfig(role=role, **config))
        self.servers.append(server)
        if register:
            self.register(server)
        return server

    def next_alias(self) -> int:
        """An alias nobody has."""
        return next(self._aliases)

    def register(self, owner: Owner) -> None:
        """The coordinator welcomes a peer."""
        self.registered[owner.alias] = owner
        self._welcome(owner)
        if owner.role.is_server:
            is_linked = not self.directory.neighbours(owner.alias, owner.role)
            self.directory.update(newcomer(owner.alias, owner.role, part2=True, is_linked=is_linked), self.now)

    def _welcome(self, owner: Owner) -> None:
        is_plain = owner.role is TokenRole.COMMUNICATION_SERVER
        others = self.directory.neighbours(
            owner.alias, owner.role if owner.role.is_server else TokenRole.COMMUNICATION_SERVER_HUB
        )
        self.rng.shuffle(others)
        hubs = is_plain and self.directory.has_hub(besides=owner.alias)
        ending = self.directory.ending_hubs() if owner.role.is_server else ()
        self._to(owner, signalling.welcome(owner.alias, others, resume="r", auth_required=True, hubs=hubs, ending=ending))

    def unregister(self, owner: Owner) -> None:
        """The peer's socket is gone; everybody hears it, and servers whose neighbours have changed hear that."""
        if self.registered.pop(owner.alias, None) is None:
            return
        if self.directory.remove(owner.alias):
            self.neighbours.went(owner.role, self.now)
        for other in list(self.registered.values()):
            self._to(other, signalling.peer_gone(owner.alias))
        self._tell_neighbours()

    def _tell_neighbours(self) -> None:
        for alias in self.neighbours.due(self.now):
            self._welcome(self.registered[alias])

    def _status(self, sender: Owner, message: pb.ServerStatusMessage) -> None:
        before = self.directory.get(sender.alias)
        state = ServerState(sender.alias, sender.role, part2=True, draining=message.draining, linking=message.linking)
        self.directory.update(state, self.now)
        self.neighbours.reported(before, state, self.now)
        self._tell_neighbours()

    def coordinator_stops(self) -> None:
        """It forgets everything; links live on."""
        self.coordinator_up = False
        self.registered.clear()
        self._forget_servers()
        for server in self.servers:
            server.feed(ev.CoordinatorLost())

    def coordinator_returns(self) -> None:
        """Servers come back in any order, under their aliases."""
        self.coordinator_up = True
        for server in self.rng.sample(self.servers, len(self.servers)):
            self.register(server)

    def signal(self, sender: Owner, frame: bytes) -> None:
        """A frame for the coordinator, which writes who sent it and passes it on."""
        if not self.coordinator_up or sender.alias not in self.registered:
            return
        message: Any = signalling.decode_signal(frame)
        if isinstance(message, pb.ServerStatusMessage):
            at = self._status_order[id(sender)] = max(self._status_order.get(id(sender), 0.0), self.now + self.delay())
            self.later(at - self.now, lambda: self._status(sender, message) if sender.alias in self.directory else None)
        if isinstance(message, pb.ServerStatusMessage | pb.ServerReportMessage):
            return
        message.from_alias = sender.alias
        if isinstance(message, pb.ConnectMessage):
            message.from_role = WIRE_ROLES[sender.role]
        target = self.registered.get(message.to_alias)
        if target is not None:
            self._to(target, message.SerializeToString())
        elif isinstance(message, pb.ConnectMessage):
            self._to(sender, signalling.refused(sender.alias, message.to_alias, Code.PEER_NOT_FOUND))

    def _to(self, owner: Owner, frame: bytes) -> None:
        # One socket: frames keep their order.
        at = self._signal_order[id(owner)] = max(self._signal_order.get(id(owner), 0.0), self.now + self.delay())
        self.later(at - self.now, lambda: owner.on_signal(frame) if self.coordinator_up else None)

    # ----------------------------------------------------------------------------------------------------------------- wire

    def end(self, owner: Owner, number: int) -> tuple[End, str]:
        """A new end, and its description."""
        key = next(self._counter)
        end = self._ends[key] = End(owner, number)
        return end, f"end {key}"

    def described(self, sdp: str) -> End:
        """The end that made this description."""
        return self._ends[int(sdp.split()[1])]

    def join(self, a: End, b: End) -> None:
        """Both descriptions are exchanged: the channels will open."""
        if a.closed or b.closed:
            return
        a.peer, b.peer = b, a
        for end in (a, b):
            end.last = dict.fromkeys(end.last, self.now + self.delay())
            self.later(end.last[True] - self.now, lambda end=end: self._open(end))  # type: ignore[misc]  # a default binds it now

    def _open(self, end: End) -> None:
        if not end.closed:
            end.is_open = True
            end.owner.on_open(end)

    def send(self, end: End, data: bytes, reliable: bool) -> None:
        """Send a message to the other end."""
        peer = end.peer
        if peer is None or end.closed or not end.is_open or end.mute or (not reliable and self.rng.random() < self.loss):
            return
        at = self.now + self.delay()
        if reliable or not self.jitter:
            at = peer.last[reliable] = max(at, peer.last[reliable])
        self.later(at - self.now, lambda: None if peer.closed else peer.owner.on_message(peer, data, reliable))

    def close(self, end: End, reason: str = "local") -> None:
        """End a link; what was sent before arrives."""
        if end.closed:
            return
        end.closed = True
        end.owner.on_closed(end, reason)
        if (peer := end.peer) is not None and not end.mute:
            at = max(peer.last.values()) if peer.last else self.now
            self.later(max(at - self.now, 0.0) + self.latency, lambda: self._closed_there(peer))

    def _closed_there(self, peer: End) -> None:
        if not peer.closed:
            peer.closed = True
            peer.owner.on_closed(peer, "remote")


class Server:
    """A broker core and the shell around it, much as `io/driver.py` is."""

    def __init__(self, world: World, alias: int, config: BrokerConfig) -> None:
        self.world = world
        self.alias = alias
        self.role = config.role
        self.config = config
        self.token = token("commserver", config.role) if config.auth_required else ""
        self.broker = Broker(
            config,
            verify=lambda text: claims_of(text, world.now),
            own_token=lambda: self.token,
            rng=random.Random(world.rng.random()),
        )
        self.state: State = self.broker._state
        """The core's inside, for tests of what must not be left there."""
        self.ends: dict[int, End] = {}
        self.held: dict[tuple[int, bool], int] = {}
        """What the transport of a channel pretends to hold; see :meth:`hold`."""
        self.outputs: list[ev.Output] = []
        """Everything the core asked for, in order."""
        self.alive = True
        self._ending = False

    def due(self) -> float | None:
        """When its core wants to be woken."""
        at = self.broker.next_deadline() if self.alive else None
        return None if at is None else max(at, self.world.now)

    def feed(self, event: ev.Event) -> None:
        """Handle an event and do what the core asks for."""
        if self.alive:
            for output in self.broker.handle(event, self.world.now):
                self.outputs.append(output)
                self._do(output)
            if self.broker.draining and not self.broker.peers and not self._ending:
                self._ending = True
                self.world.later(EXIT_S, self._exit)

    def _exit(self) -> None:
        """Its process has ended in good order."""
        self.alive = False
        self.world.unregister(self)

    def die(self) -> None:
        """Killed: says nothing to anybody, the coordinator sees its socket end."""
        self.alive = False
        for end in self.ends.values():
            end.mute = end.closed = True
            if end.peer is not None:
                self.world.later(SILENCE, lambda peer=end.peer: self.world.close(peer, "silent"))  # type: ignore[misc]  # as above
        self.world.unregister(self)

    def _do(self, output: ev.Output) -> None:
        world = self.world
        match output:
            case ev.SendSignal():
                world.signal(self, output.frame)
            case ev.MakeOffer():
                self.ends[output.link], sdp = world.end(self, output.link)
                world.later(0.0, lambda: self.feed(ev.DescriptionMade(output.link, sdp)))
            case ev.MakeAnswer():
                world.later(world.delay(), lambda: self._answer(output))
            case ev.ApplyAnswer() if output.link in self.ends:
                world.join(self.ends[output.link], world.described(output.sdp))
            case ev.Send():
                for link in output.links:
                    if (end := self.ends.get(link)) is not None:
                        world.send(end, output.data, output.reliable)
            case ev.AskBuffered():
                held = self.held.get((output.link, output.reliable), 0)
                world.later(0.0, lambda: self.feed(ev.Buffered(output.link, output.reliable, held)))
            case ev.CloseLink() if output.link in self.ends:
                end = self.ends.pop(output.link)
                world.later(0.0, lambda: world.close(end))

    def _answer(self, output: ev.MakeAnswer) -> None:
        end, sdp = self.world.end(self, output.link)
        self.ends[output.link] = end
        self.feed(ev.DescriptionMade(output.link, sdp))
        self.feed(ev.CandidateFound(output.link, END_OF_CANDIDATES))

    def hold(self, alias: int, amount: int, *, reliable: bool = True) -> None:
        """From now on the transport to that peer holds `amount` bytes, however much is sent."""
        (session,) = self.broker.peers.of_alias(alias)
        self.held[session.link, reliable] = amount
        self.feed(ev.Buffered(session.link, reliable, amount))

    # what the world tells

    def on_signal(self, frame: bytes) -> None:
        self.feed(ev.SignalReceived(frame))

    def on_open(self, end: End) -> None:
        self.feed(ev.LinkOpened(end.number))

    def on_message(self, end: End, data: bytes, reliable: bool) -> None:
        self.feed(ev.PacketReceived(end.number, data, reliable))

    def on_closed(self, end: End, reason: str) -> None:
        self.ends.pop(end.number, None)
        self.feed(ev.LinkClosed(end.number, reason))

    # what tests look at

    @property
    def gets_clients(self) -> bool:
        """Whether the coordinator names it to clients."""
        return self.alias in [candidate.alias for candidate in self.world.directory.candidates(self.world.now)]

    def links_to(self, other: Server) -> int:
        """How many active links it has to another server."""
        return sum(1 for session in self.broker.peers.servers() if session.alias == other.alias)

    def interest_of(self, other: Server) -> set[str]:
        """What this server believes `other` wants."""
        session = self.broker.peers.active(other.alias)
        return set(self.state.index.topics(session)) if session is not None else set()

    def logged(self, level: int = 0) -> list[str]:
        """Log lines of at least that level."""
        return [o.message % o.arguments for o in self.outputs if isinstance(o, ev.Log) and o.level >= level]

    def signals(self) -> list[Any]:
        """Frames it sent to the coordinator, decoded."""
        return [signalling.decode_signal(o.frame) for o in self.outputs if isinstance(o, ev.SendSignal)]

    def sent(self, link: int) -> list[bytes]:
        """Messages the core sent on a link."""
        return [o.data for o in self.outputs if isinstance(o, ev.Send) and link in o.links]
