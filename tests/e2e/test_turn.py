"""A client whose only way is TURN reaches a comm server by credentials that the coordinator made: a real coordinator, a real coturn."""

from __future__ import annotations

import time

import pytest

from coordinator.core.ice import IceServers
from rtcbroker import Client, ClientOptions, ConnectError, IceServer
from tests.support.cluster import Cluster, cluster
from tests.support.coturn import SECRET, Coturn, coturn
from tests.support.poll import until
from tests.support.talk import collect, heard_by_all, spread

pytestmark = pytest.mark.needs("turnserver")

RELAY = ClientOptions(ice_transport_policy="relay")
PACKETS, SIZE = 20, 500
TALK_BYTES = 2 * PACKETS * SIZE
"""Of the bodies that `hears` sends each way: more than a handshake takes."""


def body(number: int) -> bytes:
    return b"%d" % number + bytes(SIZE)


async def hears(relayed: Client, other: Client) -> None:
    """What `other` publishes comes to `relayed`, on both channels, and back."""
    async with relayed.subscribe("there") as there, other.subscribe("back") as back:
        for number in range(PACKETS):
            for reliable in (True, False):
                await other.publish("there", body(number), reliable=reliable)
                await relayed.publish("back", body(number), reliable=reliable)
        for packets in (there, back):
            found = await collect(packets, 2 * PACKETS)
            assert [packet.body for packet in found if packet.reliable] == [body(number) for number in range(PACKETS)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_client_reaches_a_server_by_turn_and_no_other_way(transport: str) -> None:
    async with coturn() as turn, cluster(1, coordinator=turn.options(transport)) as made:
        async with (
            Client(made.url, token=made.token("relayed"), options=RELAY) as relayed,
            Client(made.url, token=made.token("other"), options=ClientOptions(ice_servers=())) as other,
        ):
            await hears(relayed, other)
            alias = relayed.alias
        users = turn.users("ALLOCATE")
        assert len(set(users)) == 1, f"one client has used it: {users}"
        expiry, _, user = users[0].partition(":")
        assert user == str(alias), "by credentials of its own"
        assert 3_000 < int(expiry) - time.time() <= 3_600
        assert set(turn.users("CHANNEL_BIND")) == {users[0]}
        await until(lambda: min(turn.relayed(users[0])) > TALK_BYTES, 10, lambda: f"coturn tells what it relayed: {_log(turn)}")


async def test_a_direct_way_is_taken_where_there_is_one() -> None:
    async with coturn() as turn, cluster(1, coordinator=turn.options()) as made:
        async with (
            Client(made.url, token=made.token("a")) as client,
            Client(made.url, token=made.token("b")) as other,
        ):
            await hears(client, other)
        # On a machine that was busy for half a second coturn may have been asked; but it had nothing to relay.
        assert all(sum(turn.relayed(user)) < TALK_BYTES for user in turn.users("ALLOCATE")), _log(turn)


async def test_a_wrong_secret_is_told_clearly(caplog: pytest.LogCaptureFixture) -> None:
    wrong = {"secret": "not the secret that coturn has"}
    async with coturn() as turn, cluster(1, coordinator=turn.options(**wrong)) as made:
        impatient = ClientOptions(ice_transport_policy="relay", connect_timeout=3.0)
        with pytest.raises(ConnectError) as error:
            await Client(made.url, token=made.token("relayed"), options=impatient).connect()
        assert f"{turn.url()}: 401 Unauthorized (it refuses the user name or the credential)" in error.value.reason
        assert turn.users("ALLOCATE") == []
        async with Client(made.url, token=made.token("direct")) as client:
            assert 0 < await client.ping() < 5, "whoever has another way takes it"
        assert wrong["secret"] not in made.coordinator.log.read_text() + caplog.text


async def test_a_turn_server_that_may_not_relay_to_the_comm_server_is_told_clearly() -> None:
    """As docs/ice.md has it, it relays to the comm servers that its operator names, and to nobody else."""
    impatient = ClientOptions(ice_transport_policy="relay", connect_timeout=3.0)
    async with coturn(peer="203.0.113.11") as turn, cluster(1, coordinator=turn.options()) as made:
        with pytest.raises(ConnectError) as error:
            await Client(made.url, token=made.token("relayed"), options=impatient).connect()
        assert f"{turn.url()}: 403 Forbidden IP for 127.0.0.1" in error.value.reason


async def test_relays_alone_where_there_is_no_turn_server_are_told_clearly() -> None:
    impatient = ClientOptions(ice_transport_policy="relay", connect_timeout=2.0)
    async with cluster(1) as made:
        with pytest.raises(ConnectError, match="no TURN server is known"):
            await Client(made.url, token=made.token("relayed"), options=impatient).connect()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_servers_link_by_turn_and_no_other_way(transport: str) -> None:
    """As behind a firewall that lets nothing else out: what clients of two servers say to each other crosses the relay."""
    async with coturn() as turn, cluster(2, coordinator=turn.options(transport), ice_transport_policy="relay") as made:
        async with spread(made, 2) as (one, other):
            assert one.server != other.server
            async with one.subscribe("to/one") as to_one, other.subscribe("to/other") as to_other:
                await heard_by_all(one, "to/other", [to_other])
                await heard_by_all(other, "to/one", [to_one])
                for number in range(PACKETS):
                    await one.publish("to/other", body(number), reliable=True)
                    await other.publish("to/one", body(number), reliable=True)
                for packets in (to_one, to_other):
                    bodies: list[bytes] = []
                    while len(bodies) < PACKETS:
                        [packet] = await collect(packets, 1)
                        bodies += [] if packet.body == b"anyone?" else [packet.body]
                    assert bodies == [body(number) for number in range(PACKETS)]
            servers = {str(one.server), str(other.server)}
        users = [user for user in turn.users("ALLOCATE") if user.partition(":")[2] in servers]
        assert len(set(users)) == 1, f"one of the two dials, by credentials of its own: {users}"
        for server in made.servers:
            await server.terminate()
        await until(
            lambda: min(turn.relayed(users[0])) > PACKETS * SIZE, 10, lambda: f"coturn tells what it relayed: {_log(turn)}"
        )


async def test_servers_without_a_relay_that_may_use_nothing_else_stay_apart() -> None:
    async with coturn(peer="203.0.113.11") as turn, cluster(1, coordinator=turn.options(), ice_transport_policy="relay") as made:
        second = await made.add_server(ice_transport_policy="relay", setup_timeout="3")
        told = f"{turn.url()}: 403 Forbidden IP for 127.0.0.1"
        await until(lambda: told in second.log.read_text(), 15, lambda: f"it says why: {second.log.read_text()[-2_000:]}")
        assert await second.metric("rtcbroker_peers", role="server", state="active") == 0


async def test_fixed_credentials_of_the_application_serve_as_well() -> None:
    """As an application with a TURN server of its own has them: here made as the coordinator would make them."""
    async with coturn() as turn, cluster(1) as made:
        (server,) = IceServers([turn.url()], turn_secret=SECRET.encode(), lifetime_s=600).issue("app", time.time()).servers
        own = IceServer(server.urls, server.username, server.credential)
        options = ClientOptions(ice_servers=(own,), ice_transport_policy="relay")
        async with Client(made.url, token=made.token("relayed"), options=options) as client:
            assert 0 < await client.ping() < 5
        assert set(turn.users("ALLOCATE")) == {server.username}


async def test_credentials_that_end_are_renewed_and_a_link_outlives_them() -> None:
    """The first link goes on after its credentials have ended; the next one is made with others."""
    lifetime_s = 10
    async with (
        coturn() as turn,
        cluster(2, coordinator=turn.options(ice_turn_lifetime=str(lifetime_s))) as made,
        Client(made.url, token=made.token("relayed"), options=RELAY) as client,
    ):
        first = turn.users("ALLOCATE")[-1]
        await until(lambda: time.time() > float(first.split(":")[0]) + 2, lifetime_s + 5, "they have ended")
        assert 0 < await client.ping() < 5
        await _lose_server(made, client)
        second = turn.users("ALLOCATE")[-1]
        assert second.split(":")[1] == first.split(":")[1] == str(client.alias)
        assert float(second.split(":")[0]) > time.time() > float(first.split(":")[0])
        assert 0 < await client.ping() < 5


async def _lose_server(made: Cluster, client: Client) -> None:
    lost = client.server
    made.process_of(lost).kill()
    await until(lambda: client.server not in (0, lost), 30, "the client is on the other server")


def _log(turn: Coturn) -> str:
    return turn.log.read_text(errors="replace")[-3_000:]
