"""The authenticator: tokens against the keys at hand, and what a missing key means."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jwt
import pytest

from protocol.codes import Code
from protocol.errors import ConfigError, TokenError
from protocol.keys import Key, KeySet, private_key
from protocol.tokens import TokenPolicy, TokenRole, sign
from service import keys
from service.auth import Authenticator
from service.clock import Clock
from service.keys import JwksSource
from service.settings import ServiceSettings
from tests.support.forge import SECRET, SECRET_KEY, forge, private, private_pem, public_pem
from tests.support.poll import until

CLOCK = Clock()


def signer(key_id: str | None, number: int = 0) -> Key:
    key = private_key(private_pem(private("ES256", number)))
    return Key(key.algorithm, key.material, key_id)


def token(key: Key, **changes: object) -> str:
    return sign(key, subject="alice", role=TokenRole.CLIENT, now=CLOCK.now(), lifetime_s=60, **changes)  # type: ignore[arg-type]


def jwks(*published: tuple[str | None, int]) -> bytes:
    entries = []
    for key_id, number in published:
        entry = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(private("ES256", number).public_key()))
        entries.append({**entry, "kid": key_id} if key_id else entry)
    return json.dumps({"keys": entries}).encode()


def code(authenticator: Authenticator, text: str) -> Code:
    with pytest.raises(TokenError) as caught:
        authenticator.verify(text)
    return caught.value.code


# ------------------------------------------------------------------------------------------------------------ revocations


def test_a_genuine_token_is_refused_while_it_is_revoked() -> None:
    authenticator = Authenticator(TokenPolicy(KeySet([SECRET_KEY])), CLOCK)
    text = token(SECRET_KEY)
    claims = authenticator.verify(text)
    assert not authenticator.is_revoked(claims)
    revoked = {"alice"}
    authenticator.obey(lambda claims: claims.subject in revoked)
    assert code(authenticator, text) is Code.TOKEN_REVOKED
    assert authenticator.is_revoked(claims)
    assert code(authenticator, "x.y.z") is Code.AUTH_FAILED
    revoked.clear()
    assert authenticator.verify(text) == claims


# ---------------------------------------------------------------------------------------------------------- from settings


def test_no_key_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        Authenticator.from_settings(ServiceSettings())
    for way in ("--auth-secret", "--auth-secret-file", "--auth-key-file", "--auth-jwks-url", "--auth none"):
        assert way in str(caught.value)


async def test_without_authentication_it_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    authenticator = Authenticator.from_settings(ServiceSettings(auth="none"))
    assert not authenticator.enabled
    await authenticator.start()
    await authenticator.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "authentication is off" in caplog.text
    with pytest.raises(RuntimeError):
        authenticator.verify("")


def test_a_shared_secret() -> None:
    authenticator = Authenticator.from_settings(ServiceSettings(auth_secret=SECRET.decode()))  # type: ignore[arg-type]
    assert authenticator.enabled
    assert authenticator.verify(token(SECRET_KEY)).subject == "alice"


def test_a_public_key_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(public_pem(private("ES256", 0)))
    authenticator = Authenticator.from_settings(ServiceSettings(auth_key_file=file))
    assert authenticator.verify(token(signer(None))).role is TokenRole.CLIENT
    assert code(authenticator, token(signer(None, 1))) is Code.AUTH_FAILED
    assert code(authenticator, token(SECRET_KEY)) is Code.AUTH_FAILED


def test_the_policy_is_that_of_the_settings() -> None:
    authenticator = Authenticator.from_settings(
        ServiceSettings(auth_secret=SECRET.decode(), auth_audience="here", auth_issuer="me", auth_leeway=0)  # type: ignore[arg-type]
    )
    assert authenticator.verify(token(SECRET_KEY, audience="here", issuer="me")).issuer == "me"
    assert code(authenticator, token(SECRET_KEY, audience="there", issuer="me")) is Code.AUTH_FAILED
    assert code(authenticator, token(SECRET_KEY, audience="here", issuer="you")) is Code.AUTH_FAILED
    late = sign(
        SECRET_KEY, subject="a", role=TokenRole.CLIENT, now=CLOCK.now() - 100, lifetime_s=90, audience="here", issuer="me"
    )
    assert code(authenticator, late) is Code.TOKEN_EXPIRED


def test_a_jwks_url_alone_is_enough() -> None:
    assert Authenticator.from_settings(ServiceSettings(auth_jwks_url="https://keys.example/jwks")).enabled


# ---------------------------------------------------------------------------------------------------------------- a JWKS


class World:
    """An authenticator whose key set is fetched from `answer`."""

    def __init__(self, answer: bytes | None, local: list[Key] | None = None) -> None:
        self.answer = answer
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        source = JwksSource("https://keys.example/jwks", self.fetch)
        self.authenticator = Authenticator(TokenPolicy(KeySet(local or [])), CLOCK, source)

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        await self.gate.wait()
        if self.answer is None:
            raise OSError("away")
        return self.answer

    async def __aenter__(self) -> World:
        await self.authenticator.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        await self.authenticator.close()


async def test_published_and_local_keys_both_count() -> None:
    async with World(jwks(("one", 0)), [SECRET_KEY]) as world:
        assert world.authenticator.verify(token(signer("one"))).subject == "alice"
        assert world.authenticator.verify(token(SECRET_KEY)).subject == "alice"


async def test_without_keys_a_token_is_unverifiable_not_wrong() -> None:
    async with World(None) as world:
        assert code(world.authenticator, token(signer("one"))) is Code.TOKEN_UNVERIFIABLE
        assert code(world.authenticator, token(signer(None))) is Code.TOKEN_UNVERIFIABLE


async def test_what_no_key_set_can_help_is_wrong_at_once() -> None:
    async with World(None) as world:
        assert code(world.authenticator, "nonsense") is Code.AUTH_FAILED
        assert code(world.authenticator, token(SECRET_KEY)) is Code.AUTH_FAILED
        assert code(world.authenticator, forge({}, {"alg": "none"})) is Code.AUTH_FAILED
        assert world.asked == 1


async def test_a_known_key_that_did_not_sign_is_wrong_at_once() -> None:
    async with World(jwks(("one", 0))) as world:
        assert code(world.authenticator, token(signer("one", 1))) is Code.AUTH_FAILED
        assert code(world.authenticator, token(signer(None, 1))) is Code.AUTH_FAILED
        assert world.asked == 1


async def test_an_unknown_key_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World(jwks(("one", 0))) as world:
        assert code(world.authenticator, token(signer("two", 1))) is Code.AUTH_FAILED  # fetched a moment ago: it is not there
        monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
        world.answer = jwks(("one", 0), ("two", 1))
        assert code(world.authenticator, token(signer("two", 1))) is Code.TOKEN_UNVERIFIABLE
        assert (await world.authenticator.verify_patiently(token(signer("two", 1)))).subject == "alice"
        assert world.asked == 2


async def test_patience_waits_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World(jwks(("one", 0))) as world:
        monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
        world.answer = jwks(("two", 1))
        world.gate.clear()
        waiting = asyncio.create_task(world.authenticator.verify_patiently(token(signer("two", 1))))
        await until(lambda: world.asked == 2, 5, "the fetch is under way")
        assert not waiting.done()
        world.gate.set()
        assert (await waiting).subject == "alice"


async def test_patience_does_not_help_a_wrong_token() -> None:
    async with World(jwks(("one", 0))) as world:
        with pytest.raises(TokenError) as caught:
            await world.authenticator.verify_patiently("nonsense")
        assert caught.value.code is Code.AUTH_FAILED


async def test_patience_ends_where_no_fetch_is_under_way() -> None:
    async with World(None) as world:
        with pytest.raises(TokenError) as caught:
            await world.authenticator.verify_patiently(token(signer("one")))
        assert caught.value.code is Code.TOKEN_UNVERIFIABLE


async def test_a_withdrawn_key_is_refused_after_the_next_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    async with World(jwks(("one", 0))) as world:
        text = token(signer("one"))
        assert world.authenticator.verify(text)
        monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
        world.answer = jwks(("two", 1))
        assert await world.authenticator.verify_patiently(token(signer("two", 1)))
        monkeypatch.setattr(keys, "MIN_REFRESH_S", 60.0)
        assert code(world.authenticator, text) is Code.AUTH_FAILED
