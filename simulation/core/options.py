"""What to run: the options of one simulation, as the command line gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.core.impairment import Impairment
from simulation.core.kills import Kill
from simulation.core.messages import Credentials
from simulation.core.scenarios import Scenario

DRAIN_STILL_S = 0.6
"""When nothing more has come for so long, nothing more will: three progresses of the workers."""

IMPAIRED_STILL_S = 4.0
"""The same where packets are lost on purpose: one that is lost twice is sent again after one second, and after two more."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run, against what, and what to make of it."""

    scenario: Callable[[str], Scenario]
    """Makes the scenario, given what its topics are to begin with."""
    url: str | None
    """An existing cluster's coordinator; None starts a cluster."""
    spawn: int
    """Comm servers to start where there is no `url`."""
    credentials: Credentials
    """For an existing cluster."""
    ca_file: Path | None
    """Whom to trust at an existing cluster's ``wss://``; None: the system's authorities."""
    server_options: Sequence[str]
    """More arguments of each comm server that is started."""
    prefix: str
    """What all topics begin with."""
    hz: float
    size: int
    reliable: bool
    old_peers: bool
    """Bots speak Part 1 of the wire only."""
    workers: int | None
    """Load processes; None: as many as it takes."""
    connect_timeout_s: float
    max_loss: float
    """0..1; beside what `impairment` takes on the unreliable channel."""
    json: Path | None
    plot: Path | None
    impairment: Impairment | None = None
    """What becomes of the clients' packets on their way to the cluster and back."""
    hubs: int = 0
    """How many of the comm servers to start are hubs."""
    coordinators: int = 1
    """To start where there is no `url`; several meet on a Redis of their own."""
    kills: Sequence[Kill] = ()
    """Which of the processes that are started here to kill, and when."""
    revive_s: float | None = None
    """Seconds after which a killed process is started again; None: never."""
    max_outage_s: float | None = None
    """Seconds for which a client may be out; None: as long as it likes."""

    @property
    def still_s(self) -> float:
        """When nothing more has come for so long, nothing more will."""
        return IMPAIRED_STILL_S if self.reliable and self.impairment is not None else DRAIN_STILL_S

    @property
    def allowed_loss(self) -> float:
        """0..1; a batch is lost as a whole, so chance may take half as much again as the network does on average."""
        expected = 0.0 if self.reliable or self.impairment is None else 1.5 * self.impairment.round_loss
        return min(1.0, self.max_loss + expected)
