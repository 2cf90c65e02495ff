"""Who is let in by real HTTP, and what the others are told."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from protocol.codes import Code
from protocol.keys import secret_key
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.integration.coordinator.conftest import CLOCK, SERVER_PATH, Running, Start, token
from tests.support.forge import GOOD, forge

CLIENT, SERVER, HUB = TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER, TokenRole.COMMUNICATION_SERVER_HUB
HUB_PATH = "/discover?role=COMMUNICATION_SERVER_HUB"

WRONG: dict[str, tuple[Callable[[], str], int, Code]] = {
    "nonsense": (lambda: "nonsense", 401, Code.AUTH_FAILED),
    "expired": (lambda: token(now=CLOCK.now() - 200), 401, Code.TOKEN_EXPIRED),
    "not yet valid": (lambda: forged(nbf=CLOCK.now() + 200), 401, Code.TOKEN_NOT_YET_VALID),
    "another audience": (lambda: token(audience="else"), 401, Code.AUTH_FAILED),
    "another issuer": (lambda: token(issuer="else"), 401, Code.AUTH_FAILED),
    "another key": (lambda: token(key=secret_key("x" * 32)), 401, Code.AUTH_FAILED),
    "no algorithm": (lambda: forged({"alg": "none"}).rpartition(".")[0] + ".", 401, Code.AUTH_FAILED),
    "another algorithm": (lambda: forged({"alg": "HS512"}), 401, Code.AUTH_FAILED),
    "no subject": (lambda: forged(sub=""), 401, Code.AUTH_FAILED),
    "no expiry": (lambda: forged(exp=None), 401, Code.AUTH_FAILED),
    "an unknown role": (lambda: forged(role="KING"), 403, Code.WRONG_ROLE),
}


def forged(header: dict[str, str] | None = None, **changes: object) -> str:
    payload = {**GOOD, "iss": "us", "exp": CLOCK.now() + 60, **changes}
    return forge({claim: value for claim, value in payload.items() if value is not None}, header or {"alg": "HS256"})


@pytest.mark.parametrize("why", WRONG)
async def test_a_wrong_token_is_refused_before_the_upgrade(start: Start, why: str) -> None:
    coordinator = await start(auth_issuer="us")
    make, status, code = WRONG[why]
    got, body, headers = await coordinator.refusal("/connect", make())
    assert (got, body["code"], body["retry"]) == (status, code, code.retry.value)
    assert body["reason"]
    assert ("WWW-Authenticate" in headers) is (status == 401)
    assert coordinator.driver.core.peer_counts[CLIENT] == 0


async def test_the_good_one_of_these_is_not(start: Start) -> None:
    """So that the refusals above are for the reasons they say."""
    coordinator = await start(auth_issuer="us")
    socket = await coordinator.dial("/connect", {"access_token": forged()})
    assert socket.protocol is None
    await socket.close()


async def test_no_token_is_refused(coordinator: Running) -> None:
    status, body, headers = await coordinator.refusal("/connect")
    assert (status, body["code"]) == (401, Code.AUTH_FAILED)
    assert headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("path", "role", "allowed"),
    [
        (path, role, (path, role) in {("/connect", CLIENT), (SERVER_PATH, SERVER), (HUB_PATH, HUB)})
        for path in ("/connect", SERVER_PATH, HUB_PATH)
        for role in TokenRole
    ],
)
async def test_only_the_very_role_is_let_in(coordinator: Running, path: str, role: TokenRole, allowed: bool) -> None:
    text = token(role=role)
    if allowed:
        socket = await coordinator.dial(path, headers={"Authorization": f"Bearer {text}"})
        await socket.close()
    else:
        status, body, _ = await coordinator.refusal(path, headers={"Authorization": f"Bearer {text}"})
        assert (status, body["code"]) == (403, Code.WRONG_ROLE)


@pytest.mark.parametrize("path", ["/discover", "/discover?role=CLIENT", "/connect?alias=x", "/connect?alias=0"])
async def test_a_wrong_request_is_named(coordinator: Running, path: str) -> None:
    status, body, _ = await coordinator.refusal(path, headers={"Authorization": f"Bearer {token()}"})
    assert status == 400
    assert "role=" in body["reason"] or "alias=" in body["reason"]


@pytest.mark.parametrize("path", ["/connect", SERVER_PATH])
async def test_a_plain_request_is_told_to_upgrade(coordinator: Running, path: str) -> None:
    async with coordinator.http.get(path) as response:
        assert (response.status, response.headers["Upgrade"]) == (426, "websocket")


async def test_a_full_coordinator_says_so_and_when_to_come_back(start: Start) -> None:
    coordinator = await start(max_clients=1)
    client = await coordinator.client()
    status, body, headers = await coordinator.refusal("/connect", token("bob"))
    assert (status, body["code"], headers["Retry-After"]) == (503, Code.SERVER_FULL, "1")
    await (await coordinator.server()).close()
    await client.close()


async def test_without_authentication_everyone_comes_in(start: Start) -> None:
    coordinator = await start(auth="none")
    server = await coordinator.join(SERVER_PATH, "", {})
    client = await coordinator.join("/connect", "", {})
    assert list(client.welcome.available_servers) == [server.alias]
    assert not client.welcome.auth_required
    await client.close()
    await server.close()


async def test_an_old_client_comes_in_with_its_token_alone(coordinator: Running) -> None:
    server = await coordinator.server()
    socket = await coordinator.dial("/connect", {"access_token": token()})
    welcome = pb.WelcomeMessage.FromString(await socket.receive_bytes())
    assert list(welcome.available_servers) == [server.alias]
    await socket.close()
    await server.close()


async def test_no_token_is_ever_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        coordinator = await start()
        good, bad = token(), token(audience="else")
        await (await coordinator.dial("/connect", {"access_token": good})).close()
        await coordinator.refusal("/connect", bad)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await coordinator.dial("/connect", {"access_token": "x" * 7_000})
    assert "refused a peer at /connect" in caplog.text
    for text in (good, bad):
        assert text.split(".")[2] not in caplog.text


async def test_refusals_are_counted(coordinator: Running) -> None:
    await coordinator.refusal("/connect")
    await coordinator.refusal("/connect")
    await coordinator.refusal("/connect", token(role=SERVER))
    async with coordinator.http.get("/metrics") as response:
        text = await response.text()
    assert 'rtcbroker_coordinator_refusals_total{code="4210",status="401"} 2.0' in text
    assert 'rtcbroker_coordinator_refusals_total{code="4214",status="403"} 1.0' in text


async def test_a_clients_socket_ends_with_its_token(start: Start) -> None:
    coordinator = await start(auth_leeway=0)
    client = await coordinator.join("/connect", token(lifetime_s=1), {})
    code, reason = await client.end()
    assert (code, reason) == (Code.TOKEN_EXPIRED, Code.TOKEN_EXPIRED.reason)
    again = await coordinator.client(query={"alias": str(client.alias), "resume": client.welcome.resume})
    assert again.alias == client.alias
    await again.close()
