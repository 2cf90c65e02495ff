"""AppRTC over real sockets, with a plain HTTP and WebSocket client: statuses, headers and texts to the letter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from yarl import URL

from coordinator.core.ice import IceServers
from coordinator.core.store import MESSAGE_OVERHEAD_BYTES
from coordinator.p2p.core import collider as collider_core
from coordinator.p2p.core.limits import Limits
from tests.integration.coordinator.conftest import CLOCK, PATIENCE_S
from tests.support.apprtc_site import COMPLAINT, MAX_MESSAGE, ROOM_SERVER, SAID, Answer, Site, apprtc_site, end_of, text_of
from tests.support.poll import until

Opened = Callable[..., Awaitable[Site]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """`await opened(option=..)`: a site, until the end of the test."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> Site:
            return await stack.enter_async_context(apprtc_site(CLOCK, **options))

        yield make


@pytest.fixture
async def site(opened: Opened) -> Site:
    return await opened()


# -------------------------------------------------------------------------------------------------------- room server


async def test_the_first_join_to_the_letter(site: Site) -> None:
    answer = await site.post("/join/room-1?it=relay", "this is ignored")
    assert (answer.status, answer.headers) == (200, ROOM_SERVER)
    params = answer.json["params"]
    client = params["client_id"]
    assert answer.json == {
        "result": "SUCCESS",
        "params": {
            "error_messages": [],
            "warning_messages": [],
            "header_message": None,
            "is_loopback": "false",
            "pc_config": '{"iceServers": [], "bundlePolicy": "max-bundle", "rtcpMuxPolicy": "require", "iceTransports": "relay"}',
            "pc_constraints": '{"optional": []}',
            "offer_options": "{}",
            "media_constraints": '{"audio": true, "video": true}',
            "ice_server_url": f"{site.url}/apprtc/v1alpha/iceconfig?key=",
            "ice_server_transports": "",
            "include_loopback_js": "",
            "wss_url": f"ws://{site.host}/collider/ws",
            "wss_post_url": f"{site.url}/collider",
            "bypass_join_confirmation": "false",
            "version_info": "null",
            "room_id": "room-1",
            "room_link": f"{site.url}/apprtc/r/room-1?it=relay",
            "client_id": client,
            "is_initiator": "true",
            "messages": [],
        },
    }
    assert len(client) == 8
    assert client.isdecimal()


async def test_second_and_third(site: Site) -> None:
    first = await site.join()
    assert await site.post(f"/message/room/{first['client_id']}", "größe <b>") == (200, ROOM_SERVER, '{"result": "SUCCESS"}')
    second = await site.join()
    assert (second["is_initiator"], second["messages"]) == ("false", ["größe <b>"])
    assert await site.post("/join/room") == (200, ROOM_SERVER, '{"result": "FULL", "params": {"messages": []}}')


async def test_no_room_left_in_the_whole_server(opened: Opened) -> None:
    site = await opened(limits=Limits(max_rooms=1))
    await site.join()
    assert await site.post("/join/other") == (200, ROOM_SERVER, '{"result": "ERROR", "params": {"messages": []}}')


async def test_messages(site: Site) -> None:
    client = (await site.join())["client_id"]
    answers = {
        "other/12345678": "UNKNOWN_ROOM",
        "room/12345678": "UNKNOWN_CLIENT",
        f"room/{client}": "SUCCESS",
    }
    for path, result in answers.items():
        assert await site.post(f"/message/{path}?x=y", "m") == (200, ROOM_SERVER, f'{{"result": "{result}"}}')
    assert await site.post(f"/message/room/{client}", b"\xff") == (200, ROOM_SERVER, '{"result": "ERROR"}')
    assert (await site.post(f"/message/room/{client}", "x" * (MAX_MESSAGE + 1))).status == 413
    assert (await site.join())["messages"] == ["m"]


async def test_a_message_without_a_length_is_bounded_too(site: Site) -> None:
    client = (await site.join())["client_id"]

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100):
            yield b"x" * 100

    for size, status in ((MAX_MESSAGE, 200), (MAX_MESSAGE + 100, 413)):
        async with site.http.post(f"{site.url}/apprtc/message/room/{client}", data=chunks(size)) as response:
            assert response.status == status
    assert (await site.join())["messages"] == ["x" * MAX_MESSAGE]


async def test_a_message_collider_does_not_take(site: Site) -> None:
    client = (await site.join())["client_id"]
    await site.join()
    assert await site.post(f"/message/room/{client}", "") == (500, ROOM_SERVER, "")


