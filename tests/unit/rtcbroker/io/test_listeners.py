"""Callbacks: in their order, ended one by one."""

from __future__ import annotations

import pytest

from rtcbroker.io.listeners import Listeners


def test_each_is_told_until_it_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    listeners: Listeners[int] = Listeners()
    heard: list[tuple[str, int]] = []
    end_first = listeners.add(lambda number: heard.append(("first", number)))
    listeners.add(lambda number: 1 // 0)
    listeners.add(lambda number: heard.append(("second", number)))
    listeners.tell(1)
    end_first()
    end_first()
    listeners.tell(2)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]
    assert caplog.text.count("ZeroDivisionError") == 2


def test_one_may_end_itself_while_it_is_told() -> None:
    listeners: Listeners[int] = Listeners()
    heard: list[int] = []

    def once(number: int) -> None:
        heard.append(number)
        end()

    end = listeners.add(once)
    listeners.add(heard.append)
    listeners.tell(1)
    listeners.tell(2)
    assert heard == [1, 1, 2]
