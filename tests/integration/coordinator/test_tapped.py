"""What stands before aiohttp's parser gets every byte, in order, whenever it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
from aiohttp import web

from coordinator.io.tapped import TappedWebSocket
from tests.support.poll import until
from tests.support.raw_websocket import BINARY, LAST, RawSocket, frame

if TYPE_CHECKING:
    from aiohttp.http_websocket import WebSocketReader

PATIENCE_S = 10.0


class Recorder:
    """A tap that lets everything pass."""

    def __init__(self, parser: WebSocketReader) -> None:
        self.parser = parser
        self.seen = b""
        self.is_over = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.seen += data
        return self.parser.feed_data(data)

    def feed_eof(self) -> None:
        self.is_over = True
        self.parser.feed_eof()


class Recorded(TappedWebSocket[Literal[True]]):
    """One socket with its recorder."""

    recorder: Recorder

    def _tap(self, parser: WebSocketReader, _request: web.BaseRequest) -> Recorder:
        self.recorder = Recorder(parser)
        return self.recorder


class Site:
    """A server that keeps what its sockets say."""

    def __init__(self) -> None:
        self.sockets: list[Recorded] = []
        self.messages: list[bytes] = []
        self.port = 0

    async def handle(self, request: web.Request) -> Recorded:
        ws = Recorded()
        self.sockets.append(ws)
        await ws.prepare(request)
        async for message in ws:
            self.messages.append(message.data)
        return ws


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made, app = Site(), web.Application()
    app.router.add_get("/", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


def message(data: bytes) -> bytes:
    return frame(data, BINARY | LAST)


async def test_what_comes_with_the_request_and_after_it_passes_once_and_in_order(site: Site) -> None:
    early, late = message(b"early") + message(b"half")[:3], message(b"half")[3:] + message(b"late")
    socket = await RawSocket.dial(site.port, "/", early=early)
    await until(lambda: site.messages == [b"early"], PATIENCE_S, "what came early is heard")
    socket.writer.write(late)
    await until(lambda: site.messages == [b"early", b"half", b"late"], PATIENCE_S, "and the rest")
    assert site.sockets[0].recorder.seen == early + late
    socket.close()
    await until(lambda: site.sockets[0].recorder.is_over, PATIENCE_S, "it is told of the end")


def has(thing: Any, *names: str) -> bool:
    return set(names) <= set(dir(thing))


def test_the_names_inside_aiohttp_that_are_used() -> None:
    """If one is missing, look at :mod:`coordinator.io.tapped` before aiohttp is upgraded."""
    from aiohttp.web_protocol import RequestHandler

    assert has(RequestHandler, "_message_tail", "_payload_parser", "set_parser", "data_received")
    assert has(web.WebSocketResponse, "_parser", "_post_start")
