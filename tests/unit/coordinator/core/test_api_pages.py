"""Pages: all of a list, each entry once, however it changes in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.api_pages import BY_END, Order, Page, page_of
from coordinator.core.api_problems import ApiError
from coordinator.core.cluster import Revocation

NUMBERS: Order[int] = Order(key=lambda number: number, read=int)


def all_pages(entries: list[int], limit: int) -> list[Page[int]]:
    pages = [page_of(entries, {"limit": str(limit)}, NUMBERS)]
    while (after := pages[-1].next) is not None:
        pages.append(page_of(entries, {"limit": str(limit), "after": after}, NUMBERS))
    return pages


@given(st.sets(st.integers(1, 50)), st.integers(1, 20))
def test_pages_are_the_whole_list_in_order(entries: set[int], limit: int) -> None:
    pages = all_pages(list(entries), limit)
    assert [entry for page in pages for entry in page.entries] == sorted(entries)
    assert all(len(page.entries) == limit for page in pages[:-1])
    assert {page.total for page in pages} == {len(entries)}


def test_without_a_limit_there_is_one() -> None:
    assert len(page_of(range(500), {}, NUMBERS).entries) == 100


def test_what_was_told_last_may_be_gone() -> None:
    assert page_of([1, 2, 5], {"after": "3"}, NUMBERS).entries == [5]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "", "1.5", "٣", "9" * 5_000])
def test_a_limit_is_a_number_within_bounds(limit: str) -> None:
    with pytest.raises(ApiError) as caught:
        page_of([1], {"limit": limit}, NUMBERS)
    assert [error.field for error in caught.value.errors] == ["limit"]


@pytest.mark.parametrize("after", ["x", "", "1:2"])
def test_what_is_no_place_in_the_list_is_told(after: str) -> None:
    with pytest.raises(ApiError) as caught:
        page_of([1], {"after": after}, NUMBERS)
    assert [error.field for error in caught.value.errors] == ["after"]
    with pytest.raises(ApiError) as caught:
        page_of([Revocation("jti", "j", 1.0, 0.0)], {"after": after}, BY_END)
    assert [error.field for error in caught.value.errors] == ["after"]


@given(
    st.lists(st.builds(Revocation, st.sampled_from(["subject", "jti"]), st.text(min_size=1), st.floats(1, 1e10), st.just(0.0)))
)
def test_revocations_of_any_name_are_paged(revocations: list[Revocation]) -> None:
    unique = {revocation.key: revocation for revocation in revocations}
    found: list[Revocation] = []
    query = {"limit": "1"}
    while True:
        page = page_of(unique.values(), query, BY_END)
        found += page.entries
        if page.next is None:
            break
        query["after"] = page.next
    assert found == sorted(unique.values(), key=lambda revocation: (revocation.until, revocation.key))
