"""The network the other tests stand on: it joins, impairs, cuts and translates as it says, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from simulation.core.impairment import Impairment, netem_arguments, parse_impairment
from simulation.io.netns import Namespace, NetnsError
from tests.support.netns import Host, Network, Router, Segment
from tests.support.poll import until
from tests.support.processes import is_alive

pytestmark = [pytest.mark.needs("ip"), pytest.mark.needs("nft")]


class Echo(asyncio.DatagramProtocol):
    """Sends back what comes, after the address it came from."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data + b" " + addr[0].encode(), addr)


class Asker(asyncio.DatagramProtocol):
    """Collects answers, with the moment they came."""

    def __init__(self) -> None:
        self.answers: list[tuple[float, bytes]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.append((time.monotonic(), data))


@contextlib.asynccontextmanager
async def echo(host: Host) -> AsyncIterator[None]:
    """An echo server at its port 7000."""

    async def open_it() -> asyncio.BaseTransport:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=(host.address, 7000))
        return transport

    async def close_it() -> None:
        transport.close()

    transport = await host.inside.run(open_it())
    try:
        yield
    finally:
        await host.inside.run(close_it())


async def ask(host: Host, address: str, count: int = 1, wait: float = 1.0) -> list[tuple[float, bytes]]:
    """Send `count` numbered datagrams there, five milliseconds apart; answers with their round trip times."""

    async def asking() -> list[tuple[float, bytes]]:
        loop = asyncio.get_running_loop()
        transport, asker = await loop.create_datagram_endpoint(Asker, remote_addr=(address, 7000))
        said = []
        for number in range(count):
            said.append(time.monotonic())
            transport.sendto(str(number).encode())
            await asyncio.sleep(0.005)
        with contextlib.suppress(AssertionError):
            await until(lambda: len(asker.answers) >= count, wait, "all answers")
        transport.close()
        return [(at - said[int(data.split()[0])], data) for at, data in asker.answers]

    return await host.inside.run(asking())


def two_hosts(net: Network, impairment: Impairment | None = None) -> tuple[Segment, Host, Host]:
    segment = net.segment()
    return segment, Host(net, "a", segment, impairment), Host(net, "b", segment)


async def test_hosts_reach_each_other_and_nobody_else() -> None:
    with Network() as net:
        _, a, b = two_hosts(net)
        alone = Host(net, "alone", net.segment())
        async with echo(b):
            assert await ask(a, b.address) != []
            with pytest.raises(OSError, match="unreachable"):
                await ask(alone, b.address)
        assert a.namespace.run("ip", "route") == f"10.77.1.0/24 dev eth0 proto kernel scope link src {a.address} \n"


async def test_an_impaired_cable_delays_and_loses_each_way() -> None:
    with Network() as net:
        _, a, b = two_hosts(net, parse_impairment("delay=40ms"))
        async with echo(b):
            times = [took for took, _ in await ask(a, b.address, 50)]
            assert len(times) == 50
            assert min(times) >= 0.08
            assert sorted(times)[25] < 0.095
            a.plug.cable.impair(parse_impairment("loss=10%"))
            left = len(await ask(a, b.address, 600))
            # Both ways: 81 % come back, 486; five standard deviations are 48.
            assert 430 < left < 540


async def test_a_rate_is_kept() -> None:
    with Network() as net:
        _, a, b = two_hosts(net, parse_impairment("rate=100kbit"))
        async with echo(b):
            # 200 datagrams a second of 43 bytes and more, frames' heads included, are 69 kbit/s: just slower than the line.
            times = [took for took, _ in await ask(a, b.address, 100)]
            assert len(times) == 100
            assert max(times) < 0.5
            a.plug.cable.impair(parse_impairment("rate=10kbit"))
            assert len(await ask(a, b.address, 200, wait=2.0)) < 100


