"""Processes that a simulation starts are told to end, waited for, and killed when they do not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from simulation.io import children
from simulation.io.children import ChildError
from tests.support.poll import until
from tests.support.processes import is_alive

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
sys.stderr.write("up\\n")
time.sleep(60)
"""


async def test_one_that_does_not_stop_is_killed_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "STOP_S", 0.3)
    child = await children.start("mule", ["-c", STUBBORN], tmp_path / "log", {})
    await until(lambda: child.last_words() == "up", 10, "it ignores SIGTERM")
    (grandchild,) = psutil.Process(child.pid).children()
    await children.stop([child])
    assert child.process.returncode == -9
    await until(lambda: not is_alive(grandchild), 5, "its own child is gone")
    child.terminate()
    child.kill()


PATIENT = """
import signal, sys, time
came = []
def on_signal(*_):
    came.append(time.monotonic())
    if len(came) == 2:
        sys.exit(7)
signal.signal(signal.SIGTERM, on_signal)
sys.stderr.write("up\\n")
while True:
    time.sleep(60)
"""


async def test_one_that_waits_for_others_is_told_once_more(tmp_path: Path) -> None:
    child = await children.start("host", ["-c", PATIENT], tmp_path / "log", {})
    await until(lambda: child.last_words() == "up", 10, "it waits for signals")
    await children.stop([child], insist_s=0.2)
    assert child.process.returncode == 7


async def test_stopping_is_finished_even_when_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = await children.start("mule", ["-c", STUBBORN], tmp_path / "log", {})
    await until(lambda: child.last_words() == "up", 10, "it ignores SIGTERM")
    stopping = asyncio.create_task(children.stop([child]))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not child.is_running


async def test_one_that_is_never_ready_is_named_with_its_last_words(tmp_path: Path) -> None:
    child = await children.start(
        "clock", ["-c", "import sys, time; sys.stderr.write('tick\\n'); time.sleep(60)"], tmp_path / "log", {}
    )
    await until(lambda: child.last_words() == "tick", 10, "it runs")
    with pytest.raises(ChildError, match=r"^clock: was not ready after 0\.1 s; it said:\ntick$"):
        await child.ready(tmp_path / "ready.json", 0.1)
    await children.stop([child])


async def test_one_that_ends_instead_is_named_with_its_code(tmp_path: Path) -> None:
    child = await children.start("clock", ["-c", "raise SystemExit(3)"], tmp_path / "log", {})
    with pytest.raises(ChildError, match=r"^clock: ended with code 3$"):
        await child.ready(tmp_path / "ready.json", 10)


async def test_variables_meant_for_others_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTCBROKER_AUTH", "none")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    code = "import os, sys; sys.stderr.write(' '.join(os.environ.get(n, '-') for n in ('RTCBROKER_AUTH', 'SOMETHING_ELSE', 'GIVEN')))"
    child = await children.start("shell", ["-c", code], tmp_path / "log", {"GIVEN": "too"})
    await child.process.wait()
    assert child.last_words() == "- kept too"
