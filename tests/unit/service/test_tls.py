"""Certificates by files: what is wrong is named, what is renewed is taken up, what is broken is not. Handshakes are made in memory."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from protocol.errors import ConfigError
from service.self_signed import Pair
from service.tls import ServerTls, client_context, server_tls
from tests.support.certificates import make_pair, put, put_pair, trusting


class Connection:
    """A client's and a server's end of TLS, and two pipes between them."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = "localhost") -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(to_client, to_server, server_hostname=name)
        self.server = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(4):
            for end in (self.client, self.server):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue

    @property
    def shown(self) -> bytes:
        """The server's certificate, in PEM form."""
        der = self.client.getpeercert(True)
        assert der is not None
        return ssl.DER_cert_to_PEM_cert(der).encode()

    def talk(self) -> None:
        """A word each way."""
        self.client.write(b"ping")
        assert self.server.read(100) == b"ping"
        self.server.write(b"pong")
        assert self.client.read(100) == b"pong"


def anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def encrypted(pem: bytes) -> bytes:
    return load_pem_private_key(pem, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a pass phrase")
    )


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return put_pair(tmp_path)


@pytest.fixture
def tls(tmp_path: Path, pair: Pair) -> ServerTls:
    return ServerTls(tmp_path / "cert.pem", tmp_path / "key.pem")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_certificate_talks_to_the_server(tls: ServerTls, tmp_path: Path, name: str) -> None:
    connection = Connection(tls.context, trusting(tmp_path), name)
    connection.talk()
    assert connection.client.version() == "TLSv1.3"


def test_the_oldest_version_is_1_2(tls: ServerTls) -> None:
    assert tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
    client = anyone()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = Connection(tls.context, client)
    connection.talk()
    assert connection.client.version() == "TLSv1.2"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", None])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_new_pair_is_for_new_handshakes_and_old_connections_live(
    tls: ServerTls, pair: Pair, tmp_path: Path, name: str | None, version: ssl.TLSVersion
) -> None:
    client = anyone()
    client.minimum_version = client.maximum_version = version
    listening = tls.context
    old = Connection(listening, client, name)
    assert not tls.refresh()
    renewed = put_pair(tmp_path)
    assert tls.refresh()
    assert tls.context is listening
    new = Connection(listening, client, name)
    assert (old.shown, new.shown) == (pair.certificate, renewed.certificate)
    old.talk()
    new.talk()
    assert not tls.refresh()


def test_files_that_came_in_the_same_instant_are_told_apart(tls: ServerTls, tmp_path: Path) -> None:
    """The clock of a file system may be as coarse as a second."""
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in ("cert.pem", "key.pem")}
    renewed = put_pair(tmp_path)
    for name, time in times.items():
        os.utime(tmp_path / name, ns=(time, time))
    assert tls.refresh()
    assert Connection(tls.context, anyone()).shown == renewed.certificate


