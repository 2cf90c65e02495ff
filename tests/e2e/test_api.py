"""The API over a real cluster: what a backend publishes arrives once, who is revoked is out until the time is over, who is drained ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from protocol.codes import Code
from rtcbroker import Client, ClientState, ConnectError
from tests.support.api import backend
from tests.support.cluster import SECRET, Cluster, cluster
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all, spread

PACKETS = 20
SOON_S = 15.0


@pytest.mark.parametrize("reliable", [True, False])
async def test_what_a_backend_publishes_reaches_subscribers_of_two_servers_once(reliable: bool) -> None:
    async with cluster(2) as made, spread(made, 4) as people, backend(made) as api:
        assert len({client.server for client in people}) == 2
        async with (
            people[0].subscribe("news") as one,
            people[1].subscribe("news") as two,
            people[2].subscribe("news") as three,
        ):
            await heard_by_all(people[3], "news", (one, two, three))
            for number in range(PACKETS):
                body = {"topic": "news", "text": str(number), "reliable": reliable, "identity": number % 2 == 0}
                assert (await api("POST", "/publish", body)).status == 202
            expected = [b"%d" % number for number in range(PACKETS)]
            for reader in (one, two, three):
                packets = [packet for packet in await collect(reader, PACKETS) if packet.body != b"anyone?"]
                while len(packets) < PACKETS:
                    packets += [packet for packet in await collect(reader, 1) if packet.body != b"anyone?"]
                assert sorted((packet.body for packet in packets), key=int) == expected
                assert not reliable or [packet.body for packet in packets] == expected
                assert {packet.reliable for packet in packets} == {reliable}
                assert {packet.sender for packet in packets} == {0}
                assert {packet.identity for packet in packets if int(packet.body) % 2 == 0} == {"shop"}
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await anext(reader)


async def test_who_is_revoked_is_out_until_the_time_is_over() -> None:
    async with cluster(2) as made, spread(made, 2) as people, backend(made) as api:
        for client in people:
            assert client.state is ClientState.CONNECTED
        token = made.token("alice")
        alice = Client(made.url, token=token)
        await alice.connect()
        revoked = await api("POST", "/revocations", {"subject": "alice", "seconds": 4})
        assert revoked.status == 201
        await until(lambda: alice.state is ClientState.CLOSED, SOON_S, "the client is told, and does not come back")
        back = Client(made.url, token=token)
        with pytest.raises(ConnectError) as refused:
            await back.connect()
        assert refused.value.code == Code.TOKEN_REVOKED
        assert {client.state for client in people} == {ClientState.CONNECTED}
        assert time.time() < revoked.body["until"], "the test was too slow to say anything"
        await asyncio.sleep(max(0.0, revoked.body["until"] - time.time()) + 0.1)
        async with Client(made.url, token=token) as again:
            assert again.state is ClientState.CONNECTED


async def test_a_server_that_comes_later_refuses_too_what_a_coordinator_let_in_before() -> None:
    """The token is good when the client joins the coordinator, and revoked before it is shown to a server that is new."""
    async with cluster(1) as made, backend(made) as api:
        assert (await api("POST", "/revocations", {"jti": "stolen", "seconds": 60})).status == 201
        late = await made.add_server()
        assert (await api("GET", "/cluster")).body["servers"]["ready"] == 2
        await until(lambda: bool(late.log.read_text()), SOON_S, "it runs")
        async with Client(made.url, token=made.token("alice")):
            thief = Client(made.url, token=made.token("alice", token_id="stolen"))
            with pytest.raises(ConnectError) as refused:
                await thief.connect()
            assert refused.value.code == Code.TOKEN_REVOKED


async def test_who_is_disconnected_comes_back() -> None:
    async with cluster(1) as made, backend(made) as api, Client(made.url, token=made.token("alice")) as alice:
        joins = await made.servers[0].metric("rtcbroker_joins_total")
        assert (await api("POST", "/disconnect", {"alias": str(alice.alias)})).status == 202

        async def is_back() -> bool:
            return await made.servers[0].metric("rtcbroker_joins_total") > joins and alice.state is ClientState.CONNECTED

        await until(is_back, SOON_S, "the client has joined once more")


def rtcbroker(made: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, as an operator gives it, with the cluster's secret in the environment."""
    environment = {**os.environ, "RTCBROKER_AUTH_SECRET": SECRET, "RTCBROKER_COORDINATOR": made.url}
    command = [sys.executable, "-m", "rtcbroker.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_commands_drain_a_server_and_publish() -> None:
    async with cluster(2) as made, backend(made) as api:
        aliases = [server["alias"] for server in (await api("GET", "/servers")).body["servers"]]
        drained, other = made.process_of(int(aliases[0])), made.process_of(int(aliases[1]))
        result = await asyncio.to_thread(rtcbroker, made, "drain", aliases[0], "--seconds", "1", "--wait", "30s")
        assert (result.returncode, result.stderr) == (0, "")
        assert f"gone: {aliases[0]}" in result.stdout
        assert drained.process is not None
        assert await asyncio.to_thread(drained.process.wait, SOON_S) == 0
        assert other.process is not None
        assert other.process.poll() is None
        result = await asyncio.to_thread(rtcbroker, made, "publish", "news", "hello")
        assert (result.returncode, result.stdout) == (0, f"handed to server {aliases[1]}\n")
        result = await asyncio.to_thread(rtcbroker, made, "drain", aliases[0])
        assert result.returncode == 1
        assert "there is no server" in result.stderr
