"""What comes by two links is delivered once, in the order of the first."""

from __future__ import annotations

from protocol import batch
from protocol.batch import NO_STAMP, Stamp
from protocol.packets import decode_packet
from protocol.pb import broker_pb2 as pb
from rtcbroker.core.delivery import Delivery
from rtcbroker.core.overlap import MAX_HELD_BYTES, MAX_ORIGINS, MAX_STAMPS, Held
from rtcbroker.core.packet import Packet
from rtcbroker.core.stats import ClientStats


class Overlap:
    """A client with a present and a next link."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.delivery = Delivery(ClientStats())
        self.delivery.attach(["t"], self._take)
        self.held = Held(self.delivery.seen, self.delivery.group)

    def _take(self, packet: Packet) -> None:
        self.got.append(packet.body)

    def present(self, body: bytes, origin: int, serial: int, *, reliable: bool = True) -> None:
        """Comes by the present link."""
        self.delivery.batch(message(body, Stamp(origin, serial)), reliable)

    def next(self, body: bytes, origin: int, serial: int, *, reliable: bool = True) -> None:
        """Comes by the next one."""
        self.held.batch(message(body, Stamp(origin, serial)), reliable)


def message(body: bytes, stamp: Stamp) -> pb.TopicBatchFrames:
    packet = decode_packet(batch.batch([batch.group_frame("t", [5], [body], stamp=stamp)]))
    assert isinstance(packet, pb.TopicBatchFrames)
    return packet


def test_what_the_next_link_brings_is_held_back_but_for_what_has_come() -> None:
    world = Overlap()
    world.present(b"1", 7, 1)
    world.next(b"1", 7, 1)
    world.next(b"2", 7, 2)
    world.next(b"3", 7, 3)
    world.next(b"other", 8, 1)
    assert world.got == [b"1"]
    world.present(b"2", 7, 2)
    world.held.release()
    assert world.got == [b"1", b"2", b"3", b"other"]


def test_what_had_come_before_may_come_late_by_the_other_link() -> None:
    world = Overlap()
    for serial in (1, 2, 4):
        world.present(b"%d" % serial, 7, serial)
    world.held.release()
    for serial in (2, 4, 5, 6):
        world.present(b"%d" % serial, 7, serial)
    world.present(b"other", 8, 1)
    assert world.got == [b"1", b"2", b"4", b"5", b"6", b"other"]


def test_also_over_two_moves_in_a_row() -> None:
    world = Overlap()
    world.present(b"1", 7, 1)
    world.held.release()
    world.held.release()
    world.present(b"1", 7, 1)
    world.present(b"2", 7, 2)
    assert world.got == [b"1", b"2"]


def test_without_a_move_nothing_is_compared() -> None:
    world = Overlap()
    world.present(b"1", 7, 2)
    world.present(b"2", 7, 1)
    assert world.got == [b"1", b"2"]


def test_what_has_no_stamp_is_delivered() -> None:
    world = Overlap()
    for reliable in (True, False):
        world.delivery.batch(message(b"x", NO_STAMP), reliable)
    world.held.batch(message(b"y", NO_STAMP), True)
    world.held.release()
    assert world.got == [b"x", b"x", b"y"]


def test_on_the_unreliable_channel_the_first_counts() -> None:
    world = Overlap()
    world.delivery.seen.remember()
    world.present(b"1", 7, 1, reliable=False)
    world.next(b"1", 7, 1, reliable=False)
    world.next(b"3", 7, 3, reliable=False)
    world.present(b"2", 7, 2, reliable=False)
    world.present(b"3", 7, 3, reliable=False)
    world.delivery.seen.remember()  # again: what is remembered stays
    world.next(b"2", 7, 2, reliable=False)
    assert world.got == [b"1", b"3", b"2"]
    world.delivery.seen.forget()
    world.present(b"2", 7, 2, reliable=False)
    assert world.got[-1] == b"2"


def test_what_is_remembered_is_bounded() -> None:
    world = Overlap()
    world.delivery.seen.remember()
    for serial in range(MAX_STAMPS + 1):
        world.present(b"", 7, serial + 1, reliable=False)
    assert world.delivery.seen._stamps is not None
    assert len(world.delivery.seen._stamps) == MAX_STAMPS
    for origin in range(MAX_ORIGINS + 1):
        world.present(b"", origin + 1, 1)
    assert len(world.delivery.seen._last) == MAX_ORIGINS


def test_what_is_held_back_is_bounded() -> None:
    world = Overlap()
    body = bytes(60_000)
    count = MAX_HELD_BYTES // len(body) + 1
    for serial in range(count):
        world.next(body, 7, serial + 1)
    assert world.held.is_over
    world.present(body, 7, count)
    world.next(body, 7, count + 1)
    assert not world.held.is_over, "what has come by the present link is let go"
