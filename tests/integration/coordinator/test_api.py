"""The API over real sockets: who may ask, what is answered, and that every answer is what the OpenAPI document says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from coordinator.io import api_gate
from coordinator.io.backplane import MemoryCluster
from protocol import signalling
from protocol.codes import Code
from protocol.errors import TokenError
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from service.auth import Authenticator
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S, Running, Start, token
from tests.support.api import DOCUMENT, ApiCaller
from tests.support.poll import until
from tests.support.reports import a_report, as_frame

ROUTES = [(method.upper(), path.removeprefix("/api/v1")) for path, methods in DOCUMENT["paths"].items() for method in methods]
OF_ADMINISTRATORS = [(method, path.replace("{alias}", "7")) for method, path in ROUTES if path != "/openapi.json"]


def admin(subject: str = "operator", **changes: Any) -> str:
    return token(subject, TokenRole.ADMIN, **changes)


@pytest.fixture
def api(coordinator: Running) -> ApiCaller:
    return ApiCaller(coordinator.http, admin())


# ------------------------------------------------------------------------------------------------------------- who may ask


@pytest.mark.parametrize(("method", "path"), OF_ADMINISTRATORS)
async def test_nothing_is_done_without_an_administrators_token(api: ApiCaller, method: str, path: str) -> None:
    answered = await api(method, path, token="")
    assert (answered.status, answered.kind) == (401, "token-needed")
    assert answered.headers["WWW-Authenticate"].startswith("Bearer")
    for role in (TokenRole.CLIENT, TokenRole.COMMUNICATION_SERVER):
        answered = await api(method, path, token=token(role=role))
        assert (answered.status, answered.body["code"]) == (403, Code.WRONG_ROLE)
    answered = await api(method, path, token="x.y.z")
    assert (answered.status, answered.body["code"]) == (401, Code.AUTH_FAILED)
    assert "invalid_token" in answered.headers["WWW-Authenticate"]
    answered = await api(method, path, token=admin(now=CLOCK.now() - 600, lifetime_s=60))
    assert (answered.status, answered.body["code"]) == (401, Code.TOKEN_EXPIRED)


async def test_a_token_in_the_url_is_not_read(api: ApiCaller) -> None:
    assert (await api("GET", f"/cluster?access_token={admin()}", token="")).status == 401
    assert (await api("GET", f"/cluster?access_token={admin()}")).fields == ["access_token"]


async def test_without_authentication_it_is_closed_unless_it_is_opened(start: Start) -> None:
    closed = ApiCaller((await start(auth="none")).http)
    for method, path in OF_ADMINISTRATORS:
        assert (await closed(method, path)).kind == "api-closed"
    opened = ApiCaller((await start(auth="none", api_open=True)).http)
    assert (await opened("GET", "/cluster")).body["auth"] is False
    assert (await opened("POST", "/revocations", {"subject": "alice", "seconds": 5})).kind == "no-authentication"


async def test_pages_of_foreign_origins_may_not_ask(api: ApiCaller, coordinator: Running, start: Start) -> None:
    answered = await api("GET", "/cluster", headers={"Origin": "https://evil.example"})
    assert (answered.status, answered.body["code"]) == (403, Code.ORIGIN_REFUSED)
    assert (await api("GET", "/openapi.json", headers={"Origin": "https://evil.example"})).status == 403
    assert (await api("GET", "/cluster", headers={"Origin": f"http://127.0.0.1:{coordinator.port}"})).status == 200
    other = ApiCaller((await start(allowed_origins=["https://shop.example"])).http, admin())
    assert (await other("GET", "/cluster", headers={"Origin": "https://shop.example"})).status == 200


async def test_keys_that_cannot_be_had_are_no_fault_of_the_caller(start: Start) -> None:
    class Keyless(Authenticator):
        async def verify_patiently(self, token: str) -> Any:
            raise TokenError(Code.TOKEN_UNVERIFIABLE, "the key of the token is not known here yet")

    settings = (await start()).driver
    authenticator = Keyless(object(), settings._clock)  # type: ignore[arg-type]  # a policy that is never asked
    answered = await ApiCaller((await start(authenticator=authenticator)).http, admin())("GET", "/cluster")
    assert (answered.status, answered.body["code"]) == (503, Code.TOKEN_UNVERIFIABLE)
    assert answered.headers["Retry-After"] == "1"


async def test_an_address_may_ask_so_often(start: Start) -> None:
    running = await start(api_requests_per_s=0.001, api_requests_burst=10)
    api = ApiCaller(running.http, admin())
    statuses = [(await api("GET", "/cluster", token="")).status for _ in range(10)]
    assert statuses == [401] * 10
    answered = await api("GET", "/cluster")
    assert (answered.status, answered.headers["Retry-After"]) == (429, "1")
    assert (await api("GET", "/nothing")).status == 429


# ---------------------------------------------------------------------------------------------------- what cannot be asked


@pytest.mark.parametrize("path", ["/nothing", "/", "/servers/7", "/servers/7/drain/now", "/publish/", "/openapi.yaml"])
async def test_what_is_not_there(api: ApiCaller, path: str) -> None:
    answered = await api("GET", path, token="")
    assert (answered.status, answered.kind) == (404, "not-found")


async def test_below_the_prefix_everything_is_a_problem(coordinator: Running) -> None:
    for path in ("/api", "/api/", "/api/v2/cluster"):
        async with coordinator.http.get(path) as response:
            assert (response.status, response.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/cluster", "/publish", "/openapi.json"])
async def test_methods_that_are_not_there(coordinator: Running, method: str, path: str) -> None:
    async with coordinator.http.request(method, "/api/v1" + path) as response:
        assert response.status == 405
        assert response.headers["Allow"] == ("POST" if path == "/publish" else "GET")
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", None]
)
async def test_bodies_of_another_type(api: ApiCaller, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answered = await api("POST", "/publish", data=b'{"topic": "t"}', headers=headers)
    assert answered.status == 415


@pytest.mark.parametrize("seconds", ["10", True, None, [1]])
@pytest.mark.parametrize("path", ["/revocations", "/servers/7/drain"])
async def test_numbers_are_numbers(api: ApiCaller, path: str, seconds: Any) -> None:
    named = {"subject": "alice"} if path == "/revocations" else {}
    assert (await api("POST", path, {**named, "seconds": seconds})).fields == ["/seconds"]


async def test_what_a_request_expects(coordinator: Running, api: ApiCaller) -> None:
    answered = await api("GET", "/cluster", headers={"Expect": "a-miracle"})
    assert (answered.status, answered.kind) == (417, "expectation-failed")
    answered = await api("POST", "/publish", {"topic": "t"}, expect100=True)
    assert (answered.status, answered.body["code"]) == (503, Code.NO_SERVERS)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{coordinator.port}", version=aiohttp.HttpVersion10) as old:
        assert (await ApiCaller(old, admin())("GET", "/cluster", headers={"Expect": "a-miracle"})).status == 200


async def test_a_body_that_is_too_large(api: ApiCaller) -> None:
    body = json.dumps({"topic": "t", "text": "x" * api_gate.MAX_BODY_BYTES}).encode()
    headers = {"Content-Type": "application/json"}
    assert (await api("POST", "/publish", data=body, headers=headers)).status == 413

    async def in_pieces() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    assert (await api("POST", "/publish", data=in_pieces(), headers=headers)).status == 413


async def test_a_body_that_never_comes(coordinator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.io.bodies.BODY_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", coordinator.port)
    lines = [
        "POST /api/v1/disconnect HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {admin()}",
        "Content-Length: 9",
        "Connection: close",
        "",
        "{",
    ]
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.readuntil(b"}")
    assert b" 408 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer
    writer.write(b"x" * 8)  # or the rest would be waited for, for some seconds, though the connection is gone
    await writer.drain()
    await reader.read(1_000)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p in OF_ADMINISTRATORS if m == "POST" and not p.endswith("drain")])
async def test_bodies_that_are_wrong(api: ApiCaller, method: str, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert (await api(method, path, data=b"{", headers=headers)).kind == "malformed-json"
    assert (await api(method, path, data=b"", headers=headers)).kind == "malformed-json"
    assert (await api(method, path, {"unknown": 1})).status == 422
    assert "/unknown" in (await api(method, path, {"unknown": 1})).fields


async def test_parameters_that_are_wrong(api: ApiCaller) -> None:
    for path in ("/peers", "/servers", "/revocations"):
        assert (await api("GET", f"{path}?limit=0")).fields == ["limit"]
        assert (await api("GET", f"{path}?after=x")).fields == ["after"]
        assert (await api("GET", f"{path}?limit=1&limit=2")).fields == ["limit"]
        assert (await api("GET", f"{path}?page=2")).fields == ["page"]
    assert (await api("GET", "/peers?role=admin")).fields == ["role"]
    assert (await api("GET", "/peers?subject=")).fields == ["subject"]
    assert (await api("GET", f"/peers?subject={'x' * 257}")).fields == ["subject"]
    assert (await api("DELETE", "/revocations")).status == 422
    assert (await api("DELETE", "/revocations?subject=a&jti=b")).status == 422


async def test_a_fault_of_ours_says_nothing_of_itself(
    api: ApiCaller, coordinator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(vitals: object, since: object, now: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(coordinator.driver.core.overview, "state", fail)
    answered = await api("GET", "/cluster", headers={"X-Request-Id": "find-me"})
    assert answered.status == 500
    assert "secret" not in json.dumps(answered.body)
    assert [record.request_id for record in caplog.records if record.exc_info] == ["find-me"]  # type: ignore[attr-defined]  # extra


# ------------------------------------------------------------------------------------------------------------- what is told


async def test_the_document_needs_no_token(api: ApiCaller) -> None:
    answered = await api("GET", "/openapi.json", token="")
    assert answered.body["openapi"] == "3.1.0"
    assert answered.body["paths"] == DOCUMENT["paths"]


async def test_the_cluster_is_told(coordinator: Running, api: ApiCaller) -> None:
    server, _ = await coordinator.server(), await coordinator.client()
    report = a_report(clients=3, topics=2, busiest=[pb.TopicTraffic(topic="t", subscribers=3, records_per_second=2.0)])
    await server.send(signalling.server_status(clients=3, max_clients=9, draining=False, cpu=0.5))
    await server.send(as_frame(report))
    await until(lambda: coordinator.driver.core.stats.reports == 1, PATIENCE_S, "the report is there")
    cluster = (await api("GET", "/cluster")).body
    assert cluster["clients"] == 3
    assert cluster["servers"] == {"ready": 1, "linking": 0, "full": 0, "draining": 0, "stale": 0}
    assert (cluster["coordinator"]["clients"], cluster["auth"], cluster["revocations"]) == (1, True, 0)
    servers = (await api("GET", "/servers")).body
    assert (servers["total"], servers["next"]) == (1, None)
    assert [(each["alias"], each["clients"], each["state"]) for each in servers["servers"]] == [(str(server.alias), 3, "ready")]
    topics = (await api("GET", "/topics")).body
    assert [each["topic"] for each in topics["topics"]] == ["t"]
    assert (topics["at_least"], topics["at_most"]) == (2, 2)


async def test_peers_are_told_in_pages(coordinator: Running, api: ApiCaller) -> None:
    peers = [await coordinator.client(f"client {number}") for number in range(5)]
    server = await coordinator.server(query={"v": "1"})
    seen: list[dict[str, Any]] = []
    path = "/peers?limit=2"
    while True:
        page = (await api("GET", path)).body
        assert page["total"] == 6
        seen += page["peers"]
        if page["next"] is None:
            break
        path = f"/peers?limit=2&after={page['next']}"
    assert [int(each["alias"]) for each in seen] == sorted([*(peer.alias for peer in peers), server.alias])
    (found,) = (await api("GET", "/peers?role=client&subject=client%203")).body["peers"]
    assert (found["alias"], found["role"], found["part2"]) == (str(peers[3].alias), "client", True)
    assert found["jti"]
    assert found["request_id"] == peers[3].welcome.request_id
    assert CLOCK.now() < found["expires_at"] <= CLOCK.now() + 100
    (old,) = (await api("GET", "/peers?role=server")).body["peers"]
    assert old["part2"] is False


async def test_requests_have_a_name(api: ApiCaller) -> None:
    assert (await api("GET", "/cluster", headers={"X-Request-Id": "deploy-17"})).headers["X-Request-Id"] == "deploy-17"
    for unfit in ("a b", "x" * 65, "ä"):
        assert (await api("GET", "/cluster", headers={"X-Request-Id": unfit})).headers["X-Request-Id"] != unfit


async def test_requests_are_counted(coordinator: Running, api: ApiCaller) -> None:
    for path in ("/cluster", "/cluster", "/nothing"):
        await api("GET", path)
    await api("GET", "/cluster", token="")
    async with coordinator.http.get("/metrics") as response:
        text = await response.text()
    name = "rtcbroker_coordinator_api_requests_total"
    assert f'{name}{{operation="cluster",status="200"}} 2.0' in text
    assert f'{name}{{operation="cluster",status="401"}} 1.0' in text
    assert f'{name}{{operation="none",status="404"}} 1.0' in text
    assert "rtcbroker_coordinator_revocations 0.0" in text


# ---------------------------------------------------------------------------------------------------------- what is done


async def test_a_packet_is_handed_to_a_server(coordinator: Running, api: ApiCaller) -> None:
    answered = await api("POST", "/publish", {"topic": "t", "text": "hi"})
    assert (answered.status, answered.body["code"]) == (503, Code.NO_SERVERS)
    server = await coordinator.server()
    answered = await api("POST", "/publish", {"topic": "t", "json": {"a": 1}, "reliable": False, "identity": True})
    assert (answered.status, answered.body) == (202, {"server": str(server.alias)})
    message = await server.expect(pb.PublishMessage)
    assert (message.topic, message.body, message.reliable, message.identity) == ("t", b'{"a":1}', False, b"operator")


async def test_the_largest_packet_is_handed_on_however_it_is_written(coordinator: Running, api: ApiCaller) -> None:
    server = await coordinator.server()
    size = 64_512
    body = '{"topic": "t", "text": "' + "\\u0001" * size + '"}'
    answered = await api("POST", "/publish", data=body.encode(), headers={"Content-Type": "application/json"})
    assert answered.status == 202
    assert (await server.expect(pb.PublishMessage)).body == b"\1" * size


async def test_a_server_is_asked_to_drain(coordinator: Running, api: ApiCaller) -> None:
    server, old = await coordinator.server(), await coordinator.server("old", query={"v": "1"})
    answered = await api("POST", f"/servers/{server.alias}/drain", {"seconds": 7})
    assert (answered.status, answered.body) == (202, {"server": str(server.alias), "seconds": 7.0})
    assert (await server.expect(pb.DrainMessage)).seconds == 7
    assert (await api("POST", f"/servers/{server.alias}/drain")).status == 202
    assert (await server.expect(pb.DrainMessage)).seconds == 0
    assert (await api("POST", f"/servers/{old.alias}/drain")).kind == "old-server"
    for nobody in ("7", "x", "%20", "9" * 40):
        assert (await api("POST", f"/servers/{nobody}/drain")).kind == "no-such-server"
    assert (await api("POST", "/servers/7/drain", {"seconds": -1})).fields == ["/seconds"]


async def test_a_subject_is_disconnected_and_comes_back(coordinator: Running, api: ApiCaller) -> None:
    server, client, other = await coordinator.server(), await coordinator.client("alice"), await coordinator.client("bob")
    answered = await api("POST", "/disconnect", {"subject": "alice"})
    assert (answered.status, answered.body) == (202, {"closed_here": 1})
    assert await client.end() == (Code.DISCONNECTED, Code.DISCONNECTED.reason)
    assert (await server.expect(pb.RevokeMessage)).subject == "alice"
    assert (await coordinator.client("alice")).alias
    assert (await api("POST", "/disconnect", {"alias": str(other.alias)})).body == {"closed_here": 1}
    assert (await other.end())[0] == Code.DISCONNECTED


async def test_a_stopping_coordinator_does_nothing_any_more(coordinator: Running, api: ApiCaller) -> None:
    await coordinator.driver.close()
    answered = await api("POST", "/disconnect", {"subject": "alice"})
    assert (answered.status, answered.headers["Retry-After"]) == (503, "1")


# -------------------------------------------------------------------------------------------------------------- revocations


async def test_a_revoked_subject_is_closed_and_refused_until_its_time_is_over(coordinator: Running, api: ApiCaller) -> None:
    client = await coordinator.client("alice")
    answered = await api("POST", "/revocations", {"subject": "alice", "seconds": 1.5})
    assert answered.status == 201
    assert await client.end() == (Code.TOKEN_REVOKED, Code.TOKEN_REVOKED.reason)
    status, body, _ = await coordinator.refusal("/connect", token("alice"))
    assert (status, body["code"], body["retry"]) == (401, Code.TOKEN_REVOKED, "do not retry")
    assert (await coordinator.client("bob")).alias
    listed = (await api("GET", "/revocations")).body
    assert (listed["revocations"], listed["total"]) == ([answered.body], 1)
    await asyncio.sleep(max(0.0, answered.body["until"] - CLOCK.now()) + 0.01)
    assert (await coordinator.client("alice")).alias
    assert (await api("GET", "/revocations")).body["total"] == 0


async def test_one_token_is_revoked_and_taken_back(coordinator: Running, api: ApiCaller) -> None:
    text = token("alice", token_id="j/1 &?")
    server = await coordinator.server()
    await api("POST", "/revocations", {"jti": "j/1 &?", "seconds": 60})
    assert (await server.expect(pb.RevokeMessage)).jti == "j/1 &?"
    assert (await coordinator.refusal("/connect", text))[0] == 401
    assert (await coordinator.client("alice")).alias
    assert (await api("DELETE", "/revocations?jti=j%2F1%20%26%3F")).status == 204
    assert (await server.expect(pb.RevokeMessage)).lifted
    assert (await coordinator.join("/connect", text, {})).alias
    assert (await api("DELETE", "/revocations?jti=j%2F1%20%26%3F")).kind == "no-such-revocation"


async def test_a_server_that_comes_later_is_told_after_its_welcome(coordinator: Running, api: ApiCaller) -> None:
    await api("POST", "/revocations", {"subject": "alice", "seconds": 60})
    server = await coordinator.server()
    assert (await server.expect(pb.RevokeMessage)).subject == "alice"


async def test_another_coordinator_knows_it_too(start: Start) -> None:
    cluster = MemoryCluster()
    one, two = await start(backplane=cluster.backplane()), await start(backplane=cluster.backplane())
    client, server = await two.client("alice"), await two.server()
    await ApiCaller(one.http, admin())("POST", "/revocations", {"subject": "alice", "seconds": 60})
    assert (await client.end())[0] == Code.TOKEN_REVOKED
    assert (await server.expect(pb.RevokeMessage)).subject == "alice"
    assert (await two.refusal("/connect", token("alice")))[0] == 401
    three = await start(backplane=cluster.backplane())
    assert (await three.refusal("/connect", token("alice")))[0] == 401


async def test_there_is_an_end_to_how_many_there_are(
    coordinator: Running, api: ApiCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator.driver.core.revocations, "_most", 1)
    assert (await api("POST", "/revocations", {"subject": "a", "seconds": 60})).status == 201
    assert (await api("POST", "/revocations", {"subject": "b", "seconds": 60})).kind == "too-many-revocations"


async def test_administrators_are_not_spared(coordinator: Running, api: ApiCaller) -> None:
    page = await coordinator.dial("/dashboard/live")
    await page.send_str(json.dumps({"token": admin("rogue")}))
    assert (await page.receive_json(timeout=PATIENCE_S))["type"] == "hello"
    assert (await api("GET", "/cluster", token=admin("rogue"))).status == 200
    await api("POST", "/revocations", {"subject": "rogue", "seconds": 60})
    while (message := await page.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
        pass
    assert message.data == Code.TOKEN_REVOKED
    assert (await api("GET", "/cluster", token=admin("rogue"))).body["code"] == Code.TOKEN_REVOKED
    assert (await api("GET", "/cluster")).status == 200


@pytest.mark.parametrize("how", ["revocations", "disconnect"])
async def test_guests_of_peer_to_peer_protocols_obey_too(start: Start, how: str) -> None:
    coordinator = await start(p2p=["nextrtc"])
    api = ApiCaller(coordinator.http, admin())
    text, other = token("alice"), token("bob")
    guest = await coordinator.dial("/signaling", {"access_token": text})
    stays = await coordinator.dial("/signaling", {"access_token": other})
    await api("POST", f"/{how}", {"subject": "alice", **({"seconds": 60} if how == "revocations" else {})})
    message = await guest.receive(timeout=PATIENCE_S)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
    assert not stays.closed
    if how == "revocations":
        status, body, _ = await coordinator.refusal("/signaling", text)
        assert (status, body["code"]) == (401, Code.TOKEN_REVOKED)
    else:
        assert not (await coordinator.dial("/signaling", {"access_token": text})).closed


async def test_the_dashboards_log_says_who_did_what_and_never_shows_a_token(coordinator: Running) -> None:
    given = admin()
    api, server = ApiCaller(coordinator.http, given), await coordinator.server()
    asked: list[tuple[str, str, dict[str, Any] | None, int]] = [
        ("POST", "/publish", {"topic": "room/1", "text": "hush"}, 202),
        ("POST", "/disconnect", {"subject": "bob"}, 202),
        ("POST", "/revocations", {"jti": "x1", "seconds": 60}, 201),
        ("DELETE", "/revocations?jti=x1", None, 204),
        ("POST", f"/servers/{server.alias}/drain", {"seconds": 5}, 202),
        ("POST", "/servers/7/drain", None, 404),
    ]
    for method, path, body, status in asked:
        assert (await api(method, path, body)).status == status
    log = coordinator.driver.core.overview.journal.since(0)
    assert [line["text"] for line in log if line["kind"] == "operator"] == [
        "'operator' published to 'room/1'",
        "'operator' disconnected subject 'bob'",
        "'operator' revoked tokens with jti 'x1' for 60 s",
        "'operator' lifted the revocation of tokens with jti 'x1'",
        f"'operator' asked server {server.alias} to drain",
    ]
    assert given not in str(log)
    assert "hush" not in str(log)
