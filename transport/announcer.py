"""Keeps what a listener announces true: looks host names up, and asks STUN servers by the listener's own sockets, again and again.

By its own sockets, because a NAT's mapping belongs to one: so it is that mapping which is seen, and which the asking keeps alive.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from protocol.errors import ConfigError
from protocol.ice import IceServer, IceUrl, parse_ice_url
from transport import stun_binding as stun
from transport.announce import AUTO, Endpoint, Found, Word, candidates, endpoints
from transport.candidates import IceCandidate
from transport.udp import UdpSocket

logger = logging.getLogger(__name__)

RENEW_S = 25.0
"""Between two looks; NATs keep a UDP mapping for 30 s at least, mostly (RFC 4787 section 4.3 wants two minutes)."""

RETRY_S = 5.0
"""The same while STUN servers do not answer."""

ATTEMPTS_S = (0.5, 1.0, 1.5)
"""How long each of three requests waits for its answer."""

WAIT_S = 4.0
"""An offer waits so long for addresses that are not known yet; then it goes out with those that are."""

LOOK_UP_S = 3.0
"""For the name of a host or of a STUN server."""

MAX_SERVERS = 2
"""STUN servers asked: all of them answer the same, unless a NAT gives each destination a port of its own, which two will show."""


class Announcer:
    """Of one listener. What it tells is in `candidates`; :meth:`when_known` waits for it to be worth telling."""

    def __init__(
        self, words: Sequence[Word], sockets: Sequence[UdpSocket], port: int, local: Sequence[str], stun_urls: Iterable[str] = ()
    ) -> None:
        """`local`: the machine's own addresses for these sockets; `stun_urls`: the servers to ask, where the coordinator's are not meant.

        Raises :class:`ConfigError` for what is no URL of a STUN server.
        """
        self._words = words
        self._sockets = sockets
        self._port = port
        self._found = Found(local)
        self._names = list(dict.fromkeys(word.host for word in words if word.is_name))
        self.is_auto = any(word.text == AUTO for word in words)
        """STUN servers are asked."""
        self._servers: list[IceUrl] | None = [_stun_url(text) for text in stun_urls][:MAX_SERVERS] or None
        self._are_given = self._servers is not None
        self._asked: dict[bytes, tuple[int, Endpoint, asyncio.Future[Endpoint]]] = {}
        self._waiting: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_known = not (self._names or self.is_auto)
        self.told = endpoints(words, port, self._found)
        """Where peers are told to come, the most wanted first."""
        self.changes = 0
        """Times that turned out to be somewhere else than it was known to be."""
        if self._names or (self.is_auto and self._are_given):
            self._begin()

    @property
    def candidates(self) -> tuple[IceCandidate, ...]:
        """The same as an offer has it."""
        return candidates(self.told)

    @property
    def is_asking(self) -> bool:
        """Answers of STUN servers may come."""
        return bool(self._asked)

    def discover(self, servers: Iterable[IceServer]) -> None:
        """The coordinator's ICE servers: asked where addresses are to be found out and no other servers were given. TURN servers will do,
        too: they answer binding requests of anyone.
        """
        if not self.is_auto or self._are_given:
            return
        urls = [parse_ice_url(url) for server in servers for url in server.urls]
        usable = sorted((url for url in urls if url.transport == "udp" and not url.is_secure), key=lambda url: url.is_turn)[
            :MAX_SERVERS
        ]
        if usable != self._servers:
            self._servers = usable
            if not usable:
                logger.warning("announce auto: neither --stun nor the coordinator names a STUN server")
            self._begin()

    def when_known(self, tell: Callable[[], None]) -> None:
        """Call `tell` at once, or when the first look is over; after WAIT_S at the latest."""
        if self._is_known:
            tell()
            return
        self._waiting.append(tell)
        if self._timer is None:
            self._timer = self._loop.call_later(WAIT_S, self._settle)

    def received(self, index: int, data: bytes, address: tuple[Any, ...]) -> bool:
        """Whether a datagram is the answer to a question of ours; then it is dealt with."""
        asked = self._asked.get(data[8:20])
        if asked is None or asked[:2] != (index, address[:2]) or asked[2].done():
            return False
        try:
            message = stun.read(data)
        except stun.Malformed:
            return False
        if message.kind != stun.RESPONSE or message.mapped is None:
            return False
        asked[2].set_result(message.mapped)
        return True

    def close(self) -> None:
        """Ask nothing any more. Idempotent."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()

    # ------------------------------------------------------------------------------------------------------------------ looking

    def _begin(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._loop.create_task(self._keep(), name="announced addresses")

    async def _keep(self) -> None:
        complaints: set[str] = set()
        while True:
            failures = await self._look()
            for failure in sorted(failures - complaints):
                logger.warning("%s", failure)  # once, until it was well again
            complaints = failures
            self._update()
            if not self.is_auto or self._servers is not None:
                self._settle()
            await asyncio.sleep(RETRY_S if failures else RENEW_S)

    async def _look(self) -> set[str]:
        """Ask everyone once; returns what went wrong. What is not found (again) stays what it was."""
        failures: set[str] = set()
        for name in self._names:
            if addresses := await self._look_up(name, 0):
                families = {sock.is_ipv6 for sock in self._sockets}
                hosts = dict.fromkeys(host for host, _ in addresses if (":" in host) in families)
                self._found.names = {**self._found.names, name: tuple(hosts)}
            else:
                failures.add(f"announce {name}: the name has no address")
        servers = self._servers or [] if self.is_auto else []
        seen = await asyncio.gather(*(self._seen_by(url) for url in servers))
        if any(seen):
            self._take(seen)
        elif servers:
            failures.add(f"announce auto: no answer from {' and '.join(map(str, servers))}")
        return failures

    def _take(self, seen: Sequence[dict[int, Endpoint]]) -> None:
        """What each server has seen of each socket: the first server's word counts."""
        public: list[Endpoint] = []
        for index in range(len(self._sockets)):
            found = [one[index] for one in seen if index in one]
            public += found[:1]
        self._found.public = tuple(dict.fromkeys(public))

    async def _seen_by(self, url: IceUrl) -> dict[int, Endpoint]:
        """Where this server sees each of our sockets, by index."""
        addresses = await self._look_up(url.host, url.port)
        questions = {
            index: self._ask(index, address)
            for index, sock in enumerate(self._sockets)
            if (address := next((a for a in addresses if (":" in a[0]) == sock.is_ipv6), None)) is not None
        }
        answers = await asyncio.gather(*questions.values())
        return {index: answer for index, answer in zip(questions, answers, strict=True) if answer is not None}

    async def _look_up(self, host: str, port: int) -> list[Endpoint]:
        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, TimeoutError) as error:
            logger.debug("%s is not to be found: %r", host, error)
            return []
        return [(str(address[0]), int(address[1])) for _, _, _, _, address in found]

    async def _ask(self, index: int, address: Endpoint) -> Endpoint | None:
        transaction = secrets.token_bytes(12)
        future: asyncio.Future[Endpoint] = self._loop.create_future()
        self._asked[transaction] = (index, address, future)
        try:
            for wait in ATTEMPTS_S:
                self._sockets[index].send(stun.request(transaction), address)
                done, _ = await asyncio.wait([future], timeout=wait)
                if done:
                    return future.result()
            return None
        finally:
            del self._asked[transaction]

    def _update(self) -> None:
        told = endpoints(self._words, self._port, self._found)
        if told == self.told:
            return
        logger.info("announced as %s", ", ".join(shown(one) for one in told))
        for host, port in self._found.public:
            if port != self._port:
                logger.warning(
                    "a NAT shows UDP port %d as port %d of %s: forward port %d to this machine",
                    self._port,
                    port,
                    host,
                    self._port,
                )
        self.changes += self._is_known
        self.told = told

    def _settle(self) -> None:
        self._is_known = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell()


def shown(endpoint: Endpoint) -> str:
    """``203.0.113.7:7000`` or ``[2001:db8::7]:7000``."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_stun_urls(texts: Iterable[str]) -> None:
    """Raises :class:`ConfigError` for what is no URL of a STUN server."""
    for text in texts:
        _stun_url(text)


def _stun_url(text: str) -> IceUrl:
    try:
        url = parse_ice_url(text)
    except ValueError as error:
        raise ConfigError(f"stun: {error}") from None
    if url.scheme != "stun":
        raise ConfigError(f"stun: {text!r}: want a URL that begins with stun:")
    return url
