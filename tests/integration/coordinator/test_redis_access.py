"""How a coordinator gets into Redis: passwords, TLS, sockets; what it says when it may not; and who else is there."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.core.cluster import (
    Claim,
    Disconnect,
    Forward,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerReported,
    ServerState,
    ServerUp,
)
from protocol.errors import ConfigError
from protocol.tokens import TokenRole
from tests.support.backplanes import Node, redis_backplane
from tests.support.certificates import put_pair
from tests.support.poll import until
from tests.support.redis_server import RedisServer, free_port, redis_server

pytestmark = pytest.mark.needs("redis-server")

PASSWORD = "hush/@: hush"  # which a URL would have to escape
CLAIM = Claim(1, 7, TokenRole.CLIENT, "alice", takes_free=True)


async def works(url: str, **how: object) -> bool:
    """Whether a coordinator joins there, and is given an alias by Redis."""
    node = Node(redis_backplane(url, **how))  # type: ignore[arg-type]  # options of an Address
    await node.backplane.start(node)
    try:
        node.perform(CLAIM)
        await until(lambda: node.told, 5.0, "an answer")
        await node.settled()
        return node.news() == [("claimed", 1, 7, True)] and node.backplane.degraded() is None
    finally:
        await node.backplane.close()


async def test_by_a_socket() -> None:
    async with redis_server() as server:
        assert await works(f"unix://{server.path}")
        assert await works(f"unix://{server.path}?db=3")


async def test_with_a_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with redis_server("--requirepass", PASSWORD) as server:
        assert await works(server.url, password=PASSWORD)
        assert await works(server.url.replace("//", "//:hush%2F%40%3A%20hush@"))
        for how in ({}, {"password": "hush hush"}):
            with pytest.raises(ConfigError, match="Redis lets us not in") as raised:
                await works(server.url, **how)
            assert "hush" not in str(raised.value)
    assert "hush" not in caplog.text


async def test_a_password_that_changes_is_an_outage_like_others(caplog: pytest.LogCaptureFixture) -> None:
    async with redis_server() as server:
        node = Node(redis_backplane(server.url))
        await node.backplane.start(node)
        await node.settled()
        await server.call("CONFIG", "SET", "requirepass", PASSWORD)
        await server_drops_everyone(server)
        await until(lambda: node.backplane.degraded() is not None, 5.0, "it notices")
        node.perform(CLAIM)
        assert node.news() == [("claimed", 1, 7, True)]
        await node.backplane.close()
    assert "hush" not in caplog.text


async def server_drops_everyone(server: RedisServer) -> None:
    """Cut all connections of others."""
    client = await server.connect(PASSWORD)
    try:
        await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]  # untyped there
    finally:
        await client.aclose()


async def test_with_no_more_rights_than_the_documentation_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "backplane.md").read_text(encoding="utf-8")
    paragraph = page[page.index("An access list needs") :].split("\n\n")[0]
    rights = re.findall(r"\+[a-z|]+", paragraph)
    assert len(rights) > 20
    async with redis_server() as server:
        await server.call("ACL", "SETUSER", "broker", "on", ">secret", "~{test}:*", *rights)
        url = server.url.replace("//", "//broker:secret@")
        assert await works(url)
        await everything_is_allowed(url)


async def everything_is_allowed(url: str) -> None:
    """Each operation of the script once."""
    nodes = [Node(redis_backplane(url)) for _ in range(2)]
    for node in nodes:
        await node.backplane.start(node)
    one, two = nodes
    server = replace(CLAIM, alias=8, role=TokenRole.COMMUNICATION_SERVER)
    frame = Forward(9, 7, TokenRole.CLIENT, 2, b"frame")
    two.missing = True
    two.perform(replace(CLAIM, alias=9))
    await two.settled()
    one.perform(server, ServerUp(ServerState(8, server.role, True)), ServerReported(8, b""), frame, ServerDown(8), Release(1, 8))
    one.perform(Revoked(Revocation("jti", "x", time.time() + 60, 1.0)), Disconnect("alice"))
    for node in (one, two, one):
        await node.settled()
    assert [told[0] for told in one.news()] == ["claimed", "undeliverable"]
    assert [told[0] for told in two.news()] == ["claimed", "up", "up", "reported", "forwarded", "down", "revoked", "disconnected"]
    assert [node.backplane.stats().outages for node in nodes] == [0, 0]
    for node in nodes:
        await node.backplane.close()


async def test_over_tls(tmp_path: Path) -> None:
    put_pair(tmp_path)
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    tls += ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem")]
    async with redis_server(*tls):
        assert await works(f"rediss://127.0.0.1:{port}", ca_file=tmp_path / "cert.pem")
        with pytest.raises(ConfigError, match="not trusted; see --backplane-ca-file"):
            await works(f"rediss://127.0.0.1:{port}")


async def test_clusters_of_other_names_do_not_meet() -> None:
    async with redis_server() as server:
        nodes = [Node(redis_backplane(server.url, prefix=prefix)) for prefix in ("one", "two")]
        for node in nodes:
            await node.backplane.start(node)
            node.perform(CLAIM)
            await node.settled()
            assert node.news() == [("claimed", 1, 7, True)]
        for node in nodes:
            await node.backplane.close()
        assert await server.keys() == [f"{{{prefix}}}:{key}" for prefix in ("one", "two") for key in ("fingerprint", "renewed")]


async def test_a_stranger_who_writes_into_an_inbox_is_passed_over() -> None:
    async with redis_server() as server:
        node = Node(redis_backplane(server.url))
        await node.backplane.start(node)
        await node.settled()
        (nodes,) = await server.call("ZRANGE", "{test}:nodes", 0, -1)
        await server.call("RPUSH", f"{{test}}:inbox:{nodes.decode()}", b"gossip \xff", b"up 7 x\n{}", b"")
        await server.call("HSET", "{test}:servers", "7", "no record")
        await node.settled()
        assert node.news() == []
        assert node.backplane.stats().dropped["unreadable"] == 3
        late = Node(redis_backplane(server.url))
        await late.backplane.start(late)
        assert late.news() == []
        for each in (node, late):
            await each.backplane.close()


async def test_coordinators_with_different_secrets_say_so(caplog: pytest.LogCaptureFixture) -> None:
    async with redis_server() as server:
        nodes = [Node(redis_backplane(server.url, fingerprint=fingerprint)) for fingerprint in ("same", "same", "other")]
        for node, warned in zip(nodes, (False, False, True), strict=True):
            await node.backplane.start(node)
            assert ("--resume-secret" in caplog.text) == warned
        for node in nodes:
            await node.backplane.close()
