"""A move to another comm server without a loss: the next link is made, subscribed and known everywhere before the present one is left.

Three steps after the join, each proven by an answer and not by time (docs/design.md, "Moving without a loss"):

1. SUBSCRIPTION and SYNC to the next server; what it brings is held back. Its SYNCED: every server sends it what we want.
2. SYNC to the present server, after the last that was published there. Its SYNCED: whatever does not come by the next server has come by
   this one, and what was published is on its way to everyone.
3. The next link takes over: what was held back is delivered but for what has come already, and what is published goes there.

Until the third step nothing is lost by giving up: the present link goes on as it was.
"""

from __future__ import annotations

import enum
import logging

from protocol.codes import Code
from rtcbroker.core import events
from rtcbroker.core.overlap import Held
from rtcbroker.core.server_link import Phase, ServerLink, Surroundings
from service.backoff import Backoff

logger = logging.getLogger(__name__)

SYNC_TIMEOUT_S = 5.0
"""A server answers within about two seconds, also where one of the others is dead."""
REMEMBERED_S = 2.0
"""After a move: what the other link has brought on the unreliable channel may come again for so long, and hardly does."""


class Step(enum.Enum):
    """How far a move is."""

    NONE = "there is no move"
    JOINING = "another server is looked for, or joined"
    SYNCING = "its SYNCED is awaited"
    PARTING = "the present server's SYNCED is awaited"


class Moving:
    """The moves of one client, of which there is one at most at a time, over as many tries as it takes."""

    def __init__(self, around: Surroundings) -> None:
        self.next: ServerLink | None = None
        """The link that is to take over; None while there is no server to try."""
        self._around = around
        self._pauses = Backoff(around.options.backoff_base, around.options.backoff_cap, around.rng)
        self._present: ServerLink | None = None
        self._step = Step.NONE
        self._late_at = 0.0
        self._forget_at: float | None = None

    # ------------------------------------------------------------------------------------------------ how far it is

    @property
    def is_under_way(self) -> bool:
        """Whether there is a move."""
        return self._step is not Step.NONE

    @property
    def is_seeking(self) -> bool:
        """Whether another server is wanted, and none being tried."""
        return self.is_under_way and self.next is None

    @property
    def is_overlapping(self) -> bool:
        """Both servers have the subscriptions, so those must stay as they are."""
        return self._step in (Step.SYNCING, Step.PARTING)

    @property
    def is_parting(self) -> bool:
        """The last has been published on the present link, and nothing may be on the next one yet."""
        return self._step is Step.PARTING

    @property
    def deadline(self) -> float | None:
        """When to look again."""
        return self._late_at if self.is_overlapping else self._forget_at

    def pause(self) -> float:
        """Seconds until a fresh list of servers is asked for, none of the last being of use."""
        return self._pauses.next()

    # ------------------------------------------------------------------------------------------------------ the steps

    def begin(self, present: ServerLink) -> None:
        """The server of `present` wants us to go."""
        self._present, self._step, self._forget_at = present, Step.JOINING, None
        self._around.delivery.seen.remember()

    def holding(self) -> Held | None:
        """What takes the packets of a link that is tried now; None where they are to be delivered."""
        delivery = self._around.delivery
        return Held(delivery.seen, delivery.group) if self.is_under_way else None

    def next_has_failed(self) -> bool:
        """Whether the next link has ended: then it is forgotten, and the present one goes on as before."""
        if self.next is None or self.next.end is None:
            return False
        self._drop_next()
        self._step = Step.JOINING
        return True

    def advance(self, now: float) -> ServerLink | None:
        """Take the next step if its time has come. Returns the link that has taken over, if that is it."""
        link, present = self.next, self._present
        if link is None or present is None or link.phase is not Phase.JOINED:
            return None
        match self._step:
            case Step.JOINING if link.syncs:
                present.subscriptions_changed(now)
                link.mirror()
                link.sync()
                self._step, self._late_at = Step.SYNCING, now + SYNC_TIMEOUT_S
            case Step.SYNCING if link.is_synced:
                self._around.emit(events.FlushReliable())
                present.sync()
                self._step, self._late_at = Step.PARTING, now + SYNC_TIMEOUT_S
            case Step.PARTING if not present.is_synced and now < self._late_at:  # late: it is gone, and with it what it still had
                return None
            case Step.JOINING | Step.PARTING:  # the former: of an older server nothing can be asked
                return self._take_over(link, present, now)
        return None

    def _take_over(self, link: ServerLink, present: ServerLink, now: float) -> ServerLink:
        present.close()
        self._end(now)
        if not link.syncs:
            self._around.subscriptions.connection_lost()
        link.take_over(now, mirrored=link.syncs)
        self._pauses.reset()
        self._around.stats.joins += 1
        self._around.stats.moves += 1
        logger.info("client %d: moved from server %d to server %d", link.alias, present.server, link.server)
        self._around.emit(events.Moved())
        link.subscriptions_changed(now)
        return link

    def promote(self, now: float) -> ServerLink | None:
        """The present link is lost, and the move over. Returns the next one, as far as it is, if there is one."""
        link = self.next
        if link is None or link.end is not None:
            self.give_up()
            return None
        self._end(now)
        link.take_over(now, mirrored=False)
        return link

    def give_up(self) -> None:
        """Stay with the present link, or with none."""
        self._drop_next()
        if self.is_under_way:
            self._step, self._present, self._forget_at = Step.NONE, None, 0.0

    def tick(self, now: float) -> None:
        """Look at the deadlines."""
        if self._step is Step.SYNCING and now >= self._late_at and self.next is not None:
            self.next.fail(Code.TIMEOUT, "no SYNCED in time")
        if self._forget_at is not None and now >= self._forget_at:
            self._forget_at = None
            self._around.delivery.seen.forget()

    def _end(self, now: float) -> None:
        self._step, self._present, self.next = Step.NONE, None, None
        self._forget_at = now + REMEMBERED_S

    def _drop_next(self) -> None:
        if self.next is not None:
            self.next.close()
            self.next = None
        if self.is_parting:
            self._around.emit(events.Moved())
