"""Two hubs bring a server the same for a while: what comes of which, so that nothing is lost, nothing comes twice, and each sender's order holds.

It is what a client does that moves (docs/design.md, "Moving without a loss"), with the same reasons: groups of one origin come in the order of
their numbers by each reliable link, so what came by the old hub are all of an origin's groups up to a number, and the new one's are held
back until the old one has brought all that will not come by the new one.
"""

from __future__ import annotations

from commserver.core.group import Group
from commserver.core.session import Kind, Session
from protocol.batch import NO_STAMP, Stamp, stamp_of
from protocol.limits import KIB

MAX_HELD_BYTES = 16 * 1024 * KIB
"""Of what the new hub has brought; beyond it, it is time to go on without the old one's last words."""
MAX_LOOSE_STAMPS = 10_000
"""Of groups on the unreliable channel, which has no order, that are known again."""


class Overlap:
    """What comes by the hub `old` and by the hub `new`; `own_alias` made what comes back to us."""

    def __init__(self, old: Session, new: Session, own_alias: int) -> None:
        self._old = old
        self._new = new
        self._own_alias = own_alias
        self._last: dict[int, int] = {}
        """By origin: the number of the last group that came by the old hub."""
        self._loose: dict[Stamp, None] = {}
        self._held: list[Group] = []
        self._held_bytes = 0
        self.is_open = False
        """The new hub brings all there is. Before that its unreliable packets are of no use: what the old one has brought before this
        overlap began is not known again."""
        self._has_turned = False

    @property
    def is_full(self) -> bool:
        """More waits than should."""
        return self._held_bytes > MAX_HELD_BYTES

    def lets_pass(self, source: Session, group: Group, raw: bytes, reliable: bool) -> bool:
        """Whether this group, which came from another server, is to be delivered now."""
        stamp = stamp_of(raw)
        if stamp.origin == self._own_alias:
            return False  # what we said by one hub comes back by the other
        if source.kind is not Kind.HUB:
            return True
        if source is not self._old and source is not self._new:
            return False
        return self._lets_reliable_pass(source, group, len(raw), stamp) if reliable else self._lets_loose_pass(source, stamp)

    def _lets_reliable_pass(self, source: Session, group: Group, size: int, stamp: Stamp) -> bool:
        if self._has_turned:
            return source is self._new and self._is_news(stamp)
        if source is self._old:
            self._last[stamp.origin] = stamp.serial
            return True
        self._held.append(group)
        self._held_bytes += size
        return False

    def _is_news(self, stamp: Stamp) -> bool:
        if stamp.serial <= self._last.get(stamp.origin, 0) and stamp != NO_STAMP:
            return False
        self._last.pop(stamp.origin, None)  # groups of one origin come in order: all that follow are news, too
        return True

    def _lets_loose_pass(self, source: Session, stamp: Stamp) -> bool:
        if stamp == NO_STAMP:  # an older server's, which cannot be known again
            return source is (self._new if self._has_turned else self._old)
        if stamp in self._loose or (source is self._new and not self.is_open):
            return False
        self._loose[stamp] = None
        if len(self._loose) > MAX_LOOSE_STAMPS:
            del self._loose[next(iter(self._loose))]
        return True

    def turn(self) -> list[Group]:
        """All has come by the old hub that does not come by the new one. Returns what that has brought meanwhile, without what came by both."""
        self._has_turned = True
        held, self._held = self._held, []
        return [group for group in held if group.raw is not None and self._is_news(stamp_of(group.raw))]
