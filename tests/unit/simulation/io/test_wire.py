"""What carries frames where the kernel does not impair them: with pipes in place of devices."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from simulation.core.impairment import Impairment
from simulation.io.wire import Wire

HEAD = bytes(12)
IP, ARP = b"\x08\x00", b"\x08\x06"


class Ends:
    """Two devices, from both sides."""

    def __init__(self) -> None:
        self.sockets = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        for pair in self.sockets:
            for one in pair:
                one.setblocking(False)
        self.a, self.b = (pair[0].fileno() for pair in self.sockets)
        self.wire = Wire((self.a, self.b))

    def said(self, number: int) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.sockets[number][1].recv(2_000))
            except BlockingIOError:
                return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for pair in made.sockets:
        for one in pair:
            one.close()


def test_frames_go_to_the_other_end_when_it_is_time(ends: Ends) -> None:
    ends.wire.impair(Impairment(delay_s=0.08))
    ends.sockets[0][1].send(HEAD + IP + b"there")
    ends.sockets[1][1].send(HEAD + IP + b"back")
    ends.wire.take(ends.a, 1.0)
    ends.wire.take(ends.b, 1.01)
    assert ends.wire.deliver(1.05) == pytest.approx(0.03)
    assert (ends.said(0), ends.said(1)) == ([], [])
    assert ends.wire.deliver(1.085) == pytest.approx(0.005)
    assert (ends.said(0), ends.said(1)) == ([], [HEAD + IP + b"there"])
    assert ends.wire.deliver(1.1) is None
    assert ends.said(0) == [HEAD + IP + b"back"]


def test_what_is_lost_stays_lost_but_addresses_are_found(ends: Ends) -> None:
    ends.wire.impair(Impairment(loss=1.0))
    ends.sockets[0][1].send(HEAD + IP)
    ends.sockets[0][1].send(HEAD + ARP)
    ends.wire.take(ends.a, 1.0)
    assert ends.wire.deliver(1.0) is None
    assert ends.said(1) == [HEAD + ARP]


def test_a_device_that_takes_nothing_loses_the_frame(ends: Ends) -> None:
    for _ in range(2):
        ends.sockets[0][1].send(HEAD + IP)
    ends.wire.take(ends.a, 1.0)
    ends.sockets[1][1].close()
    assert ends.wire.deliver(1.0) is None
