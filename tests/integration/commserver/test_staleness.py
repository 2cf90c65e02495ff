"""A receiver that stops for a while: the unreliable channel brings it nothing that is older than `--max-staleness`."""

from __future__ import annotations

import asyncio

import pytest

from protocol import packets
from protocol.pb import broker_pb2 as pb
from tests.integration.commserver.conftest import NewClient, Start, alias_of, token
from tests.support.exchange import PATIENCE_S, RawClient
from tests.support.poll import until
from transport.link import Link

STALE_S = 0.15
SLACK_S = 0.1
"""The window, the way, and a turn of the loop on a busy machine."""
STOPPED_S = 1.5
"""Long enough for the association to take what is in flight for lost, and to go on with what it holds."""


def record_ages(client: RawClient) -> list[float]:
    """How old each packet is when it comes: they carry the time at which they were published."""
    ages: list[float] = []
    listen = client.on_message

    def on_message(link: Link, data: bytes, reliable: bool) -> None:
        listen(link, data, reliable)
        packet = client.packets[-1]
        if isinstance(packet, pb.TopicBatchFrames):
            now = asyncio.get_running_loop().time()
            ages.extend(now - float(body[:20]) for raw in packet.groups for body in pb.TopicGroup.FromString(raw).body)

    client.on_message = on_message  # type: ignore[method-assign]  # it is looked up at each message
    return ages


async def publish_for(client: RawClient, seconds: float) -> int:
    """Publish every 5 ms; returns how many packets that were."""
    loop = asyncio.get_running_loop()
    count, end = 0, loop.time() + seconds
    while loop.time() < end:
        client.send(packets.topic("t", (b"%.9f" % loop.time()).rjust(20).ljust(450, b".")), reliable=False)
        count += 1
        await asyncio.sleep(0.005)
    return count


@pytest.mark.parametrize("fast_path", [True, False], ids=["fast", "plain"])
async def test_who_was_stopped_gets_nothing_old(
    start: Start, client: NewClient, fast_path: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(max_staleness=STALE_S, fast_path=fast_path)
    speaker, stopped, quick = client(), client(), client()
    for one in (speaker, stopped, quick):
        await one.join(alias_of(server), token())
    await stopped.subscribe("t")
    await quick.subscribe("t")
    ages, ages_of_quick = record_ages(stopped), record_ages(quick)

    count = await publish_for(speaker, 0.3)
    assert stopped.link is not None
    with monkeypatch.context() as patched:
        patched.setattr(stopped.link._port, "send", lambda data: None)  # it hears, but acknowledges nothing
        count += await publish_for(speaker, STOPPED_S)
    before = len(ages)
    for _ in range(20):
        if len(ages) > before + 20:
            break
        count += await publish_for(speaker, 0.25)
    assert len(ages) > before + 20, "it does not go on"
    await until(lambda: len(ages_of_quick) == count, PATIENCE_S, "the other one gets all")
    assert max(ages) < STALE_S + SLACK_S
    counted = server.broker.counters.dropped_by_topic
    assert counted["t", "stale"] > 100
    # What is missing was dropped, but for what had left and was given up for lost.
    await until(lambda: len(ages) + sum(counted.values()) >= count - 8, PATIENCE_S, lambda: f"{count}, {len(ages)}, {counted}")
    assert len(ages) + sum(counted.values()) <= count
