"""The API of a coordinator that is cut off from the others: it does what it can, and says what it could not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from coordinator.io.backplane import MemoryCluster
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from tests.integration.coordinator.conftest import PATIENCE_S, Peer, Running, Start, token
from tests.support.api import Answered, ApiCaller
from tests.support.backplanes import redis_backplane
from tests.support.poll import until
from tests.support.redis_server import RedisServer, redis_server

BACK_S = 10.0


def is_refused(answered: Answered, why: str) -> bool:
    """As what needs the others."""
    assert (answered.status, answered.kind) == (503, "backplane-away"), answered
    assert answered.headers["Retry-After"] == "1"
    assert "is away" in answered.body["detail"]
    return why in str(answered.body["detail"])


@dataclass
class Two:
    """Coordinators on one Redis; `server` is a comm server at the second."""

    redis: RedisServer
    here: Running
    there: Running
    server: Peer
    api: ApiCaller
    """Of the first."""

    async def cut(self) -> None:
        """Redis is killed, and both know."""
        self.redis.kill()
        both = (self.here.driver, self.there.driver)
        await until(lambda: all(each.away() is not None for each in both), PATIENCE_S, "both notice")


@pytest.fixture
async def two(start: Start) -> AsyncIterator[Two]:
    async with redis_server() as redis:
        here, there = [await start(backplane=redis_backplane(redis.url)) for _ in range(2)]
        server = await there.server()
        api = ApiCaller(here.http, token("operator", TokenRole.ADMIN))

        async def known() -> bool:
            return bool((await api("GET", "/servers")).body["total"] == 1)

        await until(known, PATIENCE_S, "the server of the other coordinator is known")
        yield Two(redis, here, there, server, api)


@pytest.mark.needs("redis-server")
async def test_nothing_is_taken_that_only_another_coordinator_could_do(two: Two) -> None:
    assert (await two.api("POST", "/publish", {"topic": "t", "text": "before"})).status == 202
    assert (await two.server.expect(pb.PublishMessage)).body == b"before"
    await two.cut()
    assert is_refused(await two.api("POST", "/publish", {"topic": "t", "text": "lost?"}), "nothing was published")
    drained = await two.api("POST", f"/servers/{two.server.alias}/drain", {"seconds": 5})
    assert is_refused(drained, f"server {two.server.alias} was not asked")
    assert (await two.api("POST", "/servers/7/drain")).kind == "no-such-server"
    assert (await two.api("GET", "/cluster")).status == 200
    await two.redis.start()
    await until(lambda: two.here.driver.unready() is None and two.there.driver.unready() is None, BACK_S, "both are back")
    assert (await two.api("POST", "/publish", {"topic": "t", "text": "after"})).status == 202
    assert (await two.server.expect(pb.WelcomeMessage)).alias == two.server.alias
    assert (await two.server.expect(pb.PublishMessage)).body == b"after", "what was refused was not kept"


@pytest.mark.needs("redis-server")
async def test_who_is_here_is_disconnected_and_the_others_part_is_refused(two: Two) -> None:
    alice, elsewhere = await two.here.client("alice"), await two.there.client("alice")
    await two.cut()
    assert is_refused(await two.api("POST", "/disconnect", {"subject": "alice"}), "1 sockets here were closed")
    assert (await alice.end())[0] == Code.DISCONNECTED
    assert is_refused(await two.api("POST", "/disconnect", {"alias": str(elsewhere.alias)}), "0 sockets here were closed")
    assert not elsewhere.socket.closed
    assert (await two.api("POST", "/revocations", {"subject": "alice", "seconds": 60})).status == 201
    await two.redis.start()
    assert (await elsewhere.end())[0] == Code.TOKEN_REVOKED, "revocations are told when Redis is back"


@pytest.mark.needs("redis-server")
async def test_servers_of_its_own_go_on(two: Two) -> None:
    server = await two.here.server("own")
    await server.send(signalling.server_status(clients=0, max_clients=0, draining=False, cpu=0.0))
    core = two.here.driver.core
    await until(lambda: core.server_conditions(0.0)["ready"] == 2, PATIENCE_S, "both have said that they are linked")
    await two.cut()
    for number in range(20):
        answered = await two.api("POST", "/publish", {"topic": f"t/{number}", "text": "x"})
        assert (answered.status, answered.body) == (202, {"server": str(server.alias)})
    assert (await two.api("POST", f"/servers/{server.alias}/drain", {"seconds": 5})).status == 202


@pytest.mark.needs("redis-server")
async def test_commands_say_so(two: Two) -> None:
    await two.cut()
    for command in (["publish", "news", "hello"], ["drain", str(two.server.alias), "--wait", "5s"]):
        done = await asyncio.to_thread(_command, two.here.port, command)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "is away for" in done.stderr
        assert done.stderr.count("\n") == 1


async def test_without_a_server_it_is_no_matter_of_the_backplane(start: Start) -> None:
    running = await start(backplane=MemoryCluster().backplane())
    api = ApiCaller(running.http, token("operator", TokenRole.ADMIN))
    assert (await api("POST", "/publish", {"topic": "t"})).kind == "no-servers"


def _command(port: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RTCBROKER_ADMIN_TOKEN": token("operator", TokenRole.ADMIN)}
    command = [sys.executable, "-m", "rtcbroker.cli", *arguments, "--coordinator", f"http://127.0.0.1:{port}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
