"""The connections of a site: what is answered on them counts until it has left, and who does not take it is cut.

aiohttp waits for a reader without an end, and when it has closed a connection what was written stays as long as the peer likes. So each
connection looks after what it was given to send. A long answer is written in pieces, and forgotten when it is written: aiohttp would keep
one copy of it until the next request, and the network another.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import termios
from array import array
from collections.abc import Callable
from typing import Protocol, cast

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from protocol.limits import KIB
from service.intake import HEAD_BYTES as UNFINISHED_HEAD_BYTES
from service.intake import HEAD_S, Account, Intake
from service.leaving import Leaving

log = logging.getLogger(__name__)

Seal = Callable[[web.BaseRequest, web.StreamResponse], None]
"""Puts on an answer what all answers of a site have."""

HEAD_BYTES = KIB
"""Of an answer, and of what holds it."""

AHEAD_BYTES = 64 * KIB
"""Handed to the network ahead of the peer's reading, about; what is longer is written in pieces."""

PIECE_BYTES = 16 * KIB

UNSEEN_BYTES = 2 * AHEAD_BYTES
"""Below TLS so much may wait that no interface tells of, as long as the system's own buffer is not nearly empty."""

NEARLY_EMPTY_BYTES = 16 * KIB

FIRST_LOOK_S = 0.05
LAST_LOOK_S = 1.0
"""Until it is looked again what has left; each time twice as long, up to this."""


KEEP_ALIVE_S = 150.0
"""For the next request to come on a connection: longer than nginx and Caddy keep theirs to what is behind them."""

LINGER_S = 2.0
"""In which the rest of a body is read that nobody wants. Who goes on sending may not see its answer."""

MAX_FIELDS = 64
"""In a head; browsers send some fifteen, proxies a few more."""

READ_AHEAD_BYTES = 16 * KIB
"""Of a body that nobody reads yet, about."""


class Outlet(Protocol):
    """Bounds what waits to be sent, and what was received and waits to be answered."""

    def account(self, peer: str) -> Account:
        """Of what was received from that address."""

    def admit(self, request: web.BaseRequest, answer: web.Response, size: int) -> Callable[[], None] | web.Response:
        """Let an answer that takes so many bytes be sent, and return what is to be called when it has left; or a short one in its place."""


