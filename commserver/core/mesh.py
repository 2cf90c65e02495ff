"""Which other servers to be linked with, and when to dial them again.

The newcomer dials: a server sends CONNECT to every server its WELCOME names and it has no link with. Of two servers the one that was
welcomed last has the other in its list, so it answers for their link, whoever dialed it: the other one may have been welcomed without
us and have given up, even where we believe to have a link or to be about to get one. Every end of such a link therefore leads to a new
dial, with exponential backoff and full jitter, until the coordinator says that the alias is gone, or the peer that it has no need of us.
The dialer of a link that is lost dials it again just so, and goes first. While the coordinator is away nobody is dialed: its next
WELCOME says whom there is.

Where there is a hub, plain servers need no links with each other: those are closed, and remembered for the day the hub is gone. The
coordinator names hubs alone to a plain server then; a list of plain servers means that it knows of no hub any more, and sends one when
that happens. Whoever still has its uplink only remembers them: that hub may have lost nothing but its coordinator. But where the list says
that this very hub is about to end, they are dialed while it is still there (`commserver/core/uplinks.py`).
"""

from __future__ import annotations

from collections.abc import Collection

from commserver.core.counters import Traffic
from commserver.core.events import SendSignal
from commserver.core.linking import Linking
from commserver.core.session import Session
from commserver.core.state import DEBUG, INFO, State
from protocol import signalling
from protocol.codes import Code, Retry, retry_verdict
from service.backoff import full_jitter

_GONE = frozenset({Code.PEER_NOT_FOUND, Code.SERVER_DRAINING, Code.SERVER_STOPPING})
_CURABLE = frozenset({Code.TOKEN_EXPIRED, Code.TOKEN_NOT_YET_VALID})
"""Ends for which a client must change something, while servers get well by themselves: their tokens are renewed."""


