"""The answering side: a full ICE agent for each link, for clients and for a server that takes another server's offer."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from protocol.errors import CandidateError, ConfigError
from protocol.limits import MAX_CANDIDATES
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from transport.candidates import IceCandidate, from_init
from transport.fastpath.dtls import SharedCertificate
from transport.fastpath.ice import IceAgent, local_addresses
from transport.link import LinkEnd, LinkHandler
from transport.options import LinkOptions
from transport.sdp import Description, Fingerprint, answer_to, build, parse_offer
from transport.session import Session
from transport.sockets import source_address

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0

OnCandidate = Callable[[CandidateInit], None]
"""Called with each local candidate, and last with END_OF_CANDIDATES."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, as RTCIceServer of W3C WebRTC section 4.2.2. The first of each kind is used."""

    urls: str | Sequence[str]
    username: str | None = None
    credential: str | None = None

    def __repr__(self) -> str:
        return f"IceServer({self.urls!r})"  # the credential is a secret


class DialerLink(Session):
    """A link that the other side offered."""

    def __init__(self, offer: Description, handler: LinkHandler, options: LinkOptions, on_candidate: OnCandidate | None) -> None:
        super().__init__(handler, options, f"link to {offer.ufrag}")
        self._offer = offer
        self._on_candidate = on_candidate
        self._agent = IceAgent(
            remote_ufrag=offer.ufrag,
            remote_pwd=offer.pwd,
            remote_is_lite=offer.ice_lite,
            silence=options.silence,
            receive=self.datagram,
        )
        self._remote_count = len(offer.candidates)
        # Bounded by the count above: remote candidates on their way to the agent, which takes them one by one.
        self._remote: asyncio.Queue[IceCandidate | None] = asyncio.Queue(MAX_CANDIDATES + 2)
        for candidate in offer.candidates:
            self._remote.put_nowait(candidate)
        if offer.end_of_candidates:
            self._remote.put_nowait(None)
        self._candidate_tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.TimerHandle | None = None
        self.local_sdp = ""
        """The answer for the peer."""

    def add_candidate(self, init: CandidateInit | None) -> None:
        """Take a remote candidate; None or an empty one says that there are no more, and what comes after it is ignored.

        Raises :class:`~protocol.errors.CandidateError` for what does not parse, and for too many.
        """
        candidate = from_init(init)
        if candidate is not None:
            self._remote_count += 1
            if self._remote_count > MAX_CANDIDATES:
                raise CandidateError(f"more than {MAX_CANDIDATES} candidates")
        if self._end is None and not self._remote.full():
            self._remote.put_nowait(candidate)

    async def prepare(self, servers: dict[str, Any]) -> None:
        """Gather, write the answer, and let set-up go on by itself."""
        offer, agent = self._offer, self._agent
        found = agent.gather_host(local_addresses(offer.candidates, remote_is_lite=offer.ice_lite))
        if self._on_candidate is None:
            found += await agent.gather_servers(servers)
        own = Description(
            ufrag=agent.local_username,
            pwd=agent.local_password,
            fingerprints=(Fingerprint("sha-256", self._certificate.sha256),),
            setup="active",
            max_message_size=self._options.max_message,
            candidates=() if self._on_candidate is not None else tuple(found),
            end_of_candidates=self._on_candidate is None,
        )
        answer = answer_to(offer, own)
        self.local_sdp = build(answer, secrets.randbits(62))
        self._setup = self._start_task(partial(self._connect, dtls_server=answer.setup == "passive"))
        self._candidate_tasks.append(self._start_task(self._take_candidates))
        if self._on_candidate is not None:
            self._candidate_tasks.append(self._start_task(partial(self._trickle, found, servers)))

    async def _connect(self, *, dtls_server: bool) -> None:
        await self._agent.connect()
        self._agent.heard = self._loop.time()
        self._listen()
        await self._establish(self._offer, dtls_server=dtls_server, create=False)

    async def _take_candidates(self) -> None:
        """Remote candidates in the order they came, until their end or the link's."""
        while True:
            candidate = await self._remote.get()
            if candidate is not None and candidate.address is not None and candidate.address.is_loopback:
                # aioice leaves loopback out, and only a socket on loopback reaches it.
                source = source_address(candidate.host, candidate.port)
                self._tell_candidates(self._agent.gather_host([source] if source else []))
            await self._agent.add_candidate(candidate)
            if candidate is None:
                return

    async def _trickle(self, found: list[IceCandidate], servers: dict[str, Any]) -> None:
        await asyncio.sleep(0)  # after the caller has the link and its answer
        self._tell_candidates(found)
        if servers:
            self._tell_candidates(await self._agent.gather_servers(servers))
        if self._on_candidate is not None and self._end is None:
            self._on_candidate(END_OF_CANDIDATES)

    def _tell_candidates(self, found: list[IceCandidate]) -> None:
        for candidate in found:
            if self._on_candidate is not None and self._end is None:
                self._on_candidate(candidate.to_init(self._offer.mid, self._agent.local_username))

    def _listen(self) -> None:
        """End the link once the peer was not heard for `silence` seconds."""
        deadline = self._agent.heard + self._options.silence
        if deadline <= self._loop.time():
            self._finish(LinkEnd.SILENT, f"nothing heard for {self._options.silence} s")
        else:
            self._watch = self._loop.call_at(deadline, self._listen)

    def _send_datagram(self, data: bytes) -> None:
        self._agent.send_datagram(data)

    def _release(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for task in self._candidate_tasks:
            task.cancel()
        self._start_task(self._agent.close)


class Dialer:
    """Answers offers; all its links share their options and, by default, the certificate of the process."""

    def __init__(
        self,
        *,
        ice_servers: Sequence[IceServer] = (),
        fast: bool = True,
        silence: float = 30.0,
        setup_timeout: float = 15.0,
        certificate: SharedCertificate | None = None,
        options: LinkOptions | None = None,
    ) -> None:
        """`options` has the rarer settings, and then stands for the four before it.

        Raises :class:`~protocol.errors.ConfigError` for the URL of an ICE server that does not parse.
        """
        self._options = options or LinkOptions(fast=fast, silence=silence, setup_timeout=setup_timeout, certificate=certificate)
        self._servers = _aioice_servers(ice_servers)
        self._links: set[DialerLink] = set()

    async def answer(self, offer_sdp: str, handler: LinkHandler, on_candidate: OnCandidate | None = None) -> DialerLink:
        """A link with its answer in ``local_sdp``; set-up goes on by itself, and its outcome is the handler's to hear.

        With `on_candidate` local candidates are trickled and this hardly waits; without, they are in the answer, which then waits
        for the ICE servers, if there are any. Raises :class:`~protocol.errors.SdpError` for an offer that cannot be used.
        """
        link = DialerLink(parse_offer(offer_sdp), handler, self._options, on_candidate)
        self._links = {other for other in self._links if not other.is_closed} | {link}
        try:
            await link.prepare(self._servers)
        except BaseException:  # cancelled, or no socket to be had: nobody else knows of this link yet
            link.discard()
            raise
        return link

    async def close(self) -> None:
        """End every link, telling its peer."""
        links = list(self._links)
        self._links.clear()
        for link in links:
            link.close()
        if links:
            await asyncio.wait([asyncio.ensure_future(link.wait_closed()) for link in links], timeout=CLOSE_TIMEOUT_S)


def _aioice_servers(servers: Sequence[IceServer]) -> dict[str, Any]:
    parsed = []
    for server in servers:
        urls = [server.urls] if isinstance(server.urls, str) else list(server.urls)
        parsed.append(RTCIceServer(urls=urls, username=server.username, credential=server.credential))
    try:
        return connection_kwargs(parsed)
    except ValueError as error:
        raise ConfigError(f"ice_servers: {error}") from error
