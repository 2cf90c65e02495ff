"""TLS by certificate and key files: a server's context that follows its files, and a client's that trusts a private authority.

A renewed certificate must reach new handshakes without a restart, and connections that live must not notice. Loading it into the context
in use would not do: a key that does not match (the two files are never replaced at the same instant) leaves such a context with the new
certificate and no key. So each pair gets a context of its own, whole or not at all, and the one context that listeners hold hands every
handshake over to the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from protocol.errors import ConfigError
from service.keys import read_file
from service.options import flag_of

log = logging.getLogger(__name__)

POLL_S = 10.0
"""Between two looks at the files: two calls of stat."""

_Signature = tuple[tuple[int, int, int] | None, ...]
"""Time of the last change, size and inode of each file; None for one that is not there. The clock of files is coarse, and certificates
are of one size: the inode tells of a file that was moved into the place of another."""


class ServerTls:
    """A certificate with its key, for any number of listeners.

    ``async with`` (or :meth:`start` and :meth:`close`) has the files looked at again and again; without it they are read once.
    """

    def __init__(self, cert: Path, key: Path, *, cert_option: str = "tls_cert", key_option: str = "tls_key") -> None:
        """Raises :class:`ConfigError` naming the option whose file cannot be used."""
        self._files = (cert, key)
        self._options = (cert_option, key_option)
        self._signature = self._look()
        self.context, described = self._load()
        """What listeners take; the same for as long as this lives."""
        self._newest = self.context
        self._problem = ""
        """Why the files as they are now are not used; told once."""
        self._task: asyncio.Task[None] | None = None
        self.context.sni_callback = self._hand_over
        log.info("certificate %s: %s", cert, described)

    async def start(self) -> None:
        """Look at the files from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="certificate files")

    async def close(self) -> None:
        """Stop looking. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def refresh(self) -> bool:
        """Look at the files now; returns whether a new pair is in force. A pair that cannot be used is logged, and the old one kept."""
        signature = self._look()
        if signature == self._signature:
            self._problem = ""
            return False
        try:
            context, described = self._load()
        except ConfigError as error:
            if str(error) != self._problem:
                log.warning("%s; the certificate read before stays in force", error)
            self._problem = str(error)
            return False
        # The signature from before it was read: what has changed meanwhile is read once more.
        self._signature, self._newest, self._problem = signature, context, ""
        log.info("certificate %s was read again: %s", self._files[0], described)
        return True

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self.refresh()

    def _hand_over(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called by OpenSSL in each handshake, whether the client names a host or not (RFC 6066 section 3)."""
        connection.context = self._newest

    def _look(self) -> _Signature:
        return tuple(_signature(path) for path in self._files)

    def _load(self) -> tuple[ssl.SSLContext, str]:
        """A context with the pair as it is now, and the certificate in words."""
        (cert, key), (cert_option, key_option) = self._files, self._options
        described = _check_certificate(read_file(cert, cert_option), f"{flag_of(cert_option)} {cert}")
        _check_key(read_file(key, key_option), f"{flag_of(key_option)} {key}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                what = f"is not the key of {flag_of(cert_option)} {cert}"
                raise ConfigError(f"{flag_of(key_option)} {key}: {what}") from error
            raise ConfigError(f"{flag_of(cert_option)} {cert}: cannot be used ({error.reason or error})") from error
        except OSError as error:
            raise ConfigError(f"{flag_of(cert_option)} {cert}: cannot be read ({error.strerror})") from error
        return context, described


def server_tls(
    cert: Path | None, key: Path | None, *, cert_option: str = "tls_cert", key_option: str = "tls_key"
) -> ServerTls | None:
    """What the two options of a service say: None where neither is given. Raises :class:`ConfigError`, also when only one is."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        given, missing = (key_option, cert_option) if cert is None else (cert_option, key_option)
        raise ConfigError(f"{flag_of(missing)}: is missing; {flag_of(given)} is given, and one is of no use without the other")
    return ServerTls(cert, key, cert_option=cert_option, key_option=key_option)


def client_context(ca_file: Path | None, *, option: str = "ca_file") -> ssl.SSLContext | None:
    """A client's context that trusts the authorities in `ca_file` and no others; None, for the system's, where none is given.

    Raises :class:`ConfigError` naming the option.
    """
    if ca_file is None:
        return None
    name = f"{flag_of(option)} {ca_file}"
    _check_certificate(read_file(ca_file, option), name)
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{name}: cannot be used ({error.strerror or error})") from error


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _check_certificate(pem: bytes, name: str) -> str:
    """The first certificate in words, which is the server's own. Raises :class:`ConfigError`."""
    try:
        leaf = load_pem_x509_certificates(pem)[0]
        return f"{leaf.subject.rfc4514_string() or 'no subject'}, valid until {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    except ValueError as error:
        raise ConfigError(f"{name}: holds no certificate in PEM form") from error


def _check_key(pem: bytes, name: str) -> None:
    """OpenSSL's own complaint would not say which of the two files is meant. Raises :class:`ConfigError`."""
    try:
        load_pem_private_key(pem, None)
    except TypeError as error:
        raise ConfigError(f"{name}: is encrypted, and a service has nobody to ask for the pass phrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: holds no private key in PEM form") from error


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal, should a file have become an encrypted one since it was looked at."""
    return ""
