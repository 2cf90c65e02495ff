"""The demo world: one walks, sees and is seen, talks, and moves over when the server dies."""

from __future__ import annotations

import re
import time
import zlib
from functools import partial

import pytest

from rtcbroker import Client
from tests.support.browser import NARROW, Visitor
from tests.support.cluster import Cluster, cluster
from tests.support.plaza import CHAT, Listener, Plaza, enter_plaza, listening, page_url, step_at, token_for
from tests.support.poll import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

HZ = 20


async def heard(listener: Listener, since: int = 0) -> int:
    """The sender of the newest steps, once there are some that came after `since`."""
    await until(lambda: len(listener.steps) > since, 10, "the plaza is heard", interval=0.02)
    return listener.steps[-1].sender


async def test_one_walks_with_the_keys_and_is_heard_by_cells(visitor: Visitor, shared: Cluster) -> None:
    """Twenty positions a second, each to the cell it lies in; the keys move it, and where no key is held it stands."""
    async with Client(shared.url, token=token_for(shared, "listener")) as client, listening(client) as listener:
        plaza = await enter_plaza(visitor, page_url(shared), token_for(shared))
        await plaza.joined()
        me = await heard(listener)
        await until(lambda: len(listener.of(me)) > 5, 5, "it stands there")
        start = listener.of(me)[-1]
        for key, dx, dy in (("ArrowRight", 1, 0), ("w", 0, -1), ("a", -1, 0), ("ArrowDown", 0, 1)):
            before = listener.of(me)[-1]
            async with plaza.walking(key):
                await until(
                    lambda: (listener.of(me)[-1].x - before.x) * dx + (listener.of(me)[-1].y - before.y) * dy > 1.5,  # noqa: B023
                    10,
                    f"{key} moves it",
                )
        counted, began = len(listener.of(me)), time.monotonic()
        await until(lambda: len(listener.of(me)) >= counted + 3 * HZ, 10, "three seconds' worth of positions")
        assert (len(listener.of(me)) - counted) / (time.monotonic() - began) == pytest.approx(HZ, rel=0.15)
        steps = listener.of(me)
        assert all(step.run == 0 for step in steps)
        assert all(step.mark == zlib.crc32(step.topic.encode()) for step in steps)
        assert all(step.topic == step_at(step.x, step.y, 0)[0] for step in steps)
        sequences = [step.sequence for step in steps]
        assert sequences == sorted(set(sequences))
        assert len({(step.x, step.y) for step in steps[-20:]}) < 20, f"it came to a stand after {start}"


async def test_one_walks_by_touch(visitor: Visitor, shared: Cluster) -> None:
    """A finger on the plaza of a phone, dragged to the right."""
    async with Client(shared.url, token=token_for(shared, "listener")) as client, listening(client) as listener:
        context = await visitor.context(size=NARROW, touch=True)
        plaza = await enter_plaza(visitor, page_url(shared), token_for(shared), context=context)
        await plaza.joined()
        me = await heard(listener)
        start = listener.of(me)[-1]
        session = await context.new_cdp_session(plaza.page)
        x, y = NARROW[0] / 2, NARROW[1] / 2
        await session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for distance in (20, 50, 90):
            points = [{"x": x + distance, "y": y}]
            await session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
        await until(lambda: listener.of(me)[-1].x > start.x + 1.5, 10, "the finger moves it")
        await session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        await until(lambda: len({step.x for step in listener.of(me)[-10:]}) == 1, 10, "it stands when the finger is gone")


async def around(plaza: Plaza, count: int) -> bool:
    """Whether the page shows so many others."""
    return await plaza.number("others") == count