async def test_a_cable_is_cut_and_restored() -> None:
    with Network() as net:
        _, a, b = two_hosts(net)
        async with echo(b):
            assert len(await ask(a, b.address)) == 1
            b.plug.cut()
            assert await ask(a, b.address, wait=0.3) == []
            b.plug.restore()
            assert len(await ask(a, b.address)) == 1


async def test_udp_of_one_host_is_not_heard_while_tcp_passes() -> None:
    with Network() as net:
        _, a, b = two_hosts(net)
        async with echo(b):
            b.deafen(a)
            assert await ask(a, b.address, wait=0.3) == []

            async def listen() -> asyncio.Server:
                return await asyncio.start_server(lambda _reader, writer: writer.close(), b.address, 7001)

            async def dial() -> None:
                _, writer = await asyncio.wait_for(asyncio.open_connection(b.address, 7001), 2)
                writer.close()
                await writer.wait_closed()

            async def close() -> None:
                server.close()

            server = await b.inside.run(listen())
            await a.inside.run(dial())
            await b.inside.run(close())
            b.hear()
            assert len(await ask(a, b.address)) == 1


async def test_a_router_hides_those_behind_it_and_maps_one_to_one() -> None:
    with Network() as net:
        outer, inner = net.segment(), net.segment()
        outside, inside = Host(net, "outside", outer), Host(net, "inside", inner)
        router = Router(net, "router", outer, inner)
        router.serve(inside)
        async with echo(outside), echo(inside):
            ((_, answer),) = await ask(inside, outside.address)
            assert answer.split()[1].decode().startswith("10.77.1.")
            public = router.one_to_one(inside)
            ((_, answer),) = await ask(outside, public)
            assert answer.split()[1].decode() == outside.address
            ((_, answer),) = await ask(inside, outside.address)
            assert answer.split()[1].decode() == public


def test_what_cannot_be_done_is_told() -> None:
    with Namespace("somewhere") as somewhere, pytest.raises(NetnsError, match=r"somewhere: ip -batch -: .*no-such-device"):
        somewhere.ip("link set no-such-device up")


@pytest.mark.parametrize("text", ["loss=2%,delay=80ms,jitter=10ms,rate=1mbit", "rate=1mbit", "loss=2%"])
def test_tc_understands_what_netem_is_asked(text: str) -> None:
    """Also where the kernel is built without netem: then that is what it complains of."""
    command = ["unshare", "--net", "tc", "qdisc", "replace", "dev", "lo", "root", *netem_arguments(parse_impairment(text))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or done.stderr.strip() == "Error: Specified qdisc kind is unknown."


BUILD = """
import subprocess
import time
from simulation.core.impairment import Impairment
from tests.support.netns import Host, Network
net = Network()
host = Host(net, "a", net.segment(), Impairment(delay_s=0.01))
child = subprocess.Popen([*host.namespace.prefix, "sleep", "60"], stdout=subprocess.DEVNULL)
print(host.namespace.pid, flush=True)
time.sleep(60)
"""


async def test_nothing_is_left_when_whoever_built_it_is_killed() -> None:
    builder = await asyncio.create_subprocess_exec(sys.executable, "-c", BUILD, stdout=asyncio.subprocess.PIPE)
    assert builder.stdout is not None
    try:
        assert await asyncio.wait_for(builder.stdout.readline(), 10)
        family = psutil.Process(builder.pid).children(recursive=True)
        sleeper = next(process for process in family if process.cmdline()[-2:] == ["sleep", "60"])
        assert len(family) >= 3
    finally:
        builder.kill()
        await builder.wait()
    sleeper.kill()  # nobody promised anything of what runs inside
    await until(lambda: not any(is_alive(process) for process in family), 5, "namespaces and cables are gone")


async def test_a_thread_that_entered_does_not_move_the_others() -> None:
    here = os.readlink("/proc/self/ns/net")
    with Network() as net:
        host = Host(net, "a", net.segment())

        async def there() -> list[tuple[int, str]]:
            return socket.if_nameindex()

        assert {name for _, name in await host.inside.run(there())} == {"lo", "eth0"}
    assert os.readlink("/proc/self/ns/net") == here
