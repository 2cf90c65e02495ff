"""Codes: numbers that carry their verdict, and a sentence for each."""

from __future__ import annotations

import pytest

from protocol.codes import Code, Retry, describe, retry_verdict

RANGES = {40: Retry.SAME, 41: Retry.ELSEWHERE, 42: Retry.NEVER, 43: Retry.NONE}

# What peers out there act upon: a number, once given out, keeps its meaning.
NUMBERS = {
    "INTERNAL": 4000,
    "TIMEOUT": 4001,
    "SLOW_CONSUMER": 4002,
    "LINK_LOST": 4003,
    "REPLACED": 4004,
    "TOKEN_UNVERIFIABLE": 4005,
    "COORDINATOR_STOPPING": 4006,
    "AUTH_TIMEOUT": 4007,
    "DISCONNECTED": 4008,
    "TOKEN_UNAVAILABLE": 4009,
    "SERVER_FULL": 4100,
    "SERVER_DRAINING": 4101,
    "SERVER_STOPPING": 4102,
    "PEER_NOT_FOUND": 4103,
    "NO_SERVERS": 4104,
    "BAD_MESSAGE": 4200,
    "UNEXPECTED_MESSAGE": 4201,
    "MESSAGE_TOO_LARGE": 4202,
    "BAD_SDP": 4203,
    "BAD_CANDIDATE": 4204,
    "TOO_MANY_CANDIDATES": 4205,
    "AUTH_FAILED": 4210,
    "TOKEN_EXPIRED": 4212,
    "TOKEN_NOT_YET_VALID": 4213,
    "WRONG_ROLE": 4214,
    "ALIAS_TAKEN": 4215,
    "TOO_MANY_ERRORS": 4216,
    "NOT_NEEDED": 4217,
    "ORIGIN_REFUSED": 4218,
    "TOKEN_REVOKED": 4219,
    "NOT_ALLOWED": 4300,
    "BAD_TOPIC": 4301,
    "TOO_MANY_TOPICS": 4302,
    "RATE_LIMITED": 4303,
    "RESYNC": 4304,
}


def test_the_numbers_stay() -> None:
    # __members__ has aliases too: two names of one number would show.
    assert {name: int(code) for name, code in Code.__members__.items()} == NUMBERS
    assert len(set(NUMBERS.values())) == len(NUMBERS)


@pytest.mark.parametrize("code", Code)
def test_every_code_lies_in_a_range_and_has_its_verdict(code: Code) -> None:
    assert code.retry is RANGES[code // 100]
    assert retry_verdict(int(code)) is code.retry


@pytest.mark.parametrize("code", Code)
def test_every_reason_fits_a_close_frame(code: Code) -> None:
    assert 0 < len(code.reason.encode()) <= 123
    assert code.reason[0].islower()


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (4099, Retry.SAME),
        (4199, Retry.ELSEWHERE),
        (4200, Retry.NEVER),
        (4299, Retry.NEVER),
        (4399, Retry.NONE),
        (4400, Retry.SAME),
        (41, Retry.SAME),
        (41000, Retry.SAME),
        (1000, Retry.SAME),
        (1006, Retry.SAME),
        (0, Retry.SAME),
        (-4100, Retry.SAME),
        (2**32 - 1, Retry.SAME),
    ],
)
def test_the_range_is_the_verdict_of_numbers_never_heard_of(number: int, verdict: Retry) -> None:
    assert retry_verdict(number) is verdict


def test_describes_what_it_knows() -> None:
    assert describe(Code.SERVER_DRAINING) == "4101 the server is draining (retry elsewhere)"
    assert describe(4300) == "4300 the token does not grant this topic (still connected)"


def test_describes_what_it_does_not_know() -> None:
    assert describe(4299) == "4299 unknown code (do not retry)"
    assert describe(1006) == "1006 unknown code (retry)"


def test_describes_with_a_reason_and_says_nothing_twice() -> None:
    assert describe(4101, "three more") == "4101 the server is draining (retry elsewhere): three more"
    assert describe(4001, "nothing was heard from the server in time") == "4001 nothing was heard from the server in time (retry)"
