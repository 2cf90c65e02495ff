"""AppRTC on ports of the loopback, without the rest of a coordinator, and a plain client for it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from coordinator.core.guests import Guests, parse_networks
from coordinator.core.ice import IceServers
from coordinator.p2p.core.apprtc_service import AppRtc
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.io.apprtc import RoomServer
from coordinator.p2p.io.collider import ColliderServer
from coordinator.p2p.io.socket import SocketEndpoint, SocketLimits
from service.clock import Clock
from service.http import start_site
from tests.support.p2p_access import access_of
from tests.support.poll import until

PATIENCE_S = 10.0

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
NOT_TOLD = ("Date", "Server", "Content-Length")
POST_DELETE = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST, DELETE"}
ROOM_SERVER = {"Content-Type": HTML, "Cache-Control": "no-cache"}
SAID = {**POST_DELETE, "Content-Type": TEXT}
COMPLAINT = {**SAID, "X-Content-Type-Options": "nosniff"}

MAX_MESSAGE = 1_000


class Answer:
    """What came back for a request."""

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        self.status = status
        self.headers = {name: value for name, value in headers.items() if name not in NOT_TOLD}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __eq__(self, other: object) -> bool:
        return (self.status, self.headers, self.body) == other

    def __repr__(self) -> str:
        return repr((self.status, self.headers, self.body))


class Site:
    """AppRTC on a port: below /apprtc and /collider, and Collider at the root of a second port."""

    def __init__(self, service: AppRtc, endpoint: SocketEndpoint, guests: Guests, port: int, collider_port: int) -> None:
        self.service = service
        self.endpoint = endpoint
        self.guests = guests
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self.collider = f"http://127.0.0.1:{collider_port}"
        self.http = aiohttp.ClientSession()
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        """To be closed at the end; one that nobody holds is closed when it is collected, whenever that is."""

    async def ask(self, method: str, path: str, data: bytes | str | None = None, **headers: str) -> Answer:
        url = path if path.startswith("http") else f"{self.url}/apprtc{path}"
        options: Any = {"allow_redirects": False, "skip_auto_headers": ["User-Agent"]}
        async with self.http.request(method, url, data=data, headers=headers, **options) as response:
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, data: bytes | str | None = None, **headers: str) -> Answer:
        return await self.ask("POST", path, data, **headers)

    async def join(self, room: str = "room", query: str = "") -> dict[str, Any]:
        answer = await self.post(f"/join/{room}{query}")
        assert (answer.status, answer.json["result"]) == (200, "SUCCESS")
        params: dict[str, Any] = answer.json["params"]
        return params

    async def dial(self, url: str = "", **options: Any) -> aiohttp.ClientWebSocketResponse:
        socket: aiohttp.ClientWebSocketResponse = await self.http.ws_connect(url or f"{self.url}/collider/ws", **options)
        self._sockets.append(socket)
        return socket

    async def register(self, params: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
        """As a client does that has joined."""
        socket = await self.dial(params["wss_url"])
        before = self.service.collider.registrations
        await socket.send_json({"cmd": "register", "roomid": params["room_id"], "clientid": params["client_id"]})
        await until(lambda: self.service.collider.registrations > before, PATIENCE_S, "it is registered")
        return socket

    async def close(self) -> None:
        """Hang up everywhere."""
        for socket in self._sockets:
            await socket.close()
        await self.http.close()


async def text_of(socket: aiohttp.ClientWebSocketResponse) -> str:
    """The next frame."""
    text: str = await socket.receive_str(timeout=PATIENCE_S)
    return text


async def end_of(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, str]:
    """The code and reason it is closed with."""
    message = await socket.receive(timeout=PATIENCE_S)
    assert message.type is aiohttp.WSMsgType.CLOSE, message
    return message.data, message.extra or ""


def a_page(request: web.Request, params: dict[str, Any], room_full: bool) -> web.Response:
    """In place of HTML: what it would be made of."""
    return web.json_response({"params": params, "room_full": room_full})


@asynccontextmanager
async def apprtc_site(
    clock: Clock,
    *,
    auth: bool = False,
    is_open: bool = False,
    ice: IceServers | None = None,
    public_url: str | None = None,
    limits: Limits | None = None,
    guests: Guests | None = None,
) -> AsyncIterator[Site]:
    """One that runs until the block ends. `auth`: the cluster wants tokens, `is_open`: but not here. It is its own trusted proxy."""
    guests = Guests(100, 0.001, 10_000) if guests is None else guests
    access = access_of(guests, clock, auth=auth, is_open=is_open, trusted=parse_networks(["127.0.0.1"]))
    service = AppRtc(limits or Limits(), random.Random(1))
    endpoint = SocketEndpoint("apprtc", service, access, SocketLimits(), clock)
    room_server = RoomServer(
        service, endpoint, access, ice or IceServers(), a_page, public_url=public_url, max_message_bytes=MAX_MESSAGE
    )
    collider = ColliderServer(service, endpoint, access, max_message_bytes=MAX_MESSAGE)
    main, dedicated = web.Application(), web.Application()
    main.add_routes([*room_server.routes("/apprtc"), *collider.routes("/collider")])
    dedicated.add_routes(collider.routes(""))
    runner, port = await start_site(main, "127.0.0.1", 0)
    second, collider_port = await start_site(dedicated, "127.0.0.1", 0)
    site = Site(service, endpoint, guests, port, collider_port)
    try:
        yield site
    finally:
        endpoint.stop()
        await asyncio.wait_for(site.close(), PATIENCE_S)
        for each in (runner, second):
            await asyncio.wait_for(each.cleanup(), PATIENCE_S)
