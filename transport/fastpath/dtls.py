"""DTLS without an ICE transport: fed datagram by datagram, with one certificate and one OpenSSL context for a process."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from aiortc import RTCCertificate, RTCDtlsParameters, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import SRTPProtectionProfile, State, certificate_digest
from OpenSSL import SSL

from transport.fastpath.records import Records, records_of

MAX_WAITING_DATAGRAMS = 1024
"""Datagrams held for a handshake or a pump. More come only from a flood; DTLS and SCTP send again what was lost."""

_DTLS_1_2: Final = 0xFEFD
_RECORD_HEADER: Final = 13
_APPLICATION_DATA: Final = 23

T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that does not wait to its end, now. Raises RuntimeError where it waits after all."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waits, and cannot be driven")


class SharedCertificate(RTCCertificate):
    """A certificate with one OpenSSL context for all its connections; aiortc makes one for each, at 0.2 ms."""

    _shared: SSL.Context | None = None

    @cached_property
    def sha256(self) -> str:
        """Its fingerprint as SDP writes it."""
        return certificate_digest(self._cert, "sha-256")

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._shared is None:
            context = super()._create_ssl_context(srtp_profiles)
            # Sessions are never resumed; kept, they would be some KB for each peer that ever came.
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            # A peer may not make us repeat the handshake, and the fast path keeps no timers for DTLS 1.3's late flights.
            context.set_options(SSL.OP_NO_RENEGOTIATION)
            context.set_max_proto_version(_DTLS_1_2)
            self._shared = context
        return self._shared


class _Process:
    certificate: SharedCertificate | None = None


def process_certificate() -> SharedCertificate:
    """The certificate of this process: made once, and again a day before it expires."""
    tomorrow = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(days=1)
    if _Process.certificate is None or _Process.certificate.expires < tomorrow:
        _Process.certificate = SharedCertificate.generateCertificate()
    return _Process.certificate


class DatagramPort:
    """What RTCDtlsTransport needs of an ICE transport: somewhere to send datagrams, and a bounded queue of received ones."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.send = send
        self.overflowed = 0
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING_DATAGRAMS)

    def put(self, data: bytes) -> None:
        """Queue a received datagram; dropped and counted when the queue is full."""
        try:
            self._queue.put_nowait(data)
        except asyncio.QueueFull:
            self.overflowed += 1

    def drain(self) -> list[bytes]:
        """Take everything that waits."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def as_ice_transport(self) -> RTCIceTransport:
        """Itself, under the type that aiortc declares."""
        return cast("RTCIceTransport", self)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self.send(data)


class DataDtls(RTCDtlsTransport):
    """DTLS for data channels alone."""

    def take_role(self, *, server: bool) -> None:
        """Which side of the handshake to be; without, aiortc takes it from the ICE role."""
        self._set_role("server" if server else "client")

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:  # aiortc's name
        """Shake hands; :attr:`state` is ``connected`` after it went well."""
        await super().start(remoteParameters)
        if self._task is not None:
            self._task.add_done_callback(_retrieve)
        # A server's last flight would else ride along with the first SCTP packet, in one datagram of which aiortc's own
        # transport reads only the first record at once.
        await self._write_ssl()

    async def stop(self) -> None:
        """Send close_notify, also after a handshake that failed only on our side, and be closed on both paths."""
        if self._state is State.FAILED:
            self._set_state(State.CONNECTING)
        await super().stop()
        self._set_state(State.CLOSED)

    def _setup_srtp(self) -> None:
        """No media, no SRTP keys: saves the work, and lets in peers that do not offer use_srtp."""

    async def _send_data(self, data: bytes) -> None:
        # A timer of SCTP may fire after the end, and its task has nobody to hear an exception.
        if self._state is State.CONNECTED:
            await super()._send_data(data)


def _no_shortcut(packet: bytes) -> bool:
    return False


class FastDtls(DataDtls):
    """DTLS that is driven datagram by datagram once the handshake is over."""

    shortcut: Callable[[bytes], bool] = staticmethod(_no_shortcut)
    """Given each SCTP packet first; True when it has dealt with it."""
    _records: Records | None = None

    async def stop(self) -> None:
        """As :meth:`DataDtls.stop`."""
        await super().stop()
        self.shortcut = _no_shortcut  # so that both ends of it go at once, and not when cycles are next collected

    async def _RTCDtlsTransport__run(self) -> None:  # the name Python gives aiortc's private __run
        """No pump: :meth:`feed` is called instead."""

    def feed(self, data: bytes) -> bool:
        """Take one datagram through DTLS and SCTP. Empty: only what OpenSSL still holds. Returns whether anything in it was the peer's.

        Raises ConnectionError when the peer has shut DTLS down.
        """
        records = self._records or self._begin_records()
        single = authentic = False
        if data:
            records.put(data)
            single = (
                len(data) > _RECORD_HEADER
                and data[0] == _APPLICATION_DATA
                and len(data) == _RECORD_HEADER + (data[11] << 8 | data[12])
            )
        while True:
            try:
                packet = records.open()
            except SSL.WantReadError:
                break
            except SSL.Error as error:
                if self._ssl is not None and self._ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                    raise ConnectionError("DTLS was shut down by the peer") from error
                break  # a record that does not verify is dropped, as if it had been lost (RFC 6347 section 4.1.2.7)
            authentic = True
            if packet and not self.shortcut(packet) and self._data_receiver is not None:
                drive(self._data_receiver._handle_data(packet))
            if single:
                return True  # one record of data: nothing more to read, and OpenSSL has nothing to say to it
        drive(self._write_ssl())
        return authentic

    def _begin_records(self) -> Records:
        ssl = self._ssl
        assert ssl is not None  # set by start(), after which alone there are records
        self._records = records_of(ssl)
        return self._records

    async def _send_data(self, data: bytes) -> None:
        self.send_record(data)

    def send_record(self, data: bytes) -> None:
        """Send one SCTP packet as a DTLS record; nothing before the handshake and after the end."""
        if self._state is not State.CONNECTED:
            return
        records = self._records or self._begin_records()
        try:
            record = records.seal(data)
        except SSL.Error:
            self._set_state(State.FAILED)
            return
        cast("DatagramPort", self._transport).send(record)


def _retrieve(task: asyncio.Future[None]) -> None:
    """Take note of how the pump ended, which its change of state has told already."""
    if not task.cancelled():
        task.exception()
