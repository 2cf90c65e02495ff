"""`rtcbroker demo` shows a living cluster, lets others join it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
import time

import psutil
import pytest

from rtcbroker import Client
from simulation.io.children import STOP_S
from tests.support.poll import until
from tests.support.processes import children, is_alive

PARTS = ["coordinator", "commserver", "simulation.io.worker"]


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "rtcbroker.cli", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def output(process: asyncio.subprocess.Process) -> str:
    try:
        async with asyncio.timeout(30):
            text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return text.decode()


def rows(text: str) -> dict[str, list[str]]:
    """The last table: name and cells of each row."""
    found = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line.startswith("│")]
    return {row[0]: row[1:] for row in found}


async def test_for_a_while() -> None:
    # Bots wander at random, and who is far from all others is sent nothing; among so many somebody always has somebody near.
    process = await start("--duration", "5", "--bots", "24", "--port", "0")
    await until(lambda: len(children(process.pid, *PARTS)) == 4, 20, "a coordinator, two comm servers and a load worker run")
    started = children(process.pid, *PARTS, recursive=True)
    text = await output(process)
    assert process.returncode == 0, text
    assert "Traceback" not in text
    table = rows(text)
    assert table.keys() == {"server 1", "server 2", "all bots"}
    assert table["all bots"][0] == "24"
    assert table["all bots"][3] != "0", "somebody is sent something"
    for name, row in table.items():
        # What nothing came out of has no latency to show.
        if row[3] != "0" or name == "all bots":
            assert all(re.fullmatch(r"[\d.]+ ms", cell) for cell in row[4:6]), f"{name} shows the latency of its clients: {row}"
    assert not [child for child in started if is_alive(child)]


async def test_someone_else_joins_and_ctrl_c_ends_it() -> None:
    process = await start("--bots", "8", "--port", "0")
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(20):
        while b"TOKEN = " not in said and (line := await process.stdout.readline()):
            said += line
    url, token = re.search(r'Client\("(.+?)"', said.decode()), re.search(r"TOKEN = (\S+)", said.decode())
    assert url
    assert token
    page = url[1].replace("ws:", "http:")
    assert f"  {page}/demo#token={token[1]}\n" in said.decode(), "the link to the world carries the same token"
    assert f"  {page}/#token=" in said.decode()
    cells = [f"demo/cell/{x}/{y}" for x in range(-2, 8) for y in range(-2, 8)]
    async with Client(url[1], token=token[1]) as client, client.subscribe(*cells) as packets, asyncio.timeout(20):
        senders = set()
        async for packet in packets:
            assert packet.topic in cells
            senders.add(packet.sender)
            if len(senders) == 8:
                break
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        text = await output(process)
        assert time.monotonic() - asked < STOP_S, "nobody waits for a page that stays open until it has to be killed"
    assert process.returncode == 0, text
    assert text.rstrip().endswith("stopped")


@pytest.mark.needs("redis-server")
async def test_several_coordinators_share_the_bots() -> None:
    process = await start("--duration", "6", "--bots", "16", "--port", "0", "--coordinators", "2")
    await until(lambda: len(children(process.pid, *PARTS)) == 5, 20, "two coordinators, two comm servers and a load worker run")
    redis = [child for child in psutil.Process(process.pid).children() if child.name() == "redis-server"]
    assert len(redis) == 1
    started = [*redis, *children(process.pid, *PARTS, recursive=True)]
    text = await output(process)
    assert process.returncode == 0, text
    assert "Traceback" not in text
    table = rows(text)
    assert table.keys() == {"server 1", "server 2", "coord 1", "coord 2", "all bots"}
    shares = [int(table[name][0]) for name in ("coord 1", "coord 2")]
    assert sum(shares) == int(table["all bots"][0]) == 16
    assert min(shares) > 0, "a client begins with any of them"
    assert [table[name][1] for name in ("coord 1", "coord 2")] == ["", ""]
    assert len(re.findall(r"^  http\S+/#token=", text, re.MULTILINE)) == 2
    assert not [child for child in started if is_alive(child)]


async def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await start("--port", str(port))
        text = await output(process)
    assert process.returncode == 1
    assert "demo: coordinator: ended with code 2" in text
    assert f"--port {port}: cannot listen there" in text
    assert "Traceback" not in text
