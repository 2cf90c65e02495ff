"""A bot judges what comes."""

from __future__ import annotations

import pytest

from simulation.core.audit import SAMPLE, Audit, Meter
from simulation.core.ledger import GRACE_S, Window
from simulation.core.payload import HEADER, body_tail, topic_mark

RUN = 77


class Client:
    server = 5


CLIENT = Client()


@pytest.fixture
def meter() -> Meter:
    return Meter(window=Window(10.0, 20.0))


@pytest.fixture
def alice(meter: Meter) -> Audit:
    return Audit(0, RUN, meter, counted=True)


@pytest.fixture
def bob(meter: Meter) -> Audit:
    audit = Audit(1, RUN, meter, counted=True)
    audit.subscriptions.acknowledge(audit.subscriptions.request(["room"]), 0.0)
    return audit


def test_a_packet_in_the_window_is_counted_with_its_age(alice: Audit, bob: Audit, meter: Meter) -> None:
    bob.incoming("room", alice.outgoing("room", 64, 12.0), 12.25, CLIENT)
    assert (meter.counts.sent, meter.counts.received, meter.sent, meter.received) == (1, 1, 1, 1)
    assert meter.timeline.total().percentile(100) == 0.25
    assert meter.take_recent()[CLIENT.server].count == 1
    assert meter.take_recent() == {}
    assert bob.receipts.count(0, 0, 1) == 1


def test_outside_the_window_nothing_is_measured_but_all_is_booked(alice: Audit, bob: Audit, meter: Meter) -> None:
    for at in (9.9, 20.0):
        bob.incoming("room", alice.outgoing("room", 64, at), at, CLIENT)
    assert (meter.counts.sent, meter.counts.received, meter.timeline.total().count) == (0, 0, 0)
    assert (meter.sent, meter.received) == (2, 2)
    assert bob.receipts.count(0, 0, 2) == 2


def test_the_window_is_that_of_sending(alice: Audit, bob: Audit, meter: Meter) -> None:
    bob.incoming("room", alice.outgoing("room", 64, 19.9), 25.0, CLIENT)
    assert meter.counts.received == 1


def test_a_second_one_is_a_duplicate(alice: Audit, bob: Audit, meter: Meter) -> None:
    body = alice.outgoing("room", 64, 12.0)
    for _ in range(2):
        bob.incoming("room", body, 12.1, CLIENT)
    assert (bob.receipts.duplicates, meter.counts.received) == (1, 1)


def test_a_packet_under_a_wrong_topic_is_a_misroute(alice: Audit, bob: Audit, meter: Meter) -> None:
    bob.incoming("room", alice.outgoing("hall", 64, 12.0), 12.1, CLIENT)
    assert (bob.receipts.misroutes, meter.counts.received) == (1, 0)


def test_a_packet_of_a_topic_not_asked_for_is_a_misroute(alice: Audit, bob: Audit) -> None:
    bob.incoming("hall", alice.outgoing("hall", 64, 12.0), 12.1, CLIENT)
    assert bob.receipts.misroutes == 1


def test_a_packet_long_after_the_topic_was_left_is_a_misroute(alice: Audit, bob: Audit) -> None:
    bob.subscriptions.release(bob.subscriptions.withdraw(["room"], 12.0), 12.1)
    bob.incoming("room", alice.outgoing("room", 64, 12.05), 12.2, CLIENT)
    assert bob.receipts.misroutes == 0
    bob.incoming("room", alice.outgoing("room", 64, 12.06), 12.2 + GRACE_S, CLIENT)
    assert bob.receipts.misroutes == 1


@pytest.mark.parametrize("body", [b"", b"hello", b"\0" * 64])
def test_packets_of_others_are_counted_apart(bob: Audit, meter: Meter, body: bytes) -> None:
    bob.incoming("room", body, 12.0, CLIENT)
    assert (meter.counts.foreign, meter.received, bob.receipts.misroutes) == (1, 0, 0)


def test_packets_of_another_run_are_foreign(bob: Audit, meter: Meter) -> None:
    bob.incoming("room", Audit(0, RUN + 1, Meter(), counted=True).outgoing("room", 64, 12.0), 12.0, CLIENT)
    assert meter.counts.foreign == 1


def test_people_are_neither_counted_nor_misroutes(bob: Audit, meter: Meter) -> None:
    """The pages of the demo world publish the same layout with run 0, and talk in JSON."""
    for topic in ("room", "hall"):
        bob.incoming(topic, HEADER.pack(0, 9, 3, topic_mark(topic), 12.0) + body_tail(32, (1.0, 2.0)), 12.1, CLIENT)
        bob.incoming(topic, b'{"name": "Ada", "text": "Good morning, everyone!"}', 12.1, CLIENT)
    assert (meter.counts.foreign, meter.counts.received, meter.received, bob.receipts.misroutes) == (4, 0, 0, 0)
    assert meter.take_recent() == {}


def test_without_books_only_latency_is_kept(meter: Meter) -> None:
    one, other = Audit(0, RUN, meter, counted=False), Audit(1, RUN, meter, counted=False)
    for number, at in enumerate((1.0, 2.0)):
        body = one.outgoing("anything", 64, at)
        assert HEADER.unpack_from(body)[2] == number, "a receiver sees by the numbers what was lost"
        other.incoming("anything", body, at + 0.5, CLIENT)
    assert (meter.sent, meter.received) == (2, 2)
    assert meter.take_recent()[CLIENT.server].count == 2
    assert one.sends.runs == []
    assert list(other.receipts.senders()) == []


def test_a_crowd_is_sampled_and_a_few_are_not(alice: Audit, bob: Audit, meter: Meter) -> None:
    body = alice.outgoing("room", 64, 5.0)

    def comes(times: int) -> int:
        for _ in range(times):
            bob.incoming("room", body, 5.1, CLIENT)
        return meter.take_recent()[CLIENT.server].count

    assert comes(400) == 400
    assert comes(20 * SAMPLE) == 20 * SAMPLE, "nobody knew that so many come"
    assert comes(20 * SAMPLE) == SAMPLE
    assert comes(100) == 5
    assert comes(100) == 100
    assert meter.received == 400 + 40 * SAMPLE + 200
