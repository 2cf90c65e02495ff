"""A web site of somebody else: it serves pages that use the broker from another origin, and tokens for them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

PAGES = Path(__file__).resolve().parents[1] / "e2e" / "browser" / "pages"


class Site:
    """Serves the folder `pages` with a Content-Security-Policy as strict as one that uses the broker can have."""

    def __init__(self) -> None:
        self.origin = ""
        self.tokens: Counter[str] = Counter()
        """How often /token was asked for, by subject."""
        self.mint: Callable[..., str] | None = None
        """Makes the tokens: a cluster's `token`."""

    def page(self, *coordinator_ports: int) -> str:
        """The address of the page that uses the broker; it takes the SDK from the first of these coordinators, and may dial all."""
        return f"{self.origin}/app.html?{urlencode([('port', port) for port in coordinator_ports])}"

    def application(self) -> web.Application:
        """Its routes."""
        application = web.Application()
        application.router.add_get("/token", self._token)
        application.router.add_get("/{name}", self._file)
        return application

    async def _token(self, request: web.Request) -> web.Response:
        assert self.mint is not None
        options: dict[str, Any] = dict(request.query)
        subject = options.pop("subject")
        self.tokens[subject] += 1
        if "lifetime_s" in options:
            options["lifetime_s"] = float(options["lifetime_s"])
        if "token_id" in options:
            options["token_id"] += f"-{self.tokens[subject]}"  # each token has another
        return web.Response(text=self.mint(subject, **options))

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = PAGES / request.match_info["name"]
        if path.parent != PAGES or not path.is_file():
            raise web.HTTPNotFound
        hosts = [f"127.0.0.1:{int(port)}" for port in request.query.getall("port", ["0"])]
        sockets = " ".join(f"ws://{host} http://{host}" for host in hosts)
        policy = (
            f"default-src 'none'; script-src 'self' http://{hosts[0]}; style-src 'self'; img-src data:; "
            f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'"
        )
        return web.FileResponse(path, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """A running site, on a free port of the loopback."""
    made = Site()
    runner = web.AppRunner(made.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()
