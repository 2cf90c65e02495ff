"""A subscription an application holds: topics in force, packets to read, a change of topics in one message."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from protocol.topics import check_topic
from rtcbroker.core.delivery import Sink
from rtcbroker.core.errors import ClientClosed, SubscriptionRefused
from rtcbroker.core.inbox import Inbox
from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.io.requests import Requests

logger = logging.getLogger(__name__)


class Subscription:
    """Topics of one ``client.subscribe(...)``; made there. Reading it gives the packets of all of them.

    Topics may be shared with other subscriptions of the same client: each gets every packet, and a topic is unsubscribed when the
    last of them lets go of it. Reconnects pass by unnoticed, but for what was published meanwhile.
    """

    def __init__(
        self,
        requests: Requests,
        topics: Iterable[str],
        *,
        queue: int,
        partial: bool,
        callback: Callable[[Packet], None] | None,
    ) -> None:
        """Use :meth:`Client.subscribe`."""
        self._requests = requests
        self._topics = {check_topic(topic): None for topic in topics}  # a dict is a set that keeps its order
        self._partial = partial
        self._inbox = Inbox(queue, requests.driver.stats, self._wake_up)
        self._sink: Sink = self._inbox.put if callback is None else _Callback(callback, requests.driver.stats).put
        self._has_callback = callback is not None
        self._is_open = False
        self._was_opened = False
        self._reader: asyncio.Future[None] | None = None
        self._failure: ClientClosed | None = None
        self._forget_end: Callable[[], None] = _nothing

    async def __aenter__(self) -> Self:
        """Subscribe; returns when the server has acknowledged it. Raises as :meth:`Client.subscribe` says."""
        if self._was_opened:
            raise RuntimeError("a subscription is entered once; make another")
        version = self._requests.change(self._topics, (), self._sink)
        self._is_open = self._was_opened = True
        self._forget_end = self._requests.driver.end_listeners.add(self._on_end)
        try:
            await self._settled(version, self._topics)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Unsubscribe, without waiting for the server."""
        self._close()

    async def update(self, add: Iterable[str] = (), remove: Iterable[str] = (), *, wait: bool = True) -> None:
        """Change topics, all in one message; returns when the server has acknowledged it, or at once with ``wait=False``.

        Topics of `add` that are here already, and topics of `remove` that are not, are passed over. A topic in both stays or comes.

        Raises :class:`SubscriptionRefused` for refused topics of `add`, which are left out then; with `partial` or ``wait=False`` they
        stay, in :attr:`refused`, and are reported to ``client.on_error``. Raises :class:`NotConnected` and :class:`RequestTimeout` as
        entering does, but the change stands and takes effect once it can. Raises :class:`TopicError`, :class:`ClientClosed`.
        """
        self._requests.must_be_open("update")
        if not self._is_open:
            raise RuntimeError("the subscription is not open")
        added = {check_topic(topic): None for topic in add}
        removed = [topic for topic in dict.fromkeys(remove) if topic in self._topics and topic not in added]
        new = [topic for topic in added if topic not in self._topics]
        version = self._requests.change(new, removed, self._sink)
        for topic in removed:
            del self._topics[topic]
        self._topics.update(dict.fromkeys(new))
        if wait:
            await self._settled(version, new)

    async def _settled(self, version: int, new: Iterable[str]) -> None:
        """Wait for `version`; unless part of it may be refused, give refused topics of `new` back and raise."""
        new = list(new)
        await self._requests.settled(version, f"subscribe to {len(new)} topics")
        refused = self._requests.driver.subscriptions.refused(topic for topic in new if topic in self._topics)
        if refused and not self._partial:
            self._requests.release(refused, self._sink)
            for topic in refused:
                del self._topics[topic]
            raise SubscriptionRefused(refused)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._forget_end()
            self._requests.release(self._topics, self._sink)
            self._topics.clear()
            self._inbox.clear()
            self._wake_up()

    def _on_end(self, failure: ClientClosed | None) -> None:
        self._failure = failure
        self._is_open = False
        self._wake_up()

    # ----------------------------------------------------------------------------------------------------- looking

    @property
    def topics(self) -> frozenset[str]:
        """The topics this subscription holds, refused ones included where `partial` allows for them."""
        return frozenset(self._topics)

    @property
    def refused(self) -> dict[str, int]:
        """Those of :attr:`topics` that the server refuses, with the code."""
        return self._requests.driver.subscriptions.refused(self._topics)

    @property
    def dropped(self) -> int:
        """Packets dropped because the queue was full."""
        return self._inbox.dropped

    def acknowledged(self, topic: str) -> float | None:
        """When `topic` came in force on the present connection, as ``time.monotonic()`` counts; None while it is not.

        Behind an old server, which acknowledges nothing: when it was asked for.
        """
        driver = self._requests.driver
        when = driver.subscriptions.acknowledged(topic) if topic in self._topics else None
        return None if when is None else when - driver.clock.now() + time.monotonic()

    # ----------------------------------------------------------------------------------------------------- reading

    def __aiter__(self) -> Self:
        """The packets."""
        return self

    async def __anext__(self) -> Packet:
        """The next packet, in order of arrival.

        What waits is still given after the client was closed; then this ends, or raises :class:`ClientClosed` when the client was told
        not to come back. Raises RuntimeError where there is a callback, which gets the packets instead.
        """
        if self._has_callback:
            raise RuntimeError("this subscription's packets go to its callback")
        while (packet := self._inbox.get()) is None:
            if not self._is_open:
                if self._failure is not None:
                    raise self._failure
                raise StopAsyncIteration
            if self._reader is None:
                self._reader = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._reader)  # shared by several readers: one that is cancelled leaves it to the others
        return packet

    def _wake_up(self) -> None:
        if self._reader is not None:
            self._reader.set_result(None)
            self._reader = None

    def __repr__(self) -> str:
        return f"<Subscription to {len(self._topics)} topics, {len(self._inbox)} waiting, {self.dropped} dropped>"


class _Callback:
    """A callback of the application, kept from doing harm when it raises."""

    __slots__ = ("_callback", "_stats", "_told")

    def __init__(self, callback: Callable[[Packet], None], stats: ClientStats) -> None:
        self._callback = callback
        self._stats = stats
        self._told = False

    def put(self, packet: Packet) -> None:
        try:
            self._callback(packet)
        except Exception:
            self._stats.dropped[Drop.CALLBACK] += 1
            if not self._told:  # once: it may be the same with every packet
                self._told = True
                logger.exception("a subscription's callback raised; further ones are only counted")


def _nothing() -> None:
    pass
