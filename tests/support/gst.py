"""GStreamer peers as processes of the system's Python, watched through what they print."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.support.poll import until

NEEDS = ("python3-gi", "gir-gst-webrtc", "gir-soup", "gio-tls", "gst-opus", "gst-rtp", "gst-webrtc", "gst-nice")
"""For @pytest.mark.needs."""

PROGRAM = Path(__file__).parent / "peers" / "gst_peer.py"
PYTHON = "/usr/bin/python3"

MEDIA_S = 40.0
"""For a peer to start, negotiate and hear: the first of them on a machine has GStreamer look at all its plugins."""

STOP_S = 10.0


class GstPeer:
    """One of them."""

    def __init__(self, uid: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.uid = uid
        self.heard: list[str] = []
        """Everything the server said."""
        self.candidates: list[str] = []
        self.buffers: dict[str, int] = {}
        """Decoded audio buffers so far, by the peer they came from (`partner` in a session)."""
        self.closed: int | None = None
        """The code that the server closed the socket with."""
        self.failed = ""
        self._process = process
        self._log = log
        self._reader = asyncio.create_task(self._read(), name=f"output of {uid}")

    async def says(self, text: str) -> None:
        """Wait until the server has said this to it."""
        await self._until(lambda: text in self.heard, f"the server says {text!r}")

    async def hears(self, *others: str, more: int = 25) -> None:
        """Wait until so many more buffers have come from each of the others: 25 are half a second of audio."""
        goal = {other: self.buffers.get(other, 0) + more for other in others}
        await self._until(lambda: all(self.buffers.get(other, 0) >= goal[other] for other in others), f"media from {others}")

    async def is_closed(self, code: int) -> None:
        """Wait until the server has closed its socket, with that code."""
        await self._until(lambda: self.closed is not None, "its socket is closed")
        assert self.closed == code, self.story()

    async def _until(self, condition: Any, why: str) -> None:
        def met() -> bool:
            assert not self.failed, self.story()
            assert not self._reader.done(), f"it has ended: {self.story()}"
            return bool(condition())

        await until(met, MEDIA_S, lambda: f"{self.uid}: {why}; {self.story()}")

    def story(self) -> str:
        """What is known of it, for whoever has to find out what went wrong."""
        heard = [text[:60] for text in self.heard]
        log = self._log.read_text(errors="replace")[-2_000:]
        return f"{self.failed or 'no failure'}, heard {heard}, buffers {self.buffers}, closed {self.closed}; its log:\n{log}"

    async def end(self) -> None:
        """Stop it, whatever state it is in."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await asyncio.wait([self._reader])
        self._reader.result()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            for what, value in json.loads(line).items():
                if what == "heard":
                    self.heard.append(value)
                elif what == "candidate":
                    self.candidates.append(value)
                else:
                    setattr(self, what, value)


class GstPeers:
    """Starts them."""

    def __init__(self, folder: Path, url: str, ca: Path) -> None:
        self._folder = folder
        self._url = url
        self._ca = ca
        self._peers: list[GstPeer] = []

    async def start(self, uid: str, *options: str) -> GstPeer:
        """A peer that has said HELLO."""
        log = self._folder / f"{uid}-{len(self._peers)}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                PYTHON,
                *(str(PROGRAM), self._url, "--ca", str(self._ca), "--id", uid, *options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=1 << 20,
            )
        peer = GstPeer(uid, process, log)
        self._peers.append(peer)
        await peer.says("HELLO")
        return peer

    async def end(self) -> None:
        """Stop all."""
        await asyncio.gather(*(peer.end() for peer in self._peers))


@contextlib.asynccontextmanager
async def gst_peers(folder: Path, url: str, ca: Path) -> AsyncIterator[GstPeers]:
    """Peers of the server at `url`, which they trust by `ca`; they are gone afterwards."""
    peers = GstPeers(folder, url, ca)
    try:
        yield peers
    finally:
        await peers.end()
