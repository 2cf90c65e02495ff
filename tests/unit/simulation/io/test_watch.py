"""Pages are read while their servers answer."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

import aiohttp

from simulation.io.watch import Watch


class FakeResponse:
    def __init__(self, text: str | None) -> None:
        self._text = text

    async def __aenter__(self) -> Self:
        if self._text is None:
            raise aiohttp.ClientConnectionError
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def raise_for_status(self) -> None:
        pass

    async def text(self) -> str:
        return self._text or ""


class FakeSession:
    def __init__(self) -> None:
        self.pages: dict[str, str | None] = {}

    def get(self, url: str, **_: Any) -> FakeResponse:
        return FakeResponse(self.pages[url])


def page(topics: int) -> str:
    return f"# TYPE rtcbroker_topics gauge\nrtcbroker_topics {topics}\n"


async def test_a_server_that_does_not_answer_is_told_apart() -> None:
    session = FakeSession()
    session.pages = {"http://a/metrics": page(3), "http://b/metrics": None, "http://c/metrics": "<html>"}
    watch = Watch(cast(aiohttp.ClientSession, session), ["http://a", "http://b", "http://c"])
    first, second, third = await watch.look()
    assert first is not None
    assert first[0].topics == 3
    assert (second, third) == (None, None)
    session.pages = dict.fromkeys(session.pages, page(4))
    assert [found and found[0].topics for found in await watch.look()] == [4, 4, 4]
