"""A small world for the coordinator's core: peers without sockets, a clock that is moved by hand, one coordinator or several."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from coordinator.core.admission import Admission, AliasWish
from coordinator.core.cluster import Deed, Disconnect, Forward, Revocation, ServerState
from coordinator.core.config import CoordinatorConfig
from coordinator.core.coordinator import Coordinator
from coordinator.core.ice import IceServers
from coordinator.core.outputs import Close, Dismiss, Ping, Wake
from coordinator.core.selector import Selector
from coordinator.io.backplane import Backplane, MemoryCluster
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.signalling import Signal, decode_signal, server_status
from protocol.tokens import TokenRole

NOW = 1_800_000_000.0
M = TypeVar("M")


def at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the coroutine waits for something")


@dataclass(eq=False)
class FakePeer:
    """One socket, seen from the peer."""

    node: Node
    key: int
    reading: bool = True
    answering: bool = True
    """Pings are answered."""
    raw: list[bytes] = field(default_factory=list)
    frames: list[Signal] = field(default_factory=list)
    pings: int = 0
    closed: Code | None = None
    reason: str = ""

    def send(self, frame: bytes) -> None:
        """A frame to the coordinator."""
        self.node.event(lambda: self.node.core.frame(self.key, frame, self.node.world.now))

    def report(
        self, *, clients: int = 0, max_clients: int = 0, draining: bool = False, cpu: float = 0.0, linking: bool = False
    ) -> None:
        """SERVER_STATUS."""
        self.send(server_status(clients=clients, max_clients=max_clients, draining=draining, cpu=cpu, linking=linking))

    def leave(self) -> None:
        """The socket goes."""
        self.node.peers.pop(self.key, None)
        self.node.event(lambda: self.node.core.left(self.key, self.node.world.now))

    def read(self) -> None:
        """Take what is there."""
        while (frame := self.node.core.take(self.key, self.node.world.now)) is not None:
            self.raw.append(frame)
            signal = decode_signal(frame)
            assert signal is not None
            self.frames.append(signal)

    def got(self, kind: type[M]) -> list[M]:
        """All frames of that class so far."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def next(self, kind: type[M]) -> M:
        """The oldest frame of that class that was not looked at, which is taken out; the test fails where there is none."""
        for frame in self.frames:
            if isinstance(frame, kind):
                self.frames.remove(frame)
                return frame
        raise AssertionError(f"no {kind.__name__} among {self.frames}")

    @property
    def welcome(self) -> pb.WelcomeMessage:
        """The WELCOME; a server's newest."""
        (*_, welcome) = [s for raw in self.raw if isinstance(s := decode_signal(raw), pb.WelcomeMessage)]
        return welcome

    @property
    def alias(self) -> int:
        """As the WELCOME gave it."""
        return self.welcome.alias

    @property
    def wish(self) -> AliasWish:
        """What brings the alias back."""
        return AliasWish(self.alias, self.welcome.resume)