async def test_others_are_seen_and_gone_when_they_go(visitor: Visitor, shared: Cluster) -> None:
    """Another page, and a Python client that says where it is; who falls silent disappears."""
    async with Client(shared.url, token=token_for(shared, "python")) as client:
        ann, bob = [await enter_plaza(visitor, page_url(shared), token_for(shared, name)) for name in ("ann", "bob")]
        async with listening(client) as listener:
            for plaza in (ann, bob):
                await plaza.joined()
            # People come in somewhere, and what is further away than a cell is not heard: both walk into a corner.
            await until(lambda: len({step.sender for step in listener.steps}) == 2, 10, "two are heard")
            for number, plaza in enumerate((ann, bob), start=1):
                async with plaza.walking("ArrowLeft"), plaza.walking("ArrowUp"):
                    await until(lambda: in_the_corner(listener) == number, 20, f"{number} in the corner", interval=0.1)  # noqa: B023
        for plaza in (ann, bob):
            await until(partial(around, plaza, 1), 5, "they see each other", interval=0.05)

        async def both_see(count: int, say: bool) -> bool:
            if say:
                topic, body = step_at(1.0, 1.0, int(time.monotonic() * HZ))
                await client.publish(topic, body, reliable=False)
            return await around(ann, count) and await around(bob, count)

        await until(lambda: both_see(2, True), 5, "they see the client, too", interval=1 / HZ)
        await until(lambda: both_see(1, False), 15, "they see that it has gone", interval=0.1)
        await bob.page.close()
        await until(lambda: around(ann, 0), 15, "ann sees that bob has gone", interval=0.1)


def in_the_corner(listener: Listener) -> int:
    """How many were in the upper left cell just now."""
    return len({step.sender for step in listener.steps[-8:] if step.topic == "demo/cell/0/0"})


async def test_what_is_said_is_shown(visitor: Visitor, shared: Cluster) -> None:
    """A line typed at a page arrives at another page and at a Python client, under one name; and theirs at the page."""
    async with Client(shared.url, token=token_for(shared, "python")) as client, listening(client) as listener:
        ann, bob = [await enter_plaza(visitor, page_url(shared), token_for(shared, name)) for name in ("ann", "bob")]
        for plaza in (ann, bob):
            await plaza.joined()
        await until(lambda: len({line[0] for line in listener.lines}) == 2, 10, "both have told their names")
        line = "hello <b>plaza</b> & everyone"
        await ann.say(line)
        await until(lambda: any(said[2] == line for said in listener.lines), 5, "the client hears it")
        name = next(said[1] for said in listener.lines if said[2] == line)
        assert name
        await until(lambda: shows(bob, line, name), 5, "the other page shows it, as text", interval=0.05)
        await until(lambda: shows(ann, line, ""), 5, "its own page shows it, too", interval=0.05)
        await client.publish(CHAT, '{"name": "robot", "text": "hello people"}')
        for plaza in (ann, bob):
            await until(partial(shows, plaza, "hello people", "robot"), 5, "the pages show the client's", interval=0.05)
        # What is none of our lines is nobody's trouble.
        for rubbish in (b"\xff", b"[]", b'{"name": 1, "text": 2}', b'{"name": "x"}'):
            await client.publish(CHAT, rubbish)
        await client.publish("demo/cell/3/3", b"short")
        await client.publish(CHAT, '{"name": "robot", "text": "still here"}')
        await until(lambda: shows(ann, "still here", "robot"), 5, "the page goes on", interval=0.05)


async def shows(plaza: Plaza, line: str, name: str) -> bool:
    """Whether a line stands there with its name."""
    return any(line in shown and name in shown for shown in await plaza.lines())


async def test_it_moves_over_when_its_server_is_killed(visitor: Visitor) -> None:
    """Visibly: the server's name changes, and within three seconds others hear it again."""
    visitor.complaints.expect("/connect")
    async with cluster(2) as made, visitor.until_then():
        plaza = await enter_plaza(visitor, page_url(made), token_for(made))
        before = await plaza.joined()
        while True:
            client = Client(made.url, token=token_for(made, "listener"))
            await client.connect()
            if client.server != before:
                break
            await client.close()
        try:
            async with listening(client) as listener:
                me = await heard(listener)
                made.process_of(before).kill()
                killed = time.monotonic()
                silent = len(listener.steps)
                after = await until(lambda: moved(plaza, before), 10, "it is on another server", interval=0.02)
                assert time.monotonic() - killed < 3.0
                assert await heard(listener, silent + 3) == me, "it is who it was"
                assert time.monotonic() - killed < 3.0
                assert after == client.server
                assert re.fullmatch(rf"now on server {after}, after [0-2]\.\d s", await plaza.text("banner"))
        finally:
            await client.close()


async def moved(plaza: Plaza, before: int) -> int:
    """The server it says it is on, when that is another."""
    now = await plaza.joined()
    return now if now != before else 0
