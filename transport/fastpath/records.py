"""One DTLS connection's records, sealed and opened with the calls into OpenSSL that it takes and no more.

pyOpenSSL's own methods allocate a buffer for each record and ask after an error when there was none: 2.4 µs a record, of which these
leave 0.8. They stand on its private parts (:func:`direct` says whether they are there); without them the public methods do.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from OpenSSL import SSL

RECORD_BYTES: Final = 4096
"""More than any record of ours: SCTP's packets fit a datagram of the network. A longer one that comes (by TURN over TCP there could be) is
read in parts, and a part of an SCTP packet has no right checksum."""


class Records(Protocol):
    """A DTLS connection whose handshake is over. All methods raise :class:`OpenSSL.SSL.Error`."""

    def seal(self, data: bytes) -> bytes:
        """`data` as a record."""
        ...

    def put(self, datagram: bytes) -> None:
        """A datagram came."""
        ...

    def open(self) -> bytes:
        """The content of the next record. Raises :class:`OpenSSL.SSL.WantReadError` when there is none."""
        ...


class PublicRecords:
    """By pyOpenSSL's public methods."""

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection

    def seal(self, data: bytes) -> bytes:
        """As :meth:`Records.seal`."""
        self._connection.send(data)
        return _whole(self._connection.bio_read(RECORD_BYTES))

    def put(self, datagram: bytes) -> None:
        """As :meth:`Records.put`."""
        self._connection.bio_write(datagram)

    def open(self) -> bytes:
        """As :meth:`Records.open`."""
        return self._connection.recv(RECORD_BYTES)


class DirectRecords:
    """By OpenSSL's functions, with one buffer."""

    def __init__(self, connection: SSL.Connection) -> None:
        inside: Any = connection
        library, foreign = SSL.__dict__["_lib"], SSL.__dict__["_ffi"]
        self._raise_ssl_error, self._ssl = inside._raise_ssl_error, inside._ssl
        self._incoming, self._outgoing = inside._into_ssl, inside._from_ssl
        self._ssl_write, self._ssl_read = library.SSL_write, library.SSL_read
        self._bio_write, self._bio_read = library.BIO_write, library.BIO_read
        # One for each connection: of two threads with a loop each, one may run while the other is inside OpenSSL.
        self._buffer = foreign.new("char[]", RECORD_BYTES)
        self._view = foreign.buffer(self._buffer)

    def seal(self, data: bytes) -> bytes:
        """As :meth:`Records.seal`."""
        written = self._ssl_write(self._ssl, data, len(data))
        if written <= 0:
            self._raise_ssl_error(self._ssl, written)
        size = self._bio_read(self._outgoing, self._buffer, RECORD_BYTES)
        if size <= 0:
            raise SSL.Error("nothing was sealed")
        return _whole(self._view[:size])

    def put(self, datagram: bytes) -> None:
        """As :meth:`Records.put`."""
        if self._bio_write(self._incoming, datagram, len(datagram)) != len(datagram):
            raise SSL.Error("the datagram was not taken")

    def open(self) -> bytes:
        """As :meth:`Records.open`."""
        size = self._ssl_read(self._ssl, self._buffer, RECORD_BYTES)
        if size <= 0:
            self._raise_ssl_error(self._ssl, size)
            raise SSL.WantReadError
        content: bytes = self._view[:size]
        return content


def _whole(record: bytes) -> bytes:
    """Raises :class:`OpenSSL.SSL.Error` for one that may have been cut: the rest of it would stand before the next one."""
    if len(record) == RECORD_BYTES:
        raise SSL.Error(f"more than {RECORD_BYTES} bytes in a record")
    return record


def direct(connection: SSL.Connection) -> bool:
    """Whether pyOpenSSL's private parts are as :class:`DirectRecords` knows them."""
    parts = ("_raise_ssl_error", "_ssl", "_into_ssl", "_from_ssl")
    library = getattr(SSL, "_lib", None)
    functions = ("SSL_write", "SSL_read", "BIO_write", "BIO_read")
    return (
        all(hasattr(connection, part) for part in parts)
        and all(hasattr(library, function) for function in functions)
        and hasattr(getattr(SSL, "_ffi", None), "buffer")
    )


def records_of(connection: SSL.Connection) -> Records:
    """The quickest there is for this version of pyOpenSSL."""
    return DirectRecords(connection) if direct(connection) else PublicRecords(connection)
