"""The health and metrics pages every service has, and how a site is opened on a port."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from protocol.errors import ConfigError
from service.strangers import expect_strangers


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


async def start_site(
    app: web.Application,
    host: str,
    port: int,
    *,
    shutdown_timeout: float = 5.0,
    ssl_context: ssl.SSLContext | None = None,
    option: str = "--port",
) -> tuple[web.AppRunner, int]:
    """Serve `app`, over TLS where there is a context; port 0 takes a free one. Returns the runner (``await runner.cleanup()`` ends it)
    and the port.

    No access log: it would hold tokens; and what strangers send that is no HTTP is no error of ours. Raises :class:`ConfigError`, naming
    the `option` of the port, when the address cannot be used.
    """
    expect_strangers()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_timeout, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"--host {host} {option} {port}: cannot listen there ({error.strerror or error})") from error
    return runner, int(runner.addresses[0][1])
