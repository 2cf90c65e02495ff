"""A page is refused in a close frame: what a browser is answered before the upgrade, it shows to nobody."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from protocol.codes import Code
from protocol.tokens import TokenRole
from tests.integration.coordinator.conftest import CLOCK, Peer, Running, token

REFUSALS: dict[Code, tuple[int, Callable[[], str]]] = {
    Code.AUTH_FAILED: (401, lambda: "nonsense"),
    Code.TOKEN_EXPIRED: (401, lambda: token(now=CLOCK.now() - 3600)),
    Code.WRONG_ROLE: (403, lambda: token(role=TokenRole.ADMIN)),
}
"""Status, and a token that is made when it is used: one of a whole run's beginning has expired by then."""


def own_page(coordinator: Running) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{coordinator.port}"}


@pytest.mark.parametrize("code", list(REFUSALS))
async def test_a_page_is_upgraded_and_closed_with_the_code(coordinator: Running, code: Code) -> None:
    status, make = REFUSALS[code]
    page = Peer(await coordinator.dial("/connect", {"v": "2", "access_token": make()}, headers=own_page(coordinator)))
    told, reason = await page.end()
    assert told == code
    assert reason
    assert coordinator.driver.core.stats.refused == {(status, code): 1}


async def test_programs_and_pages_that_know_no_codes_are_told_by_http(coordinator: Running) -> None:
    for query, headers in (({"v": "2"}, {}), ({}, own_page(coordinator))):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await coordinator.dial("/connect", query, headers=headers)


async def test_a_page_of_a_foreign_origin_is_not_upgraded(coordinator: Running) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await coordinator.dial("/connect", {"v": "2", "access_token": token()}, headers={"Origin": "http://evil.example"})
