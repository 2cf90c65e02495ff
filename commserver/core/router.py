"""Who gets a packet: subscribed clients, and the servers that asked for the topic. One hop, never back.

Two topologies, without a switch between them:

* **mesh**: every server has a link to every other. A client's packet goes to all servers that asked; what came from a server goes to
  clients only.
* **star**: as soon as a plain server has a link to a hub it talks to that hub alone, its *uplink*. A hub passes on what came from a
  plain server to everyone else who asked, and what came from another hub to plain servers only: so nothing travels in a circle and
  nothing comes twice. Where there are several hubs, plain servers spread over them, and each keeps its uplink for as long as that
  lives, whichever others come: what is on its way by one hub never meets the same by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from commserver.core.session import Kind, Session
from commserver.core.subscriptions import SubscriptionIndex


class Router:
    """Reads the index of subscriptions (of clients and of servers alike) and knows which servers count."""

    def __init__(self, index: SubscriptionIndex[Session], *, is_hub: bool) -> None:
        self._index = index
        self._is_hub = is_hub
        self._uplink: Session | None = None

    @property
    def uplink(self) -> Session | None:
        """The hub this plain server talks to, where there is one."""
        return self._uplink

    def choose_uplink(self, servers: Iterable[Session], own_alias: int) -> bool:
        """Choose again among the active server links, where there is no uplink any more; returns whether the choice changed."""
        hubs = [] if self._is_hub else [server for server in servers if server.kind is Kind.HUB]
        if self._uplink in hubs:
            return False
        # As good as random, but the same for the same pair: after a hub's restart the load is shared as before.
        uplink = min(hubs, key=lambda hub: hash((own_alias, hub.alias)), default=None)
        changed, self._uplink = uplink is not self._uplink, uplink
        return changed

    def is_neighbour(self, server: Session) -> bool:
        """Whether packets and interest are exchanged with this server."""
        return self._uplink is None or server is self._uplink

    def receivers(self, topic: str, source: Session) -> Iterator[Session]:
        """Everyone who is to get a packet on `topic` that came from `source`."""
        for session in self._index.subscribers(topic):
            if session is source:
                continue
            if session.kind is Kind.CLIENT or self.passes_on(source, session):
                yield session

    def passes_on(self, source: Session, server: Session) -> bool:
        """Whether what came from `source` may go to another server `server`."""
        if source.kind is Kind.CLIENT:
            return self.is_neighbour(server)
        if not self._is_hub:
            return False
        return source.kind is Kind.SERVER or server.kind is Kind.SERVER
