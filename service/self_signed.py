"""A certificate that is signed by nobody but itself, for trying TLS out on one's own machines."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.errors import ConfigError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""What a machine calls itself."""

_SKEW = timedelta(minutes=5)
"""Between two machines' clocks: one that is behind must not find the certificate not valid yet."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
_MAX_HOST_CHARS = 253

_MAX_COMMON_NAME_CHARS = 64
"""RFC 5280 appendix A, ub-common-name."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both in PEM form."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(***)"


def names_of(given: Iterable[str], hostname: str) -> list[str]:
    """What a certificate of this machine is for: the names given, those of the loopback, and the machine's own, each once.

    Raises :class:`ConfigError` for a given name that is neither a host name nor an address; a `hostname` that is none is left out.
    """
    names = [*(_checked(name) for name in given), *LOCAL_NAMES]
    own = _host_or_none(hostname)
    return list(dict.fromkeys([*names, own] if own else names))


def self_signed(names: Sequence[str], *, now: datetime, days: int) -> Pair:
    """An EC P-256 key and a server's certificate for `names` (of :func:`names_of`), good for `days` from `now`.

    It is no authority: it vouches for nothing but itself, wherever it is trusted (RFC 5280 section 4.2.1.9).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_MAX_COMMON_NAME_CHARS])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_HANDSHAKES, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


_SIGNS_HANDSHAKES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _checked(name: str) -> str:
    address = _address(name)
    if address is not None:
        return str(address)
    host = _host_or_none(name)
    if host is None:
        raise ConfigError(f"--name {name!r}: is neither a host name nor an IP address")
    return host


def _host_or_none(name: str) -> str | None:
    """As it stands in a certificate: in lower case, other alphabets in their ASCII form (RFC 5890)."""
    try:
        host = name.lower() if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return None
    # A name that ends in a number is an address that was mistyped (RFC 1123 section 2.1).
    is_host = _HOST.fullmatch(host) and not host.rpartition(".")[2].isdigit()
    return host if is_host and len(host) <= _MAX_HOST_CHARS else None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)
