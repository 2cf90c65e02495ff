"""Revocations: which one counts, whom it refuses, and that there is an end to them."""

from __future__ import annotations

import logging
import math

import pytest

from coordinator.core.cluster import Revocation
from coordinator.core.revocations import Revocations
from protocol.tokens import Claims, TokenRole, anonymous
from tests.support.coordination import NOW


def bearer(subject: str = "alice", token_id: str = "") -> Claims:
    return Claims(subject, TokenRole.CLIENT, math.inf, token_id=token_id)


def taken(revocations: Revocations, name: str, value: str, seconds: float = 10, now: float = NOW) -> Revocation:
    made = revocations.make(name, value, now + seconds, now)  # type: ignore[arg-type]  # the two names are what the tests pass
    assert revocations.take(made, now)
    return made


def test_a_subject_is_refused_until_its_time_is_over() -> None:
    revocations = Revocations()
    taken(revocations, "subject", "alice", 10)
    assert revocations.refuses(bearer(), NOW)
    assert revocations.refuses(bearer(token_id="any"), NOW + 9.999)
    assert not revocations.refuses(bearer(), NOW + 10)
    assert not revocations.refuses(bearer("alicia"), NOW)


def test_a_token_is_refused_by_its_id_whoever_has_it() -> None:
    revocations = Revocations()
    taken(revocations, "jti", "j1")
    assert revocations.refuses(bearer("alice", "j1"), NOW)
    assert revocations.refuses(bearer("bob", "j1"), NOW)
    assert not revocations.refuses(bearer("alice", "j2"), NOW)
    assert not revocations.refuses(bearer("j1"), NOW)


def test_the_anonymous_are_nobody() -> None:
    revocations = Revocations()
    taken(revocations, "subject", "alice")
    assert not revocations.refuses(anonymous(TokenRole.CLIENT), NOW)


def test_a_later_one_replaces_the_former_whichever_ends_first() -> None:
    revocations = Revocations()
    taken(revocations, "subject", "alice", 100)
    taken(revocations, "subject", "alice", 5, NOW + 1)
    assert not revocations.refuses(bearer(), NOW + 6)
    assert len(revocations) == 1


def test_one_that_replaces_is_later_even_by_a_clock_that_is_behind() -> None:
    revocations = Revocations()
    taken(revocations, "subject", "alice", 100)
    taken(revocations, "subject", "alice", 50, NOW - 30)
    assert not revocations.refuses(bearer(), NOW + 21)


def test_a_lifted_one_refuses_nobody_and_is_remembered() -> None:
    revocations = Revocations()
    first = taken(revocations, "subject", "alice")
    lifting = revocations.lifting("subject", "alice", NOW + 1)
    assert lifting is not None
    assert (lifting.until, lifting.lifted) == (first.until, True)
    assert revocations.take(lifting, NOW + 1)
    assert not revocations.refuses(bearer(), NOW + 2)
    assert (revocations.in_force(NOW + 2), revocations.all(NOW + 2)) == ([], [lifting])
    assert not revocations.take(first, NOW + 2)  # somebody tells of it late
    assert revocations.lifting("subject", "alice", NOW + 2) is None
    assert revocations.lifting("jti", "alice", NOW + 2) is None
    assert revocations.all(NOW + 10) == []


def test_the_same_once_more_changes_nothing() -> None:
    revocations = Revocations()
    made = taken(revocations, "subject", "alice")
    assert not revocations.take(made, NOW)


@pytest.mark.parametrize("late", [0, 5])
def test_one_that_has_ended_is_as_if_it_had_never_been(late: float) -> None:
    revocations = Revocations()
    assert not revocations.take(Revocation("subject", "alice", NOW, NOW - 9), NOW + late)
    assert len(revocations) == 0


def test_one_that_has_ended_still_replaces_what_was_before() -> None:
    revocations = Revocations()
    taken(revocations, "subject", "alice", 100)
    assert revocations.take(Revocation("subject", "alice", NOW + 2, NOW + 1), NOW + 3)
    assert not revocations.refuses(bearer(), NOW + 3)
    assert len(revocations) == 0


def test_they_are_listed_by_their_end() -> None:
    revocations = Revocations()
    for value, seconds in (("c", 30), ("a", 10), ("b", 20)):
        taken(revocations, "subject", value, seconds)
    assert [each.value for each in revocations.in_force(NOW + 10)] == ["b", "c"]
    assert revocations.get(("subject", "a"), NOW + 10) is None


def test_there_is_room_for_what_is_known_and_what_has_ended_or_was_lifted_makes_place() -> None:
    revocations = Revocations(most=2)
    taken(revocations, "subject", "a", 10)
    taken(revocations, "subject", "b", 20)
    assert revocations.has_room(("subject", "a"), NOW)
    assert not revocations.has_room(("jti", "a"), NOW)
    assert revocations.has_room(("jti", "a"), NOW + 10)
    taken(revocations, "jti", "a", 10, NOW + 10)
    assert not revocations.has_room(("jti", "c"), NOW + 10)
    lifting = revocations.lifting("jti", "a", NOW + 10)
    assert lifting is not None
    revocations.take(lifting, NOW + 10)
    assert revocations.has_room(("jti", "c"), NOW + 10)
    taken(revocations, "jti", "c", 10, NOW + 10)
    assert {each.value for each in revocations.all(NOW + 10)} == {"b", "c"}


def test_too_many_from_elsewhere_and_the_one_that_ends_first_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    revocations = Revocations(most=2)
    for value, seconds in (("a", 10), ("b", 5)):
        taken(revocations, "subject", value, seconds)
    with caplog.at_level(logging.WARNING):
        assert revocations.take(Revocation("subject", "c", NOW + 20, NOW), NOW)
    assert [each.value for each in revocations.all(NOW)] == ["a", "c"]
    assert "more than 2 revocations" in caplog.text
