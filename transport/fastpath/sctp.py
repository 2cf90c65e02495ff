"""SCTP that a hostile peer can only end, and whose messages cost neither a task nor an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
    DataChunk,
    InboundStream,
    SackChunk,
    tsn_plus_one,
)

from transport.fastpath.dtls import drive
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

SACK_DELAY_S = 0.2
"""How long a packet may wait for its acknowledgement (RFC 9260 section 6.2)."""

INITIAL_RTO_S = 1.0
"""Until a round trip was measured (RFC 9260 section 16 suggests 1 s; aiortc 3 s, which a lost INIT then costs a join)."""

_USER_DATA: Final = frozenset((WEBRTC_BINARY, WEBRTC_STRING))
_EMPTY: Final = frozenset((WEBRTC_BINARY_EMPTY, WEBRTC_STRING_EMPTY))


class GuardedSctp(RTCSctpTransport):
    """An SCTP association that a hostile peer can only end."""

    def __init__(self, transport: RTCDtlsTransport, port: int, max_message: int) -> None:
        """`max_message`: bytes of one message we take."""
        super().__init__(transport, port)
        self._rto = INITIAL_RTO_S
        self._opens = 0
        self._max_message = max_message
        self.on_violation: Callable[[Exception], None] = lambda error: None
        """Called with what the peer broke, once or more; nothing is raised."""
        self.on_ended: Callable[[], None] = lambda: None
        """Called when the association was shut down, aborted, or gave up."""

    async def _handle_data(self, data: bytes) -> None:
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


class FastSctp(GuardedSctp):
    """SCTP whose messages come and go without an event emitter or a task, and with one acknowledgement for two packets."""

    on_user_data: Callable[[int, bytes], None]
    """Called with the stream and the message."""

    def __init__(self, transport: RTCDtlsTransport, port: int, max_message: int) -> None:
        super().__init__(transport, port, max_message)
        self._owed = 0  # packets with data that were not acknowledged yet
        self._sack_timer: asyncio.TimerHandle | None = None

    async def _send_sack(self) -> None:
        """Acknowledge every second packet, or what waits after SACK_DELAY_S; at once what came twice or out of order."""
        self._owed += 1
        if self._owed < 2 and not self._sack_misordered and not self._sack_duplicates:
            self._sack_needed = False
            if self._sack_timer is None:
                self._sack_timer = asyncio.get_running_loop().call_later(SACK_DELAY_S, self._sack_late)
            return
        # The timer is left to run out: cancelling and setting it for every other packet would cost more than it saves.
        self._owed = 0
        await super()._send_sack()

    def _sack_late(self) -> None:
        self._sack_timer = None
        if self._owed and self._association_state is self.State.ESTABLISHED:
            self._owed = 0
            try:
                drive(super()._send_sack())
            except Exception as error:  # of OpenSSL or a closed DTLS: this link's alone
                self.on_violation(error)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED and self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None

    def channel_of(self, stream_id: int) -> RTCDataChannel | None:
        """The channel that uses a stream."""
        return self._data_channels.get(stream_id)

    def send_now(self, channel: RTCDataChannel, data: bytes) -> None:
        """What RTCDataChannel.send does, with the flush driven on the spot instead of in a task."""
        # SCTP has no empty messages: one byte of another kind stands for them (RFC 8831 section 6.6).
        kind, payload = (WEBRTC_BINARY, data) if data else (WEBRTC_BINARY_EMPTY, b"\x00")
        channel._addBufferedAmount(len(payload))
        self._data_channel_queue.append((channel, kind, payload))
        drive(self._data_channel_flush())

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > self._max_message:
            raise ProtocolViolation(f"a message of {len(data)} bytes, announced were {self._max_message}")
        if pp_id in _USER_DATA:
            self.on_user_data(stream_id, data)
        elif pp_id in _EMPTY:
            self.on_user_data(stream_id, b"")
        else:
            await self._data_channel_receive(stream_id, pp_id, data)


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
