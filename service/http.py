"""The health and metrics pages every service has, how a site is opened on a port, and how several of them end together."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from protocol.errors import ConfigError
from service.connections import Connection, Connections, Outlet, Seal
from service.strangers import expect_strangers

log = logging.getLogger(__name__)

REQUESTS_SHARE = 0.7
"""Of the time in which sites have to end: for requests to be answered."""
ALL_SHARE = 0.9
"""For everything. The rest is for the process to go."""

_TURNS_TO_END = 4
"""Of the event loop, in which a connection that was cut is gone; TLS tells in turn what lies below it, and is told."""


def health_routes(
    is_ready: Callable[[], str | None], registry: CollectorRegistry, about: Callable[[], Iterable[str]] = tuple
) -> list[web.RouteDef]:
    """``/healthz`` (the process runs), ``/readyz`` (503 with the reason while `is_ready` gives one), ``/metrics`` (Prometheus text).

    `about`: further lines of ``/healthz``, for people.
    """

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="".join(f"{line}\n" for line in ("ok", *about())))

    async def readyz(request: web.Request) -> web.Response:
        reason = is_ready()
        return web.Response(text="ready\n") if reason is None else web.Response(text=f"{reason}\n", status=503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]


class Runner(web.AppRunner):
    """Of one application on one port."""

    def __init__(self, app: web.Application, seal: Seal, outlet: Outlet | None, shutdown_timeout: float) -> None:
        # aiohttp waits for handlers once, and once more when it has broken off their requests.
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout / 2, handle_signals=False)
        self._seal = seal
        self._outlet = outlet
        self._open: set[Connection] = set()

    @property
    def server(self) -> web.Server | None:
        """What its sites make connections with."""
        server = super().server
        return None if server is None else Connections(server, self._seal, self._outlet, self._open)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def stop_listening(self) -> None:
        """Nobody new is let in."""
        for site in self.sites:
            await site.stop()

    async def end_requests(self) -> None:
        """Wait for those that are being answered, as long as `shutdown_timeout`; then break them off."""
        await asyncio.sleep(0)  # those that have come are begun
        if (server := super().server) is not None:
            server.pre_shutdown()
            await server.shutdown(self._shutdown_timeout)

    def cut(self) -> None:
        """End all connections now, also those that are closed but for what nobody takes."""
        for connection in tuple(self._open):
            connection.cut()

    async def cleanup(self) -> None:
        """End it, with all its connections."""
        try:
            await super().cleanup()
        finally:
            self.cut()
            for _ in range(_TURNS_TO_END):
                if self._open:
                    await asyncio.sleep(0)


def _leave(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """As it is."""


async def start_site(
    app: web.Application,
    host: str,
    port: int,
    *,
    shutdown_timeout: float = 5.0,
    ssl_context: ssl.SSLContext | None = None,
    option: str = "--port",
    seal: Seal = _leave,
    outlet: Outlet | None = None,
) -> tuple[Runner, int]:
    """Serve `app`, over TLS where there is a context; port 0 takes a free one. Returns the runner (``await runner.cleanup()`` ends it)
    and the port. `shutdown_timeout`: seconds for requests to end then. `seal`: for answers that are given before `app` is asked. `outlet`:
    bounds what waits to be sent.

    No access log: it would hold tokens; and what strangers send that is no HTTP is no error of ours. Raises :class:`ConfigError`, naming
    the `option` of the port, when the address cannot be used.
    """
    expect_strangers()
    runner = Runner(app, seal, outlet, shutdown_timeout)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"--host {host} {option} {port}: cannot listen there ({error.strerror or error})") from error
    return runner, int(runner.addresses[0][1])


async def stop_sites(runners: Sequence[Runner], seconds: float) -> None:
    """End them all within so many seconds: nobody new comes, everyone is told, requests end, what is left is cut.

    The first of them hears of it first, and its application is cleaned up last.
    """
    for runner in runners:
        await runner.stop_listening()
    loop = asyncio.get_running_loop()
    cuts = [loop.call_later(REQUESTS_SHARE * seconds, runner.cut) for runner in runners]
    try:
        async with asyncio.timeout(ALL_SHARE * seconds):
            for runner in runners:
                await runner.shutdown()
            await asyncio.gather(*(runner.end_requests() for runner in runners))
            for runner in reversed(runners):
                await runner.cleanup()
    except TimeoutError:
        log.warning("not everything came to its end within %g s", seconds)
    finally:
        for cut in cuts:
            cut.cancel()
        for runner in runners:
            runner.cut()
