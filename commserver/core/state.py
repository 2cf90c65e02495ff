"""What the parts of the core share: one object, so that each part sees the same peers, index, deadlines and outputs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commserver.core.config import BrokerConfig
from commserver.core.counters import Counters
from commserver.core.deadlines import Deadlines
from commserver.core.events import CloseLink, LinkId, Log, Output
from commserver.core.interest import Interest
from commserver.core.peer_events import PeerEvents
from commserver.core.peers import Peers
from commserver.core.revocations import Revocations
from commserver.core.router import Router
from commserver.core.session import Session
from commserver.core.subscriptions import SubscriptionIndex
from protocol.codes import Code
from protocol.tokens import Claims
from service.ice import IceChoice

if TYPE_CHECKING:
    import random

Due = tuple[str, int]
"""What is due: its kind, and the link or alias it is about."""


@dataclass
class State:
    """The shared part of one comm server's core."""

    config: BrokerConfig
    verify: Callable[[str], Claims]
    """Verifies a token; raises TokenError."""
    own_token: Callable[[], str]
    """The token we prove ourselves with to other servers; empty without authentication."""
    rng: random.Random
    peers: Peers = field(default_factory=Peers)
    index: SubscriptionIndex[Session] = field(default_factory=SubscriptionIndex)
    old_index: SubscriptionIndex[Session] = field(default_factory=SubscriptionIndex)
    """The part of `index` that is old peers': they get plain packets, as they come."""
    now: float = 0.0
    """Of the event being handled."""
    counters: Counters = field(default_factory=Counters)
    peer_events: PeerEvents = field(default_factory=PeerEvents)
    deadlines: Deadlines[Due] = field(default_factory=Deadlines)
    alias: int = 0
    """Ours, as the coordinator last gave it; 0 until then."""
    ice: IceChoice = field(default_factory=IceChoice)
    """STUN and TURN servers for the links we dial."""
    revocations: Revocations = field(default_factory=Revocations)
    draining: bool = False
    linking: bool = False
    """A newcomer whose links to the other servers do not stand yet."""
    out: list[Output] = field(default_factory=list)
    doomed: list[tuple[Session, Code]] = field(default_factory=list)
    """Sessions to be closed at the end of this event: nobody is removed while others go through the index."""
    router: Router = field(init=False)
    interest: Interest = field(init=False)

    def __post_init__(self) -> None:
        self.router = Router(self.index, is_hub=self.config.is_hub)
        self.interest = Interest(self.index, self.router, is_hub=self.config.is_hub)

    def subscribe(self, session: Session, added: set[str], removed: set[str]) -> None:
        """Change what `session` wants."""
        self.index.change(session, added, removed)
        if not session.speaks_batch:
            self.old_index.change(session, added, removed)

    @property
    def needs_servers(self) -> bool:
        """Whether links to other servers are still of use: not once the last client of a draining server is gone, and no server needs it."""
        return not self.draining or self.peers.client_count > 0 or self.is_relied_on

    @property
    def is_relied_on(self) -> bool:
        """Whether a server hears others by this hub, or speaks by one that is about to end, too: then it may be heard by way of us."""
        if not self.config.is_hub:
            return False
        servers = self.peers.servers()
        ending = {self.alias} | {server.alias for server in servers if server.ends}
        return any(server.hub == self.alias or (server.speaks_by_hub and server.hub in ending) for server in servers)

    def emit(self, output: Output) -> None:
        """Ask the shell for something."""
        self.out.append(output)

    def close_link(self, link: LinkId, code: int) -> None:
        """Ask the shell to end a link."""
        self.out.append(CloseLink(link, code))

    def doom(self, session: Session, code: Code) -> None:
        """Close `session` at the end of this event; the first reason counts."""
        if not session.doomed:
            session.doomed = True
            self.doomed.append((session, code))

    def log(self, level: int, message: str, *arguments: object) -> None:
        """A line in the life of a connection."""
        self.out.append(Log(level, message, arguments))

    def log_of(self, session: Session, level: int, message: str, *arguments: object) -> None:
        """A line that begins with who it is about, and has that as fields."""
        who = (session.link, session.kind.value, session.alias)
        self.out.append(Log(level, f"link %d: %s %d {message}", (*who, *arguments), session.names))

    def interest_changed(self, topics: set[str], now: float) -> None:
        """Topics were added or removed by somebody: servers are told after the debounce."""
        if topics and self.interest.changed(topics):
            self.deadlines.set_once(("interest", 0), now + self.config.interest_debounce)

    def status_changed(self, now: float) -> None:
        """The coordinator should hear of our load; soon, but not for each of a hundred joins."""
        self.deadlines.set_once(("status", 0), now + STATUS_DEBOUNCE_S)


STATUS_DEBOUNCE_S = 0.25
INFO = logging.INFO
WARNING = logging.WARNING
DEBUG = logging.DEBUG
