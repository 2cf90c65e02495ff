"""Binding, what is announced for it, and the socket on the event loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any

import pytest

from protocol.errors import ConfigError
from tests.support.poll import until
from transport import sockets
from transport.sockets import bind_all, local_addresses, machine_addresses, source_address
from transport.udp import MAX_DATAGRAMS_A_TURN, RECEIVE_BYTES, Traffic, Turn, UdpSocket


def test_all_addresses_on_one_free_port() -> None:
    bound = bind_all(["127.0.0.1", "127.0.0.2", "::1"], 0)
    assert len({sock.getsockname()[1] for sock in bound}) == 1
    assert [sock.getsockname()[0] for sock in bound] == ["127.0.0.1", "127.0.0.2", "::1"]
    assert not any(sock.getblocking() for sock in bound)
    for sock in bound:
        sock.close()


def test_a_port_that_is_taken_on_one_address_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 0 takes what is free on the first address; when it is taken on the second, another one is tried."""
    real, tries = sockets._bind, []

    def bind(address: str, port: int, *, optional: bool) -> socket.socket | None:
        tries.append((address, port))
        if address == "127.0.0.2" and len(tries) == 2:
            raise OSError(errno.EADDRINUSE, "taken")
        return real(address, port, optional=optional)

    monkeypatch.setattr(sockets, "_bind", bind)
    bound = bind_all(["127.0.0.1", "127.0.0.2"], 0)
    assert len(tries) == 4
    for sock in bound:
        sock.close()


def test_no_free_port_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(address: str, port: int, *, optional: bool) -> None:
        raise OSError(errno.EADDRINUSE, "taken")

    monkeypatch.setattr(sockets, "_bind", bind)
    with pytest.raises(OSError, match="no UDP port is free on all of 127"):
        bind_all(["127.0.0.1"], 0)


def test_a_wanted_port_that_is_taken() -> None:
    [first] = bind_all(["127.0.0.1"], 0)
    port = first.getsockname()[1]
    with pytest.raises(OSError, match=f"cannot bind UDP 127.0.0.1 port {port}"):
        bind_all(["127.0.0.1"], port)
    first.close()
    [again] = bind_all(["127.0.0.1"], port)
    again.close()


