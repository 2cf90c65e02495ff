"""A Chromium whose camera and microphone are made up, so that pages can call each other where there are neither."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

from tests.support.browser import FLAGS

CAMERA = (
    "--use-fake-device-for-media-stream",
    # Nobody is there to be asked.
    "--use-fake-ui-for-media-stream",
)


@contextlib.asynccontextmanager
async def chromium_with_camera() -> AsyncIterator[Browser]:
    """The system's Chromium, headless; its camera shows a moving picture."""
    path = shutil.which("chromium")
    assert path is not None, "the tests that use this say that they need it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *CAMERA])
        try:
            yield browser
        finally:
            await browser.close()
