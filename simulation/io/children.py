"""Processes that never outlive the one that started them.

Each child runs in a session of its own, so that Ctrl-C in the terminal reaches only the parent, which stops its children in order. Should
the parent be killed, the kernel kills its children with it (prctl(2), PR_SET_PDEATHSIG; Linux only, elsewhere only the orderly ways work).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from protocol.errors import RtcBrokerError
from service.process import tied_to

log = logging.getLogger(__name__)

STOP_S = 8.0
"""Between SIGTERM and SIGKILL."""

POLL_S = 0.02


class ChildError(RtcBrokerError):
    """A process that was started did not do what it should; says which, and its last words."""


class Child:
    """One started process, whose standard error goes to a file."""

    def __init__(self, name: str, process: Process, log_file: Path) -> None:
        self.name = name
        self.process = process
        self._log_file = log_file

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def last_words(self, lines: int = 5) -> str:
        """The end of what it wrote to standard error."""
        try:
            text = self._log_file.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def failure(self, what: str) -> ChildError:
        """An error that says what went wrong with this process, with its last words."""
        said = self.last_words()
        return ChildError(f"{self.name}: {what}" + (f"; it said:\n{said}" if said else ""))

    async def ready(self, ready_file: Path, deadline_s: float) -> dict[str, Any]:
        """What it writes to its ready file. Raises :class:`ChildError` when it ends, or does not write it in time."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    if (document := _document(ready_file)) is not None:
                        return document
                    if not self.is_running:
                        raise self.failure(f"ended with code {self.process.returncode}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise self.failure(f"was not ready after {deadline_s:g} s") from None

    def terminate(self) -> None:
        """Ask it to end in good order, if it still runs."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def kill(self) -> None:
        """End it, and whatever it has started in turn, now."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # it leads the group of its session


async def start(
    name: str,
    arguments: Sequence[str],
    log_file: Path,
    environment: Mapping[str, str],
    *,
    piped: bool = False,
    program: str = sys.executable,
) -> Child:
    """Start ``python ARGUMENTS``, or another `program`; `piped` gives it pipes for input and output.

    Its environment is ours with `environment` set, but for ``RTCBROKER_`` variables: those were meant for other processes.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RTCBROKER_")}
    with log_file.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=PIPE if piped else DEVNULL,
            stdout=PIPE if piped else errors,
            stderr=errors,
            env={**inherited, **environment},
            start_new_session=True,
            preexec_fn=tied_to(os.getpid()),
        )
    log.debug("started %s as process %d", name, process.pid)
    return Child(name, process, log_file)


async def stop(children: Iterable[Child], *, insist_s: float | None = None) -> None:
    """End all of them: SIGTERM, and SIGKILL for those that have not ended after STOP_S. Returns when none is left, even if cancelled.

    `insist_s`: after so long another SIGTERM, at which one of our services stops to wait for its peers.
    """
    running = [child for child in children if child.is_running]
    for child in running:
        child.terminate()
    waits = [asyncio.ensure_future(child.process.wait()) for child in running]
    if not waits:
        return
    try:
        if insist_s is not None:
            await asyncio.wait(waits, timeout=insist_s)
            for child in running:
                child.terminate()
        await asyncio.wait(waits, timeout=STOP_S)
    finally:
        for child in running:
            if child.is_running:
                log.warning("%s did not stop: killed", child.name)
                child.kill()
        # A killed process ends at once, so this wait is short; it reaps, that none stays as a zombie.
        await asyncio.wait(waits, timeout=STOP_S)


def _document(ready_file: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(ready_file.read_text())
    except FileNotFoundError:
        return None
    return document
