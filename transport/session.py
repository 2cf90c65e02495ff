"""What both kinds of link share: DTLS, SCTP and the two channels on top of some way to exchange datagrams.

Inside aiortc nothing of ours runs: what arrives while a datagram is processed is noted, and told to the handler once aiortc has
come to rest. So a handler may send on, or close, any link at any time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCDtlsFingerprint, RTCDtlsParameters, RTCSctpCapabilities

from protocol.errors import MessageTooLarge
from transport.fastpath.dtls import DataDtls, DatagramPort, FastDtls, drive, process_certificate
from transport.fastpath.fast_sctp import FastSctp
from transport.fastpath.sctp import GuardedSctp, perishable
from transport.link import RELIABLE_LABEL, UNRELIABLE_LABEL, Expiry, LinkEnd, LinkHandler
from transport.mailbox import Mailbox, Nobody
from transport.options import LinkOptions
from transport.sdp import SCTP_PORT, Description

logger = logging.getLogger(__name__)


class Session:
    """A :class:`~transport.link.Link` once it is given datagrams.

    Subclasses bring the datagrams (:meth:`datagram`), send ours (`_send_datagram`), and let go of what they hold (`_release`).
    """

    def __init__(self, handler: LinkHandler, options: LinkOptions, name: str) -> None:
        self._mailbox = Mailbox(self, handler, name, partial(self._finish, LinkEnd.FAILED))
        self._options = options
        self._name = name
        self._certificate = options.certificate or process_certificate()
        self._loop = asyncio.get_running_loop()
        self._port = DatagramPort(self._send_datagram)
        self._dtls: DataDtls | None = None
        self._sctp: GuardedSctp | None = None
        self._channels: dict[bool, RTCDataChannel] = {}
        self._streams: dict[int, bool] = {}
        self._max_send = 0

        self._driven = False  # datagrams go straight through; before, they wait in the port
        self._opened = False
        self._torn_down = False
        self._end: LinkEnd | None = None
        self._closed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._setup: asyncio.Task[None] | None = None
        self._setup_timer = self._loop.call_later(options.setup_timeout, self._finish, LinkEnd.TIMEOUT, "set-up took too long")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    # Link

    @property
    def is_open(self) -> bool:
        """Both channels are open and the link has not ended."""
        return self._opened and self._end is None

    @property
    def trouble(self) -> str:
        """See :attr:`transport.link.Link.trouble`."""
        return ""

    def send(self, data: bytes, *, reliable: bool, expiry: Expiry | None = None) -> None:
        """Send one message; see :meth:`transport.link.Link.send`."""
        if self._end is not None or not self._opened:
            return
        if self._max_send and len(data) > self._max_send:
            raise MessageTooLarge(len(data), self._max_send)
        channel = self._channels[reliable]
        if channel.readyState != "open":
            return  # the peer is closing it; its end follows
        if channel.bufferedAmount + len(data) > self._options.max_buffered:
            self._finish(LinkEnd.FAILED, f"over {self._options.max_buffered} bytes unsent")
            return
        if not isinstance(self._sctp, FastSctp):
            channel.send(data if expiry is None or reliable else perishable(data, expiry, self._loop.time()))
            return
        try:
            self._sctp.send_now(channel, data, None if reliable else expiry)
        except Exception as error:  # one link's trouble never reaches the sender, who may be sending to many
            self._fail(error)

    def buffered_amount(self, *, reliable: bool) -> int:
        """Bytes not yet handed to SCTP on that channel; SCTP itself holds at most one message more."""
        channel = self._channels.get(reliable)
        return 0 if channel is None else channel.bufferedAmount

    def close(self) -> None:
        """End the link now; see :meth:`transport.link.Link.close`."""
        if self._end is None:
            self._mailbox.muted = True
            self._finish(LinkEnd.LOCAL, "closed here")
            self._tear_down()

    def discard(self) -> None:
        """End a link that was never handed out: without a word to its handler."""
        self._mailbox.handler = Nobody()
        self.close()

    @property
    def is_closed(self) -> bool:
        """The link has ended, and everything it held is let go."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Until the link has ended, ``on_closed`` was called, and everything it held is let go."""
        await self._closed.wait()

    # for subclasses

    def datagram(self, data: bytes) -> bool:
        """A DTLS datagram came for this link; returns whether it was the peer's. False, too, where that is not known yet. Never raises."""
        if self._driven:
            return self._feed(data)
        self._port.put(data)
        return False

    def _send_datagram(self, data: bytes) -> None:
        """Send a datagram to the peer; a loss is no error."""
        raise TypeError(f"{type(self).__name__} has no way to send")

    def _shaken(self) -> None:
        """The DTLS handshake is over: the peer has received what was sent to it."""

    def _authentic(self) -> None:
        """On the plain path: something of the peer's was decrypted."""

    def _release(self) -> None:
        """The link has ended and said so to its peer."""

    def _start_task(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run something of this link's; an exception ends the link with FAILED."""
        task = self._loop.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:  # of aiortc, aioice or OpenSSL: this link's alone
            self._fail(error)

    async def _establish(self, remote: Description, *, dtls_server: bool, create: bool) -> None:
        """DTLS, then SCTP, then the channels: created here, or taken from the peer. Raises ConnectionError."""
        dtls_class = FastDtls if self._options.fast else DataDtls
        dtls = self._dtls = dtls_class(self._port.as_ice_transport(), [self._certificate])
        dtls.take_role(server=dtls_server)
        fingerprints = [RTCDtlsFingerprint(f.algorithm, f.value) for f in remote.fingerprints]
        await dtls.start(RTCDtlsParameters(fingerprints))
        if dtls.state != "connected":
            raise ConnectionError("the DTLS handshake failed")
        self._shaken()
        dtls.on("statechange", self._dtls_changed)
        if isinstance(dtls, FastDtls):
            sctp: GuardedSctp = FastSctp(dtls, SCTP_PORT, self._options.max_message)
        else:
            sctp = GuardedSctp(dtls, SCTP_PORT, self._options.max_message)
            sctp.on_packet = self._authentic
        self._sctp = sctp
        sctp.on_violation = self._fail
        sctp.on_ended = self._remote_ended
        sctp.on("datachannel", self._adopt)
        self._max_send = remote.max_message_size
        await sctp.start(RTCSctpCapabilities(maxMessageSize=remote.max_message_size), remote.sctp_port)
        if create:
            self._adopt(RTCDataChannel(sctp, RTCDataChannelParameters(label=RELIABLE_LABEL)))
            self._adopt(RTCDataChannel(sctp, RTCDataChannelParameters(label=UNRELIABLE_LABEL, ordered=False, maxRetransmits=0)))
        if isinstance(dtls, FastDtls) and isinstance(sctp, FastSctp):
            sctp.on_user_data = self._received
            dtls.shortcut = sctp.take
            self._driven = True
            for data in (b"", *self._port.drain()):
                self._feed(data)

    def _finish(self, end: LinkEnd, why: str) -> None:
        """The link has ended; the handler is told on the next turn of the loop. The first reason counts."""
        if self._end is not None:
            return
        self._end = end
        logger.debug("%s ended: %s, %s", self._name, end.value, why)
        self._setup_timer.cancel()
        self._loop.call_soon(self._conclude)

    def _fail(self, error: Exception) -> None:
        self._finish(LinkEnd.FAILED, f"{type(error).__name__}: {error}")

    # events of aiortc

    def _feed(self, data: bytes) -> bool:
        if self._end is not None:
            return False
        assert isinstance(self._dtls, FastDtls)  # only then it is driven
        authentic = False
        self._mailbox.held = True
        try:
            authentic = self._dtls.feed(data)
        except ConnectionError as error:
            self._finish(LinkEnd.REMOTE, str(error))
        except Exception as error:  # of OpenSSL or aiortc: this link's alone, the socket serves others
            self._fail(error)
        finally:
            self._mailbox.held = False
        self._mailbox.tell()
        return authentic

    def _adopt(self, channel: RTCDataChannel) -> None:
        """Take one of the two channels; others, and a second one of the same name, are left alone."""
        reliable = channel.label == RELIABLE_LABEL
        if channel.label not in (RELIABLE_LABEL, UNRELIABLE_LABEL) or reliable in self._channels:
            return
        self._channels[reliable] = channel
        channel.bufferedAmountLowThreshold = self._options.low_mark
        channel.on("open", self._channel_opened)
        channel.on("close", self._remote_ended)
        channel.on("bufferedamountlow", partial(self._mailbox.low, reliable))
        if not isinstance(self._sctp, FastSctp):
            channel.on("message", lambda data: self._mailbox.message(reliable, data.encode() if isinstance(data, str) else data))
        self._channel_opened()

    def _channel_opened(self) -> None:
        if not self._opened and [c.readyState for c in self._channels.values()] == ["open", "open"]:
            self._opened = True
            self._setup_timer.cancel()
            self._mailbox.open()

    def _received(self, stream_id: int, data: bytes) -> None:
        """A message on the fast path."""
        reliable = self._streams.get(stream_id)
        if reliable is None:
            assert isinstance(self._sctp, FastSctp)  # who else calls
            channel = self._sctp.channel_of(stream_id)
            reliable = next((r for r, own in self._channels.items() if own is channel), None)
            if reliable is None:
                return  # on a channel of the peer's own
            self._streams[stream_id] = reliable
        self._mailbox.message(reliable, data)

    def _dtls_changed(self) -> None:
        """After set-up: the pump of the plain path stopped, or the fast path could not send."""
        dtls = self._dtls
        if dtls is not None and dtls.state in ("closed", "failed"):
            self._finish(LinkEnd.REMOTE if dtls.state == "closed" else LinkEnd.FAILED, f"DTLS is {dtls.state}")

    def _remote_ended(self) -> None:
        opened = self._opened
        self._finish(
            LinkEnd.REMOTE if opened else LinkEnd.FAILED, "SCTP or a channel was closed" + ("" if opened else " during set-up")
        )

    # the end

    def _conclude(self) -> None:
        """Last words to both sides."""
        self._mailbox.tell()  # what came before the end
        self._tear_down()
        self._mailbox.close(self._end or LinkEnd.FAILED)
        if self._tasks:
            self._start_task(self._settle)
        else:
            self._closed.set()

    def _tear_down(self) -> None:
        """Tell the peer (SCTP ABORT, DTLS close_notify) and let go of everything; once."""
        if self._torn_down:
            return
        self._torn_down = True
        if self._setup is not None and not self._setup.done():
            self._setup.cancel()
        if self._options.fast:
            try:
                drive(self._stop())
            except Exception as error:  # a broken connection cannot say goodbye
                logger.debug("%s did not end cleanly: %r", self._name, error)
            self._release()
        else:
            self._start_task(self._stop).add_done_callback(lambda task: self._release())

    async def _stop(self) -> None:
        if self._sctp is not None:
            await self._sctp.stop()
        if self._dtls is not None:
            await self._dtls.stop()
        # Nothing here refers to aiortc's objects any more, so they go at once and not when cycles are next collected.
        self._sctp = self._dtls = None
        self._channels.clear()

    async def _settle(self) -> None:
        """Wait for what is still running."""
        me = asyncio.current_task()
        while others := [task for task in self._tasks if task is not me]:
            await asyncio.wait(others)
        self._closed.set()
