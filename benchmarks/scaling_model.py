"""What being linked costs a server, learned from clusters of 2 to 8 servers and computed for up to 200.

Under load a server's processor time is taken to be ``base + message * (messages in + out)``, idle ``base + end * links``, each fitted to what
single servers spent by least squares. The traffic of a larger cluster follows from how the servers coalesce: a link that carries few
packets carries each in a message of its own; one that carries more, a message each window; one that carries very many, full messages.

Messages that come singly, as in small clusters with a little traffic, cost most. A server with thousands of them a second handles several in
each turn of its loop; what one costs then is known from a crowd (``dense150``). The truth for a large cluster lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

WINDOWS_PER_S = 50.0
"""Messages a second at which a link of a busy topic begins to coalesce (`--coalesce-window` 20 ms)."""
BUSY_MESSAGE_MS = 0.036
"""Processor time a message in and out of a busy server: ``dense150`` of docs/performance.md, 333 ms/s for 7,800 out and 1,500 in."""
QUIET = 10.0
"""Messages a second below which a server is taken to be idle: keep-alives and reports."""
RECORDS_A_MESSAGE = 27.0
"""Records of 26 bytes that a message between servers holds, on the unreliable channel (docs/performance.md, `linked`)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one server, in milliseconds of processor time a second."""

    base: float
    end: float
    """Each of its link ends, idle."""
    message: float
    """Each message a second, sent or received."""

    def of(self, ends: float, messages: float) -> float:
        """A server with so many link ends and messages a second (in and out together), beside what it costs without either."""
        return self.end * ends + self.message * messages


def learn(samples: Sequence[Mapping[str, Any]]) -> Costs:
    """Fit :class:`Costs` to samples of :mod:`benchmarks.scaling`; nothing is taken to cost less than nothing. Raises ValueError where
    there are too few to tell them apart.
    """
    idle = [one for one in samples if one["in"] + one["out"] <= QUIET]
    busy = [one for one in samples if one["in"] + one["out"] > QUIET]
    _, end = _least_squares([(1.0, float(one["ends"])) for one in idle], [float(one["cpu_ms"]) for one in idle])
    base, message = _least_squares([(1.0, float(one["in"] + one["out"])) for one in busy], [float(one["cpu_ms"]) for one in busy])
    return Costs(base, max(end, 0.0), max(message, 0.0))


def _least_squares(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """The normal equations, by elimination."""
    count = len(rows[0]) if rows else 0
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(count)]
        + [sum(row[i] * value for row, value in zip(rows, values, strict=True))]
        for i in range(count)
    ]
    for column in range(count):
        pivot = max(range(column, count), key=lambda line: abs(table[line][column]))
        table[column], table[pivot] = table[pivot], table[column]
        if abs(table[column][column]) < 1e-9:
            raise ValueError("the samples do not tell the costs apart")
        for line in range(count):
            if line != column:
                factor = table[line][column] / table[column][column]
                table[line] = [a - factor * b for a, b in zip(table[line], table[column], strict=True)]
    if not count:
        raise ValueError("no samples")
    return [table[line][count] / table[line][line] for line in range(count)]


def messages(records: float) -> float:
    """Messages a second on a link that carries so many records a second."""
    return max(min(records, WINDOWS_PER_S), records / RECORDS_A_MESSAGE)


@dataclass(frozen=True, slots=True)
class Load:
    """What one server has to tell the others, in records a second, in one of two shapes."""

    name: str
    records: float
    """Published at each server."""
    to_all: bool
    """Every server wants them; otherwise each is wanted by one other server."""
    merges: bool = False
    """A hub passes on one message for all it got in a window: changes of interest, of which only the outcome counts."""


@dataclass(frozen=True, slots=True)
class Share:
    """What being linked costs, in milliseconds of processor time a second."""

    plain: float
    """Each server, or each plain server."""
    hub: float
    """Each hub; the same as `plain` in a mesh."""
    links: int
    total: float
    """All servers together."""


def mesh(costs: Costs, load: Load, servers: int) -> Share:
    """Every server is linked with every other."""
    others = servers - 1
    each = messages(load.records if load.to_all else load.records / max(others, 1))
    plain = costs.of(others, 2 * others * each)
    return Share(plain, plain, servers * others // 2, servers * plain)


def star(costs: Costs, load: Load, servers: int, hubs: int) -> Share:
    """Hubs are linked with everyone, each plain server talks to one of them; all servers have clients."""
    plain = servers - hubs
    own = plain / hubs
    up = messages(load.records)
    down = _down(load, servers - 1)
    between = (
        (hubs - 1) * _down(load, own + 1) if load.to_all or load.merges else (hubs - 1) * messages(load.records * own / hubs)
    )
    hub = costs.of(servers - 1, own * (up + down) + 2 * between)
    each = costs.of(hubs, up + down)
    return Share(each, hub, plain * hubs + hubs * (hubs - 1) // 2, plain * each + hubs * hub)


def _down(load: Load, behind: float) -> float:
    """Messages a second to one who hears of so many servers by one link."""
    if load.merges:
        return min(WINDOWS_PER_S, load.records * behind)
    return messages(load.records * behind if load.to_all else load.records)


def first(condition: Callable[[int], bool], most: int) -> int | None:
    """The least number of servers, up to `most`, for which `condition` holds."""
    return next((servers for servers in range(3, most + 1) if condition(servers)), None)


TALK = Load("every server's packets go to every other", records=80.0, to_all=True)
LOCAL = Load("each packet goes to one other server", records=80.0, to_all=False)
INTEREST = Load("what clients want changes all the time", records=WINDOWS_PER_S, to_all=True, merges=True)
LOADS = (TALK, LOCAL, INTEREST)
SIZES = (2, 5, 10, 20, 50, 100, 200)
HUBS = 2
SHARE_MS = 100.0
"""A tenth of a core: what being linked may cost each server of a mesh before it is time for a star."""


def change_over(costs: Costs, load: Load) -> int | None:
    """From how many servers on a mesh costs each of them more than SHARE_MS; None: not up to 200."""
    return first(lambda servers: mesh(costs, load, servers).plain > SHARE_MS, SIZES[-1])


def summary(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was learned, and what follows for larger clusters; nothing without samples of several sizes."""
    try:
        costs = learn(samples)
    except ValueError:
        return []
    lines = [f"learned: {costs.base:.1f} ms/s a server, {costs.end:.3f} a link end, {1000 * costs.message:.1f} µs a message"]
    for each in (costs, replace(costs, message=BUSY_MESSAGE_MS)):
        for load in LOADS:
            lines.append(f"{load.name}; {1000 * each.message:.0f} µs a message:")
            lines += _rows(each, load)
            limit = change_over(each, load)
            lines.append(
                f"  over a tenth of a core for each server of a mesh: {f'from {limit} servers on' if limit else 'never'}"
            )
    return lines


def _rows(costs: Costs, load: Load) -> list[str]:
    """Milliseconds of processor time a second for being linked, and links."""
    rows = [f"  servers | mesh: each, all, links | star with {HUBS} hubs: plain, hub, all, links"]
    for servers in SIZES:
        if servers > HUBS:
            a, b = mesh(costs, load, servers), star(costs, load, servers, HUBS)
            rows.append(
                f"  {servers:7} | {a.plain:8.1f} {a.total:9,.0f} {a.links:6} | {b.plain:7.1f} {b.hub:9.1f} {b.total:9,.0f} {b.links:5}"
            )
    return rows
