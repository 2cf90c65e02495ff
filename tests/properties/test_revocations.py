"""Whatever is revoked and lifted, at whichever coordinator and told in whatever order: a token is refused if and only if it is meant."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from coordinator.core.cluster import Revocation, TokenName
from coordinator.core.revocations import Revocations
from protocol.tokens import Claims, TokenRole
from tests.support.coordination import NOW

names = st.sampled_from(["subject", "jti"])
values = st.sampled_from("abc")
MOST = 4

made = st.builds(
    Revocation,
    names,
    values,
    st.integers(1, 30).map(lambda seconds: NOW + seconds),
    st.integers(0, 20).map(lambda seconds: NOW + seconds),
    st.booleans(),
)


class Told(RuleBasedStateMachine):
    """Two that make revocations, and tell one another when it comes to it. The model: of each subject and token the last word, which is
    nothing once its time is over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.both = [Revocations(), Revocations()]
        self.untold: list[list[Revocation]] = [[], []]
        self.words: list[dict[tuple[str, str], Revocation]] = [{}, {}]

    @rule(at=st.integers(0, 1), name=names, value=values, seconds=st.integers(1, 20))
    def revoke(self, at: int, name: TokenName, value: str, seconds: int) -> None:
        self._note(at, self.both[at].make(name, value, self.now + seconds, self.now))

    @rule(at=st.integers(0, 1), name=names, value=values)
    def lift(self, at: int, name: TokenName, value: str) -> None:
        lifting = self.both[at].lifting(name, value, self.now)
        assert (lifting is not None) == self._refused(at, (name, value))
        if lifting is not None:
            self._note(at, lifting)

    @rule(to=st.integers(0, 1), data=st.data())
    def tell(self, to: int, data: st.DataObject) -> None:
        """One of what the other has made, any of it, perhaps not for the first time."""
        if self.untold[1 - to]:
            told = data.draw(st.sampled_from(self.untold[1 - to]))
            self.both[to].take(told, self.now)
            self._hear(to, told)

    @rule(seconds=st.sampled_from([0.5, 3, 10]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def _note(self, at: int, revocation: Revocation) -> None:
        assert self.both[at].take(revocation, self.now)
        self._hear(at, revocation)
        self.untold[at].append(revocation)

    def _hear(self, at: int, revocation: Revocation) -> None:
        before = self.words[at].get(revocation.key)
        words = [word for word in (before, revocation) if word is not None and (word is revocation or word.until > self.now)]
        self.words[at][revocation.key] = max(words, key=lambda word: (word.made_at, word.lifted, word.until))

    def _refused(self, at: int, key: tuple[str, str]) -> bool:
        last = self.words[at].get(key)
        return last is not None and not last.lifted and last.until > self.now

    @invariant()
    def who_is_meant_is_refused_and_nobody_else(self) -> None:
        for at, revocations in enumerate(self.both):
            for subject in "abcd":
                for token_id in ("", *"abcd"):
                    expected = self._refused(at, ("subject", subject)) or self._refused(at, ("jti", token_id))
                    claims = Claims(subject, TokenRole.CLIENT, math.inf, token_id=token_id)
                    assert revocations.refuses(claims, self.now) == expected


TestTold = Told.TestCase


@given(st.lists(st.tuples(made, st.sampled_from([0, 1, 5])), max_size=40))
def test_there_are_never_more_than_there_may_be(steps: list[tuple[Revocation, int]]) -> None:
    revocations, now = Revocations(MOST), NOW
    for revocation, seconds in steps:
        now += seconds
        had_room = revocations.has_room(revocation.key, now)
        in_force = {each.key for each in revocations.in_force(now)}
        revocations.take(revocation, now)
        assert len(revocations) <= MOST
        if had_room:
            assert in_force - {revocation.key} <= {each.key for each in revocations.in_force(now)}


@given(st.lists(made, max_size=20), st.randoms(use_true_random=False))
def test_whoever_has_heard_everything_agrees(told: list[Revocation], rng: random.Random) -> None:
    everyone = [Revocations(), Revocations()]
    for revocations in everyone:
        for revocation in rng.sample([*told, *told], 2 * len(told)):
            revocations.take(revocation, NOW)
    assert everyone[0].all(NOW) == everyone[1].all(NOW)
