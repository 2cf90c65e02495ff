"""Joins the coordinator's parts: settings in, a running web application out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from coordinator.core.coordinator import Coordinator
from coordinator.core.origins import OriginPolicy
from coordinator.core.selector import SELECTORS
from coordinator.io.backplane import Backplane, MemoryBackplane
from coordinator.io.dashboard import Dashboard
from coordinator.io.door import Door
from coordinator.io.driver import Driver
from coordinator.io.http import routes
from coordinator.io.pages import STATIC, Pages
from coordinator.io.websocket import PeerEndpoint
from coordinator.settings import CoordinatorSettings
from service.auth import Authenticator
from service.clock import Clock
from service.http import start_site
from service.run import run, stop_on_signals, write_ready_file

log = logging.getLogger(__name__)

DRIVER = web.AppKey("driver", Driver)


def build_app(
    settings: CoordinatorSettings,
    *,
    clock: Clock | None = None,
    authenticator: Authenticator | None = None,
    backplane: Backplane | None = None,
    rng: random.Random | None = None,
    static: Path = STATIC,
) -> web.Application:
    """The coordinator as an aiohttp application, which starts and stops with it. Raises :class:`protocol.errors.ConfigError`."""
    clock = clock or Clock()
    authenticator = authenticator or Authenticator.from_settings(settings, clock)
    # Aliases and server choices need to be spread, not secret; but what cannot be guessed cannot be played with either.
    core = Coordinator(settings.core_config(), rng or random.SystemRandom(), SELECTORS[settings.selector]())
    driver = Driver(core, backplane or MemoryBackplane(), clock)
    door = Door(driver, OriginPolicy(settings.allowed_origins))
    endpoint = PeerEndpoint(driver, authenticator, door)
    dashboard = Dashboard(driver, authenticator, door)

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        await authenticator.start()
        await driver.start()
        yield
        await driver.close()
        await authenticator.close()

    async def say_goodbye(app: web.Application) -> None:
        await dashboard.close()  # before the server waits for its handlers to end
        await driver.close()

    app = web.Application()
    app[DRIVER] = driver
    app.cleanup_ctx.append(lifespan)
    app.on_shutdown.append(say_goodbye)
    app.add_routes(routes(driver, endpoint, dashboard, Pages(static)))
    return app


def main(settings: CoordinatorSettings) -> int:
    """Run a coordinator to its end; returns the exit code."""
    return run(lambda: serve(settings))


async def serve(settings: CoordinatorSettings) -> int:
    """Run a coordinator until SIGTERM or SIGINT; returns the exit code. Raises :class:`protocol.errors.ConfigError`."""
    stopped = asyncio.Event()
    restore_signals = stop_on_signals(stopped.set)
    try:
        runner, port = await start_site(build_app(settings), settings.host, settings.port, shutdown_timeout=settings.stop_timeout)
        try:
            write_ready_file(settings.ready_file, port=port)
            log.info("listening on %s port %d", settings.host, port)
            await stopped.wait()
        finally:
            await runner.cleanup()
    finally:
        restore_signals()
    log.info("stopped")
    return 0
