"""From a coroutine to a process: event loop, signals, exit code, and the file that says it is ready."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from protocol.errors import ConfigError

log = logging.getLogger(__name__)

EXIT_CONFIG = 2
"""Exit code for a wrong setting, as command lines have it for wrong usage."""

MAX_FILES = 65_536
"""Open files asked for, if the system allows as many: above the limits on peers, and not so many that a leak goes unnoticed."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(main: Callable[[], Awaitable[int]], name: str = "") -> int:
    """Run `main` to its end on a new event loop (uvloop where it is installed) and return its exit code.

    As many files may be open as the system allows this user, since a peer is one. A :class:`ConfigError` becomes a line on standard
    error, after the program's `name` where it has one, and EXIT_CONFIG; a Ctrl-C that nobody caught becomes 130.
    """
    _raise_file_limit()
    _leave_modules_alone()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_awaited(main))
    except ConfigError as error:
        begin = f"{name}: " if name else ""
        sys.stderr.writelines(f"{begin}{line}\n" for line in str(error).splitlines())
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return 130
    finally:
        gc.unfreeze()


def stop_on_signals(callback: Callable[[], None], *, insistent: bool = True) -> Callable[[], None]:
    """Call `callback` in the event loop at the first SIGTERM or SIGINT; a second one ends the process at once with 128 + its number, or
    does nothing if it is not `insistent`: where a supervisor decides how long to wait, its signal may come on top of one to all.

    Signals that are blocked come through from now on, also one that came before. Returns a function that takes the handlers off, and
    blocks again what was blocked. Must be called from the running loop of the main thread.
    """
    loop = asyncio.get_running_loop()
    came = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal came
        if came and not insistent:
            return
        if came:
            log.warning("%s again: leaving without clearing up", number.name)
            logging.shutdown()
            os._exit(128 + number)
        came = True
        log.info("%s: stopping%s", number.name, "; a second one ends it at once" if insistent else "")
        callback()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def undo() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    return undo


def write_ready_file(path: Path | None, **ports: object) -> None:
    """Write ``{"pid": .., "port": .., ..}`` to `path`, whole or not at all; None does nothing.

    Raises :class:`ConfigError` when it cannot be written.
    """
    if path is None:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps({"pid": os.getpid(), **ports}) + "\n")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"--ready-file {path}: cannot be written ({error.strerror})") from error


def _leave_modules_alone() -> None:
    # What is imported stays to the end, 85,000 objects. A full collection that goes through them stops every packet for 50 ms.
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _awaited(main: Callable[[], Awaitable[int]]) -> int:
    return await main()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # an extra: late, because it need not be there
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
