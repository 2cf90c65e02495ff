"""One comm server, put together from its parts, from start to orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from aiohttp import web

from commserver.core import events as ev
from commserver.core.broker import Broker
from commserver.core.flow import RELIABLE_FLOW
from commserver.core.registration import Registration
from commserver.io.coordinator_link import CoordinatorLink
from commserver.io.driver import Driver
from commserver.io.metrics import VERSION, BrokerCollector, readiness, registry_of
from commserver.settings import CommServerSettings
from commserver.supervisor import Supervisor
from protocol import signalling
from protocol.errors import ConfigError, ProtocolError
from protocol.ice import IceServer
from protocol.pb import broker_pb2 as pb
from service.auth import Authenticator
from service.clock import Clock
from service.credentials import TokenSource, token_source
from service.http import health_routes, start_site
from service.process import CpuShare, cpu_seconds, rss_bytes
from service.run import run, stop_on_signals, write_ready_file
from service.tls import client_context
from transport import Dialer, Listener
from transport.options import LinkOptions

log = logging.getLogger(__name__)

SUBJECT = "commserver"
"""Of the tokens a server signs for itself: every server of a cluster is the same to the others."""
LOAD_INTERVAL_S = 5.0
REPORT_INTERVAL_S = 1.0


def _link_options(settings: CommServerSettings) -> LinkOptions:
    return LinkOptions(
        fast=settings.fast_path,
        silence=settings.peer_timeout,
        setup_timeout=settings.setup_timeout,
        low_mark=RELIABLE_FLOW.low_bytes,
        max_message=settings.max_message,
        ice_transport_policy=settings.ice_transport_policy,
    )


async def _open_listener(settings: CommServerSettings) -> Listener:
    try:
        return await Listener.open(
            bind=settings.bind,
            port=settings.udp_port,
            announce=settings.announce,
            stun=settings.stun,
            options=_link_options(settings),
        )
    except OSError as error:
        where = f"--bind {','.join(settings.bind)} --udp-port {settings.udp_port}"
        raise ConfigError(f"{where}: cannot listen there ({error.strerror or error})") from error


def _ice_servers(frame: bytes) -> Sequence[IceServer] | None:
    """Those in a frame of the coordinator's; None where it is about something else, or broken, which the core tells."""
    try:
        message = signalling.decode_signal(frame)
    except ProtocolError:
        return None
    if isinstance(message, pb.WelcomeMessage | pb.IceServersMessage):
        return signalling.ice_grant(message).servers
    return None


