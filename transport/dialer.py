"""The answering side: a full ICE agent for each link, for clients and for a server that takes another server's offer."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial

from protocol.errors import CandidateError
from protocol.ice import IceServer
from protocol.limits import MAX_CANDIDATES
from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from transport.candidates import IceCandidate, from_init
from transport.fastpath.dtls import SharedCertificate
from transport.fastpath.ice import RELAY_AFTER_S, IceAgent, local_addresses
from transport.ice_targets import IceTarget, ice_targets
from transport.link import LinkEnd, LinkHandler
from transport.options import LinkOptions
from transport.sdp import Description, Fingerprint, answer_to, build, parse_offer
from transport.session import Session
from transport.sockets import source_address

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0

OnCandidate = Callable[[CandidateInit], None]
"""Called with each local candidate, and last with END_OF_CANDIDATES."""


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
            lost=partial(self._finish, LinkEnd.FAILED, "the relay is gone"),
            relay_only=options.ice_transport_policy == "relay",
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
        self.on_reached: Callable[[], None] | None = None
        """Called once there is a way to the peer (ICE has a pair that works), before DTLS."""

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

    @property
    def trouble(self) -> str:
        """See :attr:`transport.link.Link.trouble`."""
        return "; ".join(self._agent.problems)

    async def prepare(self, targets: Sequence[IceTarget]) -> None:
        """Gather, write the answer, and let set-up go on by itself."""
        offer, agent = self._offer, self._agent
        if agent.relay_only:
            found: list[IceCandidate] = []
            if not any(target.url.is_turn for target in targets):
                agent.problems.append("only relays may be used, and no TURN server is known")
        else:
            found = agent.gather_host(local_addresses(offer.candidates, remote_is_lite=offer.ice_lite))
        agent.awaits_servers = bool(targets)
        if self._on_candidate is None:
            await agent.gather_servers(targets, found.extend)
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
            self._candidate_tasks.append(self._start_task(partial(self._trickle, found, targets)))

    async def _connect(self, *, dtls_server: bool) -> None:
        await self._agent.connect()
        if self.on_reached is not None:
            self.on_reached()
        self._agent.heard = self._loop.time()
        if self._offer.ice_lite:
            self._agent.settle()
        self._listen()
        await self._establish(self._offer, dtls_server=dtls_server, create=False)

    async def _take_candidates(self) -> None:
        """Remote candidates in the order they came, until their end or the link's."""
        while True:
            candidate = await self._remote.get()
            is_loopback = candidate is not None and candidate.address is not None and candidate.address.is_loopback
            if candidate is not None and is_loopback and not self._agent.relay_only:
                # aioice leaves loopback out, and only a socket on loopback reaches it.
                source = source_address(candidate.host, candidate.port)
                self._tell_candidates(self._agent.gather_host([source] if source else []))
            await self._agent.add_candidate(candidate)
            if candidate is None:
                return

    async def _trickle(self, found: list[IceCandidate], targets: Sequence[IceTarget]) -> None:
        await asyncio.sleep(0)  # after the caller has the link and its answer
        self._tell_candidates(found)
        # Whoever has relays alone has nothing to wait for, and a full agent may yet choose another way than the first.
        head_start = RELAY_AFTER_S if self._offer.ice_lite and not self._agent.relay_only else 0.0
        await self._agent.gather_servers(targets, self._tell_candidates, head_start)
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
        """`ice_servers` are for links that are given none. `options` has the rarer settings, and then stands for the other arguments.

        Raises :class:`~protocol.errors.ConfigError` for the URL of an ICE server that does not parse.
        """
        self._options = options or LinkOptions(fast=fast, silence=silence, setup_timeout=setup_timeout, certificate=certificate)
        self._targets = ice_targets(ice_servers)
        self._links: set[DialerLink] = set()

    async def answer(
        self,
        offer_sdp: str,
        handler: LinkHandler,
        on_candidate: OnCandidate | None = None,
        ice_servers: Sequence[IceServer] | None = None,
    ) -> DialerLink:
        """A link with its answer in ``local_sdp``; set-up goes on by itself, and its outcome is the handler's to hear.

        With `on_candidate` local candidates are trickled and this hardly waits; without, they are in the answer, which then waits
        for the ICE servers, if there are any: `ice_servers`, or the dialer's own where that is None. Raises
        :class:`~protocol.errors.SdpError` for an offer that cannot be used, :class:`~protocol.errors.ConfigError` as the constructor.
        """
        targets = self._targets if ice_servers is None else ice_targets(ice_servers)
        link = DialerLink(parse_offer(offer_sdp), handler, self._options, on_candidate)
        self._links = {other for other in self._links if not other.is_closed} | {link}
        try:
            await link.prepare(targets)
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
