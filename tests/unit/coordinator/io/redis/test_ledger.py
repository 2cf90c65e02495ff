"""What a coordinator holds, as it is told anew to a Redis that knows nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coordinator.core.cluster import Claim, Release, Revocation, Revoked, ServerDown, ServerState, ServerUp
from coordinator.io.redis import ledger as module
from coordinator.io.redis.ledger import Ledger
from coordinator.io.redis.messages import Claimed, Evicted, Up
from coordinator.io.redis.steps import Step
from protocol.tokens import TokenRole

SERVER = TokenRole.COMMUNICATION_SERVER
STATE = ServerState(7, SERVER, True, clients=3)


def claim(key: int, alias: int = 7, **how: Any) -> Claim:
    return replace(Claim(key, alias, TokenRole.CLIENT, "alice"), **how)


def told(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Operation, socket and alias of each step."""
    return [_short(step) for step in ledger.retell("me.2")]


def _short(step: Step) -> tuple[Any, ...]:
    assert step[1] == "me.2"
    return (step[0], *step[2:4]) if step[0] == "reclaim" else (step[0],)


END = [("retire",), ("mark",)]


def test_what_redis_granted_is_held_until_it_is_released() -> None:
    ledger = Ledger()
    ledger.note(claim(1))
    assert told(ledger) == END
    ledger.claimed(Claimed(1, 7, True, 5.0))
    assert told(ledger) == [("reclaim", 1, 7), *END]
    assert ledger.retell("me.2")[0][-1] == 5000
    ledger.note(Release(2, 7))
    assert len(ledger) == 1
    ledger.note(Release(1, 7))
    assert told(ledger) == END


def test_what_redis_refused_or_gave_to_another_is_not_held() -> None:
    ledger = Ledger()
    ledger.note(claim(1))
    ledger.claimed(Claimed(1, 7, False, 0.0))
    ledger.claimed(Claimed(9, 9, True, 0.0))  # nobody asked
    ledger.note(claim(2, 8))
    ledger.claimed(Claimed(2, 8, True, 1.0))
    ledger.note(claim(3, 8))
    ledger.claimed(Claimed(3, 8, True, 2.0))
    assert ledger.evicted(Evicted(2, 8)) is None
    assert told(ledger) == [("reclaim", 3, 8), *END]
    ledger.evicted(Evicted(3, 8))
    assert told(ledger) == END


def test_alone_the_rule_decides() -> None:
    ledger = Ledger()
    verdicts = []
    for asked in (
        claim(1, takes_free=True),
        claim(2, takes_free=True),
        claim(3, takes_own=True),
        claim(4, role=SERVER, proven=True),
    ):
        ledger.note(asked)
        assert ledger.pending() == [asked.key]
        verdict = ledger.decide(asked.key, 5.0)
        verdicts.append((verdict.granted, verdict.evicted))
    assert verdicts == [(True, None), (False, None), (True, 1), (False, None)]
    assert ledger.pending() == []
    assert told(ledger) == [("reclaim", 3, 7), *END]


def test_a_server_is_told_with_its_last_state() -> None:
    ledger = Ledger()
    ledger.note(claim(1, role=SERVER, takes_free=True))
    ledger.decide(1, 5.0)
    ledger.note(ServerUp(replace(STATE, clients=1)))
    ledger.note(ServerUp(STATE))
    assert any(isinstance(part, bytes) and b'"clients":3' in part for part in ledger.retell("me.2")[0])
    ledger.note(ServerDown(7))
    assert any(isinstance(part, bytes) and b'"clients":0' in part for part in ledger.retell("me.2")[0])


def test_servers_elsewhere_are_known_until_they_go_or_come_here() -> None:
    ledger = Ledger()
    ledger.up(Up(STATE, "one.1"))
    ledger.up(Up(replace(STATE, alias=8), "one.1"))
    assert [up.state.alias for up in ledger.missing([Up(STATE, "one.2")])] == [8]
    assert not ledger.down(7, "two.1")
    assert ledger.down(7, "one.1")
    assert not ledger.down(7, "one.1")
    ledger.note(claim(1, 8, role=SERVER, proven=True))
    ledger.claimed(Claimed(1, 8, True, 5.0))
    assert ledger.missing([]) == []


def test_where_a_server_went_is_known_when_its_old_socket_is_closed() -> None:
    ledger = Ledger()
    ledger.note(claim(1, role=SERVER, takes_free=True))
    ledger.decide(1, 5.0)
    ledger.up(Up(STATE, "one.1"))
    assert ledger.evicted(Evicted(1, 7)) == Up(STATE, "one.1")


def test_revocations_are_told_anew_the_last_of_each_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REVOCATIONS", 2)
    ledger = Ledger()
    ledger.note(Revoked(Revocation("jti", "a", 100.0, 2.0)))
    ledger.revoked(Revocation("jti", "a", 100.0, 1.0))
    ledger.revoked(Revocation("jti", "b", 50.0, 1.0))
    ledger.revoked(Revocation("jti", "c", 70.0, 1.0))
    steps = [step for step in ledger.retell("me.2") if step[0] == "revoke"]
    assert [step[2] for step in steps] == [b"jti a", b"jti c"]
    assert b'"made_at":2.0' in bytes(steps[0][4])  # type: ignore[arg-type]  # it is bytes
