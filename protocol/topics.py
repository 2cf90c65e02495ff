"""Topics and the patterns that grants are made of.

A **topic** is a non-empty UTF-8 text of at most ``MAX_TOPIC_BYTES`` without white space or control characters (the
wire separates topics by a single space). ``/`` divides it into segments by convention; only patterns look at segments. A segment
that is ``*`` or ``**`` is reserved for patterns and refused in a topic.

Topics are compared character by character: no case folding, no Unicode normalization, and ``a``, ``/a``, ``a/`` and ``a//b`` are
topics of their own.

A **pattern** is a topic (matches itself), ``prefix/*`` (exactly one more segment), ``prefix/**`` (one or more), or the bare
``*`` (any topic of one segment) and ``**`` (any topic). What a wildcard stands for is never empty: ``a/*`` and ``a/**`` match
neither ``a`` nor ``a/``. The prefix may be empty: ``/*`` and ``/**`` are for topics that begin with a slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from protocol.errors import TopicError
from protocol.limits import MAX_TOPIC_BYTES

_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff\ud800-\udfff]")
_WILDCARDS = frozenset({"*", "**"})


def check_topic(topic: str) -> str:
    """Return `topic` if it obeys the grammar. Raises :class:`TopicError` naming the rule it breaks."""
    if not topic:
        raise TopicError(topic, "is empty")
    if bad := _FORBIDDEN.search(topic):
        raise TopicError(topic, f"has white space or a control character ({bad[0]!r}) at position {bad.start()}")
    size = len(topic.encode())
    if size > MAX_TOPIC_BYTES:
        raise TopicError(topic, f"has {size} bytes, at most {MAX_TOPIC_BYTES} are allowed")
    if "*" in topic and not _WILDCARDS.isdisjoint(topic.split("/")):
        raise TopicError(topic, "a segment of '*' or '**' stands only at the end of a pattern")
    return topic


class PatternSet:
    """A set of patterns; ``topic in patterns`` says whether any of them matches a topic that obeys the grammar.

    Immutable. A look-up costs one hash look-up per segment of the topic, however many patterns there are.
    """

    __slots__ = ("_any_depth", "_exact", "_one_level", "_patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises :class:`TopicError` for a pattern outside the grammar, TypeError for a single text."""
        if isinstance(patterns, str):
            raise TypeError("patterns are a list: one text would be taken apart, and '**' grant every topic of one segment")
        self._patterns = tuple(patterns)
        self._exact: set[str] = set()
        self._one_level: set[str] = set()
        self._any_depth: set[str] = set()
        for pattern in self._patterns:
            self._add(pattern)

    def _add(self, pattern: str) -> None:
        prefix, slash, last = pattern.rpartition("/")
        if last not in _WILDCARDS:
            self._exact.add(check_topic(pattern))
            return
        if prefix:
            check_topic(prefix)
        (self._one_level if last == "*" else self._any_depth).add(prefix + slash)

    def __contains__(self, topic: object) -> bool:
        if not isinstance(topic, str):
            return False
        if topic in self._exact or "" in self._any_depth:
            return True
        if self._one_level and topic[: topic.rfind("/") + 1] in self._one_level and not topic.endswith("/"):
            return True
        return bool(self._any_depth) and self._has_prefix(topic)

    def _has_prefix(self, topic: str) -> bool:
        end = topic.find("/") + 1
        while 0 < end < len(topic):
            if topic[:end] in self._any_depth:
                return True
            end = topic.find("/", end) + 1
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._patterns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatternSet) and set(self._patterns) == set(other._patterns)

    def __hash__(self) -> int:
        return hash(frozenset(self._patterns))

    def __repr__(self) -> str:
        return f"PatternSet({list(self._patterns)!r})"


EVERYTHING = PatternSet(["**"])
NOTHING = PatternSet([])