class Mesh:
    """Decides on server links; making them is negotiation's work."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._linking = Linking(state)
        self._online = False
        """The coordinator is there, so that dialing makes sense."""
        self._wanted: dict[int, int] = {}
        """Servers we answer for being linked with, and how often dialing failed in a row. Each has a link, one in the making (which has a
        deadline of its own), or a dial deadline, unless the coordinator is away."""
        self._idle: set[int] = set()
        """Plain servers we need no link with while there is a hub to talk through."""
        self._ending: frozenset[int] = frozenset()
        """Hubs of which the coordinator says that they are about to end, and that the list it gave is of all servers that it knows."""

    @property
    def online(self) -> bool:
        """The coordinator is there."""
        return self._online

    def welcome(self, servers: Collection[int], now: float, *, hubs: bool = False, ending: Collection[int] = ()) -> None:
        """The coordinator's list, the first or a newer one: dial at once whom we have no link with; whoever is not in it is gone, or will
        dial us. `hubs`: it names hubs, and plain servers otherwise; to a hub both. `ending`: hubs that are about to end, the last ones.
        """
        self._online = True
        self._ending = frozenset(ending)
        listed = frozenset(servers)
        for alias in self._wanted.keys() - listed:
            self._give_up(alias)
        resting = self._state.router.uplink is not None and not hubs
        for alias in dict.fromkeys(servers):
            if alias in (0, self._state.alias):
                continue
            if resting and not self._linked(alias):
                self._give_up(alias)
                self._keep_idle(alias)
            else:
                self._wanted[alias] = 0
                if not self._linked(alias):
                    self._state.deadlines.set(("dial", alias), now)
        self._linking.welcome(now)
        self.look(now)

    def offline(self) -> None:
        """The coordinator is away."""
        self._online = False

    def wants_to_dial(self, alias: int) -> bool:
        """Whether, now that it is time, `alias` still has to be dialed."""
        if not self._online or not self._state.needs_servers or alias not in self._wanted or self._linked(alias):
            return False
        if self._state.peers.server_count >= self._state.config.max_servers:
            self._dial_later(alias, self._state.now)  # a place may have become free by then
            return False
        return True

    def dial(self, session: Session) -> None:
        """Ask the server behind this new session for an offer."""
        self._state.log(INFO, "link %d: dialing server %d", session.link, session.alias)
        self._state.emit(SendSignal(signalling.connect(session.alias)))

    def active(self, server: Session, now: float) -> None:
        """A server link is active: choose the topology's neighbours again."""
        if server.alias in self._wanted:
            self._wanted[server.alias] = 0
        self._state.deadlines.cancel(("dial", server.alias))
        self._idle.discard(server.alias)
        self._state.interest.add(server)
        self._state.counters.links.setdefault(server.link, Traffic())  # it was there, where an assumed old server proved itself
        self._state.deadlines.set_once(("interest", 0), now)

    def lost(self, session: Session, now: float, *, code: int | None = None) -> None:
        """A link that was, or was to become, a server link has ended."""
        if session.is_server:
            self._state.interest.remove(session)
            self._state.counters.links.pop(session.link, None)
            self._ending -= {session.alias}
            if code == Code.NOT_NEEDED:
                self._keep_idle(session.alias)
        if not session.dialed and session.alias not in self._wanted:
            return
        again = code is None or retry_verdict(code) is Retry.SAME or code in _CURABLE
        if self._linked(session.alias):
            if again:
                self._wanted.setdefault(session.alias, 0)  # until the other link shows what it is worth
        elif again:
            self._dial_later(session.alias, now, first=session.dialed)
        else:
            self._give_up(session.alias)
            self.look(now)

    def refused(self, alias: int, code: int, now: float) -> None:
        """The server, or the coordinator in its name, does not take us."""
        if retry_verdict(code) is Retry.NEVER or code in _GONE:
            self._give_up(alias)
            self.look(now)
        else:
            self._dial_later(alias, now)

    def overdue(self, now: float) -> None:
        """As a newcomer we have waited long enough for our links."""
        self._linking.overdue(now)

    @property
    def is_complete(self) -> bool:
        """Whether every server that we are to be linked with is."""
        return all(self._state.peers.active(alias) is not None for alias in self._wanted)

    def look(self, now: float) -> None:
        """Whether the links stand that clients are to wait for.

        With an uplink other hubs may still be missing: what we have to say goes by that one alone.
        """
        self._linking.look(self.is_complete or self._state.router.uplink is not None, now)

    def _linked(self, alias: int) -> bool:
        return bool(self._state.peers.of_alias(alias))

    def _give_up(self, alias: int) -> None:
        self._wanted.pop(alias, None)
        self._state.deadlines.cancel(("dial", alias))

    def _dial_later(self, alias: int, now: float, *, first: bool = True) -> None:
        if not self._state.needs_servers:
            return
        attempts = self._wanted.get(alias, 0)
        self._wanted[alias] = attempts + 1
        config = self._state.config
        wait = full_jitter(attempts, config.dial_backoff_base, config.dial_backoff_cap, self._state.rng)
        if not first:
            # The other side, if it dials at all, has dialed by then: two links at once would be one too many.
            wait += config.dial_backoff_base
        self._state.log(DEBUG, "server %d is dialed again in %.2f s", alias, wait)
        self._state.deadlines.set(("dial", alias), now + wait)

    def is_ending(self, hub: Session) -> bool:
        """Whether this hub is about to end."""
        return hub.ends or hub.alias in self._ending

    def replaces(self, hub: Session) -> bool:
        """Whether links with all servers are there, one each, and to stay: those of the list that came when that last hub began to drain, and
        those that it has named itself, for a coordinator that has just begun knows only who has come back.
        """
        if hub.alias not in self._ending:
            return False
        needed = hub.serves - {self._state.alias} | {alias for alias in self._wanted if not self._is_gone(alias)}
        return all([session.is_active for session in self._state.peers.of_alias(alias)] == [True] for alias in needed)

    def _is_gone(self, alias: int) -> bool:
        """Whether a link was in the making when the coordinator said that there is nobody any more."""
        sessions = self._state.peers.of_alias(alias)
        return bool(sessions) and all(session.gone_hint and not session.is_active for session in sessions)

    def rest(self, server: Session) -> None:
        """A link with this plain server is not needed."""
        self._give_up(server.alias)
        self._keep_idle(server.alias)
        self._state.doom(server, Code.NOT_NEEDED)

    def _keep_idle(self, alias: int) -> None:
        if len(self._idle) < self._state.config.max_servers:
            self._idle.add(alias)

    def wake(self, now: float) -> None:
        """There is no hub any more, or not for long. Both ends of a link that rested dial: one of the two may not know of the other."""
        for alias in sorted(self._idle):
            self._dial_later(alias, now)
        self._idle.clear()
