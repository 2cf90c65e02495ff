"""Several equal comm servers on one machine under one command, so that all its cores are used.

The supervisor forks before any event loop, thread or socket exists; each child is a comm server as if started alone, with ports of its own.
It restarts what ends (with backoff) unless a coordinator drained it, stops all at one signal, whether that was sent to it alone, to the
process group (a terminal's Ctrl-C) or to each process (systemd), and takes its children along should it be killed itself (Linux).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from commserver.core.lame_duck import MOVE_GRACE_S
from commserver.core.supervision import Restarts
from commserver.settings import CommServerSettings
from service.process import tied_to
from service.run import EXIT_CONFIG, write_ready_file
from transport.announce import read_word

log = logging.getLogger(__name__)

POLL_S = 0.1
STOP_GRACE_S = MOVE_GRACE_S + 5.0
"""On top of `drain_seconds`: then children that have not ended are killed."""
SAME_SIGNAL_S = 1.0
"""A further signal within this time is the same one on another way; a later one comes from somebody who does not want to wait."""
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOP_SIGNALS, signal.SIGCHLD)
_STOPPED = (0, -signal.SIGTERM)
"""Exit codes of a child that was told to stop."""


def child_settings(settings: CommServerSettings, index: int) -> CommServerSettings:
    """The settings of child `index`: ports counted up from the ones given, and a ready file of its own."""
    changes = {
        "processes": 1,
        "port": settings.port + index if settings.port else 0,
        "udp_port": settings.udp_port + index if settings.udp_port else 0,
        "announce": [read_word(text).counted_up(index) for text in settings.announce],
        "ready_file": _child_ready_file(settings.ready_file, index),
    }
    return settings.model_copy(update=changes)


def _child_ready_file(ready_file: Path | None, index: int) -> Path | None:
    return None if ready_file is None else ready_file.with_name(f"{ready_file.name}.{index}")


class Supervisor:
    """Keeps `settings.processes` children running; `run_child` is what each of them does, and returns its exit code."""

    def __init__(self, settings: CommServerSettings, run_child: Callable[[CommServerSettings], int]) -> None:
        self._settings = settings
        self._run_child = run_child
        self._count = settings.processes
        self._running: dict[int, int] = {}
        """Child index by process id."""
        self._restarts = [Restarts() for _ in range(self._count)]
        self._due: dict[int, float] = dict.fromkeys(range(self._count), 0.0)
        """When to start which child."""
        self._told_ready = False
        self._stopping = False
        self._failed = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until a child says that the configuration is wrong; returns the exit code.

        A second signal kills what is left at once, and its number + 128 is the exit code.
        """
        # Blocked and waited for, not handled: nothing of ours runs between fork and the child's own set-up.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        log.info("supervising %d comm servers", self._count)
        while True:
            self._start_due()
            self._tell_ready()
            came = signal.sigtimedwait(_SIGNALS, POLL_S)
            if EXIT_CONFIG in self._reap():
                return self._stop(EXIT_CONFIG)
            if not self._running and not self._due:
                return 0  # a coordinator drained them all
            if came is not None and came.si_signo != signal.SIGCHLD:
                log.info("%s: stopping", signal.Signals(came.si_signo).name)
                return self._stop(0)

    def _start_due(self) -> None:
        now = time.monotonic()
        for index in [index for index, when in self._due.items() if when <= now]:
            del self._due[index]
            self._restarts[index].started(now)
            if (file := _child_ready_file(self._settings.ready_file, index)) is not None:
                file.unlink(missing_ok=True)  # its former life's, or that of a supervisor that was killed
            self._running[self._fork(index)] = index

    def _fork(self, index: int) -> int:
        tie = tied_to(os.getpid())
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            if tie is not None:
                tie()
            # The others stay blocked until the child handles them: one that comes before is not lost, and does not kill it.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGCHLD,))
            code = self._run_child(child_settings(self._settings, index))
        except BaseException:
            log.exception("comm server %d failed", index)
        finally:
            logging.shutdown()
            os._exit(code)  # the rest of this stack is the supervisor's

    def _reap(self) -> list[int]:
        """Take note of children that have ended; returns their exit codes."""
        codes: list[int] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return codes
            if pid == 0:
                return codes
            index = self._running.pop(pid, None)
            if index is None:
                continue  # we did not start it: a shell that became us did, or we are process 1 and it is an orphan
            code = os.waitstatus_to_exitcode(status)
            codes.append(code)
            self._ended(index, pid, code)

    def _ended(self, index: int, pid: int, code: int) -> None:
        if self._stopping:
            self._failed |= code not in _STOPPED
            log.info("comm server %d (process %d) ended with code %d", index, pid, code)
            return
        if code == 0:
            log.info("comm server %d (process %d) was drained", index, pid)
            return
        now = time.monotonic()
        when = self._due[index] = self._restarts[index].ended(now)
        self._told_ready = False
        log.warning("comm server %d (process %d) ended with code %d; again in %.1f s", index, pid, code, when - now)

    def _tell_ready(self) -> None:
        """Once every child is ready, also again after one was restarted, say so: the first one's ports, and the list of all."""
        path = self._settings.ready_file
        if path is None or self._told_ready:
            return
        files = [_child_ready_file(path, index) for index in range(self._count)]
        if all(file is not None and file.exists() for file in files):
            children = [json.loads(file.read_text()) for file in files if file is not None]
            write_ready_file(path, port=children[0]["port"], udp_port=children[0]["udp_port"], processes=children)
            self._told_ready = True

    def _stop(self, code: int) -> int:
        self._stopping = True
        self._signal_all(signal.SIGTERM)
        again = self._wait_for_all()
        if self._running:
            if again is None:
                log.warning("%d comm servers did not stop in time: killed", len(self._running))
            else:
                log.warning("%s again: leaving without clearing up", again.name)
                code = 128 + again
            self._failed = True
            self._signal_all(signal.SIGKILL)
            while self._running:
                signal.sigtimedwait((signal.SIGCHLD,), POLL_S)
                self._reap()
        return code or int(self._failed)

    def _wait_for_all(self) -> signal.Signals | None:
        """Until all children have ended or their time is up; returns a signal that says not to wait any longer, if one came."""
        began = time.monotonic()
        while self._running and time.monotonic() < began + self._settings.drain_seconds + STOP_GRACE_S:
            came = signal.sigtimedwait(_SIGNALS, POLL_S)
            self._reap()
            if came is not None and came.si_signo in _STOP_SIGNALS and time.monotonic() > began + SAME_SIGNAL_S:
                return signal.Signals(came.si_signo)
        return None

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
