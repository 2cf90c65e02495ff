"""What looks at several servers say, and when a run says nothing."""

from __future__ import annotations

from benchmarks.figures import Outcome
from benchmarks.scaling import NAMES, Look, hubs_of, judge, links, samples_of, size_of
from simulation.core.ledger import Tally
from simulation.core.report import Counts


def look(cpu_s: float, messages: float = 0.0, ends: int = 1) -> Look:
    return Look(ends, cpu_s, messages, 2 * messages, 100 * messages, 300 * messages)


def counts(delivered: int = 1000, *, failed: int = 0, duplicates: int = 0, misroutes: int = 0) -> Counts:
    return Counts(failed=failed, tally=Tally(expected=1000, delivered=delivered, duplicates=duplicates, misroutes=misroutes))


IDLE = [(look(1.0), look(1.01)), (look(2.0), look(2.03))]
LOADED = [(look(1.1), look(1.3, 1000)), (look(2.1), look(2.2, 600))]


def test_names() -> None:
    assert [(size_of(name), hubs_of(name), links(name)) for name in NAMES if name.endswith("4")] == [(4, 0, 6), (4, 1, 3)]


def test_figures() -> None:
    outcome = judge("star2", 2.0, IDLE, LOADED, counts())
    assert outcome.problems == []
    document = outcome.document
    assert (document["servers"], document["links"]) == (2, 1)
    assert (document["idle_cpu_ms_per_s"], document["cpu_ms_per_s"]) == (20.0, 150.0)
    assert (document["hub_cpu_ms_per_s"], document["plain_cpu_ms_per_s"]) == (100.0, 50.0)
    assert document["link_messages_per_s"] == 500 + 300 - 160
    assert document["samples"][2] == {
        "is_hub": True,
        "ends": 1,
        "cpu_ms": 100.0,
        "in": 500.0,
        "out": 1000.0,
        "bytes_in": 50_000,
        "bytes_out": 150_000,
    }
    assert judge("mesh2", 2.0, IDLE, LOADED, counts()).document["hub_cpu_ms_per_s"] is None


def test_problems() -> None:
    assert judge("mesh2", 2.0, IDLE, LOADED, counts(998)).problems == ["998 of 1,000 deliveries"]
    assert judge("mesh2", 2.0, IDLE, LOADED, counts(failed=1)).problems == ["1 clients could not connect"]
    assert judge("mesh2", 2.0, IDLE, LOADED, counts(duplicates=3)).problems == ["3 duplicates"]
    assert judge("mesh2", 2.0, IDLE, LOADED, Counts()).problems == ["0 of 0 deliveries"]


def test_samples() -> None:
    outcome = judge("mesh2", 2.0, IDLE, LOADED, counts())
    assert len(samples_of({"mesh2": [outcome, Outcome({}, ["not begun"])], "dense150": [outcome]})) == 4