class CommServer:
    """A running comm server. Made by :meth:`start`; :meth:`stop` ends it."""

    def __init__(
        self,
        settings: CommServerSettings,
        *,
        authenticator: Authenticator,
        tokens: TokenSource,
        clock: Clock,
        listener: Listener,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._tokens = tokens
        self._clock = clock
        self.listener = listener
        rng = random.Random()
        self.broker = Broker(settings.broker_config(), verify=authenticator.verify, own_token=self._token, rng=rng)
        self.coordinator = CoordinatorLink(
            settings.coordinator,
            Registration(settings.role, rng),
            self._token,
            self._frame,
            lambda: self.driver.feed(ev.CoordinatorLost()),
            ca_file=settings.ca_file,
        )
        self.driver = Driver(self.broker, listener, Dialer(options=_link_options(settings)), self.coordinator.send, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self.failed = asyncio.Event()
        """Set when a part that must run for ever does not."""
        self.port = 0
        """Of the health and metrics pages."""

    @classmethod
    async def start(cls, settings: CommServerSettings) -> CommServer:
        """Open the sockets, serve the pages, and begin to dial the coordinator. Raises :class:`protocol.errors.ConfigError`."""
        client_context(settings.ca_file)  # a file that is of no use is told now, not by failing to dial for ever
        clock = Clock()
        authenticator = Authenticator.from_settings(settings, clock)
        tokens = token_source(settings, settings.role, SUBJECT, token=settings.token, token_file=settings.token_file)
        listener = await _open_listener(settings)
        server = cls(settings, authenticator=authenticator, tokens=tokens, clock=clock, listener=listener)
        try:
            await authenticator.start()
            await server._serve_pages()
        except BaseException:
            await server.stop()
            raise
        server._spawn("coordinator link", server.coordinator.run)
        server._spawn("load sampler", server._sample_load)
        server._spawn("reports", server._report)
        server._spawn("token renewal", server._renew_token)
        return server

    async def drain(self) -> None:
        """Take no more clients, tell those that are here to move within `drain_seconds`, and wait until they are gone, or their time is up."""
        self.driver.feed(ev.DrainRequested())
        await self.drained()

    async def drained(self) -> None:
        """The same where it drains already, in whatever time it was told."""
        with contextlib.suppress(TimeoutError):
            # The core's deadlines come first.
            async with asyncio.timeout(max(0.0, self.broker.drained_by - self._clock.now()) + 1.0):
                await self.driver.drained()

    async def stop(self) -> None:
        """End everything now."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.driver.close()
        await self.listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._authenticator.close()

    def _frame(self, frame: bytes) -> None:
        """From the coordinator. Its STUN servers are asked for our address before anyone is told of it."""
        if self.listener.announcer.is_auto and (servers := _ice_servers(frame)) is not None:
            self.listener.announcer.discover(servers)
        self.driver.feed(ev.SignalReceived(frame))

    def _token(self) -> str:
        return self._tokens.token(self._clock.now())

    async def _serve_pages(self) -> None:
        app = web.Application()
        collector = BrokerCollector(self.broker, self.coordinator, self.listener)
        app.add_routes(health_routes(readiness(self.broker, self.coordinator), registry_of(collector)))
        self._runner, self.port = await start_site(app, self._settings.host, self._settings.port)

    async def _sample_load(self) -> None:
        share = CpuShare(self._clock.now(), cpu_seconds())
        while True:
            await asyncio.sleep(LOAD_INTERVAL_S)
            self.driver.feed(ev.LoadSampled(share.sample(self._clock.now(), cpu_seconds())))

    async def _report(self) -> None:
        began = self._clock.now()
        share = CpuShare(began, cpu_seconds())
        while True:
            await asyncio.sleep(REPORT_INTERVAL_S)
            now = self._clock.now()
            self.driver.feed(ev.ReportDue(VERSION, now - began, share.sample(now, cpu_seconds()), rss_bytes()))

    async def _renew_token(self) -> None:
        shown = self._token()
        while True:
            now = self._clock.now()
            # A day is longer than any token we would sign, and keeps an infinite wait out of the event loop.
            await asyncio.sleep(min(max(self._tokens.renew_at(now) - now, 1.0), 86_400.0))
            if (token := self._token()) != shown:
                shown = token
                self.driver.feed(ev.TokenRenewed())

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await run()
            except Exception:
                # A defect of ours. Limping on without this part would hide it: stop, and let the supervisor start us afresh.
                log.exception("%s failed", name)
                self.failed.set()

        self._tasks.append(asyncio.create_task(guarded(), name=name))


def main(settings: CommServerSettings) -> int:
    """Run one comm server, or `processes` of them under a supervisor, to the end; returns the exit code."""
    if settings.processes == 1:
        return run(lambda: serve(settings))
    return Supervisor(settings, lambda child: run(lambda: serve(child, supervised=True))).run()


async def serve(settings: CommServerSettings, *, supervised: bool = False) -> int:
    """Run a comm server until SIGTERM, SIGINT or a coordinator's DRAIN; returns the exit code.

    A second signal ends it at once unless it is `supervised`.
    """
    stop = asyncio.Event()
    undo = stop_on_signals(stop.set, insistent=not supervised)
    try:
        return await _serve_until(stop, settings)
    finally:
        undo()


async def _serve_until(stop: asyncio.Event, settings: CommServerSettings) -> int:
    server = await CommServer.start(settings)
    log.info(
        "comm server: UDP port %d, pages on port %d, coordinator %s", server.listener.port, server.port, settings.coordinator
    )
    try:
        write_ready_file(settings.ready_file, port=server.port, udp_port=server.listener.port)
        await _first(stop.wait(), server.failed.wait(), server.driver.draining.wait())
        if server.driver.draining.is_set():
            # The coordinator gave it time; a signal means: in no more than the usual time from now on.
            await _first(stop.wait(), server.failed.wait(), server.drained())
        if server.broker.peers or not server.driver.draining.is_set():
            await server.drain()
    finally:
        await server.stop()
    return 1 if server.failed.is_set() else 0


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for one of these; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
