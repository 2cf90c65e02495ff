"""The driver: every output carried out in order, one event at a time, one timer."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from coordinator.core.admission import Admission, AliasWish
from coordinator.core.cluster import ClusterOutput
from coordinator.core.config import CoordinatorConfig
from coordinator.core.coordinator import Coordinator
from coordinator.io.backplane import BackplaneEvents, MemoryBackplane, MemoryCluster
from coordinator.io.driver import Driver
from protocol import signalling
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole
from service.clock import Clock
from tests.support.poll import until


class FakeSocket:
    """Takes what there is as soon as it is woken."""

    def __init__(self, driver: Driver, role: TokenRole = TokenRole.CLIENT, wish: AliasWish | None = None) -> None:
        self.frames: list[signalling.Signal | None] = []
        self.closed: list[tuple[int, str]] = []
        self.pings = 0
        self._driver = driver
        self.key = 0
        self.key = driver.joined(self, Admission(role, f"{role} {id(self)}", True, wish))
        self.wake()

    def wake(self) -> None:
        while self.key and (frame := self._driver.take(self.key)) is not None:
            self.frames.append(signalling.decode_signal(frame))

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    @property
    def alias(self) -> int:
        assert isinstance(self.frames[0], pb.WelcomeMessage)
        return self.frames[0].alias


def make(cluster: MemoryCluster | None = None, **config: float) -> Driver:
    core = Coordinator(CoordinatorConfig(resume_key=b"", **config), random.Random(1))  # type: ignore[arg-type]  # names are checked
    return Driver(core, cluster.backplane() if cluster else MemoryBackplane(), Clock())


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    made = make()
    await made.start()
    yield made
    await made.close()


SERVER = TokenRole.COMMUNICATION_SERVER


async def test_a_negotiation(driver: Driver) -> None:
    server, client = FakeSocket(driver, SERVER), FakeSocket(driver)
    driver.frame(client.key, signalling.connect(server.alias))
    assert isinstance(server.frames[1], pb.ConnectMessage)
    driver.left(client.key)
    assert isinstance(server.frames[2], pb.PeerGoneMessage)
    assert driver.core.peer_counts == {TokenRole.CLIENT: 0, SERVER: 1, TokenRole.COMMUNICATION_SERVER_HUB: 0}


async def test_keys_are_never_used_again(driver: Driver) -> None:
    one = FakeSocket(driver)
    driver.left(one.key)
    assert FakeSocket(driver).key > one.key


async def test_a_close_reaches_the_socket(driver: Driver) -> None:
    client = FakeSocket(driver)
    driver.misframed(client.key, "text")
    assert client.closed == [(Code.BAD_MESSAGE, "text")]
    driver.left(client.key)
    assert client.closed == [(Code.BAD_MESSAGE, "text")]


async def test_what_comes_for_a_socket_that_is_gone_is_dropped(driver: Driver) -> None:
    client = FakeSocket(driver)
    driver.left(client.key)
    driver.frame(client.key, b"garbage")
    driver.heard(client.key)
    driver.left(client.key)
    assert client.closed == []


async def test_a_replaced_socket_is_closed(driver: Driver) -> None:
    server = FakeSocket(driver, SERVER)
    welcome = server.frames[0]
    assert isinstance(welcome, pb.WelcomeMessage)
    key = driver.joined(server, Admission(SERVER, "another", True, AliasWish(server.alias, "no proof")))
    driver.left(key)
    assert server.closed == []
    again = Admission(SERVER, f"{SERVER} {id(server)}", True, AliasWish(server.alias, welcome.resume))
    driver.left(driver.joined(server, again))
    assert server.closed == [(Code.REPLACED, Code.REPLACED.reason)]


async def test_the_timer_pings_and_gives_up() -> None:
    driver = make(ping_interval_s=0.02, ping_timeout_s=0.02)
    await driver.start()
    client = FakeSocket(driver)
    await until(lambda: client.closed, 5, "the silent peer is given up")
    assert client.pings == 1
    assert client.closed == [(Code.TIMEOUT, Code.TIMEOUT.reason)]
    await driver.close()


async def test_an_answer_puts_the_timer_off() -> None:
    driver = make(ping_interval_s=0.01, ping_timeout_s=0.5)
    await driver.start()
    client = FakeSocket(driver)
    for count in range(1, 4):
        await until(lambda count=count: client.pings == count, 5, "the peer is pinged")  # type: ignore[misc]  # a default's type
        driver.heard(client.key)
    assert client.closed == []
    await driver.close()


async def test_close_ends_everyone_and_everything(driver: Driver) -> None:
    assert driver.problem() is None
    client = FakeSocket(driver)
    await driver.close()
    await driver.close()
    assert client.closed == [(Code.COORDINATOR_STOPPING, Code.COORDINATOR_STOPPING.reason)]
    assert driver.problem() is not None
    late = FakeSocket(driver)
    assert late.closed == client.closed


async def test_it_is_not_ready_before_its_start_nor_without_its_backplane(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = make()
    assert driver.problem() is not None
    await driver.start()
    assert driver.problem() is None
    monkeypatch.setattr(MemoryBackplane, "problem", lambda self: "the others cannot be reached")
    assert driver.problem() == "the others cannot be reached"
    await driver.close()


async def test_two_drivers_of_one_cluster() -> None:
    cluster = MemoryCluster()
    here, there = make(cluster), make(cluster)
    await here.start()
    await there.start()
    server, client = FakeSocket(here, SERVER), FakeSocket(there)
    there.frame(client.key, signalling.connect(server.alias))
    assert isinstance(server.frames[1], pb.ConnectMessage)
    here.frame(server.key, signalling.offer(client.alias, "v=0"))
    assert isinstance(client.frames[1], pb.WebRtcMessage)
    here.left(server.key)
    assert isinstance(client.frames[2], pb.PeerGoneMessage)
    there.frame(client.key, signalling.connect(server.alias))
    assert isinstance(client.frames[3], pb.ConnectionRefusedMessage)
    await here.close()
    await there.close()


async def test_a_backplane_that_fails_leaves_the_pump_usable(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MemoryBackplane, output: ClusterOutput) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBackplane, "perform", fail)
        with pytest.raises(ZeroDivisionError):
            FakeSocket(driver)
    assert FakeSocket(driver).alias


def test_a_driver_is_what_a_backplane_talks_to() -> None:
    events: BackplaneEvents = make()
    assert events
