"""What the coordinator's peer-to-peer signalling costs: a thousand calls of two, and a conversation of sixty-four.

The calls are AppRTC's: both join over HTTP, register at Collider, and then say something to each other. The conversation is NextRTC's: a
full mesh that negotiates every pair, candidates and all, and then goes on talking. Every message carries when it left, and is counted
where it arrives; nothing may be missing.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import psutil

from benchmarks.figures import Outcome
from protocol.errors import RtcBrokerError
from simulation.io import children

ROOMS = 1_000
CONVERSATION = 64
CANDIDATES = 16
"""Of each side of a pair."""
SDP = "v=0\r\n" + "a=x\r\n" * 400
"""As long as an offer of audio and video: 2 kB."""
CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host generation 0 ufrag abcd"
JOINS_AT_ONCE = 16
START_S = 30.0
DEADLINE_S = 120.0
LATE_S = 10.0
"""For what is still on its way when the time is over."""
HOST = "127.0.0.1"


class Tally:
    """What was sent, what came, how long it took."""

    def __init__(self) -> None:
        self.sent = 0
        self.came = 0
        self.took: list[float] = []
        """Seconds, of each that came."""

    def text(self) -> str:
        """A message that leaves now."""
        self.sent += 1
        return f"{time.monotonic()!r}"

    def take(self, text: str) -> None:
        """It arrived."""
        self.came += 1
        self.took.append(time.monotonic() - float(text))

    def milliseconds(self, percent: int) -> float | None:
        """Percentile of how long they took."""
        if len(self.took) < 100:
            return None
        return round(quantiles(self.took, n=100)[percent - 1] * 1000, 3)


class Caller:
    """One of the two of an AppRTC room."""

    def __init__(self, http: aiohttp.ClientSession, url: str, room: str, tally: Tally) -> None:
        self._http = http
        self._url = url
        self._room = room
        self._tally = tally
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def join(self) -> None:
        """Be in the room, and registered."""
        async with self._http.post(f"{self._url}/apprtc/join/{self._room}") as response:
            reply = json.loads(await response.text())
        if reply["result"] != "SUCCESS":
            raise RtcBrokerError(f"join of {self._room}: {reply['result']}")
        self._socket = await self._http.ws_connect(reply["params"]["wss_url"])
        register = {"cmd": "register", "roomid": self._room, "clientid": reply["params"]["client_id"]}
        await self._socket.send_str(json.dumps(register))

    async def send(self) -> None:
        """Say something to the other."""
        assert self._socket is not None
        await self._socket.send_str(json.dumps({"cmd": "send", "msg": self._tally.text()}))

    async def listen(self) -> None:
        """Until the socket ends."""
        assert self._socket is not None
        async for message in self._socket:
            said = json.loads(message.data)
            if said["error"]:
                raise RtcBrokerError(f"Collider: {said['error']}")
            self._tally.take(said["msg"])


class Talker:
    """One of a NextRTC conversation: negotiates with everyone, by the book."""

    def __init__(self, http: aiohttp.ClientSession, url: str, tally: Tally) -> None:
        self._http = http
        self._url = url
        self._tally = tally
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.met = 0
        """Pairs of which every candidate has come."""
        self._candidates: dict[str, int] = {}
        self._answers: dict[str, Callable[[str], list[dict[str, str]]]] = {
            "offerRequest": lambda peer: [self._to(peer, "offerResponse", SDP)],
            "answerRequest": lambda peer: [self._to(peer, "answerResponse", SDP), *self._trickle(peer)],
            "finalize": self._trickle,
        }

    async def join(self, conversation: str) -> None:
        """Ask to be in it."""
        self._socket = await self._http.ws_connect(f"{self._url}/signaling")
        await self._say({"signal": "join", "content": conversation})

    async def send(self) -> None:
        """A text to all others."""
        text = self._tally.text()
        self._tally.sent += CONVERSATION - 2  # one was counted
        await self._say({"signal": "text", "content": text})

    async def listen(self) -> None:
        """Until the socket ends."""
        assert self._socket is not None
        async for message in self._socket:
            said = json.loads(message.data)
            signal, peer = said["signal"], said["from"]
            if signal == "error":
                raise RtcBrokerError(f"NextRTC: {said['content']}")
            if signal == "text":
                self._tally.take(said["content"])
            elif signal == "candidate":
                self._candidates[peer] = self._candidates.get(peer, 0) + 1
                self.met += self._candidates[peer] == CANDIDATES
            elif signal in self._answers:
                for answer in self._answers[signal](peer):
                    await self._say(answer)

    def _trickle(self, peer: str) -> list[dict[str, str]]:
        return [self._to(peer, "candidate", json.dumps({"candidate": CANDIDATE}))] * CANDIDATES

    @staticmethod
    def _to(peer: str, signal: str, content: str) -> dict[str, str]:
        return {"to": peer, "signal": signal, "content": content}

    async def _say(self, message: Mapping[str, str]) -> None:
        assert self._socket is not None
        await self._socket.send_str(json.dumps(message))


def run(seconds: float, rooms: int = ROOMS) -> Outcome:
    """Let `rooms` pairs and one conversation talk for `seconds`."""
    try:
        return asyncio.run(_run(seconds, rooms))
    except (RtcBrokerError, TimeoutError, aiohttp.ClientError) as error:
        return Outcome({}, [(str(error) or type(error).__name__).splitlines()[0]])


async def _run(seconds: float, rooms: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="rtcbroker-bench-") as name:
        directory = Path(name)
        sockets = str(2 * rooms + CONVERSATION + 16)
        options = ["--host", HOST, "--port", "0", "--auth", "none", "--p2p", "apprtc", "--p2p", "nextrtc"]
        options += ["--p2p-sockets-per-address", sockets, "--p2p-messages-per-s", "100000", "--p2p-messages-burst", "100000"]
        options += ["--p2p-requests-per-s", "100000", "--p2p-requests-burst", "100000"]
        # Everybody here has one address, and 64 who talk to all others once a second are twice what one may cause.
        options += ["--p2p-deliveries-per-s", "100000", "--p2p-deliveries-burst", "100000"]
        ready_file = directory / "ready.json"
        arguments = ["-m", "rtcbroker.cli", "coordinator", *options, "--ready-file", str(ready_file)]
        child = await children.start("coordinator", arguments, directory / "log", {})
        try:
            port = (await child.ready(ready_file, START_S))["port"]
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
                asyncio.timeout(DEADLINE_S + seconds),
            ):
                return await _load(http, f"http://{HOST}:{port}", psutil.Process(child.pid), seconds, rooms)
        finally:
            await children.stop([child])


async def _load(http: aiohttp.ClientSession, url: str, server: psutil.Process, seconds: float, rooms: int) -> Outcome:
    calls, talk = Tally(), Tally()
    callers = [Caller(http, url, f"bench{room}", calls) for room in range(rooms) for _ in range(2)]
    talkers = [Talker(http, url, talk) for _ in range(CONVERSATION)]
    began = time.monotonic()
    await _in_turns([caller.join for caller in callers])
    joined_s = time.monotonic() - began
    listening = [asyncio.create_task(caller.listen()) for caller in callers]
    try:
        began = time.monotonic()
        for talker in talkers:
            await talker.join("bench")
            listening.append(asyncio.create_task(talker.listen()))
        await _until(lambda: sum(talker.met for talker in talkers) == CONVERSATION * (CONVERSATION - 1), listening)
        meshed_s = time.monotonic() - began
        cpu_before = _cpu(server)
        speaking = [_speak(send, seconds) for send in (*(each.send for each in callers), *(each.send for each in talkers))]
        await asyncio.gather(*speaking)
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                await _until(lambda: calls.came == calls.sent and talk.came == talk.sent, listening)
        cpu_s = _cpu(server) - cpu_before
    finally:
        for task in listening:
            task.cancel()
    document: dict[str, Any] = {
        "rooms": rooms,
        "conversation": CONVERSATION,
        "messages": calls.came + talk.came,
        "joins_per_s": round(2 * rooms / joined_s, 1),
        "mesh_s": round(meshed_s, 3),
        "call_ms": {"p50": calls.milliseconds(50), "p99": calls.milliseconds(99)},
        "talk_ms": {"p50": talk.milliseconds(50), "p99": talk.milliseconds(99)},
        "cpu_us_per_message": round(cpu_s * 1e6 / max(1, calls.came + talk.came), 2),
        "memory_mb": round(server.memory_info().rss / 1e6, 1),
    }
    lost = calls.sent - calls.came + talk.sent - talk.came
    return Outcome(document, [f"{lost:,} messages were lost"] if lost else [])


async def _in_turns(joins: list[Callable[[], Any]]) -> None:
    """In order, since the second of a room must not wait for its first; some at once."""
    for first in range(0, len(joins), JOINS_AT_ONCE):
        await asyncio.gather(*(join() for join in joins[first : first + JOINS_AT_ONCE]))


async def _speak(send: Callable[[], Any], seconds: float) -> None:
    """Once a second, beginning anywhere in the first one."""
    end = time.monotonic() + seconds
    await asyncio.sleep(random.random())
    while time.monotonic() < end:
        await send()
        await asyncio.sleep(1.0)


async def _until(is_so: Callable[[], bool], listening: list[asyncio.Task[None]]) -> None:
    """Wait for it; whatever ends a listener ends the wait. Bounded by whoever calls."""
    while not is_so():
        for task in listening:
            if task.done():
                task.result()
                raise RtcBrokerError("a socket was closed by the coordinator")
        await asyncio.sleep(0.05)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
