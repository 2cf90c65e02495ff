"""From a coroutine to a process."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.errors import ConfigError
from service.run import EXIT_CONFIG, run, stop_on_signals, write_ready_file
from tests.support.poll import until

ROOT = Path(__file__).resolve().parents[3]


def test_the_exit_code_is_mains() -> None:
    async def main() -> int:
        await asyncio.sleep(0)
        return 7

    assert run(main) == 7


def test_collections_of_garbage_do_not_go_through_what_is_imported() -> None:
    async def main() -> int:
        return int(gc.get_freeze_count() > 10_000)

    assert run(main) == 1
    assert gc.get_freeze_count() == 0


def test_a_wrong_setting_is_a_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> int:
        raise ConfigError("--port: is wrong")

    assert run(main) == EXIT_CONFIG == 2
    assert capsys.readouterr().err == "--port: is wrong\n"


def test_a_program_says_its_name_before_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> int:
        raise ConfigError("--port: is wrong\n--host: too")

    assert run(main, "rtcbroker simulate dense") == EXIT_CONFIG
    assert capsys.readouterr().err == "rtcbroker simulate dense: --port: is wrong\nrtcbroker simulate dense: --host: too\n"


def test_an_uncaught_interrupt_is_no_traceback() -> None:
    async def main() -> int:
        raise KeyboardInterrupt

    assert run(main) == 130


def test_any_other_error_is_not_hidden() -> None:
    async def main() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    async def main() -> int:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        assert run(main) == min(before[1], 65_536)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_calls_back_once(number: signal.Signals) -> None:
    calls: list[bool] = []
    undo = stop_on_signals(lambda: calls.append(True))
    try:
        os.kill(os.getpid(), number)
        await until(lambda: calls, 5, "the callback is called")
    finally:
        undo()
    assert calls == [True]


def test_the_second_signal_ends_the_process_at_once() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from service.run import run, stop_on_signals\n"
        "async def main():\n"
        "    stop_on_signals(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    await asyncio.sleep(20)\n"
        "    return 0\n"
        "raise SystemExit(run(main))\n"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, capture_output=True, check=False)
    assert process.returncode == 128 + signal.SIGINT, process.stderr


async def test_further_signals_are_nothing_where_somebody_else_decides() -> None:
    calls: list[bool] = []
    undo = stop_on_signals(lambda: calls.append(True), insistent=False)
    try:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            await until(lambda: calls, 5, "the callback is called")
            await asyncio.sleep(0.01)
    finally:
        undo()
    assert calls == [True]


async def test_signals_that_were_held_back_are_so_again_afterwards() -> None:
    """Whoever starts a process may block them, so that none comes before it can be handled, or after that."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    calls: list[bool] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        signal.raise_signal(signal.SIGTERM)
        undo = stop_on_signals(lambda: calls.append(True))
        try:
            await until(lambda: calls, 5, "the callback is called")
        finally:
            undo()
        signal.raise_signal(signal.SIGTERM)
        assert signal.sigtimedwait(numbers, 0) is not None, "it waits, and this test lives"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert calls == [True]


def test_the_ready_file_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    file.write_text("old")
    write_ready_file(file, port=1, udp_port=2)
    assert json.loads(file.read_text()) == {"pid": os.getpid(), "port": 1, "udp_port": 2}
    assert list(tmp_path.iterdir()) == [file]


def test_no_ready_file_is_wanted() -> None:
    write_ready_file(None, port=1)


def test_a_ready_file_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--ready-file .*/none/ready: cannot be written \(No such file"):
        write_ready_file(tmp_path / "none" / "ready", port=1)
