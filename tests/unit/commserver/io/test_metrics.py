"""The metrics page: its names are a promise."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from commserver.core import events as ev
from commserver.core.session import Kind, SessionState
from commserver.io.metrics import BrokerCollector, readiness, registry_of
from protocol import signalling
from protocol.pb import broker_pb2 as pb
from tests.support.world import World
from tests.support.world_client import joined
from transport.ice_lite import Drop

DOCS = Path(__file__).resolve().parents[4] / "docs/metrics.md"

NAMES = {
    "rtcbroker_peers": ("gauge", {"role", "state"}),
    "rtcbroker_topics": ("gauge", set()),
    "rtcbroker_subscriptions": ("gauge", set()),
    "rtcbroker_joins": ("counter", set()),
    "rtcbroker_packets": ("counter", {"channel", "direction"}),
    "rtcbroker_bytes": ("counter", {"channel", "direction"}),
    "rtcbroker_records_relayed": ("counter", set()),
    "rtcbroker_deliveries": ("counter", set()),
    "rtcbroker_relay_latency_seconds": ("histogram", set()),
    "rtcbroker_dropped_packets": ("counter", {"reason"}),
    "rtcbroker_dropped_topic_packets": ("counter", {"topic", "reason"}),
    "rtcbroker_refusals": ("counter", {"code"}),
    "rtcbroker_links_closed": ("counter", {"reason"}),
    "rtcbroker_signals_ignored": ("counter", {"reason"}),
    "rtcbroker_datagrams_dropped": ("counter", {"reason"}),
    "rtcbroker_peer_moves": ("counter", set()),
    "rtcbroker_announced": ("gauge", {"address"}),
    "rtcbroker_announced_changes": ("counter", set()),
    "rtcbroker_coordinator_connected": ("gauge", set()),
    "rtcbroker_coordinator_connects": ("counter", set()),
    "rtcbroker_coordinator_frames_dropped": ("counter", set()),
    "rtcbroker_server_info": ("gauge", {"alias", "version"}),
    "rtcbroker_draining": ("gauge", set()),
    "rtcbroker_linking": ("gauge", set()),
    "rtcbroker_process_cpu_seconds": ("counter", set()),
    "rtcbroker_process_resident_bytes": ("gauge", set()),
}
"""The public names: whoever changes one breaks somebody's dashboard."""


@pytest.fixture
def page() -> str:
    """The page of a server with a linked server, two clients, a packet, and one of each trouble."""
    world = World()
    server, _ = world.server(), world.server()
    world.run()
    speaker, _ = joined(world, server), joined(world, server, "t", "u")
    speaker.publish("t", b"x" * 10)
    speaker.publish("bad topic")
    world.run()
    server.broker.counters.relay_latency.observe(0.0003)
    server.broker.counters.drop("queue full", 'quoted"topic')
    server.broker.counters.signals_ignored["not decodable"] += 1
    server.broker.counters.closes["TIMEOUT"] += 1
    link: Any = SimpleNamespace(welcomed=True, connects=3, dropped=4)
    announcer = SimpleNamespace(told=[("203.0.113.7", 7000), ("2001:db8::7", 7000)], changes=4)
    listener: Any = SimpleNamespace(stats=SimpleNamespace(dropped={"stranger": 5}, address_changes=6), announcer=announcer)
    return generate_latest(registry_of(BrokerCollector(server.broker, link, listener))).decode()


