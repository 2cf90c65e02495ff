"""What stands in a certificate that is signed by itself."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from protocol.errors import ConfigError
from service.self_signed import names_of, self_signed

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LOCAL = ["localhost", "127.0.0.1", "::1"]


def certificate(names: list[str], days: int = 30) -> x509.Certificate:
    return x509.load_pem_x509_certificate(self_signed(names, now=NOW, days=days).certificate)


def test_it_is_for_all_its_names_for_as_long_as_was_said() -> None:
    made = certificate(["rtc.example.com", "*.example.com", *LOCAL, "192.0.2.7"], days=3)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["rtc.example.com", "*.example.com", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(a) for a in ("127.0.0.1", "::1", "192.0.2.7")]
    assert made.not_valid_after_utc == NOW + timedelta(days=3)
    assert made.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert made.subject == made.issuer
    assert made.subject.rfc4514_string() == "CN=rtc.example.com"


def test_it_is_a_servers_and_no_authority() -> None:
    extensions = certificate(LOCAL).extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_key_is_its_own_and_new_each_time() -> None:
    first, second = (self_signed(LOCAL, now=NOW, days=1) for _ in range(2))
    key = load_pem_private_key(first.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    shown = x509.load_pem_x509_certificate(first.certificate)
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    assert shown.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
    assert first.key != second.key
    assert shown.serial_number != x509.load_pem_x509_certificate(second.certificate).serial_number
    shown.verify_directly_issued_by(shown)


def test_a_key_is_not_shown_by_accident() -> None:
    assert "KEY" not in repr(self_signed(LOCAL, now=NOW, days=1))


def test_it_can_be_trusted_by_the_strictest(tmp_path: Path) -> None:
    """As Python from 3.13 on checks (RFC 5280 to the letter)."""
    pair = self_signed(LOCAL, now=datetime.now(UTC), days=1)
    (tmp_path / "cert.pem").write_bytes(pair.certificate)
    (tmp_path / "key.pem").write_bytes(pair.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    client = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)
    for end in ends * 2:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ends[0].getpeercert()


def test_a_long_name_is_cut_where_it_has_to_be() -> None:
    name = ".".join(["a" * 60] * 3)
    made = certificate([name])
    assert made.subject.rfc4514_string() == f"CN={name[:64]}"
    assert made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [name]


@pytest.mark.parametrize(
    ("given", "hostname", "names"),
    [
        ([], "box", [*LOCAL, "box"]),
        ([], "localhost", LOCAL),
        ([], "no host name", LOCAL),
        ([], "", LOCAL),
        (["b", "a", "b"], "a", ["b", "a", *LOCAL]),
        (["RTC.Example.COM"], "", ["rtc.example.com", *LOCAL]),
        (["bücher.example"], "", ["xn--bcher-kva.example", *LOCAL]),
        (["*.example.com"], "", ["*.example.com", *LOCAL]),
        (["2001:DB8:0::7", "192.0.2.7"], "", ["2001:db8::7", "192.0.2.7", *LOCAL]),
        (["my_box.lan"], "", ["my_box.lan", *LOCAL]),
    ],
)
def test_the_names_it_is_for(given: list[str], hostname: str, names: list[str]) -> None:
    assert names_of(given, hostname) == names


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "https://x",
        "x:9090",
        "x.",
        ".x",
        "-x",
        "x-",
        "a..b",
        "*",
        "a.*.b",
        "1.2.3.300",
        "12",
        "a" * 64,
        "b." * 130 + "c",
        "ü" * 70,
    ],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^--name .*: is neither a host name nor an IP address$"):
        names_of([name], "box")
