"""docs/metrics.md and the pages of running processes: each metric that one shows is documented for its role, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cluster import Server, cluster

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def documented(title: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels by name, of one section."""
    section = DOCS.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section, re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


async def shown(server: Server) -> dict[str, tuple[str, frozenset[str]]]:
    """The same of a page; labels only where there are samples already."""
    status, text = await server.page("/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, frozenset(labels))
        assert family.documentation, f"{name} has no help text"
    return found


@pytest.mark.timeout(120)
async def test_every_metric_of_a_running_process_is_documented_and_the_other_way_round() -> None:
    async with cluster(2, coordinator={"p2p": "apprtc,nextrtc,gstreamer"}) as made:
        for title, server in (("Coordinator", made.coordinator), ("Comm server", made.servers[0])):
            page, docs = await shown(server), documented(title)
            assert page.keys() == docs.keys(), title
            for name, (kind, labels) in page.items():
                assert kind == docs[name][0], name
                assert labels in (frozenset(), docs[name][1]), name
