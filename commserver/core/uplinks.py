"""By which hub a plain server hears and speaks to the others, and how that changes without a loss: make before break, also between servers.

A hub that drains says MOVE to its servers. What follows is proven by SYNC and not by time, as it is for a client that moves
(docs/design.md, "A hub that ends"). There are three ways, each in two steps, *opening* and *turning*:

==========  ==============================================  ==========================================================================
way         opening, until SYNCED                           turning, until SYNCED
==========  ==============================================  ==========================================================================
OTHER_HUB   the next hub is told what we want; what it      SYNC to the hub that ends; what we publish waits for the next one
            brings is held back (`overlap`)
MESH        links with all servers are made, each is asked  the same; what we publish waits for all servers
JOIN        a hub came where there was none: it is told     SYNC to all servers; what we publish waits for the hub
            what we want; then all others must hear a hub
==========  ==============================================  ==========================================================================

Until a server has turned, giving up costs nothing. A hub that is lost without a word is replaced at once, with whatever it had not passed on.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from commserver.core.delivery import Delivery
from commserver.core.lame_duck import LameDuck
from commserver.core.mesh import Mesh
from commserver.core.overlap import Overlap
from commserver.core.relay import Relay
from commserver.core.session import Kind, Session
from commserver.core.state import INFO, State
from commserver.core.subscribing import Subscribing
from commserver.core.syncing import Syncing
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb

JOIN_S = 5.0
"""Until every server hears a hub. Who has none by then will be heard of no more by those who have one, until it has."""

LOOK_AGAIN_S = 0.1
"""Whether links with all servers are there; also one that comes to nothing may be what was waited for."""

NO_UPLINK = (0, False)
"""What a server is taken to do until it has said UPLINK: hear and speak to everyone itself."""


class Way(enum.Enum):
    """What is under way."""

    NONE = "nothing"
    OTHER_HUB = "to another hub"
    MESH = "to a mesh"
    JOIN = "from the mesh to a hub"


class Step(enum.Enum):
    """How far it is."""

    OPENING = "the new ways are to be told what we want"
    ASKING = "their SYNCED is awaited"
    WAITING = "others are not as far as we are"
    TURNING = "the SYNCED of the old ways is awaited"


class Uplinks:
    """The uplink of one plain server. A hub has none, and only listens to what others say of theirs."""

    def __init__(
        self,
        state: State,
        delivery: Delivery,
        relay: Relay,
        mesh: Mesh,
        syncing: Syncing,
        subscribing: Subscribing,
        lame_duck: LameDuck,
    ) -> None:
        self._state = state
        self._delivery = delivery
        self._relay = relay
        self._mesh = mesh
        self._syncing = syncing
        self._subscribing = subscribing
        self._lame_duck = lame_duck
        self._router = state.router
        self._way = Way.NONE
        self._step = Step.OPENING
        self._asked: list[Session] = []
        """Who is to be reached by the new way: the hub, or the servers that there are."""
        self._ticket = 0
        """Of what is under way: an answer to what is given up says nothing any more."""
        self._told = NO_UPLINK
        """The hub by which we hear others, once that is certain, and whether we speak by it: as others were told."""

    # ------------------------------------------------------------------------------------------------------------ what happens

    def welcome(self, message: pb.WelcomeMessage, now: float) -> None:
        """The coordinator says whom there is, and whether the last hub is about to end."""
        self._mesh.welcome(message.available_servers, now, hubs=message.hubs, ending=message.ending)
        self.consider(now)

    def active(self, server: Session, now: float) -> None:
        """A server link is active."""
        if self._state.config.is_hub:
            return
        if self._told != NO_UPLINK:
            self._say(server)
        if self._router.uplink is None and server.kind is Kind.HUB and not self._mesh.is_ending(server):
            others = any(other.kind is Kind.SERVER and other.can(pb.UPLINKS) for other in self._state.peers.servers())
            self._use(server, speaks=not (others and server.can(pb.UPLINKS)), now=now)
        self.consider(now)

    def lost(self, server: Session, now: float) -> None:
        """A server link has ended."""
        router = self._router
        if self._state.config.is_hub or not server.is_server:
            return
        if server is router.uplink:
            self._replace(now)
        elif server is router.coming:
            self._next_is_lost(server, now)
        self.consider(now)

    def told(self, session: Session, message: pb.UplinkMessage, _reliable: bool, now: float) -> None:
        """UPLINK: of servers only."""
        if not session.is_server:
            self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason="UPLINK is for servers")
            return
        session.hub, session.speaks_by_hub = message.hub, message.passes_on
        session.by_hub = message.passes_on and message.hub == self._state.alias
        self.consider(now)
        self._lame_duck.let_servers_go(now)

    def asked(self, session: Session, message: pb.MoveMessage, _reliable: bool, now: float) -> None:
        """MOVE: of hubs only, and again when there is news of the servers that they are linked with."""
        if session.kind is not Kind.HUB:
            self._delivery.error(session, Code.UNEXPECTED_MESSAGE, now, reason="MOVE is for clients, and for servers from hubs")
            return
        session.ends, session.serves = True, frozenset(message.servers)
        self.consider(now)

    # -------------------------------------------------------------------------------------------------------------- what to do

    def consider(self, now: float) -> None:
        """Something has changed: begin, go on with, or give up what is under way. What has begun to turn goes on."""
        uplink = self._router.uplink
        if self._state.config.is_hub or uplink is None or self._step is Step.TURNING:
            return
        if not self._mesh.is_ending(uplink):
            self._stay(uplink, now)
        elif (other := self._best()) is not None:
            self._change(other, now)
        else:
            self._leave(uplink, now)

    def _best(self) -> Session | None:
        hubs = [server for server in self._state.peers.servers() if server.kind is Kind.HUB and server.can(pb.MOVES)]
        return self._router.choose((hub for hub in hubs if not self._mesh.is_ending(hub)), self._state.alias)

    def _stay(self, uplink: Session, now: float) -> None:
        """The uplink is to be kept: speak by it alone, as soon as everyone else hears a hub."""
        plain = [server for server in self._state.peers.servers() if server.kind is Kind.SERVER]
        if self._router.speaker is None:
            if self._way is not Way.JOIN or self._asked != [uplink]:
                self._begin(Way.JOIN, [uplink], now)
            elif self._step is Step.WAITING and all(server.hub or not server.can(pb.UPLINKS) for server in plain):
                self._turn(now)
            return
        self._give_up()
        ending = {hub.alias for hub in self._state.peers.servers() if hub.kind is Kind.HUB and self._mesh.is_ending(hub)}
        for server in plain:
            # One whose hub is about to end may be about to need this link.
            if (server.speaks_by_hub and server.hub not in ending) or not server.can(pb.UPLINKS):
                self._mesh.rest(server)

    def _change(self, other: Session, now: float) -> None:
        if self._way is Way.OTHER_HUB and self._router.coming is other:
            return
        self._give_up()
        if self._relay.overlap is not None:
            return  # until what two hubs have brought in the change before is known to be over
        uplink = self._router.uplink
        assert uplink is not None  # it is what is left
        self._state.log(INFO, "hub %d drains: hub %d is to take its place", uplink.alias, other.alias)
        self._router.coming = other
        self._relay.overlap = Overlap(uplink, other, self._state.alias)
        self._state.interest.resync(other)
        self._begin(Way.OTHER_HUB, [other], now)

    def _leave(self, uplink: Session, now: float) -> None:
        """The last hub is about to end."""
        if self._router.speaker is None:
            self._give_up()
            self._tell(0)  # we hear everyone ourselves who speaks to all, and nobody needs to wait for us
            return
        self._mesh.wake(now)
        plain = [server for server in self._state.peers.servers() if server.kind is Kind.SERVER]
        if not self._mesh.replaces(uplink):
            self._give_up()
            self._state.deadlines.set(("uplink", 0), now + LOOK_AGAIN_S)
        elif self._way is not Way.MESH or self._asked != plain:
            self._state.log(INFO, "hub %d drains, the last one: servers turn to one another", uplink.alias)
            self._begin(Way.MESH, plain, now)

    # --------------------------------------------------------------------------------------------------------------- the steps

    def _begin(self, way: Way, asked: list[Session], now: float) -> None:
        self._ticket += 1
        self._way, self._step, self._asked = way, Step.OPENING, asked
        self._state.deadlines.set(("uplink", 0), now)

    def due(self, now: float) -> None:
        """Time to go on."""
        if self._way is Way.NONE:
            self.consider(now)
        elif self._step is Step.OPENING:
            self._ask(now)
        elif self._step is Step.WAITING:
            self._turn(now)  # whoever hears no hub by now is not waited for
        else:
            self._hurry(now)

    def _ask(self, now: float) -> None:
        self._subscribing.tell_interest()
        if self._state.interest.behind:
            self._again(now)
            return
        self._step = Step.ASKING
        # Both hubs are to know the same, so that it is the same which one is heard.
        self._state.interest.frozen = self._syncing.clients_wait = self._way is Way.OTHER_HUB
        self._fence(self._asked, self._opened, now)

    def _again(self, now: float) -> None:
        self._state.deadlines.set(("uplink", 0), now + self._state.config.interest_debounce)

    def _opened(self, complete: bool, now: float) -> None:
        if not complete:
            self._state.interest.frozen = self._syncing.clients_wait = False
            self._step = Step.OPENING
            self._again(now)
        elif self._way is Way.JOIN:
            self._step = Step.WAITING
            self._tell(self._asked[0].alias)
            self._state.deadlines.set(("uplink", 0), now + JOIN_S)
            self.consider(now)
        else:
            if self._relay.overlap is not None:
                self._relay.overlap.is_open = True
            self._turn(now)

    def _turn(self, now: float) -> None:
        """What was published goes out by the old ways, and SYNC after it; what is published from now on waits for the new ones."""
        self._step = Step.TURNING
        self._state.deadlines.cancel(("uplink", 0))
        self._syncing.clients_wait = True
        self._relay.let_out_all()
        router, servers = self._router, self._state.peers.servers()
        old = servers if self._way is Way.JOIN else [server for server in servers if server is router.uplink]
        if self._way is Way.MESH:
            router.speaker = None
        elif self._way is Way.JOIN or router.speaker is not None:
            (router.speaker,) = self._asked
        self._relay.keep()
        self._fence(old, self._turned, now)

    def _turned(self, _complete: bool, now: float) -> None:
        """All that was on its way by the old ways has come; whoever has not answered is as good as gone."""
        router, way, next_hub = self._router, self._way, self._router.coming
        self._end()
        if way is Way.OTHER_HUB and next_hub is not None:
            former, router.uplink = router.uplink, next_hub
            if former is not None:
                self._state.interest.resync(former)
            self._state.deadlines.set_once(("interest", 0), now)
            self._tell(next_hub.alias)
            self._take_up(next_hub, now)
        else:
            self._tell(0 if router.speaker is None else router.speaker.alias)
        self._relay.send_kept(reliable=True)
        if way is Way.MESH and router.uplink is not None:
            # It is to pass on nothing more, and the unreliable channel may overtake what says so.
            self._syncing.fence([router.uplink], lambda _complete, _now: self._relay.send_kept(reliable=False), now)
        else:
            self._relay.send_kept(reliable=False)
        how = "to everyone" if router.speaker is None else f"by hub {router.speaker.alias}"
        self._state.log(INFO, "speaks %s", how)
        self.consider(now)

    def _take_up(self, hub: Session, now: float) -> None:
        """What the new uplink has brought meanwhile is delivered; and once nothing is on its way any more by two hubs, that is over."""
        overlap = self._relay.overlap
        assert overlap is not None  # it was made when the hub was chosen
        self._relay.release(hub, overlap.turn(), now)

        def settled(_complete: bool, when: float) -> None:
            if self._relay.overlap is overlap:
                self._relay.overlap = None
                self.consider(when)

        self._syncing.fence([hub], settled, now)

    def _fence(self, servers: list[Session], done: Callable[[bool, float], None], now: float) -> None:
        ticket = self._ticket = self._ticket + 1

        def answered(complete: bool, when: float) -> None:
            if ticket == self._ticket:
                done(complete, when)

        self._syncing.fence(servers, answered, now)

    # ------------------------------------------------------------------------------------------------- ends, expected or not

    def _end(self) -> None:
        """Nothing is under way any more."""
        self._ticket += 1
        self._way, self._step, self._asked = Way.NONE, Step.OPENING, []
        self._router.coming = None
        self._state.interest.frozen = self._syncing.clients_wait = False
        self._state.deadlines.cancel(("uplink", 0))

    def _give_up(self) -> None:
        """What is under way is of no use any more; nothing has turned yet."""
        if self._way is Way.NONE:
            return
        coming = self._router.coming
        self._end()
        if coming is not None:
            self._relay.overlap = None
            self._state.interest.resync(coming)

    def _next_is_lost(self, hub: Session, now: float) -> None:
        """The hub that was to be the next one is gone: the present one goes on, also with what has waited for the other."""
        router = self._router
        if router.speaker is hub:
            router.speaker = router.uplink
        self._give_up()
        self._send_kept()

    def _replace(self, now: float) -> None:
        """The uplink is gone: to the next one at once, if it is near or there is another, else to one another."""
        router = self._router
        speaks = router.speaker is not None
        if router.coming is not None:
            self._hurry(now)
            return
        was_joining = self._way is Way.JOIN
        self._end()
        self._use(self._best() or self._any_hub(), speaks=speaks and not was_joining, now=now)
        self._send_kept()
        if router.uplink is None:
            self._mesh.wake(now)

    def _hurry(self, now: float) -> None:
        """Too much waits, or those who are asked are gone: turn without their answers."""
        if self._way is Way.OTHER_HUB and self._router.speaker is not None:
            self._router.speaker = self._router.coming
        self._turned(False, now)

    def _any_hub(self) -> Session | None:
        """Also an old one, which answers no SYNC, or one that is about to end: better than none."""
        hubs = [server for server in self._state.peers.servers() if server.kind is Kind.HUB]
        lasting = [hub for hub in hubs if not self._mesh.is_ending(hub)]
        return self._router.choose(lasting or hubs, self._state.alias)

    def _use(self, hub: Session | None, *, speaks: bool, now: float) -> None:
        """Hear others by `hub` from now on, or each of them; `speaks`: and speak by it, without asking whether all are as far."""
        self._router.uplink = hub
        self._router.speaker = hub if speaks else None
        self._state.interest.resync_all()
        self._state.deadlines.set_once(("interest", 0), now)
        self._tell(hub.alias if hub is not None and speaks else 0)

    def _send_kept(self) -> None:
        for reliable in (True, False):
            self._relay.send_kept(reliable=reliable)

    def _tell(self, hub: int) -> None:
        """Say by which hub we hear others, and whether we speak by it; where that is new."""
        state = (hub, self._router.speaker is not None)
        if state == self._told:
            return
        self._told = state
        for server in self._state.peers.servers():
            self._say(server)

    def _say(self, server: Session) -> None:
        if server.can(pb.UPLINKS):
            self._delivery.control(server, packets.uplink(self._told[0], passes_on=self._told[1]))
