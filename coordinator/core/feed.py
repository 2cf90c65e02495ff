"""What the dashboard is told, as JSON documents: :class:`Hello` once, then :class:`State` every second.

The names are public: the dashboard's page reads them, and so may any other program with an admin token. Aliases are texts here, since
they are names. Times are seconds since the epoch, rates are per second, a *packet* is one data channel message.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic makes schemas of these, on Python 3.11 only of this TypedDict

INTERVAL_S = 1.0
"""Between two states, and between two reports of a server."""

LogKind = Literal[
    "joined", "left", "refused", "server-joined", "server-left", "link-up", "link-down", "state", "operator", "lost-events"
]  # fmt: skip
ServerCondition = Literal["ready", "linking", "full", "draining", "stale", "silent"]


class LogEntry(TypedDict):
    """Something that happened."""

    id: int
    """Counts up by one; a page that knows the last one tells what is new."""
    time: float
    kind: LogKind
    server: NotRequired[str]
    alias: NotRequired[str]
    """The other peer."""
    text: str


class Point(TypedDict):
    """One server over one second; counts of packets, bytes and drops are rates."""

    time: float
    clients: int
    packets_in: float
    packets_out: float
    bytes_in: float
    bytes_out: float
    drops: float
    p50_ms: float | None
    p99_ms: float | None
    cpu: float


class Traffic(TypedDict):
    """Totals since the server's start, or rates."""

    packets_in: float
    packets_out: float
    bytes_in: float
    bytes_out: float
    records: float
    deliveries: float


class Drop(TypedDict):
    """Records not delivered for one reason."""

    reason: str
    count: int
    rate: float


class Latency(TypedDict):
    """From a packet's arrival to its last send, milliseconds, over the last second in which anything was relayed."""

    p50: float
    p99: float


class LinkNow(TypedDict):
    """A server's link to another, in bytes per second."""

    alias: str
    bytes_in: float
    bytes_out: float


class ServerNow(TypedDict):
    """One comm server. What only reports tell is 0, empty or None of a server that sends none."""

    alias: str
    role: Literal["server", "hub"]
    state: ServerCondition
    """`stale`: it has not reported for a while; `silent`: it never has, being an old one."""
    version: str
    uptime_s: float
    clients: int
    max_clients: int
    """0: no limit."""
    topics: int
    subscriptions: int
    totals: Traffic
    rates: Traffic
    drops: list[Drop]
    latency_ms: Latency | None
    cpu: float
    """Share of one core."""
    memory_bytes: int
    links: list[LinkNow]
    age_s: float
    """Of what is known of it."""


class TopicNow(TypedDict):
    """One of the busiest topics."""

    topic: str
    subscribers: int
    records_per_s: float
    deliveries_per_s: float


class PeerToPeerNow(TypedDict):
    """One of the peer-to-peer protocols, since the start of this coordinator."""

    protocol: str
    rooms: int
    """Rooms, conversations or sessions there are."""
    members: int
    messages: int
    """Passed on or kept for later."""
    errors: int


class CoordinatorNow(TypedDict):
    """This coordinator: the same numbers as its metrics page."""

    version: str
    uptime_s: float
    clients: int
    """Clients whose socket is here."""
    servers: int
    """Servers of the whole cluster."""
    joins: int
    """Peers of all roles that got their WELCOME here."""
    refusals: int
    """Peers refused here before the upgrade."""
    cpu: float | None
    """Share of one core; None before it is known."""
    memory_bytes: int
    p2p: list[PeerToPeerNow]
    """Those that are switched on."""


class State(TypedDict):
    """How things stand."""

    type: Literal["state"]
    time: float
    coordinator: CoordinatorNow
    servers: list[ServerNow]
    topics: list[TopicNow]
    log: list[LogEntry]
    """What is new since the document before."""


class Hello(TypedDict):
    """What was before."""

    type: Literal["hello"]
    version: str
    cluster_started: float
    """The earliest start known: of this coordinator or of a server."""
    auth: bool
    history: dict[str, list[Point]]
    """By server, the oldest first."""
    log: list[LogEntry]
    interval_s: float
