"""Alias, proof and patience."""

from __future__ import annotations

import random

from commserver.core.registration import BACKOFF_CAP_S, REFUSED_CAP_S, Registration
from protocol import signalling
from protocol.tokens import TokenRole


def test_the_first_time_only_the_role_is_told() -> None:
    registration = Registration(TokenRole.COMMUNICATION_SERVER_HUB, random.Random(1))
    assert registration.query() == {"role": "COMMUNICATION_SERVER_HUB", "v": "2"}


def test_afterwards_the_alias_and_its_proof() -> None:
    registration = Registration(TokenRole.COMMUNICATION_SERVER, random.Random(1))
    assert not registration.frame(b"garbage")
    assert not registration.frame(signalling.peer_gone(3))
    assert registration.frame(signalling.welcome(77, [1, 2], resume="proof"))
    assert registration.alias == 77
    assert registration.query() == {"role": "COMMUNICATION_SERVER", "v": "2", "alias": "77", "resume": "proof"}


def test_it_never_gives_up_and_never_waits_long() -> None:
    registration = Registration(TokenRole.COMMUNICATION_SERVER, random.Random(1))
    waits = [registration.wait(refused=False) for _ in range(5_000)]
    assert all(0 <= wait <= BACKOFF_CAP_S for wait in waits)
    assert max(waits[:2]) <= 0.2, "the first tries come soon"
    assert max(waits) > BACKOFF_CAP_S * 0.9


def test_a_refusal_makes_it_slower_and_a_welcome_quick_again() -> None:
    registration = Registration(TokenRole.COMMUNICATION_SERVER, random.Random(1))
    refused = [registration.wait(refused=True) for _ in range(500)]
    assert BACKOFF_CAP_S < max(refused) <= REFUSED_CAP_S
    registration.frame(signalling.welcome(1, []))
    assert registration.wait(refused=True) <= 0.1