class Node:
    """One coordinator, with a pump like the driver's."""

    def __init__(self, world: World, core: Coordinator, backplane: Backplane) -> None:
        self.world = world
        self.core = core
        self.backplane = backplane
        self.peers: dict[int, FakePeer] = {}
        self.dismissed: list[Dismiss] = []
        self._keys = 0
        self._events: deque[Callable[[], object]] = deque()
        self._pumping = False
        at_once(backplane.start(self))

    def event(self, event: Callable[[], object]) -> None:
        """Deal with an event and all that comes of it."""
        self._events.append(event)
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._events:
                self._events.popleft()()
                for output in self.core.outputs():
                    match output:
                        case Wake():
                            if output.key in self.peers and self.peers[output.key].reading:
                                self.peers[output.key].read()
                        case Ping():
                            self._ping(self.peers.get(output.key))
                        case Close():
                            if (peer := self.peers.pop(output.key, None)) is not None:
                                peer.closed, peer.reason = output.code, output.reason
                        case Dismiss():
                            self.dismissed.append(output)
                        case _:
                            self.backplane.perform(output)
        finally:
            self._pumping = False

    def join(self, admission: Admission) -> FakePeer:
        """A peer that was let in."""
        self._keys += 1
        peer = FakePeer(self, self._keys)
        self.peers[peer.key] = peer
        self.event(lambda: self.core.joined(peer.key, admission, self.world.now))
        return peer

    def _ping(self, peer: FakePeer | None) -> None:
        if peer is not None:
            peer.pings += 1
            if peer.answering:
                self.event(lambda: self.core.heard(peer.key, self.world.now))

    def claimed(self, key: int, alias: int, granted: bool) -> None:
        self.event(lambda: self.core.claimed(key, alias, granted, self.world.now))

    def evicted(self, key: int) -> None:
        self.event(lambda: self.core.evicted(key, self.world.now))

    def forwarded(self, forward: Forward, on_missing: Callable[[Forward], None]) -> None:
        def event() -> None:
            if not self.core.forwarded(forward, self.world.now):
                on_missing(forward)

        self.event(event)

    def undeliverable(self, forward: Forward) -> None:
        self.event(lambda: self.core.undeliverable(forward, self.world.now))

    def server_up(self, state: ServerState, node: str) -> None:
        self.event(lambda: self.core.server_up(state, node, self.world.now))

    def server_down(self, alias: int, node: str) -> None:
        self.event(lambda: self.core.server_down(alias, node, self.world.now))

    def server_reported(self, alias: int, frame: bytes, node: str) -> None:
        self.event(lambda: self.core.server_reported(alias, frame, node, self.world.now))

    def revoked(self, revocation: Revocation) -> None:
        self.event(lambda: self.core.revoked(revocation, self.world.now))

    def disconnected(self, disconnect: Disconnect) -> None:
        self.event(lambda: self.core.disconnected(disconnect, self.world.now))

    def done(self, deed: Deed) -> None:
        self.event(lambda: self.core.done_elsewhere(deed, self.world.now))

    def rejoined(self) -> None:
        self.event(lambda: self.core.rejoined(self.world.now))


class World:
    """Coordinators of one cluster, and time."""

    def __init__(
        self,
        *,
        seed: int = 0,
        selector: Selector | None = None,
        ice: IceServers | None = None,
        auth: bool = True,
        **config: Any,
    ) -> None:
        self.now = NOW
        self.config = CoordinatorConfig(resume_key=b"resume key", auth_required=auth, **config)
        self._rng = random.Random(seed)
        self._selector = selector
        self._ice = ice
        self.cluster = MemoryCluster()
        self.nodes: list[Node] = []
        self.add_node()

    def add_node(self) -> Node:
        """One more coordinator."""
        node = Node(self, Coordinator(self.config, self._rng, self._selector, self._ice), self.cluster.backplane())
        self.nodes.append(node)
        return node

    @property
    def core(self) -> Coordinator:
        """The first coordinator's."""
        return self.nodes[0].core

    def client(self, subject: str = "", *, node: int = 0, part2: bool = True, wish: AliasWish | None = None) -> FakePeer:
        """A client joins; without a name it has one of its own."""
        return self._join(TokenRole.CLIENT, subject, node, part2, wish)

    def server(
        self,
        subject: str = "",
        *,
        node: int = 0,
        part2: bool = True,
        wish: AliasWish | None = None,
        hub: bool = False,
        linked: bool = True,
    ) -> FakePeer:
        """A server joins; `linked`: and says at once that its links stand, where it is one that can."""
        role = TokenRole.COMMUNICATION_SERVER_HUB if hub else TokenRole.COMMUNICATION_SERVER
        server = self._join(role, subject, node, part2, wish)
        if linked and part2 and server.closed is None and server.reading:
            server.report()
        return server

    def _join(self, role: TokenRole, subject: str, node: int, part2: bool, wish: AliasWish | None) -> FakePeer:
        if self.config.auth_required and not subject:
            subject = f"{role.lower()} {self._rng.random()}"
        return self.nodes[node].join(Admission(role, subject, part2, wish))

    def advance(self, seconds: float) -> None:
        """Let time pass; every deadline on the way is kept to the moment."""
        end = self.now + seconds
        while True:
            deadlines = [d for node in self.nodes if (d := node.core.next_deadline()) is not None and d <= end]
            self.now = max(self.now, min(deadlines, default=end))
            for node in self.nodes:
                node.event(lambda node=node: node.core.tick(self.now))  # type: ignore[misc]  # mypy cannot infer a default's type
            if not deadlines:
                return
