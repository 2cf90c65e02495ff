"""The scenarios, as data: what is run, and which figures should come out of it.

The targets are those the project set itself for a machine with two cores that the load generator shares. Ratios hold anywhere,
absolute times belong to the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import Wanted
from benchmarks.scaling import NAMES as SCALING

CPU, P50, P99, LOSS = "cpu_us_per_delivery", "latency_ms.p50", "latency_ms.p99", "loss_percent"
BODY_BYTES = 26
"""Of a packet, as a position with an orientation has; 24 of them are what the receiver counts by."""
MAX_LOSS = 0.001
CROWDS = (25, 50, 100, 150, 300)
CROWD_HZ = 2.0
"""With ten packets a second 300 clients are 897,000 deliveries a second: more than a load generator in Python counts on one core."""
CROWD_OPTIONS = ("--server-option", "coalesce_window=0.04")
"""Twice the usual window, so that the receivers of the largest crowd get no more batches a second (7,500) than those of ``dense150``:
with 15,000 the load generator is late, and what is measured is its lateness."""
GROWTH = tuple(f"crowd{clients}" for clients in CROWDS)
GROWTH_LABEL = "greatest step in CPU per delivery, 25 to 300 clients"

COALESCE_OFF = ("--server-option", "coalesce_window=0")
PLAIN_PATH = ("--server-option", "fast_path=false")
"""Compared with the fast path in crowds that it can serve beside a load generator: ``dense150`` and ``window0`` are too much for it."""


@dataclass(frozen=True, slots=True)
class Load:
    """A scenario of ``rtcbroker simulate``."""

    name: str
    kind: str
    clients: int
    hz: float = 10.0
    servers: int = 1
    options: Sequence[str] = ()

    def arguments(self, seconds: float) -> list[str]:
        """Its command line, after ``simulate``."""
        fixed = {"--spawn": self.servers, "--clients": self.clients, "--hz": f"{self.hz:g}", "--size": BODY_BYTES}
        fixed |= {"--seconds": f"{seconds:g}", "--warmup": "2s", "--max-loss": MAX_LOSS}
        return [self.kind, *(str(part) for pair in fixed.items() for part in pair), *self.options]

    def packets(self, seconds: float) -> float:
        """How many packets are to be published in the measured time."""
        return self.clients * self.hz * seconds


LOADS = (
    Load("dense150", "dense", 150),
    Load("window0", "dense", 45, options=COALESCE_OFF),
    Load("old45", "dense", 45, options=("--old-peers",)),
    Load("fast100", "dense", 100),
    Load("plain100", "dense", 100, options=PLAIN_PATH),
    Load("fast30", "dense", 30, options=COALESCE_OFF),
    Load("plain30", "dense", 30, options=(*COALESCE_OFF, *PLAIN_PATH)),
    Load("linked", "dense", 150, servers=2),
    Load("groups", "groups", 300, options=("--groups", "100")),
    Load("groups0", "groups", 300, options=("--groups", "100", *COALESCE_OFF)),
    Load("lone", "dense", 2, hz=5.0),
    *(Load(name, "dense", clients, hz=CROWD_HZ, options=CROWD_OPTIONS) for name, clients in zip(GROWTH, CROWDS, strict=True)),
)

DRIVEN = ("subscriptions", "joins", "p2p", "hostile", *SCALING)
"""Scenarios with a driver of their own."""

GROUPS_OF: dict[str, tuple[str, ...]] = {
    "linked": ("linked", "dense150"),
    "plain": ("fast100", "plain100", "fast30", "plain30"),
    "groups": ("groups", "groups0"),
    "growth": GROWTH,
    "scaling": SCALING,
}
"""A name that stands for several scenarios: those that one figure compares."""


WANTED = (
    Wanted("dense150", "CPU per delivery", "µs", CPU, at_most=2.0),
    Wanted("dense150", "loss, worst run", "%", LOSS, at_most=100 * MAX_LOSS, worst=True, digits=3),
    Wanted("dense150", "latency p50", "ms", P50, at_most=20),
    Wanted("dense150", "latency p99", "ms", P99, at_most=45),
    Wanted("window0", "CPU per delivery", "µs", CPU, at_most=25),
    Wanted("window0", "latency p50", "ms", P50, at_most=1),
    Wanted("old45", "CPU per delivery", "µs", CPU, at_most=25),
    Wanted("old45", "latency p50", "ms", P50, at_most=1),
    Wanted("fast100", "CPU per delivery, 100 clients", "µs", CPU),
    Wanted("plain100", "CPU per delivery, aiortc's plain path", "µs", CPU),
    Wanted("plain100", "the same to that of fast100", "x", CPU, relative_to="fast100"),
    Wanted("fast30", "CPU per delivery, 30 clients, no window", "µs", CPU),
    Wanted("plain30", "CPU per delivery, aiortc's plain path", "µs", CPU),
    Wanted("plain30", "the same to that of fast30", "x", CPU, relative_to="fast30"),
    Wanted("linked", "CPU per delivery, both servers", "µs", CPU),
    Wanted("linked", "the same to that of dense150", "x", CPU, at_most=1.3, relative_to="dense150"),
    Wanted("groups", "latency p50", "ms", P50, at_most=2),
    Wanted("groups", "latency p99", "ms", P99, at_most=12),
    Wanted("groups", "CPU per delivery", "µs", CPU),
    Wanted("groups", "the same to that of window 0", "x", CPU, at_most=1.1, relative_to="groups0"),
    Wanted("lone", "latency p50, clients included", "ms", P50),
    Wanted("lone", "the same over a link without a server", "ms", "direct_ms"),
    Wanted("lone", "latency p50 added by the server", "ms", "added_ms", at_most=1),
    *(Wanted(name, f"CPU per delivery at {CROWD_HZ:g} Hz", "µs", CPU) for name in GROWTH),
    Wanted("subscriptions", "change of one topic of 10, 10,000 topics", "µs", "change_us", at_most=50),
    Wanted("subscriptions", "the same to that with 100 topics", "x", "to_few_topics", at_most=1.5),
    Wanted("subscriptions", "told to a linked server about it", "bytes", "told_bytes", at_most=200, digits=0),
    Wanted("joins", "CPU per join", "ms", "cpu_ms_per_join", at_most=4),
    Wanted("joins", "joins per second of CPU", "/s", "joins_per_cpu_s", digits=0),
    Wanted("joins", "joins per second as they came", "/s", "joins_per_s", digits=0),
    Wanted("joins", "memory per idle client", "kB", "memory_kb_per_client", at_most=200, digits=0),
    Wanted("joins", "idle clients held", "", "clients", digits=0),
    Wanted("joins", "idle CPU, of a core", "%", "idle_cpu_percent"),
    Wanted("joins", "idle CPU per 1,000 clients, of a core", "%", "idle_cpu_percent_per_1000"),
    Wanted("p2p", "AppRTC, 1,000 calls: forwarding p50", "ms", "call_ms.p50"),
    Wanted("p2p", "AppRTC, 1,000 calls: forwarding p99", "ms", "call_ms.p99", at_most=20),
    Wanted("p2p", "NextRTC, 64 members: forwarding p99", "ms", "talk_ms.p99", at_most=20),
    Wanted("p2p", "NextRTC, 64 members: every pair negotiated", "s", "mesh_s"),
    Wanted("p2p", "CPU per message", "µs", "cpu_us_per_message"),
    Wanted("p2p", "joins per second as they came", "/s", "joins_per_s", digits=0),
    Wanted("hostile", "CPU per datagram of a stranger", "µs", "cpu_us.strangers"),
    Wanted("hostile", "the same with a peer's address", "µs", "cpu_us.own"),
    Wanted("hostile", "the same of the dearest kind", "µs", "cpu_us.dearest"),
    Wanted("hostile", "hostile datagrams a second", "/s", "packets_per_s", digits=0),
    Wanted("hostile", "latency p50 of two who talk, calm", "ms", "calm_ms.p50"),
    Wanted("hostile", "latency p50 of two who talk, flood", "ms", "flood_ms.p50"),
    Wanted("hostile", "latency p99 of two who talk, calm", "ms", "calm_ms.p99"),
    Wanted("hostile", "latency p99 of two who talk, flood", "ms", "flood_ms.p99"),
    *(Wanted(name, "links between servers", "", "links", digits=0) for name in SCALING),
    *(Wanted(name, "messages over them", "/s", "link_messages_per_s", digits=0) for name in SCALING),
    *(Wanted(name, "CPU of all servers", "ms/s", "cpu_ms_per_s", digits=1) for name in SCALING),
    *(Wanted(name, "the same, linked and idle", "ms/s", "idle_cpu_ms_per_s", digits=1) for name in SCALING),
)

NAMES = tuple(dict.fromkeys([*(load.name for load in LOADS), *DRIVEN, *GROUPS_OF]))
"""What may be asked for."""


def chosen(names: Iterable[str]) -> list[str]:
    """The scenarios to run, in order, when `names` are asked for; all of them when none is."""
    asked = {scenario for name in names for scenario in GROUPS_OF.get(name, (name,))}
    return [name for name in (*(load.name for load in LOADS), *DRIVEN) if not asked or name in asked]
