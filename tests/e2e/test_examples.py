"""The examples run as they stand, as programs of their own against a real cluster."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.cluster import cluster
from tests.support.poll import until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


async def start(name: str, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(EXAMPLES / name), *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=EXAMPLES.parent
    )


async def run(name: str, *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, output, errors."""
    process = await start(name, *arguments)
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


class Chatter:
    """Somebody in the chat."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.seen = ""

    async def read(self) -> None:
        """Keep what is printed."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.seen += line.decode()

    def type(self, text: str) -> None:
        """A line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())

    async def leave(self) -> int:
        """Ctrl-D."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await asyncio.wait_for(self.process.wait(), 15)


@contextlib.asynccontextmanager
async def chatter(url: str, token: str) -> AsyncIterator[Chatter]:
    """Somebody who has come in."""
    made = Chatter(await start("chat.py", "--url", url, "--token", token))
    reading = asyncio.create_task(made.read())
    try:
        await until(lambda: "you are in 'lobby'" in made.seen, 20, lambda: f"the chatter is in: {made.seen}")
        yield made
        assert await made.leave() == 0
    finally:
        if made.process.returncode is None:
            made.process.kill()
            await made.process.wait()
        await reading


async def test_hello_and_chat() -> None:
    """One cluster for both: starting it takes longer than they do."""
    async with cluster(1) as made:
        code, output, errors = await run("hello.py", "--url", made.url, "--token", made.token())
        assert (code, errors) == (0, "")
        assert "bob heard 'hello'" in output
        assert "on the reliable channel" in output
        assert "on the unreliable channel" in output
        async with chatter(made.url, made.token("alice")) as alice, chatter(made.url, made.token("bob")) as bob:
            alice.type("hello, everyone")
            await until(lambda: "alice: hello, everyone" in bob.seen, 10, lambda: f"bob reads: {bob.seen}")
            bob.type("who is it?")
            await until(lambda: "bob: who is it?" in alice.seen, 10, lambda: f"alice reads: {alice.seen}")
            assert "alice:" not in alice.seen


async def test_without_a_cluster_an_example_says_so_in_one_line() -> None:
    code, output, errors = await run("hello.py", "--url", "ftp://nowhere")
    assert (code, output) == (1, "")
    assert errors.startswith("hello: url: 'ftp://nowhere'")
    assert len(errors.splitlines()) == 1
