"""Who gets a packet, in both topologies."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from commserver.core.flow import RELIABLE_FLOW, UNRELIABLE_FLOW
from commserver.core.router import Router
from commserver.core.session import Session, SessionLimits, new_session
from commserver.core.subscriptions import SubscriptionIndex
from protocol.tokens import TokenRole, anonymous

ROLES = {"c": TokenRole.CLIENT, "s": TokenRole.COMMUNICATION_SERVER, "h": TokenRole.COMMUNICATION_SERVER_HUB}


def peer(name: str) -> Session:
    """`c1` is a client, `s2` a server, `h3` a hub; the digit is the alias."""
    limits = SessionLimits(RELIABLE_FLOW, UNRELIABLE_FLOW)
    session = new_session(int(name[1:]), int(name[1:]), dialed=False, limits=limits, now=0.0)
    session.activate(anonymous(ROLES[name[0]]), ())
    return session


@pytest.mark.parametrize(
    ("is_hub", "linked", "source", "expected"),
    [
        (False, "c1 c2 s3 s4", "c1", "c2 s3 s4"),
        (False, "c1 c2 s3 s4", "s3", "c1 c2"),
        (False, "c1 s3 h4", "c1", "h4"),
        (False, "c1 s3 h4", "h4", "c1"),
        (False, "c1 s3 h4", "s3", "c1"),
        (True, "c1 c2 s3 s4 h5", "c1", "c2 s3 s4 h5"),
        (True, "c1 s3 s4 h5 h6", "s3", "c1 s4 h5 h6"),
        (True, "c1 s3 s4 h5 h6", "h5", "c1 s3 s4"),
    ],
    ids=[
        "mesh",
        "mesh, one hop",
        "star: uplink only",
        "star: down",
        "star: stray",
        "hub",
        "hub passes on",
        "hub to hub: one hop",
    ],
)
def test_who_gets_what_everybody_wants(is_hub: bool, linked: str, source: str, expected: str) -> None:
    peers = {name: peer(name) for name in linked.split()}
    index: SubscriptionIndex[Session] = SubscriptionIndex()
    for session in peers.values():
        index.replace(session, ["t"])
    router = Router(index, is_hub=is_hub)
    router.choose_uplink([session for session in peers.values() if session.is_server], 1)
    assert set(router.receivers("t", peers[source])) == {peers[name] for name in expected.split()}
    assert set(router.receivers("other", peers[source])) == set()


def test_the_uplink_is_kept_while_it_lives_whichever_hubs_come() -> None:
    for own_alias in range(1, 20):
        router = Router(SubscriptionIndex(), is_hub=False)
        one, other, plain = peer("h2"), peer("h3"), peer("s1")
        assert not router.choose_uplink([plain], own_alias)
        assert router.is_neighbour(plain)
        assert router.choose_uplink([one, plain], own_alias)
        assert router.uplink is one
        assert not router.choose_uplink([other, one, plain], own_alias)
        assert router.uplink is one
        assert not router.is_neighbour(other)
        assert not router.is_neighbour(plain)
        assert router.choose_uplink([other, plain], own_alias)
        assert router.uplink is other
        assert router.choose_uplink([], own_alias)
        assert router.uplink is None


def test_plain_servers_spread_over_the_hubs_each_time_alike() -> None:
    hubs = [peer(f"h{alias}") for alias in (2, 3, 4)]
    rng = random.Random(1)
    chosen: Counter[Session | None] = Counter()
    for _ in range(300):
        own_alias = rng.randrange(2**42)
        routers = [Router(SubscriptionIndex(), is_hub=False) for _ in range(2)]
        routers[0].choose_uplink(hubs, own_alias)
        routers[1].choose_uplink(hubs[::-1], own_alias)
        assert routers[0].uplink is routers[1].uplink
        chosen[routers[0].uplink] += 1
    assert set(chosen) == set(hubs)
    assert min(chosen.values()) > 60


def test_a_hub_has_no_uplink() -> None:
    router = Router(SubscriptionIndex(), is_hub=True)
    assert not router.choose_uplink([peer("h2")], 1)
    assert router.uplink is None
