"""Long lists in pages: each names the last entry it has, and the next page goes on after that, whatever came or went in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from coordinator.core.api_models import MAX_PAGE
from coordinator.core.api_problems import wrong_field
from coordinator.core.api_routes import DEFAULT_PAGE
from coordinator.core.cluster import Revocation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """In which order a list is told, and how a place in it is written down."""

    key: Callable[[T], Any]
    """What it is sorted by; no two entries have the same."""
    read: Callable[[str], Any]
    """A key, of the text that `write` made of it. Raises ValueError for what is none."""
    write: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list."""

    entries: list[T]
    total: int
    next: str | None
    """What the next page comes after; None on the last one."""


def _revocation_key(text: str) -> tuple[float, str, str]:
    until, name, value = text.split(":", 2)
    return float(until), name, value


BY_END: Order[Revocation] = Order(
    key=lambda revocation: (revocation.until, *revocation.key),
    read=_revocation_key,
    write=lambda key: f"{key[0]!r}:{key[1]}:{key[2]}",
)
"""Revocations, the first to end first."""


def page_of(entries: Iterable[T], query: Mapping[str, str], order: Order[T]) -> Page[T]:
    """What a query asks for with ``limit`` and ``after``. Raises :class:`coordinator.core.api_problems.ApiError`."""
    limit = _limit(query.get("limit", str(DEFAULT_PAGE)))
    ordered = sorted(entries, key=order.key)
    rest = ordered
    if "after" in query:
        last = _place(query["after"], order)
        rest = [entry for entry in ordered if order.key(entry) > last]
    shown = rest[:limit]
    return Page(shown, len(ordered), order.write(order.key(shown[-1])) if len(rest) > limit else None)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
        raise wrong_field("limit", f"{text[:20]!r} is no whole number from 1 to {MAX_PAGE}")
    return int(text)


def _place(text: str, order: Order[T]) -> Any:
    try:
        return order.read(text)
    except ValueError:
        raise wrong_field("after", f"{text[:60]!r} is not the `next` of a page") from None
