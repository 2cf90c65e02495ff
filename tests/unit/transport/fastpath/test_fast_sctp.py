"""The short way and aiortc's machinery work on one association: either may follow the other at any packet."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.poll import until
from tests.support.rtc import MemorySession, Recorder, ended, memory_pair
from transport.options import LinkOptions


class Pair:
    """Two open links that face each other."""

    def __init__(self) -> None:
        self.here, self.there = Recorder(), Recorder()
        self.first, self.second = memory_pair(self.here, self.there, LinkOptions())

    @property
    def sctp(self) -> Any:
        return self.first.sctp

    async def settled(self) -> None:
        """Everything is acknowledged."""
        await until(lambda: not self.sctp._sent_queue and self.sctp._flight_size == 0, 5, "nothing is acknowledged")

    async def lose(self, body: bytes, *, reliable: bool) -> None:
        """Send a message that does not arrive."""
        self.first.drop = lambda data: True
        self.first.send(body, reliable=reliable)
        self.first.drop = None


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.here.is_open()
    await pair.there.is_open()
    await pair.settled()
    yield pair
    await ended(pair.first, pair.second)


def count_calls(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    calls: list[None] = []
    real = getattr(owner, name)

    def counted(*arguments: Any) -> Any:
        calls.append(None)
        return real(*arguments)

    monkeypatch.setattr(owner, name, counted)
    return calls


async def test_common_traffic_never_sees_aiortc(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = [
        count_calls(sctp, name, monkeypatch) for sctp in (pair.sctp, pair.second.sctp) for name in ("_handle_data", "_transmit")
    ]
    for number in range(50):
        pair.first.send(b"%d" % number, reliable=bool(number % 2))
        pair.second.send(b"%d" % number, reliable=bool(number % 2))
    await pair.there.has(50)
    await pair.here.has(50)
    assert not any(slow)
    await pair.settled()
    assert pair.sctp._flight_size == 0


@pytest.mark.parametrize("reliable", [True, False])
async def test_after_a_loss_aiortc_repairs_and_the_short_way_is_open_again(
    pair: Pair, reliable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    repairs = count_calls(pair.sctp, "_receive_sack_chunk", monkeypatch)
    await pair.lose(b"lost", reliable=reliable)
    for number in range(6):
        pair.first.send(b"%d" % number, reliable=reliable)
    expected = [b"lost"] * reliable + [b"%d" % number for number in range(6)]
    await pair.there.has(len(expected))
    assert pair.there.bodies(reliable=reliable) == expected
    await pair.settled()
    pair.first.send(b"again", reliable=reliable)
    await pair.there.has(len(expected) + 1)
    await until(lambda: pair.sctp._smooth, 5, "the short way stays closed")
    assert repairs, "gap blocks have told of the loss"


async def test_a_message_lost_at_the_end_is_repeated_when_the_timer_comes(pair: Pair) -> None:
    await pair.lose(b"lost", reliable=True)
    await pair.there.has(1, 5)
    assert pair.there.bodies(reliable=True) == [b"lost"]
    await pair.settled()


async def test_the_timer_is_set_once_for_many_messages(pair: Pair) -> None:
    for number in range(100):
        pair.first.send(b"%d" % number, reliable=False)
    await pair.there.has(100)
    timer = pair.sctp._t3_timer
    for number in range(100):
        pair.first.send(b"%d" % number, reliable=False)
    await pair.there.has(200)
    assert pair.sctp._t3_timer is timer


async def test_a_long_message_and_short_ones_keep_their_order(pair: Pair) -> None:
    bodies = [b"a", b"b" * 30_000, b"c", b"d" * 5_000, b"e"]
    for body in bodies:
        pair.first.send(body, reliable=True)
    await pair.there.has(len(bodies))
    assert pair.there.bodies(reliable=True) == bodies


@pytest.mark.parametrize("seed", range(4))
async def test_both_ways_under_losses(pair: Pair, seed: int) -> None:
    """Reliable: all, in order. Unreliable: nothing twice, nothing invented."""
    rng = random.Random(seed)

    def lossy(link: MemorySession) -> Any:
        return lambda data: rng.random() < 0.03

    pair.first.drop, pair.second.drop = lossy(pair.first), lossy(pair.second)
    sent = [(b"%d" % number + b"x" * rng.choice((0, 30, 1100, 3000)), rng.random() < 0.5) for number in range(200)]
    for body, reliable in sent:
        pair.first.send(body, reliable=reliable)
    wanted = [body for body, reliable in sent if reliable]
    await until(lambda: len(pair.there.bodies(reliable=True)) == len(wanted), 40, "the reliable ones do not all come")
    assert pair.there.bodies(reliable=True) == wanted
    came = pair.there.bodies(reliable=False)
    assert len(came) == len(set(came))
    assert set(came) <= {body for body, reliable in sent if not reliable}
    pair.first.drop = pair.second.drop = None
