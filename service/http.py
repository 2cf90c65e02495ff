"""The health and metrics pages every service has, and how a site is opened on a port."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from protocol.errors import ConfigError
from service.strangers import expect_strangers

Seal = Callable[[web.BaseRequest, web.StreamResponse], None]
"""Puts on an answer what all answers of a site have."""


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


class _Connection(web.RequestHandler):
    """A connection whose answers to what is no request are sealed, too: no application is asked about them, nor its signals."""

    __slots__ = ("_seal",)

    def __init__(self, manager: web.Server, seal: Seal) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]  # None: no access log
        self._seal = seal

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to a request that could not be read, or whose handler failed."""
        response = super().handle_error(request, status, exc, message)
        self._seal(request, response)
        return response


class _Connections(web.Server):
    """What a site makes connections with, on behalf of the server that looks after them."""

    def __init__(self, server: web.Server, seal: Seal) -> None:
        super().__init__(server.request_handler, request_factory=server.request_factory)
        self._looks_after = server
        self._seal = seal

    def __call__(self) -> web.RequestHandler:
        return _Connection(self._looks_after, self._seal)


class _Runner(web.AppRunner):
    def __init__(self, app: web.Application, seal: Seal, shutdown_timeout: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout, handle_signals=False)
        self._seal = seal

    @property
    def server(self) -> web.Server | None:
        """What its sites make connections with."""
        server = super().server
        return None if server is None else _Connections(server, self._seal)


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
) -> tuple[web.AppRunner, int]:
    """Serve `app`, over TLS where there is a context; port 0 takes a free one. Returns the runner (``await runner.cleanup()`` ends it)
    and the port. `seal`: for answers that are given before `app` is asked.

    No access log: it would hold tokens; and what strangers send that is no HTTP is no error of ours. Raises :class:`ConfigError`, naming
    the `option` of the port, when the address cannot be used.
    """
    expect_strangers()
    runner = _Runner(app, seal, shutdown_timeout)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"--host {host} {option} {port}: cannot listen there ({error.strerror or error})") from error
    return runner, int(runner.addresses[0][1])
