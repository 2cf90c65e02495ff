"""What is said of kills and outages, and when they make a run fail."""

from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from simulation.core.cutoffs import Cutoff
from simulation.core.disruption import NBSP, SHOWN, Disruption
from simulation.core.ledger import Affected
from simulation.core.outages import Death, Outage

KILL = Death("server/2", 104.0, 22)
NAMES = {21: "server/1", 22: "server/2"}


def outage(client: int, seconds: float, **changes: Any) -> Outage:
    known = {"server": 22, "since": 104.0, "noticed": 105.0, "subscribed": 105.25, "until": 104.0 + seconds, "now_at": 21}
    return Outage(client=client, **{**known, "death": KILL, **changes})


def disruption(*outages: Outage, **changes: Any) -> Disruption:
    known = {"measure_at": 100.0, "deaths": [KILL], "names": NAMES, "silence_s": 0.2}
    return Disruption(outages=outages, **{**known, **changes})


def shown(client: int, length: str) -> str:
    """As the table has it: what must not be torn apart has no place to break."""
    return f"#{client} {length}".replace(" ", NBSP)


def test_a_run_without_any_has_no_lines_and_no_figures() -> None:
    assert list(Disruption().rows(Affected())) == []
    assert Disruption().problems == []
    assert Disruption().document(Affected()) == {
        "kills": [],
        "outages": {"clients": 0, "p50_s": None, "max_s": None, "not_back": 0, "bound_s": None, "each": []},
        "affected": {"clients": 0, "expected": 0, "delivered": 0, "missed": 0},
        "signalling": {"clients": 0, "p50_s": None, "max_s": None, "not_back": 0, "kept": None, "each": []},
        "longest_silence_s": None,
    }


def test_the_document() -> None:
    found = disruption(outage(4, 2.0), outage(9, 1.5), outage(11, 1.0)).document(Affected(100, 99, 7))
    assert found["kills"] == [{"process": "server/2", "at_s": 4.0, "back_at_s": None, "clients": 3}]
    assert {name: found["outages"][name] for name in ("clients", "p50_s", "max_s", "not_back", "bound_s")} == {
        "clients": 3,
        "p50_s": 1.5,
        "max_s": 2.0,
        "not_back": 0,
        "bound_s": None,
    }
    assert found["outages"]["each"][0] == {
        "client": 4,
        "server": "server/2",
        "killed": "server/2",
        "since_s": 4.0,
        "noticed_s": 1.0,
        "subscribed_s": 1.25,
        "seconds": 2.0,
        "now_at": "server/1",
    }
    assert found["affected"] == {"clients": 3, "expected": 100, "delivered": 99, "missed": 7}
    assert found["longest_silence_s"] == 0.2


def test_what_never_ended_and_what_was_not_killed() -> None:
    open_one = outage(1, inf, noticed=inf, subscribed=inf, now_at=0, server=99, death=None)
    found = json.loads(json.dumps(disruption(open_one).document(Affected())))
    assert found["outages"]["each"] == [
        {
            "client": 1,
            "server": "99",
            "killed": None,
            "since_s": 4.0,
            "noticed_s": None,
            "subscribed_s": None,
            "seconds": None,
            "now_at": None,
        }
    ]
    assert (found["outages"]["not_back"], found["outages"]["max_s"], found["affected"]["clients"]) == (1, None, 0)


def test_one_client_may_have_several() -> None:
    found = disruption(outage(1, 2.0), outage(1, 1.0))
    assert (found.clients, found.affected_clients) == (1, 1)


def test_the_lines_of_the_table() -> None:
    found = disruption(outage(4, 2.0), outage(9, 1.5), outage(3, 1.0, server=21), revived={"server/2": 106.5})
    assert dict(found.rows(Affected(1000, 999, 7))) == {
        "killed": "server/2 after 4.0 s, with 3 clients; back after 6.5 s",
        "outages": "3 clients, p50 1.50 s, max 2.00 s",
        "outage of each": f"at server/1: {shown(3, '1.00 s')}; at server/2: {shown(4, '2.00 s')}, {shown(9, '1.50 s')}",
        "longest silence": "0.20 s without a packet, at clients without an outage",
        "from and to these": "999 of 1,000 delivered while both were served; 7 missed while one was out",
    }


def test_a_kill_that_nobody_noticed() -> None:
    rows = dict(disruption(deaths=[Death("redis", 103.0)]).rows(Affected()))
    assert rows == {
        "killed": "redis after 3.0 s",
        "outages": "none",
        "longest silence": "0.20 s without a packet, at clients without an outage",
    }


