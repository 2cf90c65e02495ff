"""All sessions, by link and by alias."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commserver.core.events import LinkId
from commserver.core.session import Kind, Session, SessionState


class Peers:
    """The sessions of this server. An alias has at most one session per state of affairs: one negotiating, one active."""

    def __init__(self) -> None:
        self._by_link: dict[LinkId, Session] = {}
        self._by_alias: dict[int, list[Session]] = {}
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

    def remove(self, session: Session) -> None:
        """Forget it, if it is known."""
        if self._by_link.pop(session.link, None) is None:
            return
        same = self._by_alias[session.alias]
        same.remove(session)
        if not same:
            del self._by_alias[session.alias]

    def get(self, link: LinkId) -> Session | None:
        """The session of a link, if it is still known."""
        return self._by_link.get(link)

    def of_alias(self, alias: int) -> list[Session]:
        """Every session of an alias, oldest first."""
        return list(self._by_alias.get(alias, ()))

    def active(self, alias: int) -> Session | None:
        """The active session of an alias."""
        return next((session for session in self._by_alias.get(alias, ()) if session.is_active), None)

    def negotiating(self, alias: int) -> Session | None:
        """The newest session of an alias that has not opened yet."""
        sessions = self._by_alias.get(alias, ())
        return next((s for s in reversed(sessions) if s.state is SessionState.NEGOTIATING), None)

    def servers(self) -> Iterator[Session]:
        """Every active server link."""
        return (session for session in self._by_link.values() if session.is_active and session.is_server)

    def clients(self) -> Iterator[Session]:
        """Every active client link."""
        return (session for session in self._by_link.values() if session.is_active and session.is_client)

    @property
    def client_count(self) -> int:
        """Peers that are clients or may turn out to be."""
        return sum(1 for s in self._by_link.values() if not s.dialed and s.kind in (Kind.CLIENT, Kind.UNKNOWN))

    def __iter__(self) -> Iterator[Session]:
        return iter(self._by_link.values())

    def __len__(self) -> int:
        return len(self._by_link)


def links_of(sessions: Iterable[Session]) -> list[LinkId]:
    """Their link numbers, as a Send wants them."""
    return [session.link for session in sessions]
