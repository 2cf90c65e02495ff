"""One run of `rtcbroker simulate` as a process of its own, and what is to be thought of it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.catalogue import MAX_LOSS, Load
from benchmarks.figures import Outcome

DEADLINE_S = 120.0
"""For starting, stopping and counting, beside the connections and the measured time."""
CONNECT_S = 0.5
"""For each client, at the worst."""

ENOUGH = 0.98
"""Share of the packets asked for that the load generator must have published: with fewer it was another load."""
LAG_MS = 50.0


def run(load: Load, seconds: float) -> Outcome:
    """Run it to its end. Whatever goes wrong is told in the outcome."""
    with tempfile.TemporaryDirectory(prefix="rtcbroker-bench-") as name:
        path = Path(name) / "result.json"
        command = [sys.executable, "-m", "rtcbroker.cli", "simulate", *load.arguments(seconds), "--json", str(path)]
        try:
            deadline = DEADLINE_S + seconds + CONNECT_S * load.clients
            ended = subprocess.run(command, capture_output=True, text=True, timeout=deadline, check=False)
        except subprocess.TimeoutExpired:
            return Outcome({}, [f"did not end within {deadline:.0f} s"])
        text = path.read_text() if path.exists() else ""
    if not text:  # the file is opened before the run, to see that it can be written
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Outcome({}, [f"ended with code {ended.returncode}: {last}"])
    return judge(load, seconds, json.loads(text))


def judge(load: Load, seconds: float, found: Mapping[str, Any]) -> Outcome:
    """What a report says, and whether it can be trusted."""
    problems = []
    if found["failed"] or found["clients"] != load.clients:
        problems.append(f"{found['clients']} of {load.clients} clients took part")
    if not found["expected"]:
        problems.append("no delivery was expected")
    if found["loss"] > MAX_LOSS:
        problems.append(f"loss {found['loss']:.3%} is over {MAX_LOSS:.1%}")
    problems += [f"{found[what]:,} {what}" for what in ("duplicates", "misroutes", "foreign", "reconnects") if found[what]]
    packets = load.packets(seconds)
    if found["sent"] < ENOUGH * packets - load.clients**0.5:  # a few fall beside the edges of the measured time
        problems.append(f"only {found['sent']:,} of {packets:,.0f} packets were published: the load generator was too slow")
    notes = []
    if (found["generator_lag_ms"] or 0) > LAG_MS:
        notes.append(
            f"{load.name}: a packet was published {found['generator_lag_ms']:.0f} ms late; latencies hold the generator's own"
        )
    return Outcome({**found, "loss_percent": found["loss"] * 100}, problems, notes)
