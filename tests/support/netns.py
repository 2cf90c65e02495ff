"""Small internets for tests: hosts in network namespaces of their own, on segments (bridges), behind routers that translate addresses.

``with Network() as net``: everything made of it is gone afterwards, and also when the tests are killed, since namespaces and cables
live as long as the pipes their processes read (:mod:`simulation.io.netns`). No host has a way out of its network.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from simulation.core.impairment import Impairment
from simulation.io.netns import Cable, Namespace

T = TypeVar("T")

START_S = 10.0


class Inside:
    """A thread with an event loop whose sockets belong to a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._loop = asyncio.new_event_loop()
        self._entered: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._live, args=(namespace,), name=f"inside {namespace.name}", daemon=True)
        self._thread.start()
        self._entered.result(START_S)

    def _live(self, namespace: Namespace) -> None:
        try:
            namespace.enter()
        except OSError as error:
            self._entered.set_exception(error)
            return
        self._entered.set_result(None)
        self._loop.run_forever()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it there, and wait for it here; cancelled together."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def close(self) -> None:
        """End the thread; tasks that still run are cancelled."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)
        self._loop.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


class Segment:
    """A switch of its own: whoever is plugged in reaches all others of it."""

    def __init__(self, network: Network, number: int) -> None:
        self.namespace = network.keep(Namespace(f"segment {number}"))
        self.namespace.ip("link add switch type bridge", "link set switch up")
        self._number = number
        self._network = network
        self._next = 1

    def address(self) -> str:
        """A free one."""
        self._next += 1
        return f"10.77.{self._number}.{self._next}"

    def plug(self, namespace: Namespace, device: str, impairment: Impairment | None = None) -> Plug:
        """A cable from `device`, which gets an address."""
        address = self.address()
        port = f"port{address.rpartition('.')[2]}"
        cable = self._network.keep(Cable(namespace, device, self.namespace, port, impairment))
        self.namespace.ip(f"link set {port} master switch")
        namespace.ip(f"addr add {address}/24 dev {device}")
        return Plug(self, port, address, cable)


class Plug:
    """Where a host's cable ends in a segment."""

    def __init__(self, segment: Segment, port: str, address: str, cable: Cable) -> None:
        self._segment = segment
        self._port = port
        self.address = address
        self.cable = cable

    def cut(self) -> None:
        """Nothing passes any more, and neither side is told."""
        self._segment.namespace.run("bridge", "link", "set", "dev", self._port, "state", "0")

    def restore(self) -> None:
        """As it was."""
        self._segment.namespace.run("bridge", "link", "set", "dev", self._port, "state", "3")


class Host:
    """A machine with one cable."""

    def __init__(self, network: Network, name: str, segment: Segment, impairment: Impairment | None = None) -> None:
        self.name = name
        self.namespace = network.keep(Namespace(name))
        self.plug = segment.plug(self.namespace, "eth0", impairment)
        self._network = network
        self._inside: Inside | None = None

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return self.plug.address

    @property
    def inside(self) -> Inside:
        """An event loop in it."""
        if self._inside is None:
            self._inside = self._network.keep(contextlib.closing(Inside(self.namespace)))
        return self._inside

    def deafen(self, *others: Host) -> None:
        """Lose all UDP that these hosts send here, without a word; TCP, as of WebSockets, still passes."""
        rules = "".join(f"ip saddr {other.address} meta l4proto udp drop; " for other in others)
        text = f"table ip deaf {{\n chain input {{ type filter hook input priority 0; {rules} }}\n}}\n"
        self.namespace.run("nft", "-f", "-", text=text)

    def hear(self) -> None:
        """Everything passes again."""
        self.namespace.run("nft", "delete", "table", "ip", "deaf")


class Router:
    """Joins an inner segment to an outer one and hides the inner addresses, as a home router or a cloud does."""

    def __init__(self, network: Network, name: str, outer: Segment, inner: Segment) -> None:
        self.namespace = network.keep(Namespace(name))
        self._outer = outer
        self._outside = outer.plug(self.namespace, "outside")
        self.inside_address = inner.plug(self.namespace, "inside").address
        self.namespace.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.namespace.run("nft", "-f", "-", text=_NAT)

    def serve(self, host: Host) -> None:
        """Be this inner host's way out."""
        host.namespace.ip(f"route add default via {self.inside_address}")

    def one_to_one(self, host: Host) -> str:
        """Give an inner host an outer address of its own, and return that."""
        address = self._outer.address()
        self.namespace.ip(f"addr add {address}/24 dev outside")
        text = f"insert rule ip nat out ip saddr {host.address} oifname outside snat to {address}\n"
        self.namespace.run("nft", "-f", "-", text=f"add rule ip nat in ip daddr {address} dnat to {host.address}\n{text}")
        return address


_NAT = """table ip nat {
    chain in { type nat hook prerouting priority -100; }
    chain out { type nat hook postrouting priority 100; oifname outside masquerade; }
}
"""


class Network:
    """All of it; a context manager."""

    def __init__(self) -> None:
        self._kept = contextlib.ExitStack()
        self._segments = 0

    def keep(self, part: Any) -> Any:
        """Close `part` at the end, in reverse order."""
        return self._kept.enter_context(part)

    def segment(self) -> Segment:
        """One more switch."""
        self._segments += 1
        return Segment(self, self._segments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._kept.close()
