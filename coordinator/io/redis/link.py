"""One time together with Redis: from the step that joins the cluster until the first thing that fails.

Two connections: one waits for what comes into the inbox, on the other steps go out, many at once, in the order in which they were
asked for. Nothing is tried twice. What fails ends the link, and the next one tells everything anew, under a new name; so no step of this
one can do harm later, and it does not matter which of the last ones were carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from coordinator.core.cluster import ClusterOutput, Deed, Disconnect, Forward, Revocation, ServerReported
from coordinator.io.redis.address import Address, is_untrusted
from coordinator.io.redis.messages import Message, Up, decode, decode_record, decode_revocation
from coordinator.io.redis.steps import FENCED, FULL, MISSING, SCRIPT, Step, step_of
from protocol.errors import ConfigError
from protocol.limits import KIB

T = TypeVar("T")

log = logging.getLogger(__name__)

REPLY_TIMEOUT_S = 2.0
"""For an answer of Redis, which needs less than a millisecond. Joins wait for it, and theirs is five seconds."""
WAIT_S = 0.5
"""How long Redis holds an inbox that is empty open for us; so much later at most we notice that it does not answer."""
QUEUE_STEPS = 8_192
"""Steps that may wait to be sent; a joining client is about ten."""
QUEUE_BYTES = 16 * 1024 * KIB
QUEUE_REPORTS = 512
"""Steps waiting above which reports are left out: they come again in a second."""
BATCH_STEPS = 256
BATCH_BYTES = 512 * KIB
"""Sent at once, and answered before the next."""
READ_MESSAGES = 256
"""Taken out of the inbox at once."""

PERMANENT = (AuthenticationError, AuthorizationError, NoPermissionError)


class LinkLost(Exception):
    """Redis is away, or this coordinator is none of the cluster any more. Its text is for people, and holds no password."""


@dataclass(slots=True)
class Counts:
    """What the links of a process have in common; for metrics."""

    dropped: dict[str, int] = field(default_factory=lambda: {"queue full": 0, "inbox full": 0, "unreadable": 0, "away": 0})
    """Outputs and messages that were dropped, by reason."""
    round_trip_s: float = 0.0
    """Of the last renewal."""
    coordinators: int = 0
    """In the cluster, by the last renewal."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a coordinator finds where it joins."""

    servers: list[Up]
    revocations: list[Revocation]
    same_secret: bool
    """As the others have."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    step: Step
    forward: Forward | None
    size: int


class Link:
    """Made by :meth:`open`, used by :meth:`send`, ended by whatever :meth:`run` raises."""

    def __init__(self, address: Address, prefix: str, node: str, lease_s: float, counts: Counts) -> None:
        self.node = node
        """The name of this coordinator on this link."""
        self.offset_s = 0.0
        """Redis' clock less the monotonic one here."""
        self._keys = f"{{{prefix}}}:"
        self._lease_ms = int(lease_s * 1000)
        self._counts = counts
        self._writer, self._reader = address.client(), address.client()
        self._script = ""
        self._backlog: deque[_Waiting] = deque()  # all that is told anew, at once: bounded by what is held
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._wanted = asyncio.Event()
        self._broken: str = ""

    # Beginning and end

    async def open(self, fingerprint: str) -> Found:
        """Connect and join.

        Raises :class:`LinkLost`, and :class:`ConfigError` for what waiting cannot heal.
        """
        try:
            async with asyncio.timeout(3 * REPLY_TIMEOUT_S):
                await _execute(self._reader, "PING")
                self._script = (await _execute(self._writer, "SCRIPT", "LOAD", SCRIPT)).decode()
                clock, coordinators, same, servers, revocations = await self._evaluate(
                    ("enter", self.node, self._lease_ms, fingerprint)
                )
        except PERMANENT as error:
            raise ConfigError(f"--backplane: Redis lets us not in: {error}") from error
        except (RedisError, OSError, TimeoutError) as error:
            if is_untrusted(error):
                raise ConfigError("--backplane: the certificate of Redis is not trusted; see --backplane-ca-file") from error
            raise LinkLost(_reason(error)) from error
        self._learn_clock(clock)
        self._counts.coordinators = int(coordinators)
        return Found(self._readable(servers, decode_record), self._readable(revocations, decode_revocation), bool(same))

    async def close(self, *, leave: bool = False) -> None:
        """Hang up; `leave` frees what this coordinator holds, if Redis is there."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                if leave:
                    await self._evaluate(("leave", self.node))
        for client in (self._writer, self._reader):
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    await client.aclose()

    # Sending

    def retell(self, steps: list[Step]) -> None:
        """Send all of these before anything else."""
        self._backlog.extend(_Waiting(step, None, _size(step)) for step in steps)
        self._wanted.set()

    def send(self, output: ClusterOutput) -> None:
        """Carry out an output after those before it. Never waits: what there is no room for is dropped and counted, or, where that
        must not be, ends the link."""
        waiting = len(self._queue)
        if isinstance(output, ServerReported) and waiting >= QUEUE_REPORTS:
            self._counts.dropped["queue full"] += 1
            return
        if waiting >= QUEUE_STEPS or self._queued_bytes >= QUEUE_BYTES:
            self._counts.dropped["queue full"] += 1
            if not isinstance(output, Forward | ServerReported | Disconnect | Deed):
                self._broken = "more is waiting for it than there is room for"
                self._wanted.set()
            return
        self._put(step_of(output, self.node), output if isinstance(output, Forward) else None)

    def ask(self, step: Step) -> None:
        """Send a step that is no output of the core. It is dropped where there is no room."""
        if len(self._queue) < QUEUE_STEPS:
            self._put(step, None)
        else:
            self._counts.dropped["queue full"] += 1

    def waiting(self) -> int:
        """Steps that are not sent yet."""
        return len(self._queue) + len(self._backlog)

    def _put(self, step: Step, forward: Forward | None) -> None:
        size = _size(step)
        self._queue.append(_Waiting(step, forward, size))
        self._queued_bytes += size
        self._wanted.set()

    # Running

    async def run(self, on_message: Callable[[Message], None], on_missing: Callable[[Forward], None]) -> None:
        """Send, read and renew, until something fails: raises :class:`LinkLost`."""
        parts: list[Coroutine[Any, Any, None]] = [self._write(on_missing), self._read(on_message), self._renew()]
        tasks = [asyncio.create_task(part, name="backplane") for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for error in results if isinstance(error, Exception)]
        for error in errors:
            if not isinstance(error, LinkLost | RedisError | OSError | TimeoutError):
                raise error
        raise LinkLost(_reason(errors[0]) if errors else "it was given up") from None

    async def _write(self, on_missing: Callable[[Forward], None]) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while batch := self._batch():
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    replies = await self._evaluate_all([each.step for each in batch])
                for each, reply in zip(batch, replies, strict=True):
                    self._answered(each, reply, on_missing)
            if self._broken:
                raise LinkLost(self._broken)

    def _batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while (self._backlog or self._queue) and len(batch) < BATCH_STEPS and size < BATCH_BYTES and not self._broken:
            if self._backlog:
                batch.append(self._backlog.popleft())
            else:
                batch.append(self._queue.popleft())
                self._queued_bytes -= batch[-1].size
            size += batch[-1].size
        return batch

    def _answered(self, waiting: _Waiting, reply: Any, on_missing: Callable[[Forward], None]) -> None:
        if isinstance(reply, Exception):
            raise reply
        if reply == FENCED:
            raise LinkLost("it took us for dead")
        if reply == FULL:
            self._counts.dropped["inbox full"] += 1
        elif reply == MISSING and waiting.forward is not None:
            on_missing(waiting.forward)

    async def _read(self, on_message: Callable[[Message], None]) -> None:
        inbox = f"{self._keys}inbox:{self.node}"
        while True:
            async with asyncio.timeout(WAIT_S + REPLY_TIMEOUT_S):
                first = await _execute(self._reader, "BLPOP", inbox, WAIT_S)
            if first is None:
                continue
            self._deliver(first[1], on_message)
            more = READ_MESSAGES
            while more >= READ_MESSAGES:
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    found = await _execute(self._reader, "LPOP", inbox, READ_MESSAGES) or []
                for data in found:
                    self._deliver(data, on_message)
                more = len(found)

    def _deliver(self, data: bytes, on_message: Callable[[Message], None]) -> None:
        try:
            message = decode(data)
        except ValueError as error:
            self._unreadable(error)
            return
        on_message(message)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            began = time.monotonic()
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                reply = await self._evaluate(("renew", self.node, self._lease_ms))
            if reply == FENCED:
                raise LinkLost("it took us for dead")
            self._counts.round_trip_s = time.monotonic() - began
            self._counts.coordinators = int(reply[1])
            self._learn_clock(reply[0])

    # The script

    async def _evaluate(self, step: Step) -> Any:
        return await _execute(self._writer, *self._command(step))

    async def _evaluate_all(self, steps: list[Step]) -> list[Any]:
        pipeline = self._writer.pipeline(transaction=False)
        queue: Callable[..., Any] = pipeline.execute_command
        for step in steps:
            queue(*self._command(step))
        return await pipeline.execute(raise_on_error=False)

    def _command(self, step: Step) -> Step:
        return ("EVALSHA", self._script, 1, self._keys, *step)

    def _learn_clock(self, milliseconds: bytes) -> None:
        self.offset_s = int(milliseconds) / 1000 - time.monotonic()

    def _readable(self, found: list[bytes], read: Callable[[bytes], T]) -> list[T]:
        values = []
        for data in found:
            try:
                values.append(read(data))
            except ValueError as error:
                self._unreadable(error)
        return values

    def _unreadable(self, error: ValueError) -> None:
        self._counts.dropped["unreadable"] += 1
        log.debug("something of another coordinator cannot be read: %s", error)


async def _execute(client: Redis, *command: Any) -> Any:
    execute: Callable[..., Awaitable[Any]] = client.execute_command  # which the library has left without types
    return await execute(*command)


def _size(step: Step) -> int:
    return sum(len(part) for part in step if isinstance(part, bytes))


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return str(error) or type(error).__name__
