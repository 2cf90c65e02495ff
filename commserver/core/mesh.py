"""Which other servers to be linked with, and when to dial them again.

The newcomer dials: a server sends CONNECT to every server its WELCOME names and it has no link with. A dialed link that is lost is
dialed again, with exponential backoff and full jitter, until the coordinator says the alias is gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from commserver.core.events import SendSignal
from commserver.core.session import Kind, Session
from commserver.core.state import DEBUG, INFO, State
from protocol import signalling
from protocol.codes import Code, Retry, retry_verdict
from service.backoff import full_jitter


class Mesh:
    """Decides on server links; making them is negotiation's work."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._attempts: dict[int, int] = {}
        """Servers we mean to dial or have dialed, and how often that failed in a row."""

    def welcome(self, servers: Iterable[int], now: float) -> None:
        """The coordinator's list: dial at once whom we have no link with."""
        for alias in servers:
            if alias != self._state.alias and not self._linked(alias):
                self._attempts[alias] = 0
                self._state.deadlines.set(("dial", alias), now)

    def wants_to_dial(self, alias: int) -> bool:
        """Whether, now that it is time, `alias` still has to be dialed."""
        if self._state.draining or alias not in self._attempts or self._linked(alias):
            return False
        return len(list(self._state.peers.servers())) < self._state.config.max_servers

    def dial(self, session: Session) -> None:
        """Ask the server behind this new session for an offer."""
        self._state.log(INFO, "link %d: dialing server %d", session.link, session.alias)
        self._state.emit(SendSignal(signalling.connect(session.alias)))

    def active(self, server: Session, now: float) -> None:
        """A server link is active: choose the topology's neighbours again."""
        self._attempts.pop(server.alias, None)
        self._state.deadlines.cancel(("dial", server.alias))
        self._state.interest.add(server)
        self._rechoose(now)
        self._state.deadlines.set_once(("interest", 0), now)

    def lost(self, session: Session, now: float, *, code: int | None = None) -> None:
        """A link that was, or was to become, a server link has ended."""
        if session.is_server:
            self._state.interest.remove(session)
            self._rechoose(now)
        if session.dialed and (code is None or retry_verdict(code) is Retry.SAME):
            self._dial_later(session.alias, now)

    def refused(self, alias: int, code: int, now: float) -> None:
        """The server, or the coordinator in its name, does not take us."""
        if retry_verdict(code) is Retry.NEVER or code in (Code.PEER_NOT_FOUND, Code.SERVER_DRAINING, Code.SERVER_STOPPING):
            self._attempts.pop(alias, None)
            self._state.deadlines.cancel(("dial", alias))
        else:
            self._dial_later(alias, now)

    def superfluous(self) -> list[Session]:
        """Links between plain servers, where there is a hub to talk through."""
        if self._state.router.uplink is None:
            return []
        return [server for server in self._state.peers.servers() if server.kind is Kind.SERVER]

    def _linked(self, alias: int) -> bool:
        return bool(self._state.peers.of_alias(alias))

    def _dial_later(self, alias: int, now: float) -> None:
        if self._state.draining or self._linked(alias):
            return
        attempts = self._attempts.get(alias, 0)
        self._attempts[alias] = attempts + 1
        config = self._state.config
        wait = full_jitter(attempts, config.dial_backoff_base, config.dial_backoff_cap, self._state.rng)
        self._state.log(DEBUG, "server %d is dialed again in %.2f s", alias, wait)
        self._state.deadlines.set(("dial", alias), now + wait)

    def _rechoose(self, now: float) -> None:
        if self._state.router.choose_uplink(self._state.peers.servers()):
            self._state.interest.resync_all()
            self._state.deadlines.set_once(("interest", 0), now)
            for server in self.superfluous():
                self._attempts.pop(server.alias, None)
                self._state.doom(server, Code.NOT_NEEDED)
