"""The WebSocket to the coordinator: kept for ever, whatever the coordinator does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from commserver.core.registration import Registration
from commserver.io import coordinator_link
from commserver.io.coordinator_link import CoordinatorLink
from protocol import signalling
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from service.tls import ServerTls
from tests.support.certificates import put, put_pair
from tests.support.exchange import PATIENCE_S, Exchange
from tests.support.poll import until
from tests.support.redis_server import free_port


class Harness:
    """One link and what came by it."""

    def __init__(self, url: str, token: str = "a token", *, ca_file: Path | None = None) -> None:
        self.frames: list[bytes] = []
        self.lost = 0
        registration = Registration(TokenRole.COMMUNICATION_SERVER, random.Random(1))
        self.link = CoordinatorLink(url, registration, lambda: token, self.frames.append, self._on_lost, ca_file=ca_file)
        self.task = asyncio.create_task(self.link.run())

    def _on_lost(self) -> None:
        self.lost += 1

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
async def dial() -> AsyncIterator[Callable[..., Harness]]:
    made: list[Harness] = []

    def dial(*arguments: str, ca_file: Path | None = None) -> Harness:
        made.append(Harness(*arguments, ca_file=ca_file))
        return made[-1]

    yield dial
    for harness in made:
        await harness.stop()


Dial = Callable[..., Harness]


async def welcomed(harness: Harness) -> None:
    await until(lambda: harness.link.welcomed, PATIENCE_S, "WELCOME")


async def test_it_says_who_it_is_and_passes_frames_both_ways(exchange: Exchange, dial: Dial) -> None:
    harness = dial(exchange.url)
    harness.link.send(b"too early")
    assert harness.link.dropped == 1
    await welcomed(harness)
    assert exchange.queries == [{"role": "COMMUNICATION_SERVER", "v": "2"}]
    assert exchange.authorizations == ["Bearer a token"]
    assert isinstance(signalling.decode_signal(harness.frames[0]), pb.WelcomeMessage)
    status = signalling.server_status(clients=1, max_clients=2, draining=False, cpu=0.5)
    harness.link.send(status)
    await until(lambda: exchange.frames, PATIENCE_S, "a frame to the coordinator")
    assert exchange.frames[0].clients == 1
    await exchange.send(1_001, signalling.peer_gone(7))
    await until(lambda: len(harness.frames) == 2, PATIENCE_S, "a frame from the coordinator")


async def test_without_a_token_there_is_no_header(exchange: Exchange, dial: Dial) -> None:
    await welcomed(dial(exchange.url, ""))
    assert exchange.authorizations == [None]


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_the_url_may_have_a_slash_and_either_scheme(exchange: Exchange, dial: Dial, scheme: str) -> None:
    await welcomed(dial(f"{scheme}://127.0.0.1:{exchange.port}/"))


async def test_of_several_coordinators_the_next_is_dialed(exchange: Exchange, dial: Dial) -> None:
    harness = dial(f"ws://127.0.0.1:{free_port()},{exchange.url},ws://127.0.0.1:{free_port()}")
    await welcomed(harness)
    await exchange.stop()
    await until(lambda: harness.lost, PATIENCE_S, "the socket is gone")
    await exchange.start()
    await welcomed(harness)
    assert exchange.queries[-1]["alias"] == str(harness.link._registration.alias)


async def over_tls(exchange: Exchange, folder: Path) -> Path:
    """The exchange shows a new certificate that is its own authority; returns the file to trust it by."""
    put_pair(folder)
    await exchange.stop()
    exchange.tls = ServerTls(folder / "cert.pem", folder / "key.pem").context
    await exchange.start()
    return put(folder / "trusted.pem", (folder / "cert.pem").read_bytes())


async def test_a_private_authority_is_trusted_when_it_is_given(exchange: Exchange, dial: Dial, tmp_path: Path) -> None:
    trusted = await over_tls(exchange, tmp_path)
    await welcomed(dial(exchange.url, ca_file=trusted))


@pytest.mark.parametrize("is_given", [True, False])
async def test_a_coordinator_that_cannot_be_trusted_gets_no_token(
    exchange: Exchange, dial: Dial, tmp_path: Path, caplog: pytest.LogCaptureFixture, is_given: bool
) -> None:
    await over_tls(exchange, tmp_path)
    put_pair(tmp_path)  # a stranger's
    dial(exchange.url, ca_file=tmp_path / "cert.pem" if is_given else None)
    await until(lambda: caplog.text.count("certificate verify failed") >= 2, PATIENCE_S, "two tries in vain")
    assert exchange.authorizations == []


async def test_the_file_is_read_again_for_each_dial(
    exchange: Exchange, dial: Dial, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trusted = await over_tls(exchange, tmp_path)
    harness = dial(exchange.url, ca_file=trusted)
    await welcomed(harness)
    renewed = await over_tls(exchange, tmp_path)
    put(renewed, b"not written yet")
    await until(lambda: "the coordinator cannot be dialed: --ca-file" in caplog.text, PATIENCE_S, "it says what is wrong")
    put(renewed, (tmp_path / "cert.pem").read_bytes())
    await until(lambda: harness.link.connects == 2 and harness.link.welcomed, PATIENCE_S, "it is back")


async def test_it_comes_back_under_its_alias(exchange: Exchange, dial: Dial) -> None:
    harness = dial(exchange.url)
    await welcomed(harness)
    for round_number in range(1, 3):
        await exchange.stop()
        await until(lambda: not harness.link.welcomed, PATIENCE_S, "the loss is seen")
        assert harness.lost == round_number
        await asyncio.sleep(0.5)  # it tries in vain meanwhile
        await exchange.start()
        await welcomed(harness)
        assert exchange.queries[-1] == {"role": "COMMUNICATION_SERVER", "v": "2", "alias": "1001", "resume": "proof of 1001"}
    assert harness.link.connects == 3


@pytest.mark.parametrize("status", [401, 403, 500, 404])
async def test_a_refusal_is_no_reason_to_give_up(
    exchange: Exchange, dial: Dial, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.status = status
    harness = dial(exchange.url, "a-secret-token")
    await until(lambda: len(exchange.queries) >= 3, PATIENCE_S, "three tries")
    exchange.status = 0
    await welcomed(harness)
    assert f"HTTP {status}" in caplog.text
    assert "a-secret-token" not in caplog.text


async def test_a_coordinator_that_does_not_welcome_is_dialed_again(
    exchange: Exchange, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_link, "WELCOME_TIMEOUT_S", 0.1)
    exchange.welcomes = False
    harness = dial(exchange.url)
    await until(lambda: len(exchange.queries) >= 2, PATIENCE_S, "it dials again")
    exchange.welcomes = True
    await welcomed(harness)
    connects = harness.link.connects
    await asyncio.sleep(0.3)  # the deadline is over for who was welcomed
    assert harness.link.connects == connects


async def test_a_coordinator_that_answers_no_ping_is_gone(
    exchange: Exchange, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_link, "HEARTBEAT_S", 0.2)
    exchange.reads = False
    harness = dial(exchange.url)
    await until(lambda: harness.lost, PATIENCE_S, "the heartbeat fails")
    exchange.reads = True
    await until(lambda: harness.link.connects >= 2 and harness.link.welcomed, PATIENCE_S, "another socket")


async def test_what_waits_for_a_slow_coordinator_is_bounded(
    exchange: Exchange, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator_link, "OUTBOX_FRAMES", 10)
    harness = dial(exchange.url)
    await welcomed(harness)
    status = signalling.server_status(clients=1, max_clients=2, draining=False, cpu=0.5)
    for _ in range(25):
        harness.link.send(status)
    assert harness.link.dropped == 15
    await until(lambda: len(exchange.frames) == 10, PATIENCE_S, "what was not dropped")
    harness.link.send(status)
    await until(lambda: len(exchange.frames) == 11, PATIENCE_S, "and it goes on")


async def test_it_ends_in_time_though_the_coordinator_does_not_say_goodbye(exchange: Exchange, dial: Dial) -> None:
    exchange.reads = False
    harness = dial(exchange.url)
    await welcomed(harness)
    harness.task.cancel()
    await until(harness.task.done, coordinator_link.CLOSE_TIMEOUT_S + 5, "the end, without an answer")
    assert harness.task.cancelled()


async def test_texts_are_passed_over(exchange: Exchange, dial: Dial) -> None:
    harness = dial(exchange.url)
    await welcomed(harness)
    await exchange.sockets[1_001].send_str("hello")
    await exchange.send(1_001, signalling.peer_gone(7))
    await until(lambda: len(harness.frames) == 2, PATIENCE_S, "the frame after the text")
    assert harness.link.connects == 1


@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_when_it_is_told_to_at_the_very_moment_its_dial_succeeds(
    exchange: Exchange, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes then, and the link would be kept for ever."""
    began = asyncio.Event()
    success: asyncio.Future[aiohttp.ClientWebSocketResponse] = asyncio.get_running_loop().create_future()

    async def dialing(*_: Any, **__: Any) -> aiohttp.ClientWebSocketResponse:
        began.set()
        return await success

    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{exchange.url}/discover")
        monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", dialing)
        harness = Harness(exchange.url)
        await began.wait()
        success.set_result(socket)
        for _ in range(turns):
            await asyncio.sleep(0)
        harness.task.cancel()
        await until(harness.task.done, PATIENCE_S, "it has ended")
        assert harness.task.cancelled()
        await socket.close()
