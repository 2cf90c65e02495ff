"""The links between servers, as both their ends report them: a link is up while at least one end says so.

The two ends hear of its beginning and end at different times, and one of them may be dead; so what counts is the pair, told once.
"""

from __future__ import annotations

Pair = tuple[int, int]
"""The two aliases, the lower first."""


class Links:
    """Which pairs of servers are linked."""

    def __init__(self) -> None:
        self._reporters: dict[Pair, set[int]] = {}
        self._linked: dict[int, frozenset[int]] = {}

    def update(self, alias: int, linked: frozenset[int]) -> tuple[list[Pair], list[Pair]]:
        """A server says whom it is linked with, or (with none) is gone. Returns the pairs that came up and those that went down."""
        before = self._linked.get(alias, frozenset())
        if linked:
            self._linked[alias] = linked
        else:
            self._linked.pop(alias, None)
        up: list[Pair] = []
        down: list[Pair] = []
        for other in sorted((linked - before) - {alias}):
            reporters = self._reporters.setdefault(_pair(alias, other), set())
            if not reporters:
                up.append(_pair(alias, other))
            reporters.add(alias)
        for other in sorted((before - linked) - {alias}):
            reporters = self._reporters[_pair(alias, other)]
            reporters.discard(alias)
            if not reporters:
                del self._reporters[_pair(alias, other)]
                down.append(_pair(alias, other))
        return up, down

    def __len__(self) -> int:
        return len(self._reporters)


def _pair(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)
