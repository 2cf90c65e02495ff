"""AppRTC's call page as a test sees it: what it says, what its pictures show, and its buttons."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import BrowserContext, Page

from tests.support.browser import Visitor
from tests.support.poll import until

CONNECT_S = 20.0
"""Two browsers on a full machine may take so long to have a picture."""

AUDIBLE = 0.01
"""As a share of the loudest there can be; a beep has more than ten times that, what is left of silence after compression far less."""


@dataclass(frozen=True)
class Picture:
    """A video element."""

    width: int
    height: int
    frames: int
    """Shown since the element got its stream."""
    is_live: bool
    """Whether it plays, and its sound, if it has any, has not ended."""


class CallPage:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def status(self) -> str:
        """What it says of itself."""
        return await self.page.locator("#status-word").inner_text()

    async def says(self, words: str, seconds: float = CONNECT_S) -> None:
        """Wait until its status has these words."""
        said: list[str] = []

        async def there() -> bool:
            said[:] = [await self.status()]
            return words in said[0]

        await until(there, seconds, lambda: f"the page says {words!r}, it says {said}", interval=0.03)

    async def card(self) -> str:
        """The words in the middle; empty where there are none."""
        card = self.page.locator("#card")
        return await card.inner_text() if await card.is_visible() else ""

    async def choose(self, choice: str) -> None:
        """Press a button of the card."""
        await self.page.locator(f'#choices [data-choice="{choice}"]').click()

    async def join(self) -> None:
        """From a link: look at oneself, and join."""
        await self.choose("join")

    async def hang_up(self) -> None:
        """By the red button."""
        await self.page.locator("#hang-up").click()
        await self.says("You have left")

    async def picture(self, name: str = "remote") -> Picture:
        """Of the other person ("remote"), or of oneself ("local")."""
        found = await self.page.evaluate(
            """(id) => {
                const video = document.getElementById(id);
                const { totalVideoFrames: frames } = video.getVideoPlaybackQuality();
                const tracks = video.srcObject?.getTracks() ?? [];
                const is_live = !video.paused && tracks.length > 0 && tracks.every((track) => track.readyState === "live");
                return { width: video.videoWidth, height: video.videoHeight, frames, is_live };
            }""",
            name,
        )
        return Picture(**found)

    async def sees(self, name: str = "remote", frames: int = 10, seconds: float = CONNECT_S) -> None:
        """Wait until the picture moves on by so many frames."""
        before = await self.picture(name)
        seen = [before]

        async def moved() -> bool:
            seen.append(await self.picture(name))
            return seen[-1].is_live and seen[-1].width > 0 and seen[-1].frames >= before.frames + frames

        await until(moved, seconds, lambda: f"{frames} frames of {name}, from {before} to {seen[-1]}", interval=0.1)

    async def loudness(self, enough: float = 1.0, seconds: float = 2.5) -> float:
        """The loudest of the other person, until it is `enough`; an invented microphone beeps once a second. 1 is as loud as can be."""
        loudest: float = await self.page.evaluate(
            """async ([enough, seconds]) => {
                const context = new AudioContext();
                const meter = context.createAnalyser();
                const stream = new MediaStream(document.getElementById("remote").srcObject.getAudioTracks());
                context.createMediaStreamSource(stream).connect(meter);
                const wave = new Float32Array(meter.fftSize);
                const end = performance.now() + 1000 * seconds;
                let loudest = 0;
                while (loudest < enough && performance.now() < end) {
                    await new Promise((resolve) => setTimeout(resolve, 20));
                    meter.getFloatTimeDomainData(wave);
                    loudest = Math.max(loudest, ...wave.map(Math.abs));
                }
                await context.close();
                return loudest;
            }""",
            [enough, seconds],
        )
        return loudest

    async def hears(self) -> None:
        """Wait for a sound of the other person."""
        assert await self.loudness(AUDIBLE, CONNECT_S) >= AUDIBLE, "there is no sound"


async def open_call(
    visitor: Visitor, root: str, room: str, *, query: str = "", context: BrowserContext | None = None
) -> CallPage:
    """The page of a room, by its link; `root` is the home page's address."""
    return CallPage(await visitor.visit(f"{root}r/{room}{query}", context=context))


async def in_a_call(*pages: CallPage) -> None:
    """Wait until each says that it is in a call, and sees the other."""
    for page in pages:
        await page.says("You are in a call")
    for page in pages:
        await page.sees()
