"""Tokens: refused at the door and again at AUTH, and good for exactly what they say."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from protocol.codes import Code
from protocol.tokens import TokenRole
from rtcbroker import AuthError, Client, ClientState, SubscriptionRefused
from rtcbroker.core.errors import RequestRefused
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all


async def status(made: Cluster, path: str, token: str | None) -> int:
    """The HTTP status of opening a WebSocket."""
    query = {} if token is None else {"access_token": token}
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(f"{made.url}{path}", params=query)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        await socket.close()
        return 101


async def test_the_door() -> None:
    """Without a token, with a wrong one, or with one of another role nobody gets in."""
    server = "/discover?role=COMMUNICATION_SERVER"
    async with cluster(0) as made:
        good = made.token()
        forged = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
        assert await status(made, "/connect", good) == 101
        assert await status(made, "/connect", None) == 401
        assert await status(made, "/connect", "nonsense") == 401
        assert await status(made, "/connect", forged) == 401
        assert await status(made, "/connect", made.token(audience="someone else")) == 401
        assert await status(made, server, good) == 403
        assert await status(made, "/connect", made.token(role=TokenRole.COMMUNICATION_SERVER)) == 403
        assert await status(made, server, made.token(role=TokenRole.COMMUNICATION_SERVER)) == 101


async def test_grants_refuse_single_topics_and_leave_the_rest() -> None:
    """ERROR names the topic; what is allowed of the same set works."""
    async with cluster(1) as made:
        token = made.token("limited", publish=("room/*",), subscribe=("room/*",))
        async with Client(made.url, token=token) as limited, Client(made.url, token=made.token("free")) as free:
            refusals: list[RequestRefused] = []
            limited.on_error(lambda error: refusals.append(error) if isinstance(error, RequestRefused) else None)
            with pytest.raises(SubscriptionRefused) as refused:
                async with limited.subscribe("room/1", "secret"):
                    pass
            assert refused.value.topics == {"secret": Code.NOT_ALLOWED}
            async with (
                limited.subscribe("room/1", "secret", partial=True) as packets,
                free.subscribe("room/1", "secret") as all_of_it,
            ):
                await free.publish("secret", b"hidden")
                await free.publish("room/1", b"shown")
                assert [packet.body for packet in await collect(packets, 1)] == [b"shown"]
                await limited.publish("secret", b"not from me")
                await limited.publish("room/1", b"from me")
                assert [packet.body for packet in await collect(all_of_it, 1)] == [b"from me"]
                await until(lambda: any(error.topic == "secret" for error in refusals), 5, "the refusal names the topic")


async def test_an_expired_token_closes_the_link_and_a_fresh_one_keeps_it() -> None:
    """A client with one short token is closed with a code; one that can get another one never notices."""
    async with cluster(1, auth_leeway="0", coordinator={"auth_leeway": "0"}) as made:
        once = Client(made.url, token=made.token("once", lifetime_s=3))
        renewing = Client(made.url, token=lambda: made.token("renewing", lifetime_s=3))
        ends: list[BaseException | None] = []
        once.on_state(lambda state, cause: ends.append(cause) if state is ClientState.CLOSED else None)
        states: list[ClientState] = []
        await once.connect()
        await renewing.connect()
        renewing.on_state(lambda state, cause: states.append(state))
        began = time.monotonic()
        await until(lambda: once.state is ClientState.CLOSED, 15, "the token has expired")
        assert isinstance(ends[0], AuthError)
        assert ends[0].code in (Code.TOKEN_EXPIRED, Code.AUTH_FAILED)
        while time.monotonic() - began < 6:  # two lifetimes, looked at all the while
            assert renewing.state is ClientState.CONNECTED
            await asyncio.sleep(0.1)
        assert states == []
        async with renewing.subscribe("square") as packets, Client(made.url, token=made.token("other")) as other:
            await heard_by_all(other, "square", [packets])
        await renewing.close()
        await once.close()


async def test_a_client_token_never_makes_a_server() -> None:
    """Also not in AUTH, whatever role the message claims: the client's packets are a client's."""
    async with cluster(1) as made, Client(made.url, token=made.token()) as client:
        assert client.server
        assert await made.servers[0].metric("rtcbroker_peers", role="client", state="active") == 1
        assert await made.servers[0].metric("rtcbroker_peers", role="server", state="active") == 0


async def test_services_refuse_to_start_without_a_key() -> None:
    """Authentication is on by default; the error says what to do."""
    async with cluster(0) as made:
        server = made.server("commserver", coordinator=made.url)
        server._environment.pop("auth_secret")
        server.spawn()
        assert server.process is not None
        assert await asyncio.to_thread(server.process.wait, 30) == 2
        assert "--auth none" in server.log.read_text()
