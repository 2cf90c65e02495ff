"""All sessions, by link and by alias, and how many there are of each kind without counting them."""

from __future__ import annotations

from collections.abc import Iterator

from commserver.core.events import LinkId
from commserver.core.session import Kind, Session, SessionState


class Peers:
    """The sessions of this server. An alias has at most one session per state of affairs: one negotiating, one active."""

    def __init__(self) -> None:
        self._by_link: dict[LinkId, Session] = {}
        self._by_alias: dict[int, list[Session]] = {}
        self._clients: set[Session] = set()
        self._servers: set[Session] = set()
        # A dict for its order: decisions that go through servers must not depend on addresses in memory.
        self._active_servers: dict[Session, None] = {}
        self._next_link: LinkId = 1

    def new_link(self) -> LinkId:
        """A number no link had before."""
        link = self._next_link
        self._next_link += 1
        return link

    def add(self, session: Session) -> None:
        """Know this session."""
        self._by_link[session.link] = session
        self._by_alias.setdefault(session.alias, []).append(session)
        self.sort_in(session)

    def sort_in(self, session: Session) -> None:
        """Count it as what it is known to be now; to be called again when that changes."""
        self._sort_out(session)
        is_client = session.kind is Kind.CLIENT
        is_server = session.is_server or (not is_client and (session.dialed or session.admitted_as_server))
        (self._servers if is_server else self._clients).add(session)
        if session.is_server and session.is_active:
            self._active_servers[session] = None

    def remove(self, session: Session) -> None:
        """Forget it, if it is known."""
        if self._by_link.pop(session.link, None) is None:
            return
        self._sort_out(session)
        same = self._by_alias[session.alias]
        same.remove(session)
        if not same:
            del self._by_alias[session.alias]

    def _sort_out(self, session: Session) -> None:
        self._clients.discard(session)
        self._servers.discard(session)
        self._active_servers.pop(session, None)

    def get(self, link: LinkId) -> Session | None:
        """The session of a link, if it is still known."""
        return self._by_link.get(link)

    def of_alias(self, alias: int) -> list[Session]:
        """Every session of an alias, oldest first."""
        return list(self._by_alias.get(alias, ()))

    def active(self, alias: int) -> Session | None:
        """The active session of an alias."""
        return next((session for session in self._by_alias.get(alias, ()) if session.is_active), None)

    def negotiating(self, alias: int, *, dialed: bool) -> Session | None:
        """The newest session of an alias, dialed by us or by it, that has not opened yet: servers may dial each other at once."""
        sessions = self._by_alias.get(alias, ())
        return next((s for s in reversed(sessions) if s.state is SessionState.NEGOTIATING and s.dialed is dialed), None)

    def servers(self) -> list[Session]:
        """Every active server link, oldest first."""
        return list(self._active_servers)

    @property
    def client_count(self) -> int:
        """Peers that are clients or may turn out to be."""
        return len(self._clients)

    @property
    def server_count(self) -> int:
        """Server links, those being made included."""
        return len(self._servers)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._by_link.values())

    def __len__(self) -> int:
        return len(self._by_link)
