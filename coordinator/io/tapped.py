"""A WebSocket of which every byte can be judged before aiohttp's parser has it.

aiohttp tells of a message when its last byte is here, and has no place to ask before. So something of ours stands between its connection and
its parser, by names that are not for others to use: `test_tapped.py` tells when they have changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.http_websocket import WebSocketReader, WebSocketWriter

DecodeText = TypeVar("DecodeText", Literal[True], Literal[False])


class Tap(Protocol):
    """Gets what the network brings."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes came. Returns whether nothing more will be taken, and what was not taken: (False, b"") when all is well."""

    def feed_eof(self) -> None:
        """Nothing more will come."""


class TappedWebSocket(web.WebSocketResponse[DecodeText], ABC):
    """The tap is there from the first byte on, also where that came together with the request."""

    @abstractmethod
    def _tap(self, parser: WebSocketReader, request: web.BaseRequest) -> Tap:
        """What stands before aiohttp's parser. Is asked once, when the upgrade was answered."""

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        connection = request.protocol
        early, connection._message_tail = connection._message_tail, b""
        super()._post_start(request, protocol, writer)
        assert self._parser is not None
        connection._payload_parser = self._tap(self._parser, request)
        if early:  # it came with the request
            connection.data_received(early)
