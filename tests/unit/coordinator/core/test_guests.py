"""Addresses are counted, bounded, and forgotten."""

from __future__ import annotations

import pytest

from coordinator.core import guests as module
from coordinator.core.guests import Guest, Guests, client_address, group_of, parse_networks
from coordinator.settings import CoordinatorSettings


def test_sockets_of_an_address_are_bounded() -> None:
    guests = Guests(max_sockets=2, requests_per_s=1, requests_burst=1)
    assert guests.enter("192.0.2.1", 0) is not None
    assert guests.enter("192.0.2.1", 0) is not None
    assert guests.enter("192.0.2.1", 0) is None
    assert guests.enter("192.0.2.2", 0) is not None, "another address is not concerned"
    guests.leave("192.0.2.1")
    assert guests.enter("192.0.2.1", 0) is not None


def test_requests_of_an_address_are_bounded_and_come_back_with_time() -> None:
    guests = Guests(max_sockets=1, requests_per_s=2, requests_burst=3)
    assert [guests.request("192.0.2.1", 0) for _ in range(4)] == [True, True, True, False]
    assert guests.request("192.0.2.2", 0)
    assert [guests.request("192.0.2.1", 1) for _ in range(3)] == [True, True, False]


ONE_SIDE = ["GET /r/ROOM", "POST /join", "POST /v1alpha/iceconfig", "GET /ws", "POST /leave", "DELETE /ROOM/CLIENT"]
SAID = ["offer", *["candidate"] * 20, "bye"]
"""By each side; by the first with a request each."""
CALL = [*ONE_SIDE, *ONE_SIDE, *["POST /message"] * len(SAID)]


def test_a_school_whose_pupils_call_one_another_all_at_once_is_let_in() -> None:
    settings = CoordinatorSettings()
    guests = Guests(
        settings.p2p_sockets_per_address,
        settings.p2p_requests_per_s,
        settings.p2p_requests_burst,
        deliveries_per_s=settings.p2p_deliveries_per_s,
        deliveries_burst=settings.p2p_deliveries_burst,
    )
    assert len(CALL) == module.CALL_REQUESTS, "the number stands in descriptions, too"
    calls = settings.p2p_sockets_per_address // 2
    assert all(guests.request("192.0.2.1", 0) for _ in range(calls * len(CALL)))
    school = entered(guests, "192.0.2.1")
    school.deliveries.charge(0, calls * 2 * len(SAID))
    assert not school.deliveries.in_debt(0), "nor is anything they say late"
    spare = sum(guests.request("192.0.2.1", 0) for _ in range(calls * len(CALL)))
    assert spare < calls * len(CALL) // 4, "it is a bound"


def test_what_an_address_causes_is_counted_for_all_it_does() -> None:
    guests = Guests(2, requests_per_s=1, requests_burst=2, deliveries_per_s=10, deliveries_burst=100)
    one, again, other = entered(guests, "192.0.2.1"), entered(guests, "192.0.2.1"), entered(guests, "192.0.2.2")
    one.deliveries.charge(0, 99)
    assert [guests.request("192.0.2.1", 0) for _ in range(9)] == [True, True, *[False] * 7]
    assert again.deliveries.debt_s(0) == pytest.approx(0.1), "what is refused is not charged"
    assert other.deliveries.debt_s(0) == 0


def test_refused_sockets_are_not_counted() -> None:
    guests = Guests(max_sockets=1, requests_per_s=1, requests_burst=1)
    assert guests.enter("192.0.2.1", 0) is not None
    assert guests.enter("192.0.2.1", 0) is None
    guests.leave("192.0.2.1")
    assert guests.enter("192.0.2.1", 0) is not None


def entered(guests: Guests, address: str) -> Guest:
    guest = guests.enter(address, 0)
    assert guest is not None
    return guest