def samples(page: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """By name and the values of its labels, sorted."""
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_names_types_and_labels_are_pinned(page: str) -> None:
    found = {}
    for family in text_string_to_metric_families(page):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[family.name] = (family.type, labels)
        assert family.documentation
    assert found == NAMES


def test_the_values_are_those_of_the_core(page: str) -> None:
    values = samples(page)
    assert values["rtcbroker_peers", ("active", "client")] == 2
    assert values["rtcbroker_peers", ("active", "server")] == 1
    assert values["rtcbroker_peers", ("active", "hub")] == 0
    assert values["rtcbroker_topics", ()] == 2
    assert values["rtcbroker_joins_total", ()] == 3
    assert values["rtcbroker_records_relayed_total", ()] == 1
    assert values["rtcbroker_dropped_topic_packets_total", ("queue full", 'quoted"topic')] == 1
    assert values["rtcbroker_refusals_total", ("BAD_TOPIC",)] == 1
    assert values["rtcbroker_packets_total", ("in", "reliable")] >= 5
    assert values["rtcbroker_packets_total", ("in", "unreliable")] == 0
    assert values["rtcbroker_coordinator_connected", ()] == 1
    assert values["rtcbroker_coordinator_connects_total", ()] == 3
    assert values["rtcbroker_datagrams_dropped_total", ("stranger",)] == 5
    assert values["rtcbroker_announced", ("203.0.113.7:7000",)] == values["rtcbroker_announced", ("[2001:db8::7]:7000",)] == 1
    assert (values["rtcbroker_announced_changes_total", ()], values["rtcbroker_peer_moves_total", ()]) == (4, 6)
    assert values["rtcbroker_process_resident_bytes", ()] > 1e6


def test_the_histogram_is_cumulative(page: str) -> None:
    values = samples(page)
    assert values["rtcbroker_relay_latency_seconds_bucket", ("0.00025",)] == 0
    assert values["rtcbroker_relay_latency_seconds_bucket", ("0.0005",)] == 1
    assert values["rtcbroker_relay_latency_seconds_bucket", ("+Inf",)] == 1
    assert values["rtcbroker_relay_latency_seconds_sum", ()] == pytest.approx(0.0003)


def test_everything_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = text.split("## Comm server", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `(rtcbroker_\w+)` \| (\w+) \|", section, re.MULTILINE))
    shown = {name + ("_total" if kind == "counter" else ""): kind for name, (kind, _) in NAMES.items()}
    assert rows == shown
    for _, labels in NAMES.values():
        assert all(f"`{label}`" in section for label in labels)
    for value in (*Kind, *SessionState):
        if value is not SessionState.CLOSED:
            assert f"`{value.value}`" in section


def documented_reasons(metric: str, text: str) -> set[str]:
    """The first column of the table of its reasons."""
    table = text.split(f"Reasons of `{metric}`", 1)[1].split("\n\n")[1]
    return set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE))


def reasons_to_drop(source: str) -> set[str]:
    """Every reason for which a module counts records as dropped; one that is made up at run time could not be promised."""
    found = set()
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        called = ast.unparse(call.func)
        if not (called.endswith("counters.drop") or called == "self._lost"):
            continue
        reason = call.args[0] if called.endswith("drop") else call.args[1]
        if isinstance(reason, ast.Constant):
            found.add(str(reason.value))
        else:
            assert ast.unparse(call) == "self._state.counters.drop(reason, topic, records)", "in _lost, which got it as a text"
    return found


def sources(package: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((DOCS.parents[1] / package).rglob("*.py"))]


def test_the_reasons_to_drop_a_record_are_those_documented() -> None:
    found = set().union(*map(reasons_to_drop, sources("commserver")))
    assert len(found) > 5
    assert documented_reasons("rtcbroker_dropped_packets_total", DOCS.read_text(encoding="utf-8")) == found


def test_the_reasons_to_drop_a_datagram_are_those_documented() -> None:
    found = {value for name, value in vars(Drop).items() if not name.startswith("_") and isinstance(value, str)}
    assert found == set(Drop.ALL)
    named = "".join(sources("transport"))
    assert set(re.findall(r"\bDrop\.([A-Z_]+)\b", named)) - {"ALL"} == {value.upper() for value in found}
    assert documented_reasons("rtcbroker_datagrams_dropped_total", DOCS.read_text(encoding="utf-8")) == found


def test_a_reason_on_one_side_only_is_seen() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for metric in ("rtcbroker_dropped_packets_total", "rtcbroker_datagrams_dropped_total"):
        there = documented_reasons(metric, text)
        row = f"| `{min(there)}` |"
        assert documented_reasons(metric, text.replace(row, f"| `no such, really` | Nothing. |\n{row}")) - there == {
            "no such, really"
        }
        assert there - documented_reasons(metric, text.replace(row, "| |")) == {min(there)}
    assert reasons_to_drop("self._state.counters.drop('of a new kind, really', topic)") == {"of a new kind, really"}
    assert reasons_to_drop("self._lost(item, 'another-one')") == {"another-one"}
    with pytest.raises(AssertionError, match="which got it as a text"):
        reasons_to_drop("counters.drop(f'of {kind}', topic)")


def test_readiness_says_why_not() -> None:
    world = World()
    server = world.server()
    link: Any = SimpleNamespace(welcomed=False)
    ready = readiness(server.broker, link)
    assert ready() == "the coordinator does not know us"
    link.welcomed = True
    server.on_signal(signalling.welcome(server.alias, [7]))
    assert ready() == "links to the other servers are being made"
    server.on_signal(signalling.welcome(server.alias, []))
    assert ready() is None
    server.feed(ev.DrainRequested())
    assert ready() == "draining"


def test_every_field_of_a_report_is_explained_and_its_metric_exists() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## What the coordinator is told", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`.+?) \| `(rtcbroker_\w+)`", section, re.MULTILINE)
    assert {metric.removesuffix("_total") for _, metric in rows} <= set(NAMES)
    fields = {field.name for field in pb.ServerReportMessage.DESCRIPTOR.fields} - {"type"}
    rest = section.rsplit("The rest has none:", 1)[1]
    assert {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)} | set(re.findall(r"`(\w+)`", rest)) == fields
