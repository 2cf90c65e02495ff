"""What the coordinator's door may answer, over real HTTP: refusals with their code, silence, nonsense, nobody."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.codes import Code
from rtcbroker import AuthError, Client, ClientOptions, ConnectError, RtcBrokerError
from tests.support.fake_coordinator import FakeCoordinator, LinkServer

QUICK = ClientOptions(connect_timeout=0.5, backoff_base=0.01)


async def failure(url: str, token: str = "a secret token", ssl: ssl.SSLContext | None = None) -> RtcBrokerError:
    client = Client(url, token=token, options=QUICK, ssl=ssl)
    with pytest.raises(ConnectError) as error:
        await client.connect()
    assert "secret" not in str(error.value)
    return error.value


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, "", Code.AUTH_FAILED),
        (403, "<html>", Code.WRONG_ROLE),
        (401, json.dumps({"code": 4212, "reason": "the token has expired"}), Code.TOKEN_EXPIRED),
        (403, json.dumps({"code": True, "reason": 5}), Code.WRONG_ROLE),
        (401, json.dumps(["code"]), Code.AUTH_FAILED),
        (401, json.dumps({"code": 99}), Code.AUTH_FAILED),
    ],
)
async def test_a_refused_token_ends_it_with_the_code_of_the_answer(
    coordinator: FakeCoordinator, status: int, body: str, code: Code
) -> None:
    coordinator.refusal = (status, body)
    error = await failure(coordinator.url)
    assert isinstance(error, AuthError)
    assert error.code == code
    assert f"HTTP {status}" in str(error)
    assert len(coordinator.requests) == 1
    assert coordinator.requests[0].headers["Authorization"] == "Bearer a secret token"
    assert "secret" not in coordinator.requests[0].path_qs


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, "{"), (404, "x" * 100_000), (500, ""), (401, json.dumps({"code": 4005, "reason": "keys away"}))],
)
async def test_other_answers_are_passing_trouble(coordinator: FakeCoordinator, status: int, body: str) -> None:
    coordinator.refusal = (status, body)
    error = await failure(coordinator.url)
    assert not isinstance(error, AuthError)
    assert f"HTTP {status}" in str(error)
    assert len(coordinator.requests) > 1


async def test_a_redirect_or_a_page_is_no_coordinator(coordinator: FakeCoordinator) -> None:
    coordinator.refusal = (200, "hello")
    assert not isinstance(await failure(coordinator.url), AuthError)


async def test_nobody_is_there(coordinator: FakeCoordinator) -> None:
    await coordinator.stop()
    error = await failure(coordinator.url)
    assert isinstance(error, ConnectError)
    assert error.code == Code.LINK_LOST


async def test_a_coordinator_that_says_nothing_is_given_up(coordinator: FakeCoordinator) -> None:
    coordinator.is_mute = True
    error = await failure(coordinator.url)
    assert isinstance(error, ConnectError)
    assert error.code == Code.TIMEOUT


async def test_no_server_is_there(coordinator: FakeCoordinator) -> None:
    error = await failure(coordinator.url)
    assert isinstance(error, ConnectError)
    assert error.code == Code.NO_SERVERS


async def test_frames_nobody_understands_are_passed_over(coordinator: FakeCoordinator, server: LinkServer) -> None:
    coordinator.first_frames = ["text", b"", b"\xff\xff\xff", b"\x08\xc8\x01"]
    async with Client(coordinator.url) as client:
        assert client.stats.dropped["undecodable"] == 2


async def test_a_frame_that_is_far_too_large_ends_the_socket(coordinator: FakeCoordinator, server: LinkServer) -> None:
    coordinator.first_frames = [bytes(100_000)]
    error = await failure(coordinator.url)
    assert isinstance(error, ConnectError)
    assert error.code == 1009  # RFC 6455: message too big
    assert len(coordinator.requests) > 1


async def test_a_private_authority_is_trusted_when_it_is_given(tmp_path: Path) -> None:
    server_side, client_side = _certificate(tmp_path)
    coordinator = FakeCoordinator(ssl=server_side)
    await coordinator.start()
    error = await failure(coordinator.url)
    assert "certificate" in str(error).lower()
    assert coordinator.requests == []
    error = await failure(coordinator.url, ssl=client_side)
    assert isinstance(error, ConnectError)
    assert error.code == Code.NO_SERVERS  # it got in; there is just nobody there
    await coordinator.stop()


def _certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate of its own making, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return server_side, ssl.create_default_context(cafile=str(folder / "certificate.pem"))