async def test_leaving(site: Site) -> None:
    first, second = await site.join(), await site.join()
    for path in ("other/1", "room/12345678", f"room/{first['client_id']}", f"room/{first['client_id']}"):
        assert await site.post(f"/leave/{path}") == (200, ROOM_SERVER, "")
    await site.post(f"/message/room/{second['client_id']}", "stay1")
    third = await site.join()
    assert (third["is_initiator"], third["messages"]) == ("false", ["stay1"])


async def test_bye_at_the_room_server(site: Site) -> None:
    client = (await site.join())["client_id"]
    assert await site.post("/bye/other/1") == (200, ROOM_SERVER, "")
    assert site.service.members == 1
    assert await site.post(f"/bye/room/{client}") == (200, ROOM_SERVER, "")
    assert site.service.members == 0


async def test_params(site: Site) -> None:
    answer = await site.get("/params?debug=loopback&it=relay")
    assert (answer.status, answer.headers) == (200, ROOM_SERVER)
    joined = await site.join("r", "?debug=loopback&it=relay")
    for key in ("room_id", "room_link", "client_id", "is_initiator", "messages"):
        del joined[key]
    assert answer.json == joined
    assert site.service.members == 2, "with the loopback"


async def test_pages(site: Site) -> None:
    home, room = (await site.get("/?it=relay")).json, (await site.get("/r/room?it=relay")).json
    assert home == {"params": (await site.get("/params?it=relay")).json, "room_full": False}
    link = f"{site.url}/apprtc/r/room?it=relay"
    assert room == {"params": {**home["params"], "room_id": "room", "room_link": link}, "room_full": False}
    await site.join()
    assert not (await site.get("/r/room")).json["room_full"]
    await site.join()
    assert (await site.get("/r/room")).json["room_full"]
    assert not (await site.get("/r/other")).json["room_full"]
    assert site.service.members == 2


async def test_the_home_page_has_one_address(site: Site) -> None:
    answer = await site.get("?access_token=a%2Fb&it=relay")
    assert answer.status == 307
    assert answer.headers["Location"] == "/apprtc/?access_token=a%2Fb&it=relay"


async def test_what_a_client_says_of_itself(site: Site) -> None:
    event = json.dumps({"type": "event", "request_time_ms": 1, "event": {"event_type": 1, "event_time_ms": 1}})
    assert await site.post("/a/", event) == (200, ROOM_SERVER, '{"result": "SUCCESS"}')
    assert await site.post("/a/", "{}") == (200, ROOM_SERVER, '{"result": "INVALID_REQUEST"}')


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_ice_servers(opened: Opened, method: str) -> None:
    site = await opened()
    assert await site.ask(method, "/v1alpha/iceconfig?key=k") == (200, ROOM_SERVER, '{"iceServers": []}')
    site = await opened(ice=IceServers(["stun:a.example", "turn:b.example"], username="u", credential="c"))
    answer = await site.ask(method, "/v1alpha/iceconfig")
    turn = {"urls": ["turn:b.example"], "username": "u", "credential": "c"}
    assert answer.json == {"iceServers": [{"urls": ["stun:a.example"]}, turn]}


async def test_credentials_that_end_are_for_each_request(opened: Opened) -> None:
    site = await opened(ice=IceServers(["turn:b.example"], turn_secret=b"secret", lifetime_s=600))
    first, second = (await site.post("/v1alpha/iceconfig")).json, (await site.post("/v1alpha/iceconfig")).json
    assert first["lifetimeDuration"] == "600s"
    (one,), (two,) = first["iceServers"], second["iceServers"]
    assert one["username"].partition(":")[2] != two["username"].partition(":")[2]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", {"GET", "HEAD"}),
        ("POST", "/r/room", {"GET", "HEAD"}),
        ("POST", "/params", {"GET", "HEAD"}),
        ("GET", "/join/room", {"POST"}),
        ("GET", "/message/room/1", {"POST"}),
        ("DELETE", "/leave/room/1", {"POST"}),
        ("GET", "/bye/room/1", {"POST"}),
        ("PUT", "/v1alpha/iceconfig", {"GET", "HEAD", "POST"}),
        ("GET", "/a/", {"POST"}),
    ],
)
async def test_a_wrong_method(site: Site, method: str, path: str, allowed: set[str]) -> None:
    answer = await site.ask(method, path)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize(
    "path", ["/join/a.b", "/join/a%20b", "/join/", "/join/%C3%BC", f"/join/{'x' * 257}", "/join/a/b", "/message/a", "/leave/a/b!"]
)
async def test_what_is_no_id(site: Site, path: str) -> None:
    assert (await site.post(path)).status == 404


async def test_the_longest_id_and_every_sign(site: Site) -> None:
    await site.join("azAZ09_-" + "x" * 248)


