"""`python -m commserver` as a process: settings from the environment, exit codes, signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from protocol.pb import broker_pb2 as pb
from tests.integration.commserver.conftest import NewClient, token
from tests.support.exchange import Exchange
from tests.support.forge import SECRET
from tests.support.poll import until

START_S = 30.0


async def commserver(**options: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, **{f"RTCBROKER_{name.upper()}": value for name, value in options.items()}}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "commserver", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"auth_secret": SECRET.decode(), "udp_port": "many"}, "RTCBROKER_UDP_PORT"),
        ({"auth_secret": SECRET.decode(), "coordinator": "nowhere"}, "RTCBROKER_COORDINATOR"),
        ({}, "--auth-secret"),
        ({"auth_secret": "short"}, "32"),
        ({"auth": "none", "bind": "nowhere.invalid"}, "nowhere.invalid"),
        ({"auth": "none", "bind": "127.0.0.1", "port": "0", "ready_file": "/nowhere/at/all"}, "--ready-file"),
    ],
    ids=["number", "url", "no key", "weak key", "address", "ready file"],
)
async def test_a_wrong_setting_is_one_line_and_exit_code_2(options: dict[str, str], named: str) -> None:
    process = await commserver(**options)
    _, err = await asyncio.wait_for(process.communicate(), START_S)
    text = err.decode()
    assert process.returncode == 2, text
    assert "Traceback" not in text
    complaint = [line for line in text.splitlines() if named in line]
    assert len(complaint) == 1, text
    assert SECRET.decode() not in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(exchange: Exchange, client: NewClient, tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    process = await commserver(
        auth_secret=SECRET.decode(),
        coordinator=exchange.url,
        bind="127.0.0.1",
        port="0",
        ready_file=str(ready),
        drain_seconds="1",
    )
    try:
        await until(lambda: ready.exists() and exchange.sockets, START_S, "the server is ready")
        assert json.loads(ready.read_text())["pid"] == process.pid
        alice = client()
        await alice.join(next(iter(exchange.sockets)), token())
        process.send_signal(number)
        await until(lambda: alice.of_type(pb.CLOSE), START_S, "CLOSE")
        _, err = await asyncio.wait_for(process.communicate(), START_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = err.decode()
    assert process.returncode == 0, text
    assert "Traceback" not in text
    assert "ERROR" not in text
    assert SECRET.decode() not in text
