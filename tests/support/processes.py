"""Looking at processes that come and go while one looks."""

from __future__ import annotations

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Neither gone nor waiting to be reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def runs(process: psutil.Process, word: str) -> bool:
    """Whether `word` stands on its command line."""
    try:
        return word in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def children(pid: int, *words: str, recursive: bool = False) -> list[psutil.Process]:
    """Those that `pid` started, or all below it, with one of these words on their command line.

    A process looks like its parent for a moment, before it becomes what it is to be: count those that were started directly.
    """
    try:
        found = psutil.Process(pid).children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []
    return [process for process in found if any(runs(process, word) for word in words)]
