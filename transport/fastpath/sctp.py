"""SCTP that a hostile peer can only end."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiortc import RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    WEBRTC_DCEP,
    DataChunk,
    InboundStream,
    SackChunk,
    tsn_plus_one,
)

from transport.link import Expiry
from transport.sctp_guard import ProtocolViolation, check_packet, check_sack

MAX_CHANNELS = 8
"""Channels a peer may open. Two carry everything; a few more may be of a client's own."""

MAX_STREAMS = 2 * MAX_CHANNELS
"""SCTP streams a peer may use: each has its own reassembly."""

MAX_MISORDERED = 2048
"""Chunks kept that came ahead of a lost one. Further ones are dropped unacknowledged, so the peer sends them again."""

MAX_REASSEMBLY = 2 * MAX_MISORDERED
"""Chunks waiting in one stream. A message of the largest size has under 300."""

MAX_GAP_BLOCKS = 256
"""Gap blocks reported in one SACK, which then still fits a packet."""

INITIAL_RTO_S = 1.0
"""Until a round trip was measured (RFC 9260 section 16 suggests 1 s; aiortc 3 s, which a lost INIT then costs a join)."""


class _Perishable(bytes):
    """A message that waits, and is dropped where it would leave too late. aiortc carries it through its queue like any other."""

    due: float
    dropped: Callable[[], None]


def perishable(data: bytes, expiry: Expiry, now: float) -> bytes:
    """`data`, to be given to aiortc at `now` (the event loop's time) and dropped by :class:`GuardedSctp` when it expires."""
    made = _Perishable(data)
    made.due, made.dropped = now + expiry.lifetime, expiry.dropped
    return made


class _Queue(deque[Any]):
    """What waits for its TSN, as (channel, kind, message). It counts as empty while a message that may expire is next and could not leave.

    aiortc gives a TSN to what is next even when the congestion window is full. Once it has one, a message that expires cannot just be
    dropped: the peer has to be told (RFC 3758), which takes both sides off the fast path, at the very moment when there is too much to do
    already. So what may expire gets its TSN when it leaves; only the rest of a long message can still be too late.
    """

    def __init__(self, association: GuardedSctp) -> None:
        super().__init__()
        self._association = weakref.ref(association)  # which holds this: as a cycle both would outlive their link

    def __bool__(self) -> bool:
        return len(self) > 0 and (not isinstance(self[0][2], _Perishable) or self._has_room())

    def _has_room(self) -> bool:
        association = self._association()
        return association is not None and association._flight_size < association._cwnd


