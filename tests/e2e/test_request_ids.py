"""One join in the logs: the same name at the coordinator, from the door on, and at the server that the join leads to."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest

from protocol import signalling
from protocol.pb import broker_pb2 as pb
from rtcbroker import Client
from tests.support.cluster import Cluster, Server, cluster
from tests.support.poll import until

SOON_S = 10.0


def logging_cluster() -> AbstractAsyncContextManager[Cluster]:
    return cluster(1, coordinator={"log_format": "json"}, log_format="json")


def entries(server: Server, **fields: object) -> list[dict[str, Any]]:
    """Log entries that have these fields."""
    found = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [entry for entry in found if fields.items() <= entry.items()]


def http_url(made: Cluster) -> str:
    return made.url.replace("ws", "http", 1)


async def test_a_join_has_one_name_in_both_logs() -> None:
    async with logging_cluster() as made:
        (server,) = made.servers
        async with Client(made.url, token=made.token("alice")) as client:
            alias = client.alias
        await until(lambda: len(entries(server, peer=alias)) == 3, SOON_S, "the server has logged the end of the link")
        at_coordinator, at_server = entries(made.coordinator, peer=alias), entries(server, peer=alias)
        (name,) = {entry["request_id"] for entry in (*at_coordinator, *at_server)}
        assert len(name) >= 16
        events = [entry["event"] for entry in at_coordinator]
        assert events[0] == f"client {alias} joined"
        assert events[1].startswith(f"client {alias} asks for server ")
        assert [entry["event"].split(f" {alias} ", 1)[1].split(":")[0] for entry in at_server] == [
            "asks for a link",
            "is active as 'alice'",
            "left",
        ]


@pytest.mark.parametrize(("given", "is_kept"), [("checkout-17", True), ("not a name!", False)])
async def test_who_joins_may_name_it(given: str, is_kept: bool) -> None:
    headers = {"X-Request-Id": given}
    async with logging_cluster() as made, aiohttp.ClientSession(http_url(made), headers=headers) as http:
        (server,) = made.servers
        async with http.ws_connect("/connect", params={"v": "2", "access_token": made.token("alice")}) as socket:
            welcome = signalling.decode_signal(await socket.receive_bytes(timeout=SOON_S))
            assert isinstance(welcome, pb.WelcomeMessage)
            name = welcome.request_id
            assert (name == given) == is_kept
            await socket.send_bytes(signalling.connect(welcome.available_servers[0]))
            await until(lambda: bool(entries(server, request_id=name)), SOON_S, "the server's log has the name")


async def test_a_refusal_is_found_by_the_name_in_its_answer() -> None:
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with logging_cluster() as made, aiohttp.ClientSession(http_url(made)) as http:
        async with http.get("/connect", headers=upgrade) as response:
            assert response.status == 401
            name = response.headers["X-Request-Id"]
        (entry,) = entries(made.coordinator, request_id=name)
        assert entry["event"].startswith("refused a peer at /connect")