def test_a_table_is_no_place_for_thousands() -> None:
    found = disruption(outage(1, inf), *(outage(client, 1.0) for client in range(2, SHOWN + 3)))
    rows = dict(found.rows(Affected()))
    assert rows["outages"] == f"{SHOWN + 2} clients, p50 1.00 s, max 1.00 s, 1 not back at the end"
    assert rows["outage of each"].startswith(f"at server/2: {shown(1, 'not back')}, {shown(2, '1.00 s')}, ")
    assert rows["outage of each"].endswith("; and 2 shorter ones (all of them: --json)")
    assert rows["outage of each"].count("#") == SHOWN


@pytest.mark.parametrize(
    ("outages", "problems"),
    [
        ([outage(1, 3.0)], []),
        ([outage(1, 3.5), outage(2, 3.1), outage(3, 2.0)], ["2 clients out for longer than 3 s, 3.50 s at most"]),
        ([outage(1, inf)], ["1 client not back at the end of the run"]),
        ([outage(1, 3.5, death=None)], ["1 client out for longer than 3 s, 3.50 s at most"]),
    ],
)
def test_a_bound_makes_the_run_fail(outages: list[Outage], problems: list[str]) -> None:
    assert disruption(*outages, max_outage_s=3.0).problems == problems
    assert disruption(*outages).problems == []


def test_a_redis_has_no_clients() -> None:
    found = disruption(deaths=[Death("redis", 103.0)])
    assert found.document(Affected())["kills"] == [{"process": "redis", "at_s": 3.0, "back_at_s": None, "clients": None}]
    assert found.document(Affected())["signalling"]["kept"] is None
    assert dict(found.rows(Affected()))["killed"] == "redis after 3.0 s"


HOSTS = {"127.0.0.1:9090": "coordinator/1", "127.0.0.1:9091": "coordinator/2"}
COORDINATOR = Death("coordinator/1", 104.0, host="127.0.0.1:9090")


def cut(client: int, seconds: float) -> Cutoff:
    back = seconds < inf
    return Cutoff(client, COORDINATOR, until=104.0 + seconds, now_at="127.0.0.1:9091" if back else "")


def test_whom_a_coordinator_left_without_signalling() -> None:
    found = disruption(deaths=[COORDINATOR], hosts=HOSTS, cutoffs=[cut(7, inf), cut(4, 0.5), cut(9, 0.25)], kept=5)
    document = json.loads(json.dumps(found.document(Affected())))
    assert document["kills"] == [{"process": "coordinator/1", "at_s": 4.0, "back_at_s": None, "clients": 3}]
    assert document["outages"]["clients"] == 0
    assert document["signalling"] == {
        "clients": 3,
        "p50_s": 0.375,
        "max_s": 0.5,
        "not_back": 1,
        "kept": 5,
        "each": [
            {"client": 7, "coordinator": "coordinator/1", "seconds": None, "now_at": None},
            {"client": 4, "coordinator": "coordinator/1", "seconds": 0.5, "now_at": "coordinator/2"},
            {"client": 9, "coordinator": "coordinator/1", "seconds": 0.25, "now_at": "coordinator/2"},
        ],
    }
    assert dict(found.rows(Affected())) == {
        "killed": "coordinator/1 after 4.0 s, with 3 clients",
        "outages": "none",
        "without signalling": "3 clients, p50 0.38 s, max 0.50 s, 1 not back at the end; 5 clients had another coordinator",
        "signalling of each": f"at coordinator/1: {shown(7, 'not back')}, {shown(4, '0.50 s')}, {shown(9, '0.25 s')}",
        "longest silence": "0.20 s without a packet, at clients without an outage",
    }


def test_a_coordinator_that_nobody_was_at() -> None:
    rows = dict(disruption(deaths=[COORDINATOR], hosts=HOSTS, kept=1).rows(Affected()))
    assert rows["killed"] == "coordinator/1 after 4.0 s, with 0 clients"
    assert rows["without signalling"] == "nobody; 1 client had another coordinator"
    assert "signalling of each" not in rows


def test_without_signalling_is_no_outage_so_the_bound_does_not_hold_for_it() -> None:
    assert disruption(deaths=[COORDINATOR], cutoffs=[cut(7, inf)], kept=0, max_outage_s=0.1).problems == []
