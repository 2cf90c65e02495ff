"""The client as an application sees it, against a cluster in memory."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

import pytest

from protocol import packets
from protocol.codes import Code
from protocol.errors import RtcBrokerError
from rtcbroker import (
    AuthError,
    Client,
    ClientClosed,
    ClientOptions,
    ClientState,
    ConfigError,
    ConnectError,
    NotConnected,
    RequestRefused,
    Retry,
    TokenUnavailable,
)
from tests.support.fake_cluster import URL, FakeCluster
from tests.support.poll import until

QUICK = ClientOptions(subscribe_timeout=0.05, publish_timeout=0.05, close_timeout=0.05, backoff_base=0.001, backoff_cap=0.01)
IMPATIENT = ClientOptions(connect_timeout=0.1, backoff_base=0.001, backoff_cap=0.01)


# --------------------------------------------------------------------------------------------------- connecting, closing


async def test_inside_its_block_a_client_is_connected(cluster: FakeCluster) -> None:
    client = Client(URL, token="secret")
    assert (client.state, client.alias, client.server) == (ClientState.NEW, 0, 0)
    async with client as entered:
        assert entered is client
        assert (client.state, client.alias, client.server) == (ClientState.CONNECTED, 101, 5)
        assert cluster.dials == [({"v": "2"}, "secret")]
        assert cluster.servers[5].clients[0].token == b"secret"
        assert repr(client) == "<Client 101 connected, server 5>"
    assert client.state is ClientState.CLOSED
    assert cluster.sockets == []
    await until(lambda: not cluster.servers[5].clients, 5, "the link is closed too")


async def test_a_client_is_used_once(cluster: FakeCluster) -> None:
    client = Client(URL)
    await client.connect()
    with pytest.raises(RuntimeError, match="connects once"):
        await client.connect()
    await client.close()
    await client.close()
    with pytest.raises(ClientClosed):
        await client.connect()


async def test_a_client_that_never_connected_is_closed_at_once(cluster: FakeCluster) -> None:
    client = Client(URL)
    await client.close()
    assert client.state is ClientState.CLOSED
    assert cluster.dials == []


@pytest.mark.parametrize("url", ["", "localhost:9090", "ftp://host", "ws://", "ws://host:port", "ws://[::1"])
def test_a_url_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        Client(url)


async def test_when_time_is_up_the_last_failure_is_told(cluster: FakeCluster) -> None:
    cluster.refusal = (Code.LINK_LOST, "nobody there")
    client = Client(URL, options=IMPATIENT)
    with pytest.raises(ConnectError, match="nobody there") as error:
        await client.connect()
    assert error.value.code == Code.LINK_LOST
    assert client.state is ClientState.CLOSED
    assert len(cluster.dials) > 1


async def test_a_refused_token_is_told_at_once(cluster: FakeCluster) -> None:
    cluster.refusal = (Code.TOKEN_EXPIRED, "HTTP 401")
    client = Client(URL, token="old")
    states: list[tuple[ClientState, type | None]] = []
    client.on_state(lambda state, cause: states.append((state, type(cause) if cause else None)))
    with pytest.raises(AuthError) as error:
        await client.connect()
    assert error.value.code == Code.TOKEN_EXPIRED
    assert states == [(ClientState.CONNECTING, None), (ClientState.CLOSED, AuthError)]
    with pytest.raises(ClientClosed) as closed:
        await client.publish("a", b"")
    assert closed.value.code == Code.TOKEN_EXPIRED


async def test_connecting_can_be_cancelled(cluster: FakeCluster) -> None:
    cluster.is_mute = True
    client = Client(URL)
    connecting = asyncio.create_task(client.connect())
    await until(lambda: cluster.sockets, 5, "the socket is open")
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert client.state is ClientState.CLOSED
    await client.close()
    assert cluster.sockets == []


async def test_closing_waits_until_the_server_has_everything(cluster: FakeCluster) -> None:
    client = Client(URL)
    await client.connect()
    await client.publish("a", b"last words")
    await client.close()
    assert cluster.servers[5].published == [("a", b"last words", True)]


async def test_closing_does_not_wait_for_ever(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(URL, options=QUICK)
    await client.connect()
    await client.publish("a", b"last words")
    cluster.servers[5].is_dead = True
    with caplog.at_level(logging.INFO):
        await client.close()
    assert "may not have everything" in caplog.text
    assert client.state is ClientState.CLOSED


# ------------------------------------------------------------------------------------------------------------ tokens


async def test_a_token_function_may_be_plain_or_async(cluster: FakeCluster) -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "later\n"

    async with Client(URL, token=lambda: "at once"), Client(URL, token=later):
        assert {token for _, token in cluster.dials} == {"at once", "later"}
        assert {peer.token for peer in cluster.servers[5].clients} == {b"at once", b"later"}


async def test_a_token_function_that_fails_is_asked_again_until_time_is_up(cluster: FakeCluster) -> None:
    told: list[RtcBrokerError] = []

    def get() -> str:
        raise TypeError("failed to fetch")  # as some libraries say that there is no network

    client = Client(URL, token=get, options=IMPATIENT)
    client.on_error(told.append)
    with pytest.raises(ConnectError) as caught:
        await client.connect()
    assert (caught.value.code, caught.value.retry) == (Code.TOKEN_UNAVAILABLE, Retry.SAME)
    assert caught.value.reason == "the token function failed: failed to fetch"
    assert len(told) > 1
    assert all(isinstance(error, TokenUnavailable) for error in told)
    assert cluster.dials == []


@pytest.mark.parametrize("result", [5, None, "", b"token"])
async def test_a_token_function_that_gives_no_token_is_a_mistake(cluster: FakeCluster, result: object) -> None:
    client = Client(URL, token=lambda: result)  # type: ignore[arg-type, return-value]  # wrong on purpose
    with pytest.raises(TypeError, match="the token function is wrong: it gave"):
        await client.connect()
    assert client.state is ClientState.CLOSED
    assert cluster.dials == []


async def test_a_token_function_that_gives_no_token_later_is_asked_again(cluster: FakeCluster) -> None:
    given: list[str | None] = ["first", None, "", "second"]
    told: list[RtcBrokerError] = []
    options = ClientOptions(backoff_base=0.001, backoff_cap=0.01)
    async with Client(URL, token=lambda: given.pop(0), options=options) as client:  # type: ignore[arg-type, return-value]  # wrong on purpose
        client.on_error(told.append)
        cluster.servers[5].close(Code.TOKEN_REVOKED)
        await until(lambda: client.stats.joins == 2, 5, "the client is back")
        assert [token for _, token in cluster.dials] == ["first", "second"]
        assert ["it gave NoneType" in str(error) or "it gave an empty text" in str(error) for error in told] == [True, True]


async def test_a_token_function_that_hangs_is_given_up(cluster: FakeCluster) -> None:
    options = ClientOptions(connect_timeout=0.1, token_timeout=0.02)

    async def never() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(ConnectError, match=r"the token function failed: it took longer than 0\.02 s"):
        await Client(URL, token=never, options=options).connect()


async def test_no_token_is_ever_logged(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with Client(URL, token="a very secret token") as client, client.subscribe("a"):
            await client.publish("a", b"body")
            cluster.stop_coordinator()
            await until(lambda: len(cluster.dials) == 2, 5, "the coordinator is dialed again")
        cluster.refusal = (Code.AUTH_FAILED, "HTTP 401")
        with pytest.raises(AuthError):
            await Client(URL, token=lambda: "a very secret token").connect()
    assert "client 101: connecting -> connected (joined server 5)" in caplog.text
    assert "very secret" not in caplog.text
    assert "proof of" not in caplog.text


# ----------------------------------------------------------------------------------------------- reconnects, reports


async def test_a_client_moves_to_another_server_and_its_subscriptions_with_it(cluster: FakeCluster) -> None:
    cluster.add_server(6)
    options = ClientOptions(probe_timeout=0.02, backoff_base=0.001, backoff_cap=0.01)
    async with Client(URL, options=options) as client, client.subscribe("a", "b") as heard:
        assert client.server == 5
        cluster.kill(5)
        await until(lambda: client.server == 6, 5, "the client is on the other server")
        await until(lambda: heard.acknowledged("a") is not None, 5, "its subscription is in force")
        assert cluster.servers[6].clients[0].topics == {"a", "b"}
        assert client.alias == 101  # the coordinator gave it back
        async with Client(URL) as other:
            await other.publish("a", b"still here")
            assert (await anext(heard)).body == b"still here"


async def test_a_link_outlives_the_coordinators_socket(cluster: FakeCluster) -> None:
    async with Client(URL, options=ClientOptions(backoff_base=0.001, backoff_cap=0.01)) as client, client.subscribe("a") as heard:
        states: list[ClientState] = []
        client.on_state(lambda state, cause: states.append(state))
        cluster.stop_coordinator()
        async with Client(URL) as other:
            await other.publish("a", b"meanwhile")
            assert (await anext(heard)).body == b"meanwhile"
        await until(lambda: len(cluster.dials) == 3, 5, "the coordinator is dialed again")
        assert ({"v": "2", "alias": "101", "resume": "proof of 101"}, "") in cluster.dials
        assert states == []


async def test_the_application_hears_which_coordinator_it_has(cluster: FakeCluster) -> None:
    hosts: list[str] = []
    client = Client(URL)
    end = client.on_coordinator(hosts.append)
    async with client:
        assert hosts == [urlsplit(URL).netloc]
        end()
    async with Client(URL):
        assert len(hosts) == 1


async def test_a_ping_takes_some_time(cluster: FakeCluster) -> None:
    async with Client(URL) as client:
        assert 0.0 <= await client.ping() < 1.0


async def test_a_ping_ends_with_its_connection(cluster: FakeCluster) -> None:
    cluster.add_server(6)
    async with Client(URL) as client:
        server = cluster.servers[5]
        server.is_dead = True
        pinging = asyncio.create_task(client.ping())
        await asyncio.sleep(0)
        server.clients[0].link.close()
        with pytest.raises(NotConnected):
            await pinging


async def test_refusals_are_reported(cluster: FakeCluster) -> None:
    errors: list[RtcBrokerError] = []
    async with Client(URL) as client:
        end = client.on_error(errors.append)
        peer = cluster.servers[5].clients[0]
        peer.send(packets.error(Code.RATE_LIMITED, name="a"))
        await until(lambda: errors, 5, "the error is told")
        assert isinstance(errors[0], RequestRefused)
        assert errors[0].code == Code.RATE_LIMITED
        end()
        end()
        peer.send(packets.error(Code.RATE_LIMITED))
        await client.ping()
        assert len(errors) == 1


async def test_a_callback_that_raises_harms_nobody(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    states: list[ClientState] = []

    def broken(*args: object) -> None:
        raise ValueError("a fault of the application")

    client = Client(URL)
    client.on_state(broken)
    client.on_state(lambda state, cause: states.append(state))
    client.on_error(broken)
    async with client:
        cluster.servers[5].clients[0].send(packets.error(Code.RATE_LIMITED))
        await client.ping()
    assert states == [ClientState.CONNECTING, ClientState.CONNECTED, ClientState.CLOSED]
    assert caplog.text.count("a callback of the application raised") == 4
