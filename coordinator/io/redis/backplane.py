"""The backplane on Redis: together while Redis is there, alone while it is not, and together again without anyone's doing.

**Together**, every output is a step of one script on Redis (``cluster.lua``), and every event comes out of this coordinator's one inbox there.
So the order in which Redis takes the steps is the order of things for everyone, as with the backplane in memory.

**Alone**, claims are decided here, by the same rule: a new alias is one of 2^42, and an old one comes with a proof, so the others would
hardly have said anything else; a cluster that let nobody in while Redis restarts would turn a hiccup into an outage. Frames for peers of
other coordinators come back as undeliverable at once, so that a client takes its next server.

**Together again**, this coordinator joins under a new name, tells everything it holds, and of two that hold one alias the rule decides,
by who came later. Servers that were known elsewhere and are not told of for a lease are gone. And its own comm servers hear once more
whom there is to be linked with, since they may have tried in vain in the meantime.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable

from coordinator.core.cluster import Claim, ClusterOutput, Deed, Disconnect, Forward, Revocation, ServerReported
from coordinator.io.backplane import BackplaneEvents, BackplaneStats
from coordinator.io.redis.address import Address
from coordinator.io.redis.ledger import Ledger
from coordinator.io.redis.link import Counts, Link, LinkLost
from coordinator.io.redis.messages import Back, Claimed, Down, Evicted, Frame, Mark, Message, Reported, Up
from coordinator.io.redis.steps import back
from protocol.errors import ConfigError
from service.backoff import Backoff

log = logging.getLogger(__name__)

BACKOFF_BASE_S = 0.1
BACKOFF_CAP_S = 1.0
"""Between tries while Redis is away: well below a lease, so that all coordinators are back before one of them is missed."""


class RedisBackplane:
    """A coordinator's access to a cluster on Redis; see :class:`coordinator.io.backplane.Backplane`."""

    def __init__(
        self, address: Address, *, prefix: str, lease_s: float, fingerprint: str, epoch: Callable[[], float] = time.time
    ) -> None:
        """`prefix` tells clusters on one Redis apart. `lease_s`: a coordinator that has not been heard of for so long is dead.
        `fingerprint` is of the secret that all coordinators of a cluster have in common. `epoch` is the clock of one that never saw Redis'.
        """
        self._address = address
        self._prefix = prefix
        self._lease_s = lease_s
        self._fingerprint = fingerprint
        self._ledger = Ledger()
        self._counts = Counts()
        self._events: BackplaneEvents | None = None
        self._name = secrets.token_hex(6)
        self._joins = 0
        self._link: Link | None = None  # None: alone
        self._held: Link | None = None  # what has connections to be closed: the link, one that is tried, or one that ended
        self._ready = False  # everything was told on this link
        self._away_since = time.monotonic()
        self._outages = 0
        self._offset_s = epoch() - time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._doubts: asyncio.TimerHandle | None = None

    # The contract

    async def start(self, events: BackplaneEvents) -> None:
        """Join the cluster, or begin to try. Raises ConfigError where Redis is there and does not let us in."""
        self._events = events
        try:
            link = await self._open()
        except LinkLost as error:
            self._outages += 1
            log.warning("Redis at %s is away, this coordinator begins alone: %s", self._address, error)
            self._task = asyncio.create_task(self._keep(None), name="backplane")
        else:
            self._task = asyncio.create_task(self._keep(link), name="backplane")

    async def close(self) -> None:
        """Leave the cluster. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        is_member = self._link is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._drop_doubts()
        held, self._held = self._held, None
        self._link, self._events = None, None
        if held is not None:
            await held.close(leave=is_member)

    def perform(self, output: ClusterOutput) -> None:
        """Carry out one output; never waits. Does nothing outside the cluster."""
        if self._events is None:
            return
        self._ledger.note(output)
        if self._link is not None:
            self._link.send(output)
        elif isinstance(output, Claim):
            self._decide(output.key)
        elif isinstance(output, Forward):
            self._counts.dropped["away"] += 1
            self._events.undeliverable(output)
        elif isinstance(output, ServerReported | Disconnect | Deed):
            self._counts.dropped["away"] += 1

    def problem(self) -> str | None:
        """Peers can join, also while Redis is away."""
        return None

    def degraded(self) -> str | None:
        """What does not work just now."""
        if self._link is not None and not self._ready:
            return f"the backplane at {self._address} is back: telling it what is here"
        return self.away()

    def away(self) -> str | None:
        """What is performed now does not reach the others; from the moment there is a link, it waits its turn there."""
        if self._link is not None:
            return None
        away = time.monotonic() - self._away_since
        return f"the backplane at {self._address} is away for {away:.0f} s: peers of other coordinators cannot be reached"

    def stats(self) -> BackplaneStats:
        """For metrics."""
        return BackplaneStats(
            up=self._ready,
            coordinators=self._counts.coordinators if self._ready else 1,
            round_trip_s=self._counts.round_trip_s,
            waiting=self._link.waiting() if self._link is not None else 0,
            outages=self._outages,
            dropped=dict(self._counts.dropped),
        )

    # Links, one after the other

    async def _open(self) -> Link:
        """Join, and tell what is here; from the moment the cluster knows us everything goes to Redis."""
        self._joins += 1
        link = self._held = Link(self._address, self._prefix, f"{self._name}.{self._joins}", self._lease_s, self._counts)
        try:
            found = await link.open(self._fingerprint)
        except BaseException:
            await link.close()
            raise
        self._offset_s = link.offset_s
        link.retell(self._ledger.retell(link.node))
        self._link = link
        for revocation in found.revocations:
            self._revoked(revocation)
        self._learn([up for up in found.servers if not self._is_me(up.node)])
        if not found.same_secret:
            log.error(
                "the coordinators at %s have different secrets for resume proofs: peers that come back by another coordinator get new "
                "aliases; give all the same --resume-secret",
                self._address,
            )
        return link

    async def _keep(self, link: Link | None) -> None:
        pause = Backoff(BACKOFF_BASE_S, BACKOFF_CAP_S, random.Random())
        while True:
            try:
                link = link or await self._open()
                began = time.monotonic()
                try:
                    await link.run(self._on_message, self._on_missing)
                finally:
                    if time.monotonic() - began > self._lease_s:
                        pause.reset()
                    self._offset_s = link.offset_s
            except (LinkLost, ConfigError) as error:
                self._alone(str(error))
            except Exception:
                log.exception("the backplane at %s failed", self._address)
                self._alone("see above")
            if link is not None:
                await link.close()
                link = self._held = None
            await asyncio.sleep(pause.next())

    def _alone(self, reason: str) -> None:
        if self._link is None:
            log.debug("Redis at %s is still away: %s", self._address, reason)
            return
        self._link, self._ready = None, False
        self._away_since = time.monotonic()
        self._outages += 1
        self._drop_doubts()
        log.warning("Redis at %s is away (%s): %d peers here go on alone", self._address, reason, len(self._ledger))
        for key in self._ledger.pending():
            self._decide(key)

    def _decide(self, key: int) -> None:
        assert self._events is not None
        verdict = self._ledger.decide(key, time.monotonic() + self._offset_s)
        self._events.claimed(key, verdict.claim.alias, verdict.granted)
        if verdict.evicted is not None:
            self._events.evicted(verdict.evicted)

    # What comes

    def _on_message(self, message: Message) -> None:
        events, link = self._events, self._link
        if events is None or link is None:
            return
        match message:
            case Claimed():
                self._ledger.claimed(message)
                events.claimed(message.key, message.alias, message.granted)
            case Evicted():
                elsewhere = self._ledger.evicted(message)
                events.evicted(message.key)
                if elsewhere is not None:  # what was told while the old socket was still here was not heard
                    events.server_up(elsewhere.state, elsewhere.node)
            case Up():
                self._ledger.up(message)
                events.server_up(message.state, message.node)
            case Down():
                if self._ledger.down(message.alias, message.node):
                    events.server_down(message.alias, message.node)
            case Reported():
                events.server_reported(message.alias, message.frame, message.node)
            case Frame():
                origin = message.origin
                events.forwarded(message.forward, lambda forward: link.ask(back(forward, link.node, origin)))
            case Back():
                events.undeliverable(message.forward)
            case Revocation():
                self._revoked(message)
            case Disconnect():
                events.disconnected(message)
            case Deed():
                events.done(message)
            case Mark():
                self._told()

    def _revoked(self, revocation: Revocation) -> None:
        assert self._events is not None
        self._ledger.revoked(revocation)
        self._events.revoked(revocation)

    def _on_missing(self, forward: Forward) -> None:
        if self._events is not None:
            self._events.undeliverable(forward)

    def _told(self) -> None:
        self._ready = True
        if self._joins == 1:
            log.info("joined the cluster on Redis at %s", self._address)
            return
        away = time.monotonic() - self._away_since
        log.warning("Redis at %s is back after %.1f s, and knows of %d peers here again", self._address, away, len(self._ledger))
        if self._events is not None:
            self._events.rejoined()

    def _learn(self, servers: list[Up]) -> None:
        """The servers of the others, as Redis knows them. One that is missing may be about to be told again."""
        assert self._events is not None
        for up in servers:
            self._ledger.up(up)
            self._events.server_up(up.state, up.node)
        doubtful = self._ledger.missing(servers)
        if doubtful:
            self._doubts = asyncio.get_running_loop().call_later(self._lease_s, self._give_up, doubtful)

    def _give_up(self, doubtful: list[Up]) -> None:
        self._doubts = None
        for up in doubtful:
            if self._events is not None and self._ledger.down(up.state.alias, up.node):
                self._events.server_down(up.state.alias, up.node)

    def _drop_doubts(self) -> None:
        if self._doubts is not None:
            self._doubts.cancel()
            self._doubts = None

    def _is_me(self, node: str) -> bool:
        return node.rpartition(".")[0] == self._name
