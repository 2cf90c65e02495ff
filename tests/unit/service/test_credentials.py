"""Token sources: given, in a file, or signed on the spot."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from protocol.errors import ConfigError
from protocol.keys import KeySet
from protocol.tokens import TokenPolicy, TokenRole, verify
from service.credentials import FILE_POLL_S, RENEW_BEFORE_S, FileToken, MintedToken, StaticToken, token_source
from service.settings import ServiceSettings
from tests.support.forge import GOOD, NOW, POLICY, SECRET, SECRET_KEY, forge

SERVER = TokenRole.COMMUNICATION_SERVER


def test_a_given_token_stays() -> None:
    source = StaticToken("given")
    assert source.token(NOW) == source.token(NOW + 1e6) == "given"
    assert source.renew_at(NOW) == math.inf


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    source = FileToken(file)
    assert source.token(NOW) == "first"
    file.write_text("the second\n")
    assert source.token(NOW) == "the second"
    other = tmp_path / "other"
    other.write_text("third")
    os.replace(other, file)
    assert source.token(NOW) == "third"


def test_a_file_that_goes_away_or_is_empty_leaves_the_last_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    source = FileToken(file)
    file.write_text("  \n")
    assert source.token(NOW) == "first"
    file.unlink()
    with caplog.at_level(logging.WARNING):
        assert source.token(NOW) == "first"
    assert "the last token stays in use" in caplog.text
    assert "first" not in caplog.text


def test_a_file_that_never_was(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        FileToken(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(ConfigError, match="is empty"):
        FileToken(empty)


def test_a_file_of_other_bytes_is_a_token_that_will_be_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff\x00")
    assert FileToken(file).token(NOW)


def test_a_file_is_looked_at_before_its_token_expires(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(forge({**GOOD, "exp": NOW + 600}))
    source = FileToken(file)
    assert source.renew_at(NOW) == NOW + 600 - RENEW_BEFORE_S
    assert source.renew_at(NOW + 590) == NOW + 590 + FILE_POLL_S
    file.write_text("no token")
    assert source.renew_at(NOW) == math.inf


def test_a_minted_token_is_good_and_is_renewed_in_time() -> None:
    source = MintedToken(SECRET_KEY, SERVER, "server", lifetime_s=600)
    first = source.token(NOW)
    claims = verify(first, POLICY, NOW)
    assert (claims.subject, claims.role, "any/topic" in claims.publish) == ("server", SERVER, True)
    assert source.renew_at(NOW) == NOW + 400
    assert source.token(NOW + 399) == first
    second = source.token(NOW + 400)
    assert second != first
    assert verify(second, POLICY, NOW + 900).subject == "server"


def test_a_minted_token_is_for_the_audience_and_from_the_issuer() -> None:
    source = MintedToken(SECRET_KEY, SERVER, "server", audience="here", issuer="me")
    policy = TokenPolicy(KeySet([SECRET_KEY]), audience="here", issuer="me")
    assert verify(source.token(NOW), policy, NOW).issuer == "me"


def settings(**options: object) -> ServiceSettings:
    return ServiceSettings(**options)  # type: ignore[arg-type]


def test_a_server_uses_what_it_was_given_first(tmp_path: Path) -> None:
    secret = settings(auth_secret=SECRET.decode())
    file = tmp_path / "token"
    file.write_text("from the file")
    assert token_source(secret, SERVER, "server", token=SecretStr("given")).token(NOW) == "given"
    assert token_source(secret, SERVER, "server", token_file=file).token(NOW) == "from the file"
    with pytest.raises(ConfigError, match="--token and --token-file"):
        token_source(secret, SERVER, "server", token=SecretStr("given"), token_file=file)


def test_a_server_signs_its_own_with_the_shared_secret() -> None:
    source = token_source(settings(auth_secret=SECRET.decode(), auth_audience="here", auth_issuer="me"), SERVER, "server")
    policy = TokenPolicy(KeySet([SECRET_KEY]), audience="here", issuer="me")
    assert verify(source.token(NOW), policy, NOW).role is SERVER


def test_a_server_needs_none_without_authentication() -> None:
    assert token_source(settings(auth="none"), SERVER, "server").token(NOW) == ""


def test_a_server_that_can_only_verify_must_be_given_one() -> None:
    with pytest.raises(ConfigError, match=r"COMMUNICATION_SERVER is needed.*--token-file"):
        token_source(settings(auth_jwks_url="https://keys.example"), SERVER, "server")