class GuardedSctp(RTCSctpTransport):
    """An SCTP association that a hostile peer can only end, and on which nothing leaves that has expired."""

    def __init__(self, transport: RTCDtlsTransport, port: int, max_message: int) -> None:
        """`max_message`: bytes of one message we take."""
        super().__init__(transport, port)
        self._clock = asyncio.get_running_loop()
        self._rto = INITIAL_RTO_S
        self._opens = 0
        self._leaving: _Perishable | None = None
        """The message that has its TSNs, if it may expire. aiortc gives them to the next one only when all of it has left."""
        self._data_channel_queue = _Queue(self)
        self._max_message = max_message
        self.on_violation: Callable[[Exception], None] = lambda error: None
        """Called with what the peer broke, once or more; nothing is raised."""
        self.on_packet: Callable[[], None] = lambda: None
        """Called with every packet that DTLS has decrypted."""
        self.on_ended: Callable[[], None] = lambda: None
        """Called when the association was shut down, aborted, or gave up."""

    async def _handle_data(self, data: bytes) -> None:
        self.on_packet()
        try:
            check_packet(data)
            await super()._handle_data(data)
        except Exception as error:  # whatever an assert or a decoder inside aiortc trips over was the peer's doing
            self.on_violation(error)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state in (self.State.CLOSED, self.State.SHUTDOWN_RECEIVED):
            self.on_ended()

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if stream_id not in self._inbound_streams and len(self._inbound_streams) >= MAX_STREAMS:
            raise ProtocolViolation(f"more than {MAX_STREAMS} SCTP streams")
        stream = super()._get_inbound_stream(stream_id)
        if len(stream.reassembly) >= MAX_REASSEMBLY:
            raise ProtocolViolation(f"more than {MAX_REASSEMBLY} chunks of unfinished messages")
        return stream

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._last_received_tsn is None:
            return  # data before any INIT
        ahead = (chunk.tsn - self._last_received_tsn) % SCTP_TSN_MODULO
        if ahead == 1:
            # It may fill the gap that all the rest waits for, so it is taken over the window, within reason.
            if self._advertised_rwnd < -self._max_message:
                raise ProtocolViolation("data far beyond the receive window")
        elif ahead < 2**31 and (len(self._sack_misordered) >= MAX_MISORDERED or self._advertised_rwnd < len(chunk.user_data)):
            self._sack_needed = True
            return
        await super()._receive_data_chunk(chunk)

    def _mark_received(self, tsn: int) -> bool:
        """As aiortc's, but without sorting all that is misordered for each chunk."""
        last = self._last_received_tsn
        assert last is not None  # checked before
        ahead = (tsn - last) % SCTP_TSN_MODULO
        if ahead == 0 or ahead >= 2**31 or tsn in self._sack_misordered:
            self._sack_duplicates.append(tsn)
            return True
        self._sack_misordered.add(tsn)
        following = tsn_plus_one(last)
        while following in self._sack_misordered:
            self._sack_misordered.discard(following)
            last, following = following, tsn_plus_one(following)
        self._last_received_tsn = last
        return False

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        check_sack((self._local_tsn - 1 - chunk.cumulative_tsn) % SCTP_TSN_MODULO, chunk.gaps)
        await super()._receive_sack_chunk(chunk)

    async def _send_sack(self) -> None:
        """As aiortc's, but never more gap blocks than fit a packet; the peer hears of the others later."""
        last = self._last_received_tsn
        assert last is not None  # as above
        sack = SackChunk()
        sack.cumulative_tsn = last
        sack.advertised_rwnd = max(0, self._advertised_rwnd)
        sack.duplicates = self._sack_duplicates
        sack.gaps = _gap_blocks((tsn - last) % SCTP_TSN_MODULO for tsn in self._sack_misordered) if self._sack_misordered else []
        self._sack_duplicates = []
        self._sack_needed = False
        await self._send_chunk(sack)

    async def _data_channel_flush(self) -> None:
        if self._leaves_late():
            await self._transmit()  # drops it, so that what waits behind it may go
        await super()._data_channel_flush()

    async def _send(
        self,
        stream_id: int,
        pp_id: int,
        user_data: bytes,
        expiry: float | None = None,
        max_retransmits: int | None = None,
        ordered: bool = True,
    ) -> None:
        leaving = user_data if isinstance(user_data, _Perishable) else None
        if leaving is not None and leaving.due < self._clock.time():
            leaving.dropped()  # it has no TSN yet, so the peer need not hear of it
            return
        self._leaving = leaving
        await super()._send(stream_id, pp_id, user_data, expiry, max_retransmits, ordered)

    async def _transmit(self) -> None:
        if self._leaves_late():
            self._abandon_leaving()
        await super()._transmit()

    def _leaves_late(self) -> bool:
        return self._leaving is not None and bool(self._outbound_queue) and self._leaving.due < self._clock.time()

    def _abandon_leaving(self) -> None:
        """Drop what has TSNs and has not left: a FORWARD TSN tells the peer not to wait for it (RFC 3758 section 3.5).

        What of the same message has left stays in flight until it is acknowledged or taken for lost.
        """
        leaving = self._leaving
        assert leaving is not None  # checked by the caller
        self._leaving = None
        for chunk in self._outbound_queue:
            chunk._abandoned = True
        self._update_advanced_peer_ack_point()
        leaving.dropped()

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id == WEBRTC_DCEP:
            self._check_dcep(stream_id, data)
        elif len(data) > self._max_message:
            raise ProtocolViolation(f"a message of {len(data)} bytes, announced were {self._max_message}")
        await super()._data_channel_receive(stream_id, pp_id, data)

    def _check_dcep(self, stream_id: int, data: bytes) -> None:
        """DATA_CHANNEL_OPEN and DATA_CHANNEL_ACK (RFC 8832 section 5)."""
        known = stream_id in self._data_channels
        if data[:1] == b"\x03":
            self._opens += 1
            if known or self._opens > MAX_CHANNELS:
                raise ProtocolViolation("a channel opened twice" if known else f"more than {MAX_CHANNELS} channels opened")
        elif data[:1] == b"\x02" and not known:
            raise ProtocolViolation("a channel acknowledged that was never opened")


def _gap_blocks(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Gap blocks of a SACK: first and last offset of what came ahead of the cumulative TSN (RFC 9260 section 3.3.4)."""
    gaps: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if offset > 0xFFFF:
            break
        if gaps and gaps[-1][1] == offset - 1:
            gaps[-1] = (gaps[-1][0], offset)
        elif len(gaps) == MAX_GAP_BLOCKS:
            break
        else:
            gaps.append((offset, offset))
    return gaps
