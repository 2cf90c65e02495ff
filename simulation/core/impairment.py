"""A worse network, as one line says it: ``loss=2%,delay=80ms,jitter=10ms,rate=2mbit``. Each way: a round trip takes two delays.

:class:`Impairment` is what is asked for. The kernel's netem carries it out where the kernel has it (:func:`netem_arguments`, tc-netem(8));
:class:`Lane` is the same decision without a kernel, packet by packet: when does it arrive, or does it at all.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import ConfigError

if TYPE_CHECKING:
    from random import Random

MAX_DELAY_S = 10.0
MIN_RATE_BPS, MAX_RATE_BPS = 8_000.0, 1e11
QUEUE_S = 0.2
"""Seconds of traffic that wait before a link with a rate; what comes beyond is lost, as at the router before a slow line."""
QUEUE_PACKETS = 20_000
"""What a link without a rate holds: more than is ever on its way."""
SMALL_PACKET_BYTES = 400
"""Queues are counted in packets, as netem counts them; one of a second's traffic holds so many bytes each."""

_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}


@dataclass(frozen=True, slots=True)
class Impairment:
    """What becomes of a packet on its way, each way."""

    loss: float = 0.0
    """Share of the packets that are lost, 0..1."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Each packet takes `delay_s` plus or minus up to this, so they may overtake one another."""
    rate_bps: float = 0.0
    """Bits a second; 0: no limit."""

    @property
    def round_loss(self) -> float:
        """Share of the packets that are lost on a way there and a way back."""
        return 1.0 - (1.0 - self.loss) ** 2

    @property
    def queue_packets(self) -> int:
        """How many may be on their way, or wait."""
        if not self.rate_bps:
            return QUEUE_PACKETS
        held_s = self.delay_s + self.jitter_s + QUEUE_S
        return max(32, math.ceil(self.rate_bps * held_s / 8 / SMALL_PACKET_BYTES))

    def __str__(self) -> str:
        parts = [f"loss={100 * self.loss:g}%"] if self.loss else []
        parts += [f"{name}={1e3 * value:g}ms" for name, value in (("delay", self.delay_s), ("jitter", self.jitter_s)) if value]
        return ",".join(parts + ([f"rate={self.rate_bps / 1e3:g}kbit"] if self.rate_bps else []))


def parse_impairment(text: str) -> Impairment:
    """Read what ``--impair`` says. Raises :class:`ConfigError`, naming the part and what is wrong with it."""
    values: dict[str, float] = {}
    for part in text.split(","):
        name, sign, value = part.strip().partition("=")
        if not sign or name not in _READERS:
            raise _wrong(part, "expected loss=.., delay=.., jitter=.., rate=.., such as loss=2%,delay=80ms")
        if name in values:
            raise _wrong(part, f"{name} is given twice")
        values[name] = _READERS[name](part, value.strip())
    found = Impairment(values.get("loss", 0.0), values.get("delay", 0.0), values.get("jitter", 0.0), values.get("rate", 0.0))
    if found.jitter_s > found.delay_s:
        raise _wrong(f"jitter={found.jitter_s * 1e3:g}ms", "more than the delay: no packet arrives before it was sent")
    if found == Impairment():
        raise _wrong(text, "impairs nothing")
    return found


def _wrong(part: str, why: str) -> ConfigError:
    return ConfigError(f"--impair {part.strip()!r}: {why}")


def _loss(part: str, text: str) -> float:
    share = _number(part, text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    if not 0.0 <= share <= 1.0:
        raise _wrong(part, "a share from 0 to 1, or a percentage: loss=0.02, loss=2%")
    return share


def _seconds(part: str, text: str) -> float:
    seconds = _with_unit(part, text, _TIMES, "a time such as 80ms or 0.2s")
    if not 0.0 <= seconds <= MAX_DELAY_S:
        raise _wrong(part, f"from 0 to {MAX_DELAY_S:g} s")
    return seconds


def _rate(part: str, text: str) -> float:
    rate = _with_unit(part, text, _RATES, "bits a second such as 512kbit or 10mbit")
    if not MIN_RATE_BPS <= rate <= MAX_RATE_BPS:
        raise _wrong(part, "from 8kbit to 100gbit")
    return rate


_READERS = {"loss": _loss, "delay": _seconds, "jitter": _seconds, "rate": _rate}


def _with_unit(part: str, text: str, units: dict[str, float], expected: str) -> float:
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(digits) :]
    if unit not in units:
        raise _wrong(part, f"expected {expected}")
    return _number(part, digits) * units[unit]


def _number(part: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _wrong(part, f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise _wrong(part, f"{text!r} is no number")
    return number


def netem_arguments(impairment: Impairment) -> list[str]:
    """What follows ``tc qdisc replace dev NAME root``."""
    arguments = ["netem", "limit", str(impairment.queue_packets)]
    if impairment.delay_s:
        arguments += ["delay", f"{impairment.delay_s * 1e6:.0f}us"]
        arguments += [f"{impairment.jitter_s * 1e6:.0f}us"] if impairment.jitter_s else []
    if impairment.loss:
        arguments += ["loss", f"{100 * impairment.loss:.4f}%"]
    if impairment.rate_bps:
        arguments += ["rate", f"{impairment.rate_bps:.0f}bit"]
    return arguments


class Lane:
    """One direction of an impaired link."""

    def __init__(self, impairment: Impairment, rng: Random) -> None:
        self._impairment = impairment
        self._rng = rng
        self._line_free_at = 0.0
        self._arrivals: deque[float] = deque()

    def arrival(self, size: int, now: float) -> float | None:
        """When a packet of `size` bytes that is sent `now` arrives; None where it never does. `now` in seconds, never stepping back."""
        impairment = self._impairment
        while self._arrivals and self._arrivals[0] <= now:
            self._arrivals.popleft()
        if len(self._arrivals) >= impairment.queue_packets or self._rng.random() < impairment.loss:
            return None
        sent = now
        if impairment.rate_bps:
            sent = self._line_free_at = max(now, self._line_free_at) + 8 * size / impairment.rate_bps
        wait = (
            impairment.delay_s + impairment.jitter_s * (2 * self._rng.random() - 1) if impairment.jitter_s else impairment.delay_s
        )
        at = sent + wait
        self._arrivals.append(at)
        return at
