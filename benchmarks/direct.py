"""The way of a packet without a server: one process sends to another over a link of their own.

What a relayed packet takes longer than this is what the server adds. The publisher is the same kind of process, with the same transport
under it; the receiver is this one.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from statistics import median

from service.run import run as run_loop
from transport import Dialer, Link, LinkEnd, Listener

HOST = "127.0.0.1"
HZ = 5.0
OPEN_S = 10.0
TIME = struct.Struct("<d18x")
"""When it was sent, by the clock that all processes share; 26 bytes, as in the other scenarios."""


class Receiver:
    """Notes how long each message took."""

    def __init__(self) -> None:
        self.ages_s: list[float] = []
        self.ended = asyncio.Event()

    def on_open(self, link: Link) -> None:
        """The sender begins by itself."""

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """A message: its age."""
        self.ages_s.append(time.monotonic() - TIME.unpack(data)[0])

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """Nothing is sent."""

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """The sender has finished."""
        self.ended.set()


class Sender:
    """Waits for its link to open, and to end."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def on_open(self, link: Link) -> None:
        """It may begin."""
        self.opened.set()

    def on_message(self, link: Link, data: bytes, reliable: bool) -> None:
        """Nothing comes."""

    def on_buffered_low(self, link: Link, reliable: bool) -> None:
        """Little is sent."""

    def on_closed(self, link: Link, end: LinkEnd) -> None:
        """The process ends anyway."""


def run(seconds: float) -> float | None:
    """Milliseconds of the median message, sent at HZ for `seconds`; None where it did not work."""
    return asyncio.run(_receive(seconds))


async def _receive(seconds: float) -> float | None:
    receiver = Receiver()
    listener = await Listener.open(bind=[HOST])
    command = [sys.executable, "-m", "benchmarks.direct", str(seconds)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        assert process.stdin is not None
        assert process.stdout is not None  # both are pipes
        link = listener.offer(receiver)
        process.stdin.write(json.dumps(link.local_sdp).encode() + b"\n")
        link.accept(json.loads(await asyncio.wait_for(process.stdout.readline(), OPEN_S)))
        await asyncio.wait_for(receiver.ended.wait(), OPEN_S + seconds)
    except (TimeoutError, ValueError):
        process.kill()
    finally:
        await process.wait()
        await listener.close()
    return median(receiver.ages_s) * 1000 if len(receiver.ages_s) >= HZ * seconds / 2 else None


async def _send(seconds: float) -> int:
    sender, dialer = Sender(), Dialer()
    link = await dialer.answer(json.loads(sys.stdin.readline()), sender)
    sys.stdout.write(json.dumps(link.local_sdp) + "\n")
    sys.stdout.flush()
    await asyncio.wait_for(sender.opened.wait(), OPEN_S)
    for _ in range(round(seconds * HZ)):
        link.send(TIME.pack(time.monotonic()), reliable=False)
        await asyncio.sleep(1 / HZ)
    await dialer.close()
    return 0


if __name__ == "__main__":
    sys.exit(run_loop(lambda: _send(float(sys.argv[1]))))
