"""Joins the coordinator's parts: settings in, a running web application out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from coordinator.core.coordinator import Coordinator
from coordinator.core.guests import Guests, parse_networks
from coordinator.core.origins import OriginPolicy
from coordinator.core.selector import SELECTORS
from coordinator.io import bounded
from coordinator.io.answers import Answers
from coordinator.io.api import Api
from coordinator.io.api_gate import Gate
from coordinator.io.backplane import Backplane
from coordinator.io.backplanes import backplane_of
from coordinator.io.dashboard import Dashboard
from coordinator.io.door import Door
from coordinator.io.driver import Driver
from coordinator.io.http import routes
from coordinator.io.pages import STATIC, Pages, harden, seal
from coordinator.io.turnstile import Turnstile
from coordinator.io.websocket import PeerEndpoint
from coordinator.p2p.app import PeerToPeer
from coordinator.p2p.io.access import Access
from coordinator.settings import CoordinatorSettings
from service.auth import Authenticator
from service.clock import Clock
from service.http import REQUESTS_SHARE, Runner, start_site, stop_sites
from service.run import run, stop_on_signals, write_ready_file
from service.tls import ServerTls, server_tls

log = logging.getLogger(__name__)

DRIVER = web.AppKey("driver", Driver)
P2P = web.AppKey("p2p", PeerToPeer)
ANSWERS = web.AppKey("answers", Answers)
"""The bounds on what waits to be sent, for whoever opens a port."""


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
    config = settings.core_config()
    core = Coordinator(config, rng or random.SystemRandom(), SELECTORS[settings.selector](), settings.ice())
    driver = Driver(core, backplane or backplane_of(settings, config.resume_key), clock)
    door = Door(driver, OriginPolicy(settings.allowed_origins))
    guests = _guests(settings)
    turnstile = Turnstile(door, guests, clock, parse_networks(settings.trusted_proxies))
    access = Access(turnstile, door, authenticator, is_open=settings.p2p_open)
    endpoint = PeerEndpoint(driver, authenticator, door, bounded.accounts(), turnstile.address)
    p2p = PeerToPeer(settings, access, clock, random.SystemRandom())
    dashboard = Dashboard(driver, authenticator, door, p2p.stats, turnstile.address)

    api = Api(driver, _gate(settings, door, authenticator, driver, turnstile), dashboard.frames)
    authenticator.obey(lambda claims: core.revocations.refuses(claims, clock.now()))
    driver.dismissers += [dashboard.dismiss, p2p.dismiss]

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        await authenticator.start()
        await driver.start()
        yield
        await driver.close()
        await authenticator.close()

    async def say_goodbye(app: web.Application) -> None:
        await dashboard.close()  # before the server waits for its handlers to end
        p2p.stop()
        await driver.close()

    app = web.Application(middlewares=[turnstile.in_vain])
    app[DRIVER] = driver
    app[P2P] = p2p
    app[ANSWERS] = answers = Answers(door, guests, turnstile.address, clock.now)
    app.cleanup_ctx.append(lifespan)
    app.on_shutdown.append(say_goodbye)
    app.on_response_prepare.append(harden)
    others = routes(driver, endpoint, dashboard, Pages(static), p2p.stats, api.requests, answers.held)
    app.add_routes([*turnstile.in_turn(others), *p2p.routes])
    app.add_subapp("/api", api.application())
    return app


def _guests(settings: CoordinatorSettings) -> Guests:
    """What addresses may cost."""
    return Guests(
        settings.p2p_sockets_per_address,
        settings.p2p_requests_per_s,
        settings.p2p_requests_burst,
        deliveries_per_s=settings.p2p_deliveries_per_s,
        deliveries_burst=settings.p2p_deliveries_burst,
        max_waiting_bytes=settings.p2p_max_waiting,
        max_address_bytes=settings.p2p_max_waiting_per_address,
    )


def _gate(settings: CoordinatorSettings, door: Door, authenticator: Authenticator, driver: Driver, turnstile: Turnstile) -> Gate:
    """Who may use the API."""
    guests = Guests(1, settings.api_requests_per_s, settings.api_requests_burst)
    return Gate(authenticator, door, guests, driver.now, turnstile.address, turnstile.wait, is_open=settings.api_open)


def main(settings: CoordinatorSettings) -> int:
    """Run a coordinator to its end; returns the exit code."""
    return run(lambda: serve(settings))


async def serve(settings: CoordinatorSettings) -> int:
    """Run a coordinator until SIGTERM or SIGINT; returns the exit code. Raises :class:`protocol.errors.ConfigError`."""
    stopped = asyncio.Event()
    restore_signals = stop_on_signals(stopped.set)
    try:
        await serve_until(stopped, settings)
    finally:
        restore_signals()
    log.info("stopped")
    return 0


async def serve_until(stopped: asyncio.Event, settings: CoordinatorSettings) -> None:
    """Open all ports, tell which, and close them when it is time: all at once, and the core, which is the main one's, last.

    Raises :class:`protocol.errors.ConfigError`.
    """
    tls = server_tls(settings.tls_cert, settings.tls_key)
    main = build_app(settings)
    runners: list[Runner] = []
    async with tls or contextlib.nullcontext():
        try:
            ports = {"port": await _open(runners, settings, tls, "main", main, main[ANSWERS], settings.port)}
            if settings.p2p_ports:
                for listener, routes_there in main[P2P].rooted.items():
                    app = web.Application(middlewares=[main[P2P].in_vain])
                    app.add_routes(routes_there)
                    app.on_response_prepare.append(harden)
                    name = f"{listener}_port"
                    ports[name] = await _open(runners, settings, tls, listener, app, main[ANSWERS], getattr(settings, name))
            write_ready_file(settings.ready_file, **ports)
            await stopped.wait()
        finally:
            await stop_sites(runners, settings.stop_timeout)


async def _open(
    runners: list[Runner],
    settings: CoordinatorSettings,
    tls: ServerTls | None,
    listener: str,
    app: web.Application,
    answers: Answers,
    port: int,
) -> int:
    context = tls.context if tls is not None and listener in settings.tls_listeners else None
    runner, port = await start_site(
        app,
        settings.host,
        port,
        shutdown_timeout=REQUESTS_SHARE * settings.stop_timeout,
        ssl_context=context,
        option="--port" if listener == "main" else f"--{listener}-port",
        seal=seal,
        outlet=answers,
    )
    runners.append(runner)
    which = "" if listener == "main" else f" for {listener}"
    log.info("listening on %s port %d%s%s", settings.host, port, which, "" if context is None else " with TLS")
    if listener == "gstreamer" and tls is None:
        log.warning("--gstreamer-port %d has no TLS, which GStreamer's clients expect there: give --tls-cert and --tls-key", port)
    return port
