"""Which ICE servers a link uses: whose, and until when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.ice import NO_ICE, IceGrant, IceServer
from service.ice import USABLE, IceChoice

STUN, TURN = IceServer("stun:a"), IceServer("turn:b", "me", "hush")
OWN = IceServer("stun:own")


def test_the_coordinators_are_used_from_the_moment_they_come() -> None:
    choice = IceChoice()
    assert choice.servers(0.0) == ()
    choice.granted(IceGrant((STUN, TURN)), 0.0)
    assert choice.servers(0.0) == choice.servers(1e12) == (STUN, TURN)
    choice.granted(IceGrant((STUN,)), 1.0)
    assert choice.servers(1.0) == (STUN,)
    choice.granted(NO_ICE, 2.0)
    assert choice.servers(2.0) == ()


def test_credentials_that_have_ended_are_left_out_and_new_ones_used() -> None:
    choice = IceChoice()
    choice.granted(IceGrant((STUN, TURN), 100.0), 1_000.0)
    assert choice.servers(1_000.0 + 100 * USABLE - 0.1) == (STUN, TURN)
    assert choice.servers(1_000.0 + 100 * USABLE) == (STUN,)
    renewed = IceServer("turn:b", "me later", "hush")
    choice.granted(IceGrant((STUN, renewed), 100.0), 1_100.0)
    assert choice.servers(1_100.0) == (STUN, renewed)


def test_the_applications_own_count_even_where_they_are_none() -> None:
    for own in ([OWN], []):
        choice = IceChoice(own)
        choice.granted(IceGrant((STUN, TURN), 100.0), 0.0)
        assert choice.servers(0.0) == choice.servers(1e9) == tuple(own)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(1, 1e6)), min_size=1),
    st.floats(0, 1e7),
)
def test_no_credential_is_ever_used_after_its_end(grants: list[tuple[float, float | None]], later: float) -> None:
    choice, now = IceChoice(), 0.0
    for number, (wait, lifetime) in enumerate(grants):
        now += wait
        choice.granted(IceGrant((STUN, IceServer("turn:b", str(number), "hush")), lifetime), now)
    ends = now + lifetime if lifetime is not None else float("inf")
    used = [server for server in choice.servers(now + later) if server.credential]
    assert STUN in choice.servers(now + later)
    assert not used or (used[0].username == str(number) and now + later < ends)