def test_a_chain_is_shown_whole(tmp_path: Path) -> None:
    """The server's own certificate comes first in the file."""
    own, other = make_pair(), make_pair("authority.example")
    put_pair(tmp_path, Pair(own.certificate + other.certificate, own.key))
    tls = ServerTls(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert Connection(tls.context, anyone()).shown == own.certificate


Break = Callable[[Path, Pair], object]

BREAKS: dict[str, Break] = {
    "half a certificate": lambda folder, new: put(folder / "cert.pem", new.certificate[: len(new.certificate) // 2]),
    "an empty certificate": lambda folder, new: put(folder / "cert.pem", b""),
    "no certificate": lambda folder, new: (folder / "cert.pem").unlink(),
    "only the certificate is new": lambda folder, new: put(folder / "cert.pem", new.certificate),
    "half a key": lambda folder, new: put(folder / "key.pem", new.key[: len(new.key) // 2]),
    "no key": lambda folder, new: (folder / "key.pem").unlink(),
    "only the key is new": lambda folder, new: put(folder / "key.pem", new.key),
    "an encrypted key": lambda folder, new: put(folder / "key.pem", encrypted(new.key)),
    "the two are swapped": lambda folder, new: (put(folder / "cert.pem", new.key), put(folder / "key.pem", new.certificate)),
}


@pytest.mark.parametrize("spoil", BREAKS.values(), ids=BREAKS.keys())
def test_a_pair_that_cannot_be_used_is_told_once_and_the_old_one_kept(
    tls: ServerTls, pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Break
) -> None:
    renewed = make_pair()
    spoil(tmp_path, renewed)
    with caplog.at_level(logging.WARNING):
        assert not tls.refresh()
        assert not tls.refresh()
    (record,) = caplog.records
    assert "--tls-" in record.getMessage()
    assert record.getMessage().endswith("stays in force")
    assert "PRIVATE KEY" not in caplog.text
    connection = Connection(tls.context, anyone())
    assert connection.shown == pair.certificate
    connection.talk()
    put_pair(tmp_path, renewed)
    assert tls.refresh()
    assert Connection(tls.context, anyone()).shown == renewed.certificate


@pytest.mark.parametrize("is_same_file", [True, False])
def test_what_was_broken_and_is_as_before_is_told_again_when_it_breaks_again(
    tls: ServerTls, pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_same_file: bool
) -> None:
    key, aside = tmp_path / "key.pem", tmp_path / "aside.pem"
    for _ in range(2):
        key.rename(aside)
        assert not tls.refresh()
        aside.rename(key) if is_same_file else put(key, pair.key)
        assert tls.refresh() is not is_same_file
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("half a certificate", r"^--tls-cert \S+cert.pem: holds no certificate in PEM form$"),
        ("no certificate", r"^--tls-cert \S+cert.pem: cannot be read \(No such file or directory\)$"),
        ("only the certificate is new", r"^--tls-key \S+key.pem: is not the key of --tls-cert \S+cert.pem$"),
        ("half a key", r"^--tls-key \S+key.pem: holds no private key in PEM form$"),
        ("no key", r"^--tls-key \S+key.pem: cannot be read \(No such file or directory\)$"),
        ("an encrypted key", r"^--tls-key \S+key.pem: is encrypted, and a service has nobody to ask for the pass phrase$"),
    ],
)
def test_at_the_start_it_is_an_error_that_names_the_option(tmp_path: Path, pair: Pair, spoil: str, said: str) -> None:
    BREAKS[spoil](tmp_path, make_pair())
    with pytest.raises(ConfigError, match=said):
        server_tls(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_both_options_or_none(tmp_path: Path, pair: Pair) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    assert server_tls(None, None) is None
    assert isinstance(server_tls(cert, key), ServerTls)
    with pytest.raises(ConfigError, match=r"^--tls-key: is missing; --tls-cert is given"):
        server_tls(cert, None)
    with pytest.raises(ConfigError, match=r"^--tls-cert: is missing; --tls-key is given"):
        server_tls(None, key)
    with pytest.raises(ConfigError, match=r"^--https-key: is missing; --https-cert is given"):
        server_tls(cert, None, cert_option="https_cert", key_option="https_key")


async def test_closing_is_idempotent(tls: ServerTls) -> None:
    async with tls:
        await tls.start()
    await tls.close()


def test_a_client_trusts_what_it_is_given_and_nothing_else(tls: ServerTls, tmp_path: Path) -> None:
    trust = client_context(tmp_path / "cert.pem")
    assert trust is not None
    Connection(tls.context, trust).talk()
    assert trust.cert_store_stats()["x509"] == 1
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere"):
        Connection(tls.context, trust, "elsewhere")
    put_pair(tmp_path)
    stranger = client_context(tmp_path / "cert.pem")
    assert stranger is not None
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(tls.context, stranger)


def test_without_a_file_a_client_is_left_to_the_system() -> None:
    assert client_context(None) is None


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_a_file_of_no_use_to_a_client_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^--ca-file \S+ca.pem: (cannot be read|holds no certificate)"):
        client_context(path)
