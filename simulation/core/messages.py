"""What the simulation and its worker processes tell each other.

Pickled on pipes: both ends are the same program on the same machine. One conversation: :class:`Job` down, :class:`Progress` up all the
time, :class:`Start` down once everyone is there; for a counted run then :class:`Collect` down, :class:`Sends` up, :class:`Judge` down
and :class:`Result` up. The end of the pipe ends the worker at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulation.core.latency import Histogram, Timeline
from simulation.core.ledger import SendLog
from simulation.core.presence import Span
from simulation.core.report import Counts
from simulation.core.scenarios import Plan
from simulation.core.service import ServiceLog


@dataclass(frozen=True, slots=True)
class Credentials:
    """What bots show: a token, or a secret to sign one each; neither where there is no authentication."""

    token: str | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"


@dataclass(frozen=True, slots=True)
class Job:
    """One worker's share of a scenario."""

    url: str
    credentials: Credentials
    run: int
    """A number that all packets of this run carry."""
    prefix: str
    """What the topics of this run begin with; tokens are signed for these."""
    plans: Sequence[Plan]
    hz: float
    """Packets a bot publishes per second."""
    size: int
    """Bytes of a packet's body."""
    reliable: bool
    counted: bool
    """Keep the books of :mod:`simulation.core.ledger`. Without, a run may last for ever."""
    connect_timeout_s: float
    old_peers: bool = False
    """Bots speak Part 1 of the wire only."""
    ca_file: Path | None = None
    """Whom to trust at a ``wss://`` coordinator; None: the system's authorities."""


@dataclass(frozen=True, slots=True)
class Start:
    """Everyone is there: publish from `publish_at`, measure from `measure_at` to `end_at` (seconds of the monotonic clock)."""

    publish_at: float
    measure_at: float
    end_at: float


@dataclass(frozen=True, slots=True)
class Collect:
    """Publish no more, send your :class:`Sends`."""


@dataclass(frozen=True, slots=True)
class Sends:
    """What a worker's bots sent, and how they were served."""

    logs: Mapping[int, SendLog]
    services: Mapping[int, ServiceLog]


@dataclass(frozen=True, slots=True)
class Judge:
    """What everyone's bots sent: count what should have come."""

    logs: Mapping[int, SendLog]
    absences: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    """Whose server was killed, and from when to when each was out."""


@dataclass(slots=True)
class Progress:
    """How it goes."""

    connected: int = 0
    """Clients in the cluster just now, subscribed."""
    failed: int = 0
    sent: int = 0
    """Packets since the first, measured or not."""
    received: int = 0
    latency: dict[int, Histogram] = field(default_factory=dict)
    """Of what came since the last progress, by the alias of the comm server that it came from."""
    errors: Sequence[str] = ()
    """Why clients could not connect; the first few."""

    def add(self, other: Progress) -> None:
        """Add another worker's."""
        self.connected += other.connected
        self.failed += other.failed
        self.sent += other.sent
        self.received += other.received
        self.errors = [*self.errors, *other.errors]
        for alias, histogram in other.latency.items():
            self.latency.setdefault(alias, Histogram()).merge(histogram)


@dataclass(slots=True)
class Result:
    """A worker's verdict."""

    counts: Counts
    latency: Timeline
    connect: Histogram
    presence: Sequence[Span]
    lag_s: float
    """How late the most delayed packet was published."""


Down = Job | Start | Collect | Judge
Up = Progress | Sends | Result
