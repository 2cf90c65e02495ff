"""The coordinator's own web pages, dashboard, demo world and SDK, and how all its pages are read once and served from memory.

What is served is what lay in the package when the process started, by name: no path of a request ever reaches the file system. A page
may load scripts, styles and sockets from here alone; scripts of other sites may import the SDK.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from aiohttp import web

from protocol.errors import ConfigError
from protocol.limits import KIB

STATIC = Path(str(resources.files("coordinator"))) / "static"
"""With one folder for each of :data:`FOLDERS`."""

FOLDERS = ("dashboard", "demo", "sdk")
INDEX = "index.html"
PAGES = {"/": "/dashboard/index.html", "/demo": "/demo/index.html"}
REDIRECTS = {"/dashboard": "/", "/dashboard/": "/", "/demo/": "/demo"}

MAX_FILES = 256
MAX_TOTAL_BYTES = 16 * 1024 * KIB
"""Everything served is held in memory; a page of ours has some tens of KiB."""

WORTHWHILE = 0.9
"""A file that gzip leaves larger than this share is sent as it is."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_OTHER_TYPE = "application/octet-stream"

_ZERO = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")

_HOST = re.compile(r"[a-z0-9.\-]+(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_ORIGIN = re.compile(rf"(https?|wss?)://{_HOST.pattern}", re.ASCII | re.IGNORECASE)

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SDK_HEADERS = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

    content_type: str
    body: bytes
    zipped: bytes | None
    """With gzip, where that is worthwhile."""
    tag: str
    """Changes with the content."""

    @classmethod
    def of(cls, name: str, body: bytes) -> Asset:
        """A file of that name."""
        zipped = gzip.compress(body, compresslevel=9, mtime=0)
        return cls(
            content_type=_TYPES.get(Path(name).suffix, _OTHER_TYPE),
            body=body,
            zipped=zipped if len(zipped) < WORTHWHILE * len(body) else None,
            tag=hashlib.sha256(body).hexdigest()[:32],
        )


class Pages:
    """The handlers of everything static."""

    def __init__(self, root: Path = STATIC) -> None:
        """Reads all files of the folders below `root`. Raises :class:`ConfigError` when they are more than can be meant."""
        self._assets = read_assets(root, FOLDERS)

    def routes(self) -> list[web.RouteDef]:
        """What is answered here."""
        fixed = [web.get(path, self.page) for path in PAGES]
        moved = [web.get(path, self.redirect) for path in REDIRECTS]
        return [*fixed, *moved, *(web.get(f"/{folder}/{{name:.+}}", self.page) for folder in FOLDERS)]

    async def redirect(self, request: web.Request) -> web.Response:
        """To the one address of a page; a fragment stays with the browser."""
        headers = {**security_headers(request), "Location": REDIRECTS[request.path]}
        return web.Response(status=307, headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        """A file, or 304 for a browser that has it, or 404."""
        asset = self._assets.get(PAGES.get(request.path, request.path))
        return asset_response(request, asset, security_headers(request))


def asset_response(request: web.Request, asset: Asset | None, headers: dict[str, str]) -> web.Response:
    """A file, or 304 for a browser that has it, or 404 where there is none; always with these headers."""
    if asset is None:
        return web.Response(status=404, text="there is no such page\n", headers=headers)
    zipped = asset.zipped if _takes_gzip(request) else None
    tag = f"{asset.tag}-gzip" if zipped is not None else asset.tag
    # Kept by browsers, but asked for anew each time: a coordinator that was upgraded never meets its old page.
    headers = headers | {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if asset.zipped is not None:
        headers["Vary"] = "Accept-Encoding"
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = asset.content_type
    if zipped is not None:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=asset.body if zipped is None else zipped, headers=headers)


def security_headers(request: web.BaseRequest, connect: Iterable[str] = (), media: str = "") -> dict[str, str]:
    """What keeps a page to itself; see :func:`content_policy`. The SDK's files are for other sites too."""
    policy = content_policy(request.headers.get("Host", ""), connect, media)
    headers = {**_HEADERS, "Content-Security-Policy": policy}
    return headers | _SDK_HEADERS if request.path.startswith("/sdk/") else headers


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """For the signal `on_response_prepare`."""
    seal(request, response)


def seal(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """An error's page is a page, too."""
    if response.status >= 400:
        for name, value in security_headers(request).items():
            response.headers.setdefault(name, value)


def content_policy(host: str, connect: Iterable[str] = (), media: str = "") -> str:
    """The Content-Security-Policy of a page that was asked for at `host`.

    `connect`: origins it may talk to besides its own; `media`: what it may play, if anything. Older browsers do not count WebSockets as
    'self', so they are named; a policy cannot name IPv6 addresses, nor what is no host.
    """
    own = (f"ws://{host}", f"wss://{host}") if _HOST.fullmatch(host) else ()
    reached = dict.fromkeys(("'self'", *own, *(origin for origin in connect if _ORIGIN.fullmatch(origin))))
    played = f"media-src {media}; " if media else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {' '.join(reached)}; {played}manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _takes_gzip(request: web.Request) -> bool:
    """RFC 9110 section 12.5.3, as far as gzip is concerned."""
    wanted: dict[str, bool] = {}
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, quality = part.partition(";")
        wanted[coding.strip()] = not _ZERO.fullmatch(quality)
    return wanted.get("gzip", wanted.get("*", False))


def read_assets(root: Path, folders: Iterable[str]) -> dict[str, Asset]:
    """All files of these folders below `root`, by their paths from there, each with a slash before it. Raises :class:`ConfigError`."""
    assets: dict[str, Asset] = {}
    total = 0
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if not path.is_file() or "/." in f"/{name}":
                continue
            total += path.stat().st_size
            if len(assets) >= MAX_FILES or total > MAX_TOTAL_BYTES:
                raise ConfigError(f"{root}: more than {MAX_FILES} files or {MAX_TOTAL_BYTES} bytes of web pages")
            assets[f"/{name}"] = Asset.of(name, path.read_bytes())
    return assets
