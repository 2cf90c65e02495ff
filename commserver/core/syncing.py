"""SYNC: answered by SYNCED once all that its sender has sent before has taken effect, here and on every server linked with us.

What takes effect: a subscription or interest is known wherever packets are published, and a packet is on its way to all who want it. Every
step of that is a reliable channel, which keeps its order; so a server that was sent something and then SYNC has handled it when its
SYNCED is back, and whatever it had sent before is there, too. A client's SYNC therefore becomes a *round*: what waits in windows and as
interest is sent, SYNC to every neighbour after it, and when all have answered what came meanwhile is let out, and SYNCED follows it.
A plain server answers another server at once; a hub, through which others hear, asks those first.

A client that moves relies on it (docs/design.md, "Moving without a loss"), and so does a plain server that turns to another hub, which asks by
:meth:`Syncing.fence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from commserver.core.delivery import Delivery
from commserver.core.mesh import Mesh
from commserver.core.relay import Relay
from commserver.core.session import Session
from commserver.core.state import State
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb

PATIENCE_S = 1.0
"""How long to wait until the links that there should be are there, and interest is told. A crowd that moves shares rounds meanwhile."""
ROUND_S = 1.0
"""For all neighbours to answer: who does not is as good as gone, and the client must go on."""
FENCE_S = 2.5
"""The same where it is we who ask: longer than a hub waits, in vain, for one of those it asks for us."""
SYNC_COST = 2_000.0
"""Of a client's SYNC, in topics looked at: it makes every server send and answer a message. Fifty at once, five a second for ever."""


@dataclass(slots=True, eq=False)
class Asker:
    """Who waits for SYNCED."""

    session: Session
    number: int
    since: float


@dataclass(slots=True, eq=False)
class Round:
    """One SYNC of ours to our neighbours, on behalf of those who asked meanwhile."""

    askers: list[Asker]
    waits_for: set[Session] = field(default_factory=set)
    done: Callable[[bool, float], None] | None = None
    """What follows where we asked for ourselves: whether all have answered, and when."""


class Syncing:
    """Answers SYNC."""

    def __init__(self, state: State, delivery: Delivery, relay: Relay, mesh: Mesh, tell_interest: Callable[[], None]) -> None:
        """`tell_interest` sends what neighbours were not told yet of it."""
        self._state = state
        self._delivery = delivery
        self._relay = relay
        self._mesh = mesh
        self._tell_interest = tell_interest
        self._waiting: dict[Session, Asker] = {}
        """Each with its latest SYNC, which holds for those before it."""
        self._rounds: dict[int, Round] = {}
        self._last_round = 0
        self.clients_wait = False
        """Until this server has turned to another hub: what clients ask about is on its way by the one and the other."""

    def sync(self, session: Session, message: pb.SyncMessage, reliable: bool, now: float) -> None:
        """SYNC came."""
        if not reliable:
            self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason="SYNC belongs on the reliable channel")
            return
        if session.is_client:
            if session.upkeep.in_debt(now):
                self._delivery.error(session, Code.RATE_LIMITED, now, reason="too many SYNC; this one was ignored")
                return
            session.upkeep.charge(now, SYNC_COST)
        self._waiting[session] = Asker(session, message.number, now)
        # Of clients that move at the same moment one round is enough; a server has waited for its own already.
        self._state.deadlines.set_earliest(
            ("sync", 0), now + (self._state.config.interest_debounce if session.is_client else 0.0)
        )

    def synced(self, session: Session, message: pb.SyncMessage, _reliable: bool, now: float) -> None:
        """A neighbour answers: its channel keeps the order, so that holds for all that it was asked before, too."""
        for number in [number for number in self._rounds if number <= message.number]:
            self._answered(session, number, now)

    def due(self, now: float) -> None:
        """Begin a round, if all that it is about can be told now; else try again soon."""
        if not self._waiting:
            return
        self._relay.let_out_all()
        self._tell_interest()
        ready = [asker for asker in self._waiting.values() if self._is_ready(asker, now)]
        for asker in ready:
            del self._waiting[asker.session]
        if self._waiting:
            self._state.deadlines.set(("sync", 0), now + self._state.config.interest_debounce)
        for group in self._by_neighbours(ready):
            self._begin(*group, now)

    def _is_ready(self, asker: Asker, now: float) -> bool:
        if self.clients_wait and asker.session.is_client:
            return False
        if now - asker.since >= PATIENCE_S:
            return True
        interest = self._state.interest
        if asker.session.is_server:
            # It asks about the links it has; whom else we are to be linked with it has to know itself, but for those behind a hub.
            return (not interest.behind or interest.frozen) and (not self._state.config.is_hub or self._mesh.is_complete)
        return not interest.behind and self._mesh.is_complete

    def _by_neighbours(self, askers: list[Asker]) -> list[tuple[list[Asker], list[Session]]]:
        """Clients ask about all neighbours, servers about those we pass their packets on to: all that have the same, together."""
        groups: dict[tuple[Session, ...], list[Asker]] = {}
        for asker in askers:
            concerns = self._state.router.concerns
            neighbours = tuple(
                server
                for server in self._state.peers.servers()
                if server is not asker.session and server.can(pb.MOVES) and concerns(asker.session, server)
            )
            groups.setdefault(neighbours, []).append(asker)
        return [(group, list(neighbours)) for neighbours, group in groups.items()]

    def fence(self, servers: Iterable[Session], done: Callable[[bool, float], None], now: float) -> None:
        """Ask `servers` for ourselves; then `done` is told whether all have answered, and the time; at once, where nobody can be asked."""
        self._begin([], [server for server in servers if server.can(pb.MOVES)], now, done)

    def _begin(
        self,
        askers: list[Asker],
        neighbours: list[Session],
        now: float,
        done: Callable[[bool, float], None] | None = None,
    ) -> None:
        self._last_round += 1
        number = self._last_round
        self._rounds[number] = Round(askers, set(neighbours), done)
        for server in neighbours:
            self._delivery.control(server, packets.sync(number))
        self._state.deadlines.set(("round", number), now + (ROUND_S if done is None else FENCE_S))
        self._settle(number, now)

    def _answered(self, session: Session, number: int, now: float) -> None:
        """That neighbour is not waited for any more."""
        found = self._rounds.get(number)  # what follows from the end of one round may be the end of another
        if found is not None and session in found.waits_for:
            found.waits_for.discard(session)
            self._settle(number, now)

    def _settle(self, number: int, now: float) -> None:
        if not self._rounds[number].waits_for:
            self.end_round(number, now)

    def end_round(self, number: int, now: float) -> None:
        """All have answered, or time is up."""
        ended = self._rounds.pop(number)
        self._state.deadlines.cancel(("round", number))
        self._relay.let_out_all()  # what neighbours had sent before they answered
        if any(asker.session.is_server for asker in ended.askers):
            self._tell_interest()  # what they want is what the asker can reach by us
        for asker in ended.askers:
            if asker.session.is_active:
                self._delivery.control(asker.session, packets.synced(asker.number))
        if ended.done is not None:
            ended.done(not ended.waits_for, now)

    def ended(self, session: Session, now: float) -> None:
        """A session is over: it neither asks nor answers any more."""
        self._waiting.pop(session, None)
        for number, found in list(self._rounds.items()):
            found.askers = [asker for asker in found.askers if asker.session is not session]
            self._answered(session, number, now)
