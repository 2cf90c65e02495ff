"""The coordinator's metrics: names and labels are public, and docs/metrics.md has them all."""

from __future__ import annotations

import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from coordinator.core.admission import NO_TOKEN, Admission
from coordinator.core.config import CoordinatorConfig
from coordinator.core.coordinator import Coordinator
from coordinator.io.backplane import MemoryBackplane
from coordinator.io.driver import Driver
from coordinator.io.metrics import CoordinatorCollector
from protocol.tokens import TokenRole
from service.clock import Clock

DOCS = Path(__file__).resolve().parents[4] / "docs/metrics.md"


def test_everything_is_documented() -> None:
    core = Coordinator(CoordinatorConfig(resume_key=b""), random.Random(1))
    viewers: Any = SimpleNamespace(viewers=3)
    families = list(CoordinatorCollector(Driver(core, MemoryBackplane(), Clock()), viewers).collect())
    shown = {family.name + ("_total" if family.type == "counter" else ""): family for family in families}
    section = DOCS.read_text(encoding="utf-8").split("## Coordinator", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section, re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == {name: family.type for name, family in shown.items()}
    for name, _, labels in rows:
        assert tuple(re.findall(r"`(\w+)`", labels)) == tuple(getattr(shown[name], "_labelnames", ())), name


async def test_refusals_and_viewers_are_counted() -> None:
    core = Coordinator(CoordinatorConfig(resume_key=b""), random.Random(1))
    driver = Driver(core, MemoryBackplane(), Clock())
    driver.refused("/connect", NO_TOKEN)
    core.joined(1, Admission(TokenRole.CLIENT), 0.0)
    viewers: Any = SimpleNamespace(viewers=3)
    samples = {
        (sample.name.removeprefix("rtcbroker_coordinator_"), *sample.labels.values()): sample.value
        for family in CoordinatorCollector(driver, viewers).collect()
        for sample in family.samples
    }
    assert samples["refusals_total", "401", "4210"] == 1
    assert samples["viewers",] == 3
    assert samples["reports_total",] == 0
    assert samples["peers", "client"] == 1
