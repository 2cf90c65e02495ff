"""What came and is not answered counts for its address, byte by byte."""

from __future__ import annotations

from service.intake import AHEAD_BYTES, Intake


class Place:
    """So many bytes."""

    def __init__(self, most: int = 10 * AHEAD_BYTES) -> None:
        self.most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        if self.taken + size > self.most:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        self.taken -= size


def test_all_of_it_counts_until_it_is_answered() -> None:
    place = Place()
    intake = Intake(lambda: place)
    assert intake.came(100)
    assert intake.came(50)
    assert place.taken == intake.bytes == 150
    intake.answered(is_more=False)
    assert place.taken == intake.bytes == 0
    assert intake.came(7)
    intake.clear()
    assert place.taken == 0


def test_what_is_ahead_goes_on_counting() -> None:
    place = Place()
    intake = Intake(lambda: place)
    assert intake.came(1_000)
    intake.answered(is_more=True)
    assert place.taken == 1_000
    assert intake.came(2 * AHEAD_BYTES)
    intake.answered(is_more=True)
    assert place.taken == AHEAD_BYTES, "no more than is read ahead"
    intake.answered(is_more=False)
    assert place.taken == 0


def test_what_is_too_much_is_not_taken() -> None:
    place = Place(100)
    one, other = Intake(lambda: place), Intake(lambda: place)
    assert one.came(60)
    assert not other.came(41)
    assert other.came(40)
    assert not one.came(1)
    other.clear()
    one.clear()
    assert place.taken == 0


def test_the_account_is_asked_for_when_something_begins_to_be_kept() -> None:
    """One of which nothing was kept may have been forgotten meanwhile."""
    places = [Place(), Place()]
    left = iter(places)
    intake = Intake(lambda: next(left))
    assert intake.came(1)
    assert intake.came(1)
    intake.answered(is_more=False)
    assert intake.came(5)
    assert [place.taken for place in places] == [0, 5]


def test_where_nobody_bounds_it() -> None:
    intake = Intake(lambda: None)
    assert intake.came(10**9)
    intake.clear()
    assert intake.bytes == 0
