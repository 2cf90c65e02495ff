"""The pages of a two-person call in a browser, for AppRTC's addresses: a home page, a call page, and one that says that a room is full.

Home page and call page get their parameters twice. Once as JSON, where it is data and no script: so our own scripts read them. And once as
AppRTC's pages have them, as a variable `loadingParams`; the policy allows this one script by its hash, and no other but from here.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from coordinator.io.pages import STATIC, Asset, asset_response, read_assets, security_headers
from coordinator.p2p.core.apprtc_params import loading_params
from protocol.errors import ConfigError

FOLDER = "apprtc"
SERVED = ("/js/", "/css/", "/images/")
"""Folders below the prefix; beside them only robots.txt."""

LOADING_MARK, MARK = b'"LOADING"', b'"PARAMS"'
"""Stand in a page for the script of its parameters, and for its parameters; in this order."""

_ADDRESSES = ("wss_url", "wss_post_url", "ice_server_url")
"""Parameters that are addresses a call talks to; all others lie below the page's own."""

_POLICY = "Content-Security-Policy"
_MEDIA = "blob: mediastream:"
_PERMISSIONS = "camera=(self), microphone=(self), fullscreen=(self), display-capture=(), geolocation=()"

_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""What could end the element or begin another inside it; in JSON these only ever stand inside of strings."""


class AppRtcPages:
    """The handlers of these pages. One serves any number of prefixes and ports."""

    def __init__(self, root: Path = STATIC) -> None:
        """Reads the pages below `root`. Raises :class:`ConfigError` when they are not there, or not as they should be."""
        assets = read_assets(root, (FOLDER,))
        self._assets = {name.removeprefix(f"/{FOLDER}"): asset for name, asset in assets.items()}
        self._home = _parts(root, self._assets, "/home.html")
        self._call = _parts(root, self._assets, "/call.html")
        self._full = _existing(root, self._assets, "/full.html")

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Static files below `prefix`: empty, or a path without a slash at its end."""
        file = partial(self._file, prefix)
        folders = [web.get(f"{prefix}{folder}{{name:.+}}", file) for folder in SERVED]
        return [*folders, web.get(f"{prefix}/robots.txt", file)]

    def page(self, request: web.Request, params: Mapping[str, Any], room_full: bool) -> web.Response:
        """The call page where `params` names a room, or says that it is full; the home page where it does not."""
        headers = security_headers(request, [_origin(params.get(name)) for name in _ADDRESSES], _MEDIA)
        headers["Permissions-Policy"] = _PERMISSIONS
        if room_full:
            body = self._full.body
        else:
            before, between, after = self._call if "room_id" in params else self._home
            script = b"var loadingParams = " + _inside(loading_params(params)) + b";"
            body = before + script + between + _inside(params) + after
            allowed = f"'sha256-{b64encode(sha256(script).digest()).decode()}'"
            headers[_POLICY] = headers[_POLICY].replace("script-src 'self'", f"script-src 'self' {allowed}")
        # Its addresses may carry a token. For the same reason it is not zipped together with what a stranger may put into the query.
        headers |= {"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"}
        return web.Response(body=body, headers=headers)

    async def _file(self, prefix: str, request: web.Request) -> web.Response:
        asset = self._assets.get(request.path.removeprefix(prefix))
        return asset_response(request, asset, security_headers(request))


def _existing(root: Path, assets: Mapping[str, Asset], name: str) -> Asset:
    if name not in assets:
        raise ConfigError(f"{root / FOLDER}{name}: there is no such file, is the installation complete?")
    return assets[name]


def _parts(root: Path, assets: Mapping[str, Asset], name: str) -> tuple[bytes, bytes, bytes]:
    """What stands before, between and after the two places of a page's parameters."""
    body = _existing(root, assets, name).body
    for mark in (LOADING_MARK, MARK):
        if body.count(mark) != 1:
            raise ConfigError(f"{root / FOLDER}{name}: {mark.decode()} has to be there once, it is {body.count(mark)} times")
    before, _, rest = body.partition(LOADING_MARK)
    between, _, after = rest.partition(MARK)
    return before, between, after


def _inside(value: Mapping[str, Any]) -> bytes:
    """JSON, as it may stand in a script."""
    return json.dumps(value).translate(_IN_SCRIPT).encode()


def _origin(address: object) -> str:
    """Scheme, host and port of an absolute address; empty for anything else."""
    if not isinstance(address, str):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
