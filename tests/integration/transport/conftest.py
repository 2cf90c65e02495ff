"""Both paths, and a machine that seems to have only loopback, so that no test's traffic leaves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.support.poll import until
from tests.support.rtc import Recorder
from transport.dialer import Dialer, DialerLink
from transport.listener import Listener, ListenerLink
from transport.options import LinkOptions


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves loopback out when it looks for addresses."""

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr("aioice.ice.get_host_addresses", addresses)
    monkeypatch.setattr("transport.fastpath.ice.get_host_addresses", addresses)


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def fast(request: pytest.FixtureRequest) -> bool:
    """Which path to take."""
    return bool(request.param)


class Rtc:
    """A listener and a dialer, and links between them."""

    def __init__(self, listener: Listener, dialer: Dialer) -> None:
        self.listener = listener
        self.dialer = dialer

    async def join(self, offered: Recorder, answering: Recorder) -> tuple[ListenerLink, DialerLink]:
        """An open link: the listener's end, then the dialer's."""
        link = self.listener.offer(offered)
        other = await self.dialer.answer(link.local_sdp, answering)
        link.accept(other.local_sdp)
        await offered.is_open()
        await answering.is_open()
        return link, other


OpenRtc = Callable[..., Awaitable[Rtc]]


@pytest_asyncio.fixture
async def open_rtc() -> AsyncIterator[OpenRtc]:
    """Open a listener and a dialer with the given options; both are closed after the test."""
    opened: list[Rtc] = []

    async def make(*, host: str = "127.0.0.1", **options: Any) -> Rtc:
        settings = LinkOptions(**options)
        rtc = Rtc(await Listener.open(bind=[host], options=settings), Dialer(options=settings))
        opened.append(rtc)
        return rtc

    yield make
    for rtc in opened:
        await rtc.dialer.close()
        await rtc.listener.close()
        await until(lambda r=rtc: r.listener.stats.links == 0, 5, "links are left")  # type: ignore[misc]  # a default argument


@pytest_asyncio.fixture
async def rtc(open_rtc: OpenRtc, fast: bool) -> Rtc:
    """A listener and a dialer on 127.0.0.1."""
    return await open_rtc(fast=fast)
