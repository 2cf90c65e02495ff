"""The client an application holds: connect, subscribe, publish, and look at how it goes."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable
from types import TracebackType
from typing import Self

from protocol.errors import RtcBrokerError
from rtcbroker.core.errors import NotConnected, RequestTimeout
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.packet import Packet
from rtcbroker.core.states import ClientState
from rtcbroker.core.stats import ClientStats, Drop
from rtcbroker.io.driver import Driver
from rtcbroker.io.requests import Requests
from rtcbroker.io.sender import Body, as_bytes
from rtcbroker.io.signalling import connect_urls
from rtcbroker.io.tokens import Token
from rtcbroker.subscription import Subscription

DEFAULT_QUEUE = 1_000
"""Packets a subscription holds for its reader: a second's worth of a busy topic, a few hundred kilobytes at most."""

__all__ = ["Client", "Token"]


class Client:
    """A client of the cluster behind `url`, from its connection to its close; made once, used once.

    ``async with Client(url, token=...) as client`` connects and closes. A lost connection is made again by itself, to another
    server where need be, and what was subscribed is subscribed again; :attr:`state` and :meth:`on_state` tell.

    Everything belongs to the event loop it is used in; from other threads go through ``loop.call_soon_threadsafe``.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        options: ClientOptions | None = None,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        """`url` is the coordinator's (``ws://host:9090``, ``wss://...``), or those of several, separated by commas: each dial goes to
        the next one.

        `token` is a JWT, or a function, plain or async, that comes up with one: it is asked when the client connects, and again before
        the token expires and when it was refused or revoked. One that fails is asked again after a pause, as a coordinator that is away
        is dialed again, and each time :meth:`on_error` is told (:class:`TokenUnavailable`). None suits a cluster that runs with
        ``--auth none``. `ssl` is for a ``wss://`` server with a certificate of a private authority.

        Raises :class:`ConfigError` for a URL that is none.
        """
        self._options = options or ClientOptions()
        self._driver = Driver(connect_urls(url), token, self._options, ssl)
        self._requests = Requests(self._driver, self._options)

    # -------------------------------------------------------------------------------------------------- connection

    async def connect(self) -> None:
        """Join a server of the cluster.

        Goes on trying, at one server after another, for ``options.connect_timeout``. Raises :class:`AuthError` when the token is
        refused, :class:`ConnectError` when time is up or the cluster says not to come back, TypeError when the token function gave
        something else than a text with something in it; the client is closed then.
        """
        await self._requests.connect()

    async def close(self) -> None:
        """Leave, once the server has what was sent reliably (``options.close_timeout`` at most). Idempotent."""
        await self._requests.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    # ------------------------------------------------------------------------------------------------ subscribing

    def subscribe(
        self,
        *topics: str,
        queue: int = DEFAULT_QUEUE,
        partial: bool = False,
        callback: Callable[[Packet], None] | None = None,
    ) -> Subscription:
        """A subscription to `topics`, in force inside its ``async with``::

            async with client.subscribe("room/1", "room/2") as packets:
                async for packet in packets: ...

        Entering returns when the server has acknowledged the topics, and raises :class:`SubscriptionRefused` when it refuses any,
        unless `partial` allows for that; :class:`NotConnected` or :class:`RequestTimeout` after ``options.subscribe_timeout``.

        `queue` packets wait for a reader that is busy; beyond that the oldest are dropped and counted (``packets.dropped``). With a
        `callback` there is no queue: it is called with each packet as it arrives, from the event loop, and must not take long.

        Raises :class:`TopicError` for a topic outside the grammar.
        """
        return Subscription(self._requests, topics, queue=queue, partial=partial, callback=callback)

    # ------------------------------------------------------------------------------------------------- publishing

    async def publish(self, topic: str, body: Body, *, reliable: bool = True, identity: bool = False) -> None:
        """Publish `body` (a text as UTF-8) to everyone else who is subscribed to `topic`.

        Reliable: arrives, and in order; waits for room in the send buffer, and for a connection while there is none, for up to
        ``options.publish_timeout``, then raises :class:`RequestTimeout` or :class:`NotConnected`. What was on its way when a
        connection broke may be lost. Unreliable: never waits; dropped and counted where there is no connection or no room.

        With `identity` the receivers learn the subject and role of this client's token, as the server verified them.

        Raises :class:`TopicError`, :class:`MessageTooLarge`, :class:`ClientClosed`. A refusal by the server (no grant, too many
        packets) is reported to :meth:`on_error`.
        """
        data = as_bytes(body)
        if self._requests.offer(topic, data, reliable=reliable, identity=identity):
            return
        if not reliable:
            self._count_drop()
            return
        try:
            await self._requests.offer_patiently(topic, data, identity=identity)
        except (RequestTimeout, NotConnected):
            self._count_drop()
            raise

    def publish_nowait(self, topic: str, body: Body, *, reliable: bool = True, identity: bool = False) -> bool:
        """Publish without ever waiting; False, and counted, when it was dropped because there was no connection or no room.

        Raises as :meth:`publish`, but for the time-outs.
        """
        if self._requests.offer(topic, as_bytes(body), reliable=reliable, identity=identity):
            return True
        self._count_drop()
        return False

    def _count_drop(self) -> None:
        connected = self._driver.session.state is ClientState.CONNECTED
        self.stats.dropped[Drop.SEND_BUFFER if connected else Drop.NOT_CONNECTED] += 1

    # ---------------------------------------------------------------------------------------------------- looking

    @property
    def state(self) -> ClientState:
        """Where this client is in its life."""
        return self._driver.session.state

    @property
    def alias(self) -> int:
        """This client's alias, as others see it in ``packet.sender``; 0 before it has one. Usually kept over reconnects."""
        return self._driver.session.alias

    @property
    def server(self) -> int:
        """Alias of the comm server this client is joined to; 0 while it is not."""
        link = self._driver.session.joined
        return 0 if link is None else link.server

    @property
    def stats(self) -> ClientStats:
        """Counters over the whole life of the client."""
        return self._driver.stats

    async def ping(self) -> float:
        """Seconds to the comm server and back, by the reliable channel.

        Raises :class:`NotConnected`, also when the connection is lost meanwhile; :class:`RequestTimeout`.
        """
        return await self._requests.ping(self._options.link_timeout)

    def on_state(self, callback: Callable[[ClientState, RtcBrokerError | None], None]) -> Callable[[], None]:
        """Call `callback` with each new state and, where there is one, its cause. Returns a function that ends this."""
        return self._driver.state_listeners.add(callback)

    def on_coordinator(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call `callback` with host and port of each coordinator that has welcomed this client: the first, and any that it comes to when
        that one went. Packets flow on meanwhile, they do not pass it. Returns a function that ends this.
        """
        return self._driver.coordinator_listeners.add(callback)

    def on_error(self, callback: Callable[[RtcBrokerError], None]) -> Callable[[], None]:
        """Call `callback` with what the server refused while the connection lived on: :class:`RequestRefused` (a packet, say), or
        :class:`SubscriptionRefused` after a reconnect; and with :class:`TokenUnavailable` each time the token function failed. Returns
        a function that ends this.
        """
        return self._driver.error_listeners.add(callback)

    def __repr__(self) -> str:
        return f"<Client {self.alias} {self.state.value}, server {self.server}>"