def test_an_address_of_another_machine() -> None:
    with pytest.raises(OSError, match=r"cannot bind UDP 203\.0\.113\.1"):
        bind_all(["127.0.0.1", "203.0.113.1"], 0)


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    real = socket.socket

    def make(family: int, *rest: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return real(family, *rest)

    monkeypatch.setattr(socket, "socket", make)
    [only] = bind_all(["127.0.0.1", "::"], 0)
    only.close()
    assert "no IPv6" in caplog.text
    with pytest.raises(OSError, match="cannot bind UDP ::"):
        bind_all(["::"], 0)
    assert source_address("2001:db8::1", 9) is None


@pytest.mark.parametrize("addresses", [[], ["localhost"], ["127.0.0.1", ""]])
def test_bind_wants_addresses(addresses: list[str]) -> None:
    with pytest.raises(ConfigError, match="bind"):
        bind_all(addresses, 0)


class Ip:
    def __init__(self, ip: Any) -> None:
        self.ip = ip


class Adapter:
    def __init__(self, *ips: Any) -> None:
        self.ips = [Ip(ip) for ip in ips]


def test_local_for_any_address_are_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = [
        Adapter("127.0.0.1", ("::1", 0, 0)),
        Adapter("192.0.2.7", ("fe80::7", 0, 2), ("2001:db8::7", 0, 0)),
        Adapter("198.51.100.7", "169.254.3.3"),
    ]
    monkeypatch.setattr("ifaddr.get_adapters", lambda: adapters)
    assert machine_addresses(4) == ["192.0.2.7", "198.51.100.7"]
    assert local_addresses(["0.0.0.0", "::"]) == ["192.0.2.7", "198.51.100.7", "2001:db8::7"]
    assert local_addresses(["192.0.2.7", "127.0.0.1"]) == ["192.0.2.7", "127.0.0.1"]


def test_loopback_is_local_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ifaddr.get_adapters", lambda: [Adapter("127.0.0.1", ("::1", 0, 0))])
    assert local_addresses(["0.0.0.0", "::"]) == ["127.0.0.1", "::1"]


def forbidden() -> list[Adapter]:
    raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")


def test_a_machine_that_may_not_list_its_addresses_goes_by_its_route(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ifaddr.get_adapters", forbidden)
    monkeypatch.setattr(sockets, "source_address", lambda host, port: "2001:db8::7" if ":" in host else None)
    assert local_addresses(["0.0.0.0", "::"]) == ["2001:db8::7"]
    assert "does not list this machine's IPv4 addresses (Address family not supported" in caplog.text
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    monkeypatch.setattr(sockets, "source_address", lambda host, port: "127.0.0.1")
    assert machine_addresses(4) == []


def test_the_way_to_loopback_starts_on_loopback() -> None:
    assert source_address("127.0.0.1", 9) == "127.0.0.1"
    assert source_address("::1", 9) == "::1"
    assert source_address("255.255.255.255", 9) is None


class Inbox:
    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        [sock] = bind_all(["127.0.0.1"], 0)
        self.traffic = Traffic()
        self.turn = Turn(ended=self.turn_ended)
        self.turns: list[int] = []
        """How many datagrams each turn of the loop brought."""
        self.udp = UdpSocket(sock, self.receive, self.traffic, self.turn)

    def receive(self, data: bytes, address: tuple[Any, ...]) -> None:
        assert self.turn.reading
        assert data != b"raise", "a fault"
        self.datagrams.append(data)
        if data == b"close":
            self.udp.close()

    def turn_ended(self) -> None:
        assert not self.turn.reading
        self.turns.append(len(self.datagrams) - sum(self.turns))


async def test_many_datagrams_in_a_turn_but_not_all() -> None:
    inbox, other = Inbox(), Inbox()
    for number in range(3 * MAX_DATAGRAMS_A_TURN):
        other.udp.send(b"%d" % number, inbox.udp.address)
    turns = inbox.turns
    await until(lambda: inbox.datagrams, 5, "nothing comes", interval=0)
    assert len(inbox.datagrams) < MAX_DATAGRAMS_A_TURN, "the first turn tries one"
    await until(lambda: len(inbox.datagrams) == 3 * MAX_DATAGRAMS_A_TURN, 5, "they do not come")
    assert inbox.traffic.datagrams_in == other.traffic.datagrams_out == 3 * MAX_DATAGRAMS_A_TURN
    assert inbox.traffic.bytes_in == other.traffic.bytes_out > 0
    assert turns[:7] == [1, 2, 4, 8, 16, 32, 64], "twice as many each time, up to a bound"
    assert max(turns) == MAX_DATAGRAMS_A_TURN
    inbox.udp.close()
    other.udp.close()


async def test_a_fault_of_the_receiver_costs_one_datagram(caplog: pytest.LogCaptureFixture) -> None:
    inbox, other = Inbox(), Inbox()
    for data in (b"first", b"raise", b"last"):
        other.udp.send(data, inbox.udp.address)
    await until(lambda: inbox.datagrams == [b"first", b"last"], 5, "they do not come")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    inbox.udp.close()
    other.udp.close()


async def test_closed_while_reading() -> None:
    inbox, other = Inbox(), Inbox()
    address = inbox.udp.address
    for data in (b"close", b"after"):
        other.udp.send(data, address)
    await until(lambda: inbox.udp.is_closed, 5, "it is not closed")
    await asyncio.sleep(0.05)  # for what must not come
    assert inbox.datagrams == [b"close"]
    inbox.udp.send(b"x", address)
    assert inbox.traffic.send_failed == 1
    inbox.udp.close()
    other.udp.close()


async def test_what_cannot_be_sent_is_lost_and_counted() -> None:
    inbox = Inbox()
    inbox.udp.send(bytes(70_000), inbox.udp.address)
    inbox.udp.send(b"x", ("127.0.0.1", 0))
    assert inbox.traffic.send_failed == 2
    assert inbox.traffic.datagrams_out == 0
    inbox.udp.close()


async def test_what_is_too_long_is_cut() -> None:
    inbox, other = Inbox(), Inbox()
    other.udp.send(bytes(RECEIVE_BYTES + 100), inbox.udp.address)
    await until(lambda: inbox.datagrams, 5, "nothing comes")
    assert inbox.datagrams == [bytes(RECEIVE_BYTES)]
    inbox.udp.close()
    other.udp.close()
