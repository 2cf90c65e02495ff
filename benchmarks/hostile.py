"""What hostile datagrams cost a comm server, and what other clients notice of them.

Two clients talk, steadily. Another process sends datagrams of every kind that no honest peer sends (:mod:`benchmarks.hostile_packets`), kind
by kind, from strangers' addresses and with the address of a peer; between two kinds it is calm for a while, so that calm and flood see
the same machine.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from benchmarks.figures import Outcome
from protocol.errors import RtcBrokerError
from protocol.keys import secret_key
from protocol.tokens import TokenRole, sign
from rtcbroker import Client, Subscription
from simulation.io.spawn import Cluster

HZ = 8_000.0
"""Hostile datagrams a second: 8 to 60 Mbit/s, by kind."""
TALK_HZ = 50.0
"""Packets a second of each of the two clients, on the reliable channel."""
CALM_S = 1.0
"""Between two kinds of flood."""
FIRST_CALM_S = 3.0
ORDER_S = 120.0
LATE_S = 5.0
TIME = struct.Struct("<d18x")


@dataclass(slots=True)
class Phase:
    """A while of talk, calm or under a flood."""

    cpu_s: float = 0.0
    """Of the server."""
    seconds: float = 0.0
    packets: int = 0
    """Hostile ones."""
    took_ms: list[float] = field(default_factory=list)
    """Of each packet of the talk that arrived."""


class Talk:
    """Two clients that say something to each other, over and over; every packet tells when it left."""

    def __init__(self, one: Client, other: Client) -> None:
        self._clients = (one, other)
        self.phase = Phase()
        self.sent = 0
        self.came = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, client in enumerate(self._clients):
                group.create_task(self._hear(client.subscribe(f"talk/{number}")))
                group.create_task(self._speak(client, f"talk/{1 - number}"))

    async def _speak(self, client: Client, topic: str) -> None:
        await asyncio.sleep(0.5)  # both have subscribed
        while True:
            self.sent += 1
            await client.publish(topic, TIME.pack(time.monotonic()), reliable=True)
            await asyncio.sleep(1 / TALK_HZ)

    async def _hear(self, subscription: Subscription) -> None:
        async with subscription as packets:
            async for packet in packets:
                self.came += 1
                self.phase.took_ms.append((time.monotonic() - TIME.unpack(packet.body)[0]) * 1_000)


def run(packets: int) -> Outcome:
    """Flood with so many datagrams, all kinds together."""
    try:
        return asyncio.run(_run(packets))
    except (RtcBrokerError, TimeoutError) as error:
        return Outcome({}, [(str(error) or "not in time").splitlines()[0]])


async def _run(packets: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="rtcbroker-bench-") as name:
        directory = Path(name)
        async with Cluster(1, directory) as cluster:
            document = json.loads((directory / "comm-server-1.json").read_text())
            tokens = [_token(cluster.secret, subject) for subject in ("one", "other", "hostile")]
            async with Client(cluster.url, token=tokens[0]) as one, Client(cluster.url, token=tokens[1]) as other:
                talk = Talk(one, other)
                talking = asyncio.create_task(talk.run())
                try:
                    found = await _flooded(cluster, talk, tokens[2], document["udp_port"], packets)
                    await _heard(talk)
                finally:
                    talking.cancel()
                    with suppress(asyncio.CancelledError):
                        await talking
                cluster.check()
                reconnects = one.stats.reconnects + other.stats.reconnects
    return judge(*found, lost=talk.sent - talk.came, reconnects=reconnects)


async def _heard(talk: Talk) -> None:
    """Until nothing is on its way, for a moment at least."""
    deadline = time.monotonic() + LATE_S
    for _ in range(round(LATE_S * 1_000)):
        if talk.sent == talk.came or time.monotonic() > deadline:
            return
        await asyncio.sleep(0.001)


def _token(secret: str, subject: str) -> str:
    return sign(
        secret_key(secret),
        subject=subject,
        role=TokenRole.CLIENT,
        now=time.time(),
        lifetime_s=3_600.0,
        publish=("**",),
        subscribe=("**",),
    )


async def _flooded(
    cluster: Cluster, talk: Talk, token: str, port: int, packets: int
) -> tuple[Phase, dict[str, Phase], dict[str, Phase]]:
    """The calm, and the floods by kind: of strangers, and with a peer's address."""
    server = psutil.Process(cluster.servers[0].pid)
    calm, strangers, own = Phase(), dict[str, Phase](), dict[str, Phase]()
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "benchmarks.hostile_flood", cluster.url, str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        names: list[str] = (await _order(process, token))["kinds"]
        await _measured(server, talk, calm, asyncio.sleep(FIRST_CALM_S))
        for phases, own_address in ((strangers, False), (own, True)):
            for kind in names:
                each = phases[kind] = Phase(packets=packets // (2 * len(names)))
                order = {"kind": kind, "own_address": own_address, "packets": each.packets, "hz": HZ}
                await _measured(server, talk, each, _order(process, json.dumps(order)))
                await _measured(server, talk, calm, asyncio.sleep(CALM_S))
        assert process.stdin is not None  # a pipe
        process.stdin.close()
        await asyncio.wait_for(process.wait(), ORDER_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return calm, strangers, own


async def _measured(server: psutil.Process, talk: Talk, phase: Phase, during: Any) -> None:
    """Let `during` happen, and take its time, and the server's, to `phase`."""
    talk.phase = phase
    began, before = time.monotonic(), _cpu_s(server)
    await during
    phase.seconds += time.monotonic() - began
    phase.cpu_s += _cpu_s(server) - before


async def _order(process: asyncio.subprocess.Process, line: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None  # both are pipes
    process.stdin.write(line.encode() + b"\n")
    answer = await asyncio.wait_for(process.stdout.readline(), ORDER_S)
    if not answer:
        raise RtcBrokerError("the flooding process has ended")
    found: dict[str, Any] = json.loads(answer)
    return found


def _cpu_s(server: psutil.Process) -> float:
    times = server.cpu_times()
    return times.user + times.system


def judge(calm: Phase, strangers: dict[str, Phase], own: dict[str, Phase], *, lost: int, reconnects: int) -> Outcome:
    """Figures from the phases. What the talk costs, as it does in the calm, is taken from what a flood costs."""
    idle = calm.cpu_s / calm.seconds
    sides = (("a stranger's", strangers), ("a peer's address", own))
    dear = {f"{kind}, {side}": _cost(phase, idle) for side, phases in sides for kind, phase in phases.items()}
    floods = [*strangers.values(), *own.values()]
    document = {
        "packets": sum(phase.packets for phase in floods),
        "packets_per_s": round(sum(phase.packets for phase in floods) / sum(phase.seconds for phase in floods), 0),
        "cpu_us": {"strangers": _mean(strangers, idle), "own": _mean(own, idle), "dearest": max(dear.values()), "by_kind": dear},
        "calm_ms": _percentiles([calm]),
        "flood_ms": _percentiles(floods),
        "lost": lost,
    }
    problems = [f"{lost} packets of the talk were lost"] if lost else []
    if reconnects:
        problems.append(f"the clients that talked lost their link {reconnects} times")
    dearest = max(dear, key=dear.__getitem__)
    return Outcome(document, problems, [f"hostile: the dearest kind: {dearest}"])


def _cost(phase: Phase, idle: float) -> float:
    return round((phase.cpu_s - idle * phase.seconds) * 1_000_000 / phase.packets, 2)


def _mean(phases: dict[str, Phase], idle: float) -> float:
    whole = Phase(
        sum(phase.cpu_s for phase in phases.values()),
        sum(phase.seconds for phase in phases.values()),
        sum(phase.packets for phase in phases.values()),
    )
    return _cost(whole, idle)


def _percentiles(phases: Sequence[Phase]) -> dict[str, float]:
    took = [one for phase in phases for one in phase.took_ms]
    if len(took) < 100:
        return {}
    cuts = quantiles(took, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}