@pytest.mark.parametrize("what", ["outbox", "account"])
def test_what_waits_is_bounded_for_an_address_and_for_all(what: str) -> None:
    guests = Guests(2, 1, 1, max_waiting_bytes=25, max_address_bytes=10)
    one, again = entered(guests, "192.0.2.1"), entered(guests, "192.0.2.1")
    other = entered(guests, "192.0.2.2")
    mine, others = getattr(one, what), getattr(other, what)
    assert one is again, "sockets of one address share"
    assert mine.take(10)
    assert not mine.take(1)
    assert not others.take(8), "it would have more than it leaves"
    assert others.take(7)
    assert (guests.waiting, guests.kept) == ((17, 0) if what == "outbox" else (0, 17)), "one does not take the place of the other"
    assert not others.take(1)
    mine.give_back(10)
    assert others.take(3)


def test_bodies_that_are_coming_are_bounded_like_sockets_and_beside_them() -> None:
    guests = Guests(max_sockets=2, requests_per_s=1, requests_burst=1)
    assert guests.begin_body("192.0.2.1", 0) is guests.begin_body("192.0.2.1", 0) is not None
    assert guests.begin_body("192.0.2.1", 0) is None
    assert guests.begin_body("192.0.2.2", 0) is not None
    assert guests.enter("192.0.2.1", 0) is not None
    guests.end_body("192.0.2.1")
    assert guests.begin_body("192.0.2.1", 0) is not None
    assert guests.begin_body("192.0.2.1", 0) is None


def test_places_of_an_address_are_bounded_like_sockets_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ADDRESSES", 1)
    guests = Guests(max_sockets=2, requests_per_s=1, requests_burst=1)
    account = guests.guest("192.0.2.1", 0).account
    for places in (account.places, account.clients):
        assert places.fits(2)
        assert not places.fits(3)
        places.take()
        guests.request("192.0.2.2", 0)
        assert guests.guest("192.0.2.1", 0).account is account
        assert not places.fits(2)
        places.give_back()
        assert account.is_empty


def test_idle_addresses_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ADDRESSES", 10)
    guests = Guests(max_sockets=1, requests_per_s=1, requests_burst=1)
    assert guests.enter("192.0.2.255", 0) is not None
    assert guests.begin_body("192.0.2.254", 0) is not None
    sayer = guests.enter("192.0.2.253", 0)
    assert sayer is not None
    assert sayer.account.take(1)
    guests.leave("192.0.2.253")
    reader = guests.guest("192.0.2.252", 0)
    assert reader.outbox.take(1)
    for number in range(100):
        guests.request(f"192.0.2.{number}", 0)
        assert len(guests) <= 10
    assert guests.enter("192.0.2.255", 0) is None, "who has a socket open is remembered"
    assert guests.begin_body("192.0.2.254", 0) is None, "and whose request is coming"
    assert guests.enter("192.0.2.253", 0) is sayer, "and of whom something is kept"
    assert guests.guest("192.0.2.252", 0) is reader, "and to whom something is to be sent"


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_what_an_address_counts_as(address: str, group: str) -> None:
    assert group_of(address) == group


PROXIES = parse_networks(["127.0.0.1", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),  # not our proxy: it may say what it likes
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),  # the client invented the first
        ("127.0.0.1", ["203.0.113.9", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),  # two proxies of ours, two headers
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["rubbish"], "rubbish"),
        ("127.0.0.1", ["198.51.100.1:5678"], "198.51.100.1"),
        ("127.0.0.1", ["198.51.100.1:5678, 10.1.2.3:80"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8::1]:80"], "2001:db8::1"),
        ("127.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", ["::ffff:198.51.100.1"], "::ffff:198.51.100.1"),
        ("127.0.0.1", [""], ""),
        ("127.0.0.1", ["["], ""),
    ],
)
def test_where_a_request_comes_from(peer: str, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_a_network_that_is_none() -> None:
    with pytest.raises(ValueError, match="proxy"):
        parse_networks(["proxy"])