class Connection(web.RequestHandler):
    """One connection. Its answers to what is no request are sealed, too: no application is asked about them, nor its signals."""

    __slots__ = (
        "_answered",
        "_handed",
        "_head_due",
        "_intake",
        "_last",
        "_leaving",
        "_link",
        "_look_s",
        "_looking",
        "_open",
        "_outlet",
        "_seal",
        "_writer",
    )

    def __init__(self, manager: web.Server, seal: Seal, outlet: Outlet | None, connections: set[Connection]) -> None:
        """`connections`: where it is while it is open."""
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # none at all
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
            max_headers=MAX_FIELDS,
            read_bufsize=READ_AHEAD_BYTES,
            auto_decompress=False,  # which makes a thousand bytes of one, whether anybody reads them or not
        )
        self._seal = seal
        self._outlet = outlet
        self._open = connections
        self._link: asyncio.Transport | None = None
        """As long as it is open; aiohttp forgets its own when it wants it closed."""
        self._leaving = Leaving()
        self._handed = 0
        """Bytes of all answers before the present one."""
        self._writer: AbstractStreamWriter | None = None
        self._last: web.StreamResponse | None = None
        """An answer that ends it, to what may be no request at all. It is short, so nobody needs to be asked whether it may be sent."""
        self._looking: asyncio.TimerHandle | None = None
        self._look_s = FIRST_LOOK_S
        self._intake = Intake(self._account)
        self._head_due: asyncio.TimerHandle | None = None
        self._answered = 0
        """Requests."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The network has one for us."""
        super().connection_made(transport)
        self._link = cast(asyncio.Transport, transport)
        self._link.set_write_buffer_limits(AHEAD_BYTES)  # TLS takes eight times that by itself
        self._open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing more can be sent, and the network has forgotten what was not."""
        self._link = None
        self._open.discard(self)
        self._rest()
        self._leaving.clear()
        self._intake.clear()
        self._head_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        if self._is_upgraded() or self._is_rest():  # of a WebSocket others bound it
            super().data_received(data)
        elif not self._intake.came(len(data)):
            log.info("cut a connection: too much has come from its address that is not answered yet")
            self.cut()
        else:
            super().data_received(data)
            if self._is_upgraded():
                self._intake.clear()
            self._watch_head()

    def _is_upgraded(self) -> bool:
        """Whether it is a WebSocket, as it may become within :meth:`data_received`."""
        return self._upgraded

    def _is_rest(self) -> bool:
        """Whether what comes is the rest of a body, and thrown away: all is answered, and the next request is not waited for yet."""
        return 0 < self._request_count == self._answered and self._waiter is None

    def _account(self) -> Account | None:
        if self._link is None or self._outlet is None:
            return None
        peer = self._link.get_extra_info("peername")
        return self._outlet.account(str(peer[0]) if peer else "")

    def _watch_head(self) -> None:
        """Where a request is waited for and something has come, it is the beginning of a head."""
        if self._request_count > self._answered or not self._intake.bytes or self._is_rest():
            self._head_is_whole()
        elif self._intake.bytes > UNFINISHED_HEAD_BYTES:
            log.info("cut a connection: the head of a request is longer than %d bytes", UNFINISHED_HEAD_BYTES)
            self.cut()
        elif self._head_due is None:
            self._head_due = asyncio.get_running_loop().call_later(HEAD_S, self._head_is_late)

    def _head_is_late(self) -> None:
        log.info("cut a connection: the head of a request did not come within %g s", HEAD_S)
        self.cut()

    def _head_is_whole(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def cut(self) -> None:
        """End it now, whatever it has to send."""
        if self._link is not None:
            self._link.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to a request that could not be read, or whose handler failed."""
        self._last = super().handle_error(request, status, exc, message)
        self._seal(request, self._last)
        return self._last

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer."""
        self._answered += 1
        self._intake.answered(is_more=self._request_count > self._answered)
        if not isinstance(resp, web.Response) or resp.prepared or self._link is None:
            return await super().finish_response(request, resp, start_time)
        answer = self._admitted(request, resp)
        self._writer = request.writer
        self._look_s = FIRST_LOOK_S
        self._look_later()
        try:
            if _size(request, answer) > AHEAD_BYTES:
                await _write_body(request, answer)
            return await super().finish_response(request, answer, start_time)
        except ConnectionError:
            return answer, True
        finally:
            answer.body = None
            self._handed, self._writer = self._written, None
            self._leaving.handed_over(self._handed)
            self._look_s = FIRST_LOOK_S
            self._look()

    def _admitted(self, request: web.BaseRequest, answer: web.Response) -> web.Response:
        """That answer, or one in its place, which counts until it has left."""
        size = cost(_size(request, answer))
        verdict = _nothing if self._outlet is None or answer is self._last else self._outlet.admit(request, answer, size)
        if isinstance(verdict, web.Response):
            verdict.force_close()  # so that of those that nobody counts there is one at most
            answer, verdict = verdict, _nothing
        self._leaving.begin(verdict, self._left, asyncio.get_running_loop().time())
        return answer

    @property
    def _written(self) -> int:
        return self._handed + (0 if self._writer is None else self._writer.output_size)

    @property
    def _left(self) -> int:
        return self._written - (0 if self._link is None else _waiting(self._link))

    def _look(self) -> None:
        self._rest()
        if self._payload_parser is not None:  # a WebSocket now, of which others look after what is to be sent
            self._leaving.clear()
        elif not self._leaving.is_in_time(self._left, asyncio.get_running_loop().time()):
            log.info("cut a connection whose other end does not take its answer")
            self.cut()
        elif self._leaving:
            self._look_later()

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(self._look_s, self._look)
            self._look_s = min(2 * self._look_s, LAST_LOOK_S)

    def _rest(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


class Connections(web.Server):
    """What a site makes connections with, on behalf of the server that looks after them."""

    def __init__(self, server: web.Server, seal: Seal, outlet: Outlet | None, connections: set[Connection]) -> None:
        super().__init__(server.request_handler, request_factory=server.request_factory)
        self._looks_after = server
        self._seal = seal
        self._outlet = outlet
        self._open = connections

    def __call__(self) -> web.RequestHandler:
        return Connection(self._looks_after, self._seal, self._outlet, self._open)


def cost(size: int) -> int:
    """Bytes that an answer with such a body takes until it has left."""
    return size + HEAD_BYTES + (AHEAD_BYTES if size > AHEAD_BYTES else 0)


def _nothing() -> None:
    pass


def _size(request: web.BaseRequest, answer: web.Response) -> int:
    """Of the body that will be sent. An answer to HEAD has none, nor has 304 (RFC 9110 section 6.4.1)."""
    is_bare = request.method == hdrs.METH_HEAD or answer.status in (204, 304)
    return len(answer.body) if isinstance(answer.body, bytes | bytearray) and not is_bare else 0


async def _write_body(request: web.BaseRequest, answer: web.Response) -> None:
    """Raises ConnectionError."""
    body = answer.body
    assert isinstance(body, bytes | bytearray)
    await answer.prepare(request)
    for begin in range(0, len(body), PIECE_BYTES):
        await answer.write(body[begin : begin + PIECE_BYTES])
    answer.body = None  # it is written


def _waiting(link: asyncio.Transport) -> int:
    """Bytes of what was handed to the network that have not left: what the peer's system has told to have, has.

    Also of what the system has taken: else nothing would seem to leave, and then megabytes at once, since it asks for more only when a
    third of its buffer is free.
    """
    of_system = _of_system(link)
    unseen = UNSEEN_BYTES if of_system >= NEARLY_EMPTY_BYTES and link.get_extra_info("sslcontext") is not None else 0
    return link.get_write_buffer_size() + of_system + unseen


def _of_system(link: asyncio.Transport) -> int:
    """Bytes in the system's buffer of a socket, which the peer's system has not told to have; 0 where nobody can say."""
    count = array("i", [0])
    bottom = link.get_extra_info("socket")
    if bottom is not None and bottom.fileno() >= 0:  # it is not closed
        with contextlib.suppress(OSError):
            fcntl.ioctl(bottom.fileno(), termios.TIOCOUTQ, count)
    return count[0]
