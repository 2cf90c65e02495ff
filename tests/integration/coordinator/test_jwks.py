"""Tokens signed with published keys: rotation, and days on which the key server is away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web

from protocol.codes import Code
from protocol.errors import ConfigError
from protocol.keys import Key, private_key
from service import keys
from service.http import start_site
from service.keys import MAX_JWKS_BYTES, fetch_bytes
from tests.integration.coordinator.conftest import Running, Start, token
from tests.support.forge import private, private_pem


def signer(number: int) -> Key:
    key = private_key(private_pem(private("ES256", number)))
    return Key(key.algorithm, key.material, f"key-{number}")


def published(*numbers: int) -> dict[str, Any]:
    entries = []
    for number in numbers:
        entry = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(private("ES256", number).public_key()))
        entries.append({**entry, "kid": f"key-{number}", "use": "sig"})
    return {"keys": entries}


class KeyServer:
    """Publishes keys at a URL."""

    def __init__(self) -> None:
        self.body = json.dumps(published(1))
        self.status = 200
        self.asked = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.body, status=self.status)

    async def redirect(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/jwks")


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    server = KeyServer()
    app = web.Application()
    app.add_routes([web.get("/jwks", server.answer), web.get("/moved", server.redirect)])
    runner, server.port = await start_site(app, "127.0.0.1", 0)
    yield server
    await runner.cleanup()


async def admitted(coordinator: Running, number: int) -> bool:
    """Whether a token signed with that key is let in."""
    client = await coordinator.join("/connect", token(key=signer(number)), {})
    await client.close()
    return True


async def refused(coordinator: Running, number: int) -> tuple[int, int]:
    status, body, _ = await coordinator.refusal("/connect", token(key=signer(number)))
    return status, body["code"]


async def test_a_published_key_lets_in_and_another_does_not(start: Start, key_server: KeyServer) -> None:
    coordinator = await start(auth_secret=None, auth_jwks_url=key_server.url)
    assert await admitted(coordinator, 1)
    assert await refused(coordinator, 2) == (401, Code.AUTH_FAILED)


async def test_a_rotated_key_is_fetched_while_its_first_bearer_waits(
    start: Start, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = await start(auth_secret=None, auth_jwks_url=key_server.url)
    key_server.body = json.dumps(published(1, 2))
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
    assert await admitted(coordinator, 2)
    assert await admitted(coordinator, 1)
    assert key_server.asked == 2


async def test_made_up_keys_cannot_drive_us_against_the_key_server(start: Start, key_server: KeyServer) -> None:
    coordinator = await start(auth_secret=None, auth_jwks_url=key_server.url)
    for number in range(2, 12):
        assert (await refused(coordinator, number))[0] == 401
    assert key_server.asked == 1


async def test_while_it_is_away_the_last_keys_hold(start: Start, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = await start(auth_secret=None, auth_jwks_url=key_server.url)
    key_server.status = 500
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
    status, _ = await refused(coordinator, 2)
    assert status in (401, 503)
    assert key_server.asked >= 2
    assert await admitted(coordinator, 1)
    key_server.status, key_server.body = 200, json.dumps(published(2))
    assert await admitted(coordinator, 2)
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 60.0)
    assert (await refused(coordinator, 1))[0] == 401


async def test_away_from_the_start_it_says_try_again(
    start: Start, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_server.status = 503
    coordinator = await start(auth_secret=None, auth_jwks_url=key_server.url)
    status, body, headers = await coordinator.refusal("/connect", token(key=signer(1)))
    assert (status, body["code"], body["retry"], headers["Retry-After"]) == (503, Code.TOKEN_UNVERIFIABLE, "retry", "1")
    assert (await coordinator.refusal("/connect", "nonsense"))[0] == 401
    key_server.status = 200
    monkeypatch.setattr(keys, "MIN_REFRESH_S", 0.0)
    assert await admitted(coordinator, 1)


async def test_what_is_fetched_is_bounded(key_server: KeyServer) -> None:
    key_server.body = "x" * MAX_JWKS_BYTES
    assert len(await fetch_bytes(key_server.url)) == MAX_JWKS_BYTES
    key_server.body += "x"
    with pytest.raises(ConfigError, match="longer than"):
        await fetch_bytes(key_server.url)
    key_server.status = 404
    with pytest.raises(ConfigError, match="HTTP 404"):
        await fetch_bytes(key_server.url)


async def test_a_key_server_may_have_moved(key_server: KeyServer) -> None:
    assert await fetch_bytes(key_server.url.replace("/jwks", "/moved")) == key_server.body.encode()
