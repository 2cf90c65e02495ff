"""What an application asks of its client, with a deadline for every wait and a typed error for every way it may end."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from protocol.errors import ConnectionClosed, RtcBrokerError
from rtcbroker.core import events
from rtcbroker.core.delivery import Sink
from rtcbroker.core.errors import ConnectError, NotConnected, RequestTimeout
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.states import ClientState
from rtcbroker.io.driver import Driver

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Requests:
    """The requests of one client, upon its driver."""

    def __init__(self, driver: Driver, options: ClientOptions) -> None:
        self.driver = driver
        self._options = options

    @property
    def state(self) -> ClientState:
        """The client's state."""
        return self.driver.session.state

    # ----------------------------------------------------------------------------------------------- start and end

    async def connect(self) -> None:
        """As :meth:`rtcbroker.Client.connect`."""
        driver = self.driver
        if self.state is ClientState.CLOSED:
            raise driver.closed_error()
        if self.state is not ClientState.NEW:
            raise RuntimeError("connect() was called before; a client connects once")
        driver.start()
        try:
            await driver.connected.wait(None, self._options.connect_timeout)
        except TimeoutError:
            if driver.session.joined is not None:
                return  # at the last moment
            failure = driver.session.trouble(driver.clock.now())
            error = ConnectError(failure.code, failure.reason)
            driver.feed(events.Stop(error))
            await driver.closed()
            raise error from None
        except (ConnectionClosed, TypeError):
            driver.feed(events.Stop())
            await driver.closed()
            raise
        except BaseException:  # cancelled
            driver.feed(events.Stop())
            raise

    async def close(self) -> None:
        """As :meth:`rtcbroker.Client.close`."""
        driver = self.driver
        try:
            if driver.session.joined is not None:
                driver.feed(events.Stay())
                driver.flush()
                if driver.sender.unconfirmed:
                    await self._confirm()
        finally:
            driver.feed(events.Stop())
            await driver.closed()

    async def _confirm(self) -> None:
        # The reliable channel keeps its order: once a PING is back, all that was sent before it has arrived.
        try:
            await self.ping(self._options.close_timeout)
        except RtcBrokerError as error:
            logger.info("client %d: closing, though the server may not have everything: %s", self.driver.session.alias, error)

    # -------------------------------------------------------------------------------------------------- subscribing

    def change(self, add: Iterable[str], remove: Iterable[str], sink: Sink) -> int:
        """Subscribe `sink` to `add` and no longer to `remove`, in one message at the end of this loop turn.

        Returns the version to wait for (:meth:`settled`). Raises :class:`ClientClosed`, :class:`NotConnected` before :meth:`connect`.
        """
        self.must_be_open("subscribe")
        add, remove, driver = tuple(add), tuple(remove), self.driver
        driver.delivery.attach(add, sink)
        driver.delivery.detach(remove, sink)
        driver.subscriptions.hold(add)
        driver.subscriptions.release(remove)
        driver.flush_soon()
        return driver.subscriptions.awaited_version

    def release(self, topics: Iterable[str], sink: Sink) -> None:
        """Unsubscribe `sink` from `topics`; also of a closed client."""
        if self.state is not ClientState.CLOSED:
            self.change((), topics, sink)

    async def settled(self, version: int, what: str) -> None:
        """Wait until the server has `version` of the subscriptions.

        Raises :class:`NotConnected` or :class:`RequestTimeout` after ``subscribe_timeout``, :class:`ClientClosed`.
        """
        if self.driver.subscriptions.settled_version < version:
            timeout = self._options.subscribe_timeout
            await self._in_time(self.driver.settled.wait(version, timeout), what, timeout)

    # --------------------------------------------------------------------------------------------------- publishing

    def offer(self, topic: str, body: bytes, *, reliable: bool, identity: bool) -> bool:
        """Publish at the end of this loop turn; False where there is no connection or no room.

        Raises :class:`TopicError`, :class:`MessageTooLarge`, :class:`ClientClosed`, :class:`NotConnected` before :meth:`connect`.
        """
        if self.driver.sender.offer(topic, body, reliable=reliable, identity=identity):
            self.driver.flush_soon()
            return True
        self.must_be_open("publish")
        return False

    async def offer_patiently(self, topic: str, body: bytes, *, identity: bool) -> None:
        """Publish reliably, once there is a connection and room.

        Raises as :meth:`offer`, and :class:`NotConnected` or :class:`RequestTimeout` after ``publish_timeout``.
        """
        timeout = self._options.publish_timeout
        deadline = self.driver.clock.now() + timeout
        while not self.offer(topic, body, reliable=True, identity=identity):
            left = max(0.0, deadline - self.driver.clock.now())
            await self._in_time(self.driver.sender.wait(left), f"publish to {topic!r}", timeout)

    async def ping(self, seconds: float) -> float:
        """Seconds to the server and back. Raises :class:`NotConnected`, :class:`RequestTimeout`, :class:`ClientClosed`."""
        self.must_be_open("ping")
        if self.driver.session.joined is None:
            raise NotConnected("ping")
        number, outputs = self.driver.session.ping(self.driver.clock.now())
        self.driver.perform(outputs)
        return await self._in_time(self.driver.pings.wait(number, seconds), "ping", seconds)

    async def _in_time(self, waiting: Awaitable[T], what: str, seconds: float) -> T:
        try:
            return await waiting
        except TimeoutError:
            if self.state is ClientState.CONNECTED:
                raise RequestTimeout(what, seconds) from None
            raise NotConnected(what, seconds) from None

    def must_be_open(self, what: str) -> None:
        """Raise :class:`ClientClosed` where the client is closed, :class:`NotConnected` where it has not begun."""
        if self.state is ClientState.CLOSED:
            raise self.driver.closed_error()
        if self.state is ClientState.NEW:
            raise NotConnected(f"{what} before connect()")
