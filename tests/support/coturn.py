"""A real TURN server, coturn, on the loopback, with the configuration of docs/ice.md: what that says is what was tried."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.poll import until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ice.md"
SECRET = "a secret that coturn and the coordinator share"
START_S = 15.0
STOP_S = 10.0


class Coturn:
    """One process; see :func:`coturn`."""

    def __init__(self, folder: Path, port: int, secret: str, peer: str) -> None:
        self.port = port
        self.log = folder / "log"
        self._config = folder / "turnserver.conf"
        values = {
            "listening-ip": "127.0.0.1",
            "relay-ip": "127.0.0.1",
            "listening-port": str(port),
            "static-auth-secret": secret,
            "allowed-peer-ip": peer,
        }
        # Its default is to relay to nobody on the loopback, where all of a test is.
        ours = f"allow-loopback-peers\nverbose\nlog-file=stdout\nuserdb={folder / 'turndb'}\npidfile={folder / 'pid'}\n"
        self._config.write_text(documented(values) + ours)
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, transport: str = "udp") -> str:
        """For --ice-servers."""
        return f"turn:127.0.0.1:{self.port}?transport={transport}"

    def options(self, transport: str = "udp", secret: str = SECRET, **more: str) -> dict[str, str]:
        """The options of a coordinator that hands it out."""
        return {"ice_servers": self.url(transport), "ice_turn_secret": secret, **more}

    def spawn(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["turnserver", "-c", self._config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def is_ready(self) -> bool:
        """It takes connections, and so datagrams."""
        assert self.process is not None
        assert self.process.poll() is None, f"turnserver ended:\n{self.log.read_text()[-2000:]}"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def end(self) -> None:
        """Stop it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def users(self, method: str) -> list[str]:
        """The user name of each request of that method (ALLOCATE, CHANNEL_BIND) that it granted, in order."""
        pattern = rf"user <([^>]*)>: incoming packet {method} processed, success"
        return re.findall(pattern, self.log.read_text(errors="replace"))

    def relayed(self, user: str) -> tuple[int, int]:
        """Bytes that it has relayed for a user, from peers and to them, as it tells at a session's end."""
        pattern = rf"peer usage: realm=<[^>]*>, username=<{re.escape(user)}>, rp=\d+, rb=(\d+), sp=\d+, sb=(\d+)"
        found = re.findall(pattern, self.log.read_text(errors="replace"))
        return sum(int(received) for received, _ in found), sum(int(sent) for _, sent in found)


@contextlib.asynccontextmanager
async def coturn(secret: str = SECRET, peer: str = "127.0.0.1") -> AsyncIterator[Coturn]:
    """A running one, that relays to `peer` and to nobody else."""
    with tempfile.TemporaryDirectory(prefix="coturn-") as folder:
        made = Coturn(Path(folder), _free_port(), secret, peer)
        try:
            made.spawn()
            await until(made.is_ready, START_S, lambda: f"turnserver is ready; its log:\n{made.log.read_text()[-2000:]}")
            yield made
        finally:
            made.end()


def documented(values: dict[str, str]) -> str:
    """The configuration of docs/ice.md, with these values in place of its examples."""
    text = next(block for block in PAGE.read_text(encoding="utf-8").split("```")[1::2] if block.startswith("ini\n"))
    for name, value in values.items():
        text, count = re.subn(rf"^{name}=.*$", lambda _, line=f"{name}={value}": line, text, flags=re.MULTILINE)  # type: ignore[misc]  # a default binds it now
        assert count == 1, f"{name} stands {count} times in docs/ice.md"
    return text.removeprefix("ini\n")


def _free_port() -> int:
    """Free for TCP and for UDP."""
    for _ in range(20):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free for both")
