"""How each client was served, from its own side: at which comm server, from when, until when, and how long nothing came.

A bot keeps one :class:`ServiceLog`. A **stint** is a client's time at one server: joined, subscribed, packets come, lost or left. Beside
it goes, by itself, which coordinators have welcomed the client.
All times are seconds of the monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan

MAX_STINTS = 1_000
"""More than any measured run has; one without an end keeps the latest."""


@dataclass(slots=True)
class Stint:
    """A time at one comm server."""

    server: int
    """Its alias."""
    since: float
    """The link was there, and the server had accepted us."""
    subscribed: float = inf
    """The server said that everything asked for is in force."""
    first: float = inf
    """The first packet came."""
    last: float = nan
    """The last one did."""
    silence: float = 0.0
    """The longest time between two."""
    until: float = inf
    """The client went elsewhere, or noticed that the link is lost."""
    is_lost: bool = False
    """The latter."""

    @property
    def served(self) -> float:
        """From when on it was subscribed and packets came."""
        return max(self.subscribed, self.first)


class ServiceLog:
    """One client's stints, in their order."""

    __slots__ = ("_stint", "coordinators", "left", "stints")

    def __init__(self) -> None:
        self.stints: list[Stint] = []
        self.coordinators: list[tuple[float, str]] = []
        """When which of them did (host and port); bounded as the stints are."""
        self.left = inf
        """When the client went for good."""
        self._stint = Stint(0, -inf)

    @property
    def server(self) -> int:
        """Alias of the present server, or of the last one; 0 before the first."""
        return self._stint.server

    @property
    def awaits_subscription(self) -> bool:
        """Whether the server of this stint has not yet said that we are subscribed."""
        return self._stint.subscribed == inf and not self._stint.is_lost

    def joined(self, server: int, now: float) -> None:
        """The client has a link to `server`: its first, or once more after a loss."""
        self._stint = Stint(server, now)
        self.stints.append(self._stint)
        del self.stints[:-MAX_STINTS]

    def subscribed(self, at: float) -> None:
        """The server has said, at that time, that all is in force."""
        self._stint.subscribed = at

    def moved(self, server: int, now: float) -> None:
        """It is at another server, without a loss: subscribed there before it left the other."""
        self._stint.until = now
        self.joined(server, now)
        self._stint.subscribed = self._stint.first = self._stint.last = now

    def heard(self, now: float) -> None:
        """A packet came. Called for each, so it does next to nothing."""
        stint = self._stint
        gap = now - stint.last
        stint.last = now
        if not gap <= stint.silence:  # longer than any before, or the first packet: then it is no number
            if isnan(gap):
                stint.first = now
            else:
                stint.silence = gap

    def lost(self, now: float) -> None:
        """The client has noticed that its link is gone."""
        self._stint.until = now
        self._stint.is_lost = True

    def coordinator(self, host: str, now: float) -> None:
        """A coordinator has welcomed it."""
        self.coordinators.append((now, host))
        del self.coordinators[:-MAX_STINTS]

    def leave(self, now: float) -> None:
        """It goes for good."""
        self._stint.until = min(self._stint.until, now)
        self.left = now

    def silence(self, end: float) -> float:
        """The longest time without a packet at one server, from the first packet until `end`; seconds."""
        found = [stint.silence for stint in self.stints]
        last = self._stint
        if last.until == inf and not isnan(last.last):
            found.append(end - last.last)
        return max(found, default=0.0)
