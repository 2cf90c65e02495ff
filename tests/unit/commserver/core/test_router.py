"""Who gets a packet, in both topologies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

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
    if not is_hub:
        router.uplink = router.speaker = peers.get("h4")
    assert set(router.receivers("t", peers[source])) == {peers[name] for name in expected.split()}
    assert set(router.receivers("other", peers[source])) == set()


def test_who_is_told_who_is_heard_and_who_is_spoken_to() -> None:
    router = Router(SubscriptionIndex(), is_hub=False)
    one, other, plain, client = peer("h2"), peer("h3"), peer("s4"), peer("c5")

    def names(*judges: Callable[[Session], bool]) -> list[str]:
        return ["".join(name for name, who in zip("123", (one, other, plain), strict=True) if judge(who)) for judge in judges]

    judges = (router.tells, router.hears, router.speaks_to, lambda server: router.concerns(client, server))
    assert names(*judges) == ["123", "123", "123", "123"], "a mesh"
    router.uplink = one
    assert names(*judges) == ["13", "13", "123", "123"], "it hears by a hub, and speaks to everyone"
    router.speaker = one
    assert names(*judges) == ["13", "13", "1", "13"], "a star"
    router.coming = other
    assert names(*judges) == ["123", "13", "1", "123"], "about to turn: two hubs are told, one is heard"


def test_a_hub_passes_on_what_it_is_to_pass_on() -> None:
    router = Router(SubscriptionIndex(), is_hub=True)
    plain, other, hub = peer("s2"), peer("s3"), peer("h4")
    assert router.passes_on(plain, other), "an older server's, which cannot say"
    plain.by_hub = False
    assert not router.passes_on(plain, other)
    assert not router.passes_on(plain, hub)
    assert router.reaches(plain, other), "what it could be told all the same"
    assert router.passes_on(hub, plain), "who speaks by another hub is heard"


def test_plain_servers_spread_over_the_hubs_each_time_alike() -> None:
    hubs = [peer(f"h{alias}") for alias in (2, 3, 4)]
    rng = random.Random(1)
    chosen: Counter[Session | None] = Counter()
    for _ in range(300):
        own_alias = rng.randrange(2**42)
        uplink = Router.choose(hubs, own_alias)
        assert Router.choose(hubs[::-1], own_alias) is uplink
        chosen[uplink] += 1
    assert set(chosen) == set(hubs)
    assert min(chosen.values()) > 60
    assert Router.choose([], 1) is None