async def test_nothing_of_the_query_becomes_a_tag(site: Site) -> None:
    answer = await site.get("/params?it=<script>alert(1)</script>&hd=true&video=<b>%26</b>&tt=</script>")
    assert not set("<>&") & set(answer.body)
    assert answer.json["ice_server_transports"] == "</script>"
    assert answer.json["warning_messages"] == ['The "hd" parameter has overridden video=<b>&</b>']


async def test_high_definition_for_chrome_on_a_desktop(site: Site) -> None:
    answer = await site.get("/params", **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0.0.0"})
    video = json.loads(answer.json["media_constraints"])["video"]
    assert video == {"mandatory": {}, "optional": [{"minWidth": "1280"}, {"minHeight": "720"}]}


async def test_addresses_are_of_the_host_that_was_asked_and_rooms_of_all(site: Site) -> None:
    """Collider knows rooms by name alone: were they apart at the room server, callers of two hosts would meet in one half only."""
    await site.join()
    answer = await site.post("/join/room", Host="Other.example")
    assert (answer.json["result"], answer.json["params"]["is_initiator"]) == ("SUCCESS", "false")
    assert answer.json["params"]["room_link"] == "http://other.example/apprtc/r/room"
    assert (await site.get("/params", Host="no host at all")).status == 400
    assert (await site.get("/params", Host="x" * 300)).status == 400


async def test_a_public_url_stands_for_every_host(opened: Opened) -> None:
    site = await opened(public_url="https://rtc.example")
    params = await site.join()
    assert params["room_link"] == "https://rtc.example/apprtc/r/room"
    assert (params["wss_url"], params["wss_post_url"]) == ("wss://rtc.example/collider/ws", "https://rtc.example/collider")
    assert (await site.post("/join/room", Host="other.example")).json["params"]["is_initiator"] == "false"


# ----------------------------------------------------------------------------------------------------------- Collider


async def test_a_call(site: Site) -> None:
    caller, socket = await site.join(), None
    socket = await site.register(caller)
    await site.post(f"/message/room/{caller['client_id']}", '{"type":"offer"}')
    callee = await site.join()
    assert callee["messages"] == ['{"type":"offer"}']
    other = await site.register(callee)
    await other.send_str('{"cmd":"send","msg":"{\\"type\\":\\"answer\\"}"}\n')
    assert await text_of(socket) == '{"msg":"{\\"type\\":\\"answer\\"}","error":""}\n'
    assert (await site.post(f"/message/room/{caller['client_id']}", "candidate")).json == {"result": "SUCCESS"}
    assert await text_of(other) == '{"msg":"candidate","error":""}\n'

    await site.post(f"/leave/room/{callee['client_id']}")
    await other.send_bytes(b'{"cmd":"send","msg":"bye"}')
    assert await text_of(socket) == '{"msg":"bye","error":""}\n'
    await other.close()
    assert (await site.ask("DELETE", f"{callee['wss_post_url']}/room/{callee['client_id']}")).body == "OK\n"
    assert (await site.post(f"/message/room/{caller['client_id']}", "again")).json == {"result": "SUCCESS"}
    assert (await site.join())["messages"] == ["again"]


async def test_who_crashed_makes_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer runs although nothing else happens."""
    monkeypatch.setattr(collider_core, "ABSENCE_S", 0.1)
    caller, crashing = await site.join(), await site.join()
    await site.register(caller)
    socket = await site.register(crashing)
    assert (await site.post("/join/room")).json["result"] == "FULL"
    await socket.close()
    await until(lambda: site.service.members == 1, PATIENCE_S, "it is removed")
    assert (await site.join())["is_initiator"] == "false"


async def test_who_has_only_posted_is_removed_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collider_core, "ABSENCE_S", 0.1)
    caller = (await site.join())["client_id"]
    await site.post(f"{site.collider}/room/{caller}", "m")
    await until(lambda: site.service.collider.members == site.service.members == 0, PATIENCE_S, "it is removed")


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ('{"cmd":"register","roomid":"r"}', "Invalid register request: missing 'clientid' or 'roomid'"),
        ('{"cmd":"send","msg":"m"}', "Client not registered"),
        ("hello", "websocket.JSON.Receive error: this is no JSON"),
    ],
)
async def test_an_error_and_the_end_of_the_socket(site: Site, frame: str, error: str) -> None:
    for url in (f"{site.url}/collider/ws", f"{site.collider}/ws"):
        socket = await site.dial(url)
        await socket.send_str(frame)
        assert await text_of(socket) == f'{{"msg":"","error":"{error}"}}\n'
        assert await end_of(socket) == (1000, "")


async def test_an_error_and_the_socket_stays(site: Site) -> None:
    socket = await site.dial()
    for _ in range(2):
        await socket.send_str('{"cmd":"dance"}')
        assert await text_of(socket) == '{"msg":"","error":"Invalid message: unexpected \'cmd\'"}\n'


async def test_posting(site: Site) -> None:
    for base, room in ((site.collider, "a"), (f"{site.url}/collider", "b")):
        assert await site.post(f"{base}/{room}/1", "") == (500, COMPLAINT, "Empty request body\n")
        assert await site.post(f"{base}/{room}/1", "one") == (200, SAID, "OK\n")
        assert await site.post(f"{base}/{room}/2", b"\xff\xc3\xbc") == (200, SAID, "OK\n")
        full = "Failed to send the message: Max room capacity reached\n"
        assert await site.post(f"{base}/{room}/3", "three") == (500, COMPLAINT, full)
        socket = await site.dial()
        await socket.send_json({"cmd": "register", "roomid": room, "clientid": "1"})
        assert await text_of(socket) == '{"msg":"\\ufffd\\u00fc","error":""}\n'
    too_long = await site.post(f"{site.collider}/a/1", "x" * (MAX_MESSAGE + 1))
    assert (too_long.status, too_long.headers) == (413, SAID)


async def test_too_many_waiting(opened: Opened) -> None:
    site = await opened(limits=Limits(max_room_bytes=MESSAGE_OVERHEAD_BYTES + 3))
    assert (await site.post(f"{site.collider}/a/1", "123")).status == 200
    full = "Failed to send the message: Too many messages queued for the client\n"
    assert await site.post(f"{site.collider}/a/1", "4") == (500, COMPLAINT, full)


async def test_deleting(site: Site) -> None:
    params = await site.join()
    socket = await site.register(params)
    for path in ("room/12345678", "other/1", f"room/{params['client_id']}", f"room/{params['client_id']}"):
        assert await site.ask("DELETE", f"{site.collider}/{path}") == (200, SAID, "OK\n")
    assert await end_of(socket) == (1000, "")
    assert (site.service.members, site.service.collider.members) == (0, 0)


async def test_bye_at_collider(site: Site) -> None:
    registered, only_joined = await site.join(), await site.join()
    socket = await site.register(registered)
    for params in (registered, only_joined):
        assert await site.post(f"{site.collider}/bye/room/{params['client_id']}") == (200, SAID, "OK\n")
    assert await end_of(socket) == (1000, "")
    assert (site.service.members, site.service.collider.members) == (0, 0)
    assert await site.post(f"{site.collider}/bye/room/1") == (200, SAID, "OK\n")


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "PUT", "PATCH", "HEAD"])
async def test_other_methods(site: Site, method: str) -> None:
    assert await site.ask(method, f"{site.collider}/room/1") == (200, SAID, "")


@pytest.mark.parametrize(
    ("method", "path", "shown"),
    [
        ("GET", "/", "/"),
        ("POST", "/room", "/room"),
        ("DELETE", "/a/b/c", "/a/b/c"),
        ("POST", "//b", "//b"),
        ("POST", "/a/", "/a/"),
        ("GET", "/bye/a/b", "/bye/a/b"),
        ("POST", "/a/b%2Fc", "/a/b/c"),
        ("GET", "/%3Cb%3E%26'%22", "/&lt;b&gt;&amp;&#x27;&quot;"),
        ("GET", "/%FF", "/\ufffd"),
    ],
)
async def test_paths_that_are_none(site: Site, method: str, path: str, shown: str) -> None:
    url = URL(f"{site.collider}{path}", encoded=True)
    async with site.http.request(method, url) as response:
        answer = Answer(response.status, response.headers, await response.text())
    assert answer == (500, COMPLAINT, f"Invalid path: {shown}\n")


async def test_the_status(site: Site) -> None:
    await site.register(await site.join())
    socket = await site.dial()
    await socket.send_str("nonsense")
    await text_of(socket)
    await site.post(f"{site.collider}/room")
    for method in ("GET", "POST"):
        answer = await site.ask(method, f"{site.collider}/status")
        assert answer.headers == {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET",
            "Content-Type": "application/json; charset=utf-8",
        }
        up = answer.json["upsec"]
        assert isinstance(up, float)
        assert 0 <= up < 60
        assert answer.body == f'{{"upsec":{up},"openws":1,"totalws":1,"wserrors":1,"httperrors":1}}\n'


async def test_no_websocket(site: Site) -> None:
    for url in (f"{site.collider}/ws", f"{site.url}/collider/ws"):
        answer = await site.get(url)
        assert (answer.status, answer.body) == (400, "not websocket protocol")
        answer = await site.post(url)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
