"""An allocation as a transport: what is sent when, what is lost, and how it ends; with a client that speaks to nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioice import stun

from tests.support.poll import until
from transport.fastpath import relay
from transport.fastpath.relay import MAX_BINDING, MAX_UNSENT_BYTES, Relay

PEER, OTHER = ("192.0.2.1", 4000), ("192.0.2.2", 4000)


class Inner(asyncio.DatagramTransport):
    """The socket to the server."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.closed = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed > 0

    def close(self) -> None:
        self.closed += 1


class Client:
    """In the place of aioice's client."""

    relayed_address = ("203.0.113.1", 5000)
    mapped_address = ("203.0.113.9", 6000)

    def __init__(self) -> None:
        self.receiver: Any = None
        self.peer_to_channel: dict[tuple[str, int], int] = {}
        self.channel_to_peer: dict[int, tuple[str, int]] = {}
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.bound: list[int] = []
        self.deleted = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.error: Exception | None = None

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr not in self.peer_to_channel:
            await self.answers.wait()
            if self.error is not None:
                raise self.error
            number = 0x4000 + len(self.peer_to_channel)
            self.peer_to_channel.setdefault(addr, number)
            self.channel_to_peer[number] = addr
        self.sent.append((data, addr))

    async def channel_bind(self, number: int, addr: tuple[str, int]) -> None:
        assert self.channel_to_peer[number] == addr
        self.bound.append(number)
        if self.error is not None:
            raise self.error

    async def delete(self) -> None:
        self.deleted += 1
        await self.answers.wait()


class World:
    def __init__(self) -> None:
        self.inner, self.client, self.receiver = Inner(), Client(), asyncio.DatagramProtocol()
        self.refused: list[Any] = []
        client: Any = self.client
        self.relay = Relay(self.inner, client, self.receiver, lambda *what: self.refused.append(what))

    async def end(self) -> None:
        self.relay.close()
        await until(lambda: self.inner.closed, 5, "the socket is closed")


async def test_it_knows_its_addresses_and_tells_its_receiver() -> None:
    world = World()
    assert world.relay.relayed == ("203.0.113.1", 5000)
    assert world.relay.mapped == ("203.0.113.9", 6000)
    assert world.client.receiver is world.receiver
    await world.end()


async def test_the_first_datagram_waits_for_its_channel_and_later_ones_go_at_once() -> None:
    world = World()
    world.client.answers.clear()
    world.relay.sendto(b"first", PEER)
    await asyncio.sleep(0)
    assert world.client.sent == []
    world.client.answers.set()
    await until(lambda: world.client.sent == [(b"first", PEER)], 5, "it is sent")
    world.relay.sendto(b"second", PEER)
    assert world.client.sent[1:] == [(b"second", PEER)], "without another turn of the loop"
    await world.end()


async def test_no_more_wait_for_a_channel_than_a_handshake_needs() -> None:
    world = World()
    world.client.answers.clear()
    for number in range(2 * MAX_BINDING):
        world.relay.sendto(b"%d" % number, PEER)
    world.client.answers.set()
    await until(lambda: len(world.client.sent) == MAX_BINDING, 5, "those that waited are sent")
    await asyncio.sleep(0)
    assert len(world.client.sent) == MAX_BINDING
    await world.end()


@pytest.mark.parametrize("error", [stun.TransactionTimeout(), ConnectionError("no channel number left")])
async def test_a_channel_that_cannot_be_had_costs_its_datagram_alone(error: Exception) -> None:
    world = World()
    world.client.error = error
    world.relay.sendto(b"lost", PEER)
    await asyncio.sleep(0.01)
    world.client.error = None
    world.relay.sendto(b"sent", OTHER)
    await until(lambda: world.client.sent == [(b"sent", OTHER)], 5, "the other one is sent")
    assert world.refused == []
    await world.end()


async def test_a_peer_that_is_refused_is_told() -> None:
    world = World()
    world.client.error = stun.TransactionFailed(stun.Message(stun.Method.CHANNEL_BIND, stun.Class.ERROR))
    world.relay.sendto(b"lost", PEER)
    await until(lambda: world.refused == [(PEER, world.client.error)], 5, "it is told")
    await world.end()


async def test_what_the_servers_socket_does_not_take_is_lost() -> None:
    world = World()
    world.client.peer_to_channel[PEER] = 0x4000
    world.inner.unsent = MAX_UNSENT_BYTES + 1
    world.relay.sendto(b"late", PEER)
    world.inner.unsent = MAX_UNSENT_BYTES
    world.relay.sendto(b"sent", PEER)
    world.relay.sendto(b"to nobody")
    assert world.client.sent == [(b"sent", PEER)]
    await world.end()


async def test_channels_are_renewed_and_one_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RENEW_S", 0.01)
    world = World()
    world.client.channel_to_peer = {0x4000: PEER, 0x4001: OTHER}
    world.client.error = stun.TransactionTimeout()
    await until(lambda: world.client.bound[:4] == [0x4000, 0x4001] * 2, 5, "both are renewed, twice")
    await world.end()


async def test_at_its_end_nothing_is_sent_and_the_allocation_is_freed_once() -> None:
    world = World()
    world.client.peer_to_channel[PEER] = 0x4000
    world.client.answers.clear()
    world.relay.sendto(b"waits", OTHER)
    assert not world.relay.is_closing()
    world.relay.close()
    world.relay.close()
    assert world.relay.is_closing()
    world.relay.sendto(b"late", PEER)
    world.client.answers.set()
    await until(lambda: world.inner.closed, 5, "the socket is closed")
    assert world.client.deleted == 1
    assert world.client.sent == []


async def test_a_server_that_does_not_answer_the_goodbye_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "GOODBYE_S", 0.01)
    world = World()
    world.client.answers.clear()
    await world.end()


async def test_a_broken_socket_sends_nothing() -> None:
    world = World()
    world.client.peer_to_channel[PEER] = 0x4000
    world.inner.close()
    world.relay.sendto(b"late", PEER)
    assert world.client.sent == []
    await world.end()
