"""Tokens from the command line are what a cluster accepts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from protocol.keys import KeySet, public_key, secret_key
from protocol.tokens import DEFAULT_AUDIENCE, Claims, TokenPolicy, TokenRole, verify
from rtcbroker.cli import main

SECRET = "0123456789abcdef0123456789abcdef"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["token", *arguments], terminal_width=400)


def claims(result: Result, audience: str = DEFAULT_AUDIENCE, issuer: str | None = None) -> Claims:
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    return verify(result.output.strip(), TokenPolicy(KeySet([secret_key(SECRET)]), audience, issuer), time.time())


def test_a_clients_token() -> None:
    found = claims(
        invoke("--subject", "alice", "--publish", "room/1", "--publish", "hall/*", "--subscribe", "**", "--secret", SECRET)
    )
    assert (found.subject, found.role) == ("alice", TokenRole.CLIENT)
    assert list(found.publish) == ["room/1", "hall/*"]
    assert list(found.subscribe) == ["**"]
    assert found.expires_at == pytest.approx(time.time() + 3600 + 30, abs=5)


def test_a_servers_token_for_a_while() -> None:
    found = claims(
        invoke("--subject", "s", "--role", "communication_server", "--lifetime", "2d", "--secret", SECRET, "--issuer", "me"),
        issuer="me",
    )
    assert found.role is TokenRole.COMMUNICATION_SERVER
    assert found.expires_at == pytest.approx(time.time() + 2 * 86400 + 30, abs=5)


def test_the_secret_may_come_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    assert claims(invoke("--subject", "a", "--secret-file", str(path))).subject == "a"
    monkeypatch.setenv("RTCBROKER_AUTH_SECRET", SECRET)
    assert claims(invoke("--subject", "b")).subject == "b"


def test_everything_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rtcbroker.toml"
    path.write_text(f'[common]\nauth_secret = "{SECRET}"\nauth_audience = "us"\n[token]\nsubject = "c"\npublish = ["a", "b"]\n')
    found = claims(invoke("--config", str(path)), audience="us")
    assert (found.subject, list(found.publish)) == ("c", ["a", "b"])


def test_a_private_key(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "private.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    result = invoke("--subject", "alice", "--key-file", str(path))
    public = public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert verify(result.output.strip(), TokenPolicy(KeySet([public])), time.time()).subject == "alice"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subject", "a"], "rtcbroker token: a key to sign with is missing: give --secret, --secret-file or --key-file"),
        (["--subject", "a", "--secret", "short"], "rtcbroker token: --secret: "),
        (["--subject", "a", "--secret-file", "gone"], "rtcbroker token: --secret-file gone: cannot be read"),
        (["--subject", "a", "--key-file", "gone"], "rtcbroker token: --key-file gone: cannot be read"),
        (["--subject", "a", "--secret", SECRET, "--secret-file", "x"], "--secret and --secret-file: give one of them"),
        (["--subject", "a", "--secret", SECRET, "--key-file", "x"], "--key-file and --secret"),
        (["--subject", "", "--secret", SECRET], "rtcbroker token: --subject: is empty"),
        (["--subject", "a", "--secret", SECRET, "--publish", "a b"], "rtcbroker token: --publish 'a b': has white space"),
        (["--subject", "a", "--secret", SECRET, "--subscribe", "*/x"], "rtcbroker token: --subscribe '*/x': "),
        (["--subject", "a", "--secret", SECRET, "--lifetime", "long"], "--lifetime"),
        (["--subject", "a", "--secret", SECRET, "--role", "KING"], "--role"),
        (["--secret", SECRET], "--subject"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[token]\nsubjekt = 'a'\n", "[token] subjekt: no such option (did you mean subject?)"),
        ("token = 1\n", "token: is no table"),
        ("[token\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rtcbroker.toml"
    path.write_text(content)
    result = invoke("--config", str(path))
    assert result.exit_code == 2
    assert str(path) in result.output
    assert message in result.output


def test_a_file_that_is_not_there_is_named() -> None:
    result = invoke("--config", "gone.toml")
    assert result.exit_code == 2
    assert "--config gone.toml: cannot be read" in result.output
