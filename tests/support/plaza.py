"""The demo world as a test sees it: the page, and a listener that hears what the page says to the broker."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Page

from rtcbroker import Client, Packet
from simulation.core.payload import HEADER, MIN_POSITION_BODY_BYTES, POSITION
from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.poll import until

CELLS = 6
"""The plaza is a square of so many cells."""
CELL_M = 4.0
CHAT = "demo/chat"
TOPICS = ("demo/**",)

JOIN_S = 15.0


def token_for(made: Cluster, name: str = "guest") -> str:
    """One for the plaza alone."""
    return made.token(name, publish=TOPICS, subscribe=TOPICS)


@dataclass(frozen=True)
class Step:
    """A position packet."""

    topic: str
    sender: int
    run: int
    sequence: int
    mark: int
    x: float
    y: float


def read_step(packet: Packet) -> Step:
    """Raises struct.error for what is none."""
    run, _, sequence, mark, _ = HEADER.unpack_from(packet.body)
    x, y = POSITION.unpack_from(packet.body, HEADER.size)
    return Step(packet.topic, packet.sender, run, sequence, mark, x, y)


def step_at(x: float, y: float, sequence: int) -> tuple[str, bytes]:
    """Topic and body of a position packet of a person."""
    topic = f"demo/cell/{int(x // CELL_M)}/{int(y // CELL_M)}"
    header = HEADER.pack(0, 1, sequence, zlib.crc32(topic.encode()), float(sequence))
    return topic, header + POSITION.pack(x, y)


@dataclass
class Listener:
    """Hears the whole plaza."""

    steps: list[Step] = field(default_factory=list)
    lines: list[tuple[int, str, str]] = field(default_factory=list)
    """Sender, name and text; names alone have no text."""

    def take(self, packet: Packet) -> None:
        """Note what it says."""
        if packet.topic == CHAT:
            line = json.loads(packet.body)
            self.lines.append((packet.sender, line["name"], line["text"]))
            return
        assert len(packet.body) == MIN_POSITION_BODY_BYTES
        self.steps.append(read_step(packet))

    def of(self, sender: int) -> list[Step]:
        """Steps of one."""
        return [step for step in self.steps if step.sender == sender]


@contextlib.asynccontextmanager
async def listening(client: Client) -> AsyncIterator[Listener]:
    """A listener by this client."""
    heard = Listener()
    cells = [f"demo/cell/{x}/{y}" for x in range(CELLS) for y in range(CELLS)]
    async with client.subscribe(CHAT, *cells, callback=heard.take):
        yield heard


class Plaza:
    """One tab with the demo world."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def text(self, name: str) -> str:
        """What a part of the page says."""
        return await self.page.locator(f"#{name}").inner_text()

    async def server(self) -> int:
        """The server it says it is on; 0 for none."""
        return int(re.sub(r"\D", "", await self.text("server")) or 0)

    async def number(self, name: str) -> float:
        """A figure of its head-up display, without its unit."""
        found = re.search(r"[\d.]+", (await self.text(name)).replace("\u202f", ""))
        return float(found[0]) if found else 0.0

    async def joined(self, seconds: float = JOIN_S) -> int:
        """Wait until it is on a server, and return that."""

        async def there() -> int:
            return await self.server() if await self.text("state") == "connected" else 0

        return await until(there, seconds, "the page is in the plaza", interval=0.03)

    async def say(self, line: str) -> None:
        """As a person does: Enter, type, Enter."""
        await self.page.keyboard.press("Enter")
        await self.page.keyboard.type(line)
        await self.page.keyboard.press("Enter")

    async def lines(self) -> list[str]:
        """What was said, as it is shown."""
        return await self.page.locator("#lines li").all_inner_texts()

    @contextlib.asynccontextmanager
    async def walking(self, key: str) -> AsyncIterator[None]:
        """Inside, a key is held."""
        await self.page.keyboard.down(key)
        try:
            yield
        finally:
            await self.page.keyboard.up(key)

    async def frame_times(self, seconds: float) -> list[float]:
        """Milliseconds between frames of the screen, for so long."""
        found: list[float] = await self.page.evaluate(
            """(seconds) => new Promise((resolve) => {
                const times = [];
                const begin = performance.now();
                let last = begin;
                const frame = (now) => {
                    times.push(now - last);
                    last = now;
                    if (now - begin < seconds * 1000) requestAnimationFrame(frame);
                    else resolve(times.slice(1));
                };
                requestAnimationFrame(frame);
            })""",
            seconds,
        )
        return found


async def enter_plaza(visitor: Visitor, url: str, token: str, *, context: BrowserContext | None = None) -> Plaza:
    """The page of the coordinator at this address (``http://...``)."""
    return Plaza(await visitor.visit(f"{url}/demo#token={token}", context=context))


def page_url(made: Cluster) -> str:
    """Where a cluster's pages are."""
    return f"http://127.0.0.1:{made.coordinator.port}"
