"""Who gets a packet: subscribed clients, and the servers that asked for the topic. One hop, never back.

Two topologies, without a switch between them:

* **mesh**: every server has a link to every other. A client's packet goes to all servers that asked; what came from a server goes to
  clients only.
* **star**: a plain server that has a link to a hub talks to that hub alone, its *uplink*. A hub passes on what came from a plain server to
  everyone else who asked, and what came from another hub to plain servers only: so nothing travels in a circle and nothing comes twice.
  Where there are several hubs, plain servers spread over them, and each keeps its uplink for as long as that lives and does not drain,
  whichever others come: what is on its way by one hub never meets the same by another.

Hearing and speaking are two things, and change one after the other (`commserver/core/uplinks.py`). A plain server *hears* others by the
one hub that it tells what it wants, and from each plain server that it is linked with. It *speaks* to one hub, which passes it on, or to
every server itself. A hub passes on nothing of a server that speaks to all: so the two ways of speaking never bring a packet twice, and
each server may change over by itself.
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
        self.uplink: Session | None = None
        """The hub by which this plain server hears others, where there is one."""
        self.speaker: Session | None = None
        """The hub that alone gets what our clients publish, to pass it on; None: every server gets it that wants it."""
        self.coming: Session | None = None
        """The hub that is to be the next uplink: it is told what we want, as the present one is."""

    @staticmethod
    def choose(hubs: Iterable[Session], own_alias: int) -> Session | None:
        """The hub to be used among `hubs`; None where there is none."""
        # As good as random, but the same for the same pair: after a hub's restart the load is shared as before.
        return min(hubs, key=lambda hub: hash((own_alias, hub.alias)), default=None)

    def tells(self, server: Session) -> bool:
        """Whether this server is told what we want: plain ones are, and of hubs the one by which we hear the others."""
        return self.uplink is None or server is self.uplink or server.kind is not Kind.HUB or server is self.coming

    def hears(self, server: Session) -> bool:
        """Whether what this server passes on is for us; what comes of another hub than ours comes twice."""
        return self.uplink is None or server is self.uplink or server.kind is not Kind.HUB

    def speaks_to(self, server: Session) -> bool:
        """Whether this server gets what our clients publish."""
        return self.speaker is None or server is self.speaker

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
            return self.speaks_to(server)
        return self.reaches(source, server) and (source.kind is Kind.HUB or source.by_hub)

    def reaches(self, source: Session, server: Session) -> bool:
        """Whether `source` gets a packet to `server` through us, where it speaks through us."""
        return self._is_hub and (source.kind is Kind.SERVER or server.kind is Kind.SERVER)

    def concerns(self, source: Session, server: Session) -> bool:
        """Whether what `source` publishes or wants has any effect on `server` that we have to do with."""
        if source.kind is Kind.CLIENT:
            return self.speaks_to(server) or self.tells(server)
        return self.reaches(source, server)
