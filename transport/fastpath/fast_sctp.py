"""SCTP whose messages cost neither an event nor a task, and whose common packets never see aiortc's machinery.

What nearly every packet is - one whole message, next in line, on an association where nothing was lost - is dealt with here in one go,
on the very state that aiortc keeps; anything else goes to aiortc. Either may follow the other at any packet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    USERDATA_MAX_LENGTH,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
    DataChunk,
    SackChunk,
)

from transport.fastpath import common
from transport.fastpath.dtls import FastDtls, drive
from transport.fastpath.sctp import GuardedSctp, perishable
from transport.link import Expiry
from transport.sctp_guard import ProtocolViolation

SACK_DELAY_S = 0.2
"""How long a packet may wait for its acknowledgement (RFC 9260 section 6.2)."""

_USER_DATA: Final = frozenset((WEBRTC_BINARY, WEBRTC_STRING))
_EMPTY: Final = frozenset((WEBRTC_BINARY_EMPTY, WEBRTC_STRING_EMPTY))
_HALF: Final = 2**31  # a difference of two TSNs below it: not before
_ESTABLISHED: Final = RTCSctpTransport.State.ESTABLISHED


class _Sent(DataChunk):
    """A chunk on its way for the first time. What aiortc may note on it later begins as it does there, without being set."""

    _abandoned = False
    _acked = False
    _expiry = None
    _in_flight = True
    _misses = 0
    _retransmit = False
    _sent_count = 1

    def __init__(self, message: common.Message, max_retransmits: int | None, now: float) -> None:
        self.flags = common.FIRST_FRAGMENT | common.LAST_FRAGMENT | (common.UNORDERED if message.unordered else 0)
        self.tsn, self.stream_id, self.stream_seq, _, self.protocol, self.user_data = message
        self._book_size = len(message.body)
        self._max_retransmits = max_retransmits
        self._sent_time = now


class FastSctp(GuardedSctp):
    """An association driven packet by packet, with one acknowledgement for two packets and one timer that is seldom set."""

    on_user_data: Callable[[int, bytes], None]
    """Called with the stream and the message."""

    def __init__(self, transport: FastDtls, port: int, max_message: int) -> None:
        super().__init__(transport, port, max_message)
        self._dtls = transport
        self._ports = (port, port)
        self._smooth = True
        """Nothing that was sent is lost, abandoned or to be sent again, as far as is known: SACKs need no more than counting."""
        self._owed = 0  # packets with data that were not acknowledged yet
        self._sack_timer: asyncio.TimerHandle | None = None
        self._t3_due = 0.0
        self._t3_timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------------------------------------------------- out

    def channel_of(self, stream_id: int) -> RTCDataChannel | None:
        """The channel that uses a stream."""
        return self._data_channels.get(stream_id)

    def send_now(self, channel: RTCDataChannel, data: bytes, expiry: Expiry | None = None) -> None:
        """What RTCDataChannel.send does, on the spot instead of in a task."""
        if self._may_send_directly(channel, len(data)):
            self._send_directly(channel, data)
            return
        # SCTP has no empty messages: one byte of another kind stands for them (RFC 8831 section 6.6).
        kind, payload = (WEBRTC_BINARY, data) if data else (WEBRTC_BINARY_EMPTY, b"\x00")
        if expiry is not None:
            payload = perishable(payload, expiry, self._clock.time())
        channel._addBufferedAmount(len(payload))
        self._data_channel_queue.append((channel, kind, payload))
        drive(self._data_channel_flush())

    def _may_send_directly(self, channel: RTCDataChannel, size: int) -> bool:
        """One chunk, nothing before it in line, room in the congestion window, and nothing else that wants to be sent."""
        return (
            0 < size <= USERDATA_MAX_LENGTH
            and self._smooth
            and self._flight_size < self._cwnd
            and not self._outbound_queue
            and len(self._data_channel_queue) == 0
            and not self._reconfig_queue
            and self._association_state is _ESTABLISHED
            and channel.id is not None
            and channel.maxPacketLifeTime is None
        )

    def _send_directly(self, channel: RTCDataChannel, data: bytes) -> None:
        stream_id = channel.id
        assert stream_id is not None  # checked by the caller
        tsn = self._local_tsn
        self._local_tsn = (tsn + 1) % SCTP_TSN_MODULO
        sequence, unordered = 0, not channel.ordered
        if not unordered:
            sequence = self._outbound_stream_seq.get(stream_id, 0)
            self._outbound_stream_seq[stream_id] = (sequence + 1) & 0xFFFF
        message = common.Message(tsn, stream_id, sequence, unordered, WEBRTC_BINARY, data)
        self._sent_queue.append(_Sent(message, channel.maxRetransmits, time.time()))
        self._flight_size += len(data)
        self._dtls.send_record(common.data_packet(self._ports, self._remote_verification_tag, message))
        if self._t3_handle is None:
            self._t3_start()

    # -------------------------------------------------------------------------------------------------------------- in

    def take(self, packet: bytes) -> bool:
        """Deal with a packet if it is a common one; False, and nothing has happened, if it is not."""
        found = common.read(packet)
        if found is None or found.tag != self._local_verification_tag or self._association_state is not _ESTABLISHED:
            return False
        message, acknowledged = found.message, found.acknowledged
        if message is not None and not self._is_next(message):
            return False
        if acknowledged is not None and not self._only_counts(acknowledged):
            return False
        if acknowledged is not None:
            self._count_acknowledged(acknowledged)
        if message is not None:
            self._last_received_tsn = message.tsn
            if not message.unordered:
                self._inbound_streams[message.stream_id].sequence_number = (message.stream_seq + 1) & 0xFFFF
            self.on_user_data(message.stream_id, message.body if message.protocol in _USER_DATA else b"")
            self._acknowledge()
        return True

    def _is_next(self, message: common.Message) -> bool:
        """It may be handed on at once: nothing is missing before it, nothing waits for it."""
        last = self._last_received_tsn
        if last is None or message.tsn != (last + 1) % SCTP_TSN_MODULO or self._sack_misordered or self._sack_duplicates:
            return False
        stream = self._inbound_streams.get(message.stream_id)
        return (
            stream is not None
            and not stream.reassembly
            and (message.unordered or message.stream_seq == stream.sequence_number)
            and (message.protocol in _USER_DATA or message.protocol in _EMPTY)
            and len(message.body) <= min(self._max_message, self._advertised_rwnd)
            and self._reconfig_deferred is None
        )

    def _only_counts(self, acknowledged: int) -> bool:
        """Taking note of this cumulative TSN is all that the SACK asks for."""
        return (
            self._smooth
            and self._flight_size < self._cwnd  # else the window may grow by it
            and not self._outbound_queue
            and len(self._data_channel_queue) == 0
            and not self._reconfig_queue
            and (self._local_tsn - 1 - acknowledged) % SCTP_TSN_MODULO < _HALF
        )

    def _count_acknowledged(self, acknowledged: int) -> None:
        queue = self._sent_queue
        first = None
        while queue and (acknowledged - queue[0].tsn) % SCTP_TSN_MODULO < _HALF:
            chunk = queue.popleft()
            first = first or chunk
            self._flight_size -= chunk._book_size
        if first is None:
            return  # an old one, or one that repeats another
        self._last_sacked_tsn = self._advanced_peer_ack_tsn = acknowledged
        if first._sent_count == 1 and first._sent_time is not None:  # Karn's rule: an echo of a repeated chunk tells no time
            self._update_rto(time.time() - first._sent_time)
        if queue:
            self._t3_restart()
        else:
            self._t3_cancel()

    async def _handle_data(self, data: bytes) -> None:
        await super()._handle_data(data)
        self._smooth = self._smooth or self._is_smooth()

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        if chunk.gaps:
            self._smooth = False
        await super()._receive_sack_chunk(chunk)

    def _abandon_leaving(self) -> None:
        self._smooth = False
        super()._abandon_leaving()

    def _is_smooth(self) -> bool:
        return (
            self._fast_recovery_exit is None
            and self._forward_tsn_chunk is None
            and self._advanced_peer_ack_tsn == self._last_sacked_tsn
            and not any(chunk._acked or chunk._abandoned or not chunk._in_flight for chunk in self._sent_queue)
        )

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > self._max_message:
            raise ProtocolViolation(f"a message of {len(data)} bytes, announced were {self._max_message}")
        if pp_id in _USER_DATA:
            self.on_user_data(stream_id, data)
        elif pp_id in _EMPTY:
            self.on_user_data(stream_id, b"")
        else:
            await self._data_channel_receive(stream_id, pp_id, data)

    # ------------------------------------------------------------------------------------------------ acknowledgements

    async def _send_sack(self) -> None:
        self._sack_needed = False
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Every second packet, or what waits after SACK_DELAY_S; at once what came twice or out of order."""
        self._owed += 1
        if self._owed < 2 and not self._sack_misordered and not self._sack_duplicates:
            if self._sack_timer is None:
                self._sack_timer = self._clock.call_later(SACK_DELAY_S, self._sack_late)
            return
        # The timer is left to run out: cancelling and setting it for every other packet would cost more than it saves.
        self._owed = 0
        if self._sack_misordered or self._sack_duplicates:
            drive(super()._send_sack())
            return
        last = self._last_received_tsn
        assert last is not None  # there was data
        window = max(0, self._advertised_rwnd)
        self._dtls.send_record(common.sack_packet(self._ports, self._remote_verification_tag, last, window))

    def _sack_late(self) -> None:
        self._sack_timer = None
        if self._owed and self._association_state is _ESTABLISHED:
            self._owed = 1
            try:
                self._acknowledge()
            except Exception as error:  # of OpenSSL or a closed DTLS: this link's alone
                self.on_violation(error)

    # ------------------------------------------------------------------------------- the retransmission timer T3-rtx

    # aiortc cancels and sets a timer for each SACK. Here the time is noted and the timer looks at it when it comes.

    def _t3_start(self) -> None:
        self._t3_restart()

    def _t3_restart(self) -> None:
        self._t3_due = self._clock.time() + self._rto
        timer = self._t3_timer
        if timer is not None and timer.when() > self._t3_due:  # the round trip became shorter
            timer.cancel()
            timer = None
        if timer is None:
            timer = self._t3_timer = self._clock.call_at(self._t3_due, self._t3_look)
        self._t3_handle = timer

    def _t3_cancel(self) -> None:
        self._t3_handle = None

    def _t3_look(self) -> None:
        self._t3_timer = None
        if self._t3_handle is None:
            return
        if self._t3_due > self._clock.time():
            self._t3_handle = self._t3_timer = self._clock.call_at(self._t3_due, self._t3_look)
            return
        self._smooth = False
        self._t3_expired()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is _ESTABLISHED:
            self._ports = (self._local_port, self._remote_port or self._local_port)
        elif state is self.State.CLOSED:
            for timer in (self._sack_timer, self._t3_timer):
                if timer is not None:
                    timer.cancel()
            self._sack_timer = self._t3_timer = None
