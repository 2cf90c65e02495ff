"""Links between servers, from what both ends say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.core.links import Links


def test_a_link_is_told_once() -> None:
    links = Links()
    assert links.update(2, frozenset({1})) == ([(1, 2)], [])
    assert links.update(1, frozenset({2})) == ([], [])
    assert links.update(1, frozenset()) == ([], [])
    assert links.update(2, frozenset({3})) == ([(2, 3)], [(1, 2)])
    assert len(links) == 1


def test_a_server_is_not_linked_with_itself() -> None:
    assert Links().update(1, frozenset({1})) == ([], [])


@given(st.lists(st.tuples(st.integers(1, 4), st.frozensets(st.integers(1, 5)))))
def test_a_link_is_up_while_an_end_says_so(reports: list[tuple[int, frozenset[int]]]) -> None:
    links, said, up = Links(), dict[int, frozenset[int]](), set[tuple[int, int]]()
    for alias, linked in reports:
        came, went = links.update(alias, linked)
        assert not set(came) & up
        assert set(went) <= up
        up = (up | set(came)) - set(went)
        said[alias] = linked
        assert up == {(min(a, b), max(a, b)) for a, others in said.items() for b in others if a != b}
        assert len(links) == len(up)
