"""Keys from settings and files, and a key set that is fetched again and again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from protocol.errors import ConfigError
from service import keys
from service.keys import JwksSource, local_keys, shared_secret
from service.settings import ServiceSettings
from tests.support.forge import SECRET, private, public_pem
from tests.support.poll import until

URL = "https://keys.example/jwks"


def document(*key_ids: str) -> bytes:
    """A key set with one ES256 key for each id."""
    entries = []
    for number, key_id in enumerate(key_ids):
        public = private("ES256", number).public_key()
        entries.append({**json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(public)), "kid": key_id})
    return json.dumps({"keys": entries}).encode()


# ------------------------------------------------------------------------------------------------------ settings and files


def test_no_secret_is_none() -> None:
    assert shared_secret(ServiceSettings()) is None
    assert local_keys(ServiceSettings()) == []


def test_a_secret_from_the_command_line_or_a_file(tmp_path: Path) -> None:
    direct = shared_secret(ServiceSettings(auth_secret=SECRET.decode()))  # type: ignore[arg-type]  # pydantic makes it a SecretStr
    file = tmp_path / "secret"
    file.write_bytes(b"\n" + SECRET + b"\n")
    from_file = shared_secret(ServiceSettings(auth_secret_file=file))
    assert direct == from_file
    assert direct is not None
    assert direct.material == SECRET


def test_both_secrets_are_one_too_many(tmp_path: Path) -> None:
    settings = ServiceSettings(auth_secret="x" * 40, auth_secret_file=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--auth-secret and --auth-secret-file: give one of them"):
        shared_secret(settings)


def test_a_short_secret_names_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--auth-secret: auth secret has 5 bytes"):
        shared_secret(ServiceSettings(auth_secret="short"))  # type: ignore[arg-type]
    file = tmp_path / "secret"
    file.write_text("short")
    with pytest.raises(ConfigError, match=r"^--auth-secret-file: auth secret has 5 bytes"):
        shared_secret(ServiceSettings(auth_secret_file=file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--auth-key-file .*/none.pem: cannot be read \(No such file"):
        local_keys(ServiceSettings(auth_key_file=tmp_path / "none.pem"))


def test_a_public_key_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(public_pem(private("EdDSA")))
    assert [key.algorithm for key in local_keys(ServiceSettings(auth_key_file=file))] == ["EdDSA"]
    file.write_text("no key")
    with pytest.raises(ConfigError, match=r"--auth-key-file .*key.pem: no public key"):
        local_keys(ServiceSettings(auth_key_file=file))


# ---------------------------------------------------------------------------------------------------------------- a JWKS


class Publisher:
    """Stands in for the network: what the URL answers, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: bytes | BaseException = document("one")
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def fetch(self, url: str) -> bytes:
        assert url == URL
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def start(publisher: Publisher) -> AsyncIterator[Callable[[], Awaitable[JwksSource]]]:
    sources: list[JwksSource] = []

    async def start() -> JwksSource:
        source = JwksSource(URL, publisher.fetch)
        sources.append(source)
        await source.start()
        return source

    yield start
    for source in sources:
        await source.close()


Start = Callable[[], Awaitable[JwksSource]]


def ids(source: JwksSource) -> list[str | None]:
    return [key.key_id for key in source.keys]


async def test_start_brings_the_keys(start: Start) -> None:
    source = await start()
    assert ids(source) == ["one"]
    assert source.is_settled


async def test_it_fetches_again_after_a_while(start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "REFRESH_S", 0.001)
    source = await start()
    publisher.answer = document("two")
    await until(lambda: ids(source) == ["two"], 5, "the new keys are there")


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ClientError("refused"),
        TimeoutError(),
        OSError("no route"),
        ConfigError("HTTP 500"),
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_the_last_good_keys_stay_while_the_url_is_away(
    failure: Any, start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keys, "REFRESH_S", 0.001)
    monkeypatch.setattr(keys, "MAX_RETRY_S", 0.001)
    source = await start()
    publisher.answer = failure
    asked = publisher.asked
    await until(lambda: publisher.asked > asked + 2, 5, "it goes on asking")
    assert ids(source) == ["one"]
    assert "the keys at hand stay in force" in caplog.text
    publisher.answer = document("two")
    await until(lambda: ids(source) == ["two"], 5, "the new keys are there")


async def test_a_start_without_the_url_is_a_start(start: Start, publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publisher.answer = OSError("no route")
    with caplog.at_level(logging.WARNING):
        source = await start()
    assert source.keys == ()
    assert "no keys yet" in caplog.text


async def test_a_url_that_hangs_holds_nobody_up(start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "FETCH_TIMEOUT_S", 0.02)
    publisher.gate = asyncio.Event()
    source = await start()
    assert source.keys == ()
    await source.settled()


async def test_a_missing_key_is_fetched_but_not_too_often(
    start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await start()
    assert not source.refresh_soon()  # the last fetch was a moment ago
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
    publisher.answer = document("one", "two")
    assert source.refresh_soon()
    assert source.refresh_soon()  # the same fetch
    assert not source.is_settled
    await source.settled()
    assert ids(source) == ["one", "two"]
    assert publisher.asked == 2


async def test_nothing_is_fetched_before_start_and_after_close(start: Start, publisher: Publisher) -> None:
    assert not JwksSource(URL, publisher.fetch).refresh_soon()
    source = await start()
    await source.close()
    await source.close()
    assert not source.refresh_soon()
    assert publisher.asked == 1


async def test_settled_waits_no_longer_than_a_fetch_may_take(
    start: Start, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await start()
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
    publisher.gate = asyncio.Event()
    assert source.refresh_soon()
    await until(lambda: publisher.asked == 2, 5, "the fetch is under way")
    monkeypatch.setattr(keys, "FETCH_TIMEOUT_S", 0.01)
    await source.settled()
    assert not source.is_settled
    publisher.gate.set()
