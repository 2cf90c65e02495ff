"""Real nginx and Caddy with the configurations of deploy/: what stands there is what was tried, with other ports and files filled in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.certificates import put_pair
from tests.support.deployment import DEPLOY
from tests.support.poll import until

START_S = 15.0
STOP_S = 10.0

NGINX_FRAME = """\
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rtcbroker.conf;
}}
"""


class Proxy:
    """One process; `port` speaks TLS, `plain` sends everyone there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.port, self.plain = free_port(), free_port()
        self.authority = folder / "cert.pem"

    def spawn(self, arguments: list[str | Path], environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start it."""
        with self.log.open("wb") as log:
            return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    @property
    def url(self) -> str:
        """For clients."""
        return f"wss://localhost:{self.port}"

    def trust(self) -> ssl.SSLContext:
        """Its certificate's authority, and no other."""
        return ssl.create_default_context(cafile=str(self.authority))

    async def listens(self) -> bool:
        """It takes connections on both ports, with the certificate that it was to have."""
        if not self.authority.exists():
            return False
        for port, context in ((self.plain, None), (self.port, self.trust())):
            try:
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
                )
            except OSError:
                return False
            writer.transport.abort()
        return True


@contextlib.asynccontextmanager
async def nginx(*coordinators: int) -> AsyncIterator[Proxy]:
    """deploy/nginx/rtcbroker.conf before coordinators on these ports."""
    with tempfile.TemporaryDirectory(prefix="nginx-") as name:
        proxy = Proxy(Path(name))
        put_pair(proxy.folder)
        (proxy.folder / "rtcbroker.conf").write_text(nginx_config(proxy, coordinators), encoding="utf-8")
        (proxy.folder / "nginx.conf").write_text(NGINX_FRAME.format(folder=name), encoding="utf-8")
        async with _running(proxy, ["nginx", "-c", proxy.folder / "nginx.conf", "-p", name, "-e", "stderr"]):
            yield proxy


def nginx_config(proxy: Proxy, coordinators: tuple[int, ...]) -> str:
    """Each replacement must find what it replaces."""
    text = (DEPLOY / "nginx" / "rtcbroker.conf").read_text(encoding="utf-8")
    servers = "".join(f"    server 127.0.0.1:{port} max_fails=2 fail_timeout=5s;\n" for port in coordinators)
    for pattern, replacement in (
        (r"    listen \[::\]:\d+( ssl)?;\n", ""),  # not every machine has IPv6
        (r"listen 80;", f"listen 127.0.0.1:{proxy.plain};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{proxy.port} ssl;"),
        (r"rtc\.example\.com;", "localhost;"),
        (r"/etc/nginx/tls/fullchain\.pem", str(proxy.folder / "cert.pem")),
        (r"/etc/nginx/tls/privkey\.pem", str(proxy.folder / "key.pem")),
        (r"(    server 127\.0\.0\.1:\d+ .*\n)+", servers),
        (r"https://\$host\$request_uri", f"https://localhost:{proxy.port}$request_uri"),
    ):
        text, count = re.subn(pattern, lambda _, new=replacement: new, text)  # type: ignore[misc]  # a default binds it now
        assert count, f"deploy/nginx/rtcbroker.conf has no {pattern}"
    return text


@contextlib.asynccontextmanager
async def caddy(binary: Path, *coordinators: int) -> AsyncIterator[Proxy]:
    """deploy/caddy/Caddyfile before coordinators on these ports."""
    with tempfile.TemporaryDirectory(prefix="caddy-") as name:
        proxy = Proxy(Path(name))
        proxy.authority = proxy.folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        text = (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8")
        # Its own authority must not get into the system's list of those that are trusted, nor its admin port be anyone's.
        ours = f"{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {proxy.plain}\n\tservers {{"
        text, count = re.subn(r"^\{\n\tservers \{", lambda _: ours, text, flags=re.MULTILINE)
        assert count == 1
        (proxy.folder / "Caddyfile").write_text(text, encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "XDG_DATA_HOME": name,
            "XDG_CONFIG_HOME": name,
            "RTCBROKER_SITE": f"https://localhost:{proxy.port}",
            "RTCBROKER_COORDINATORS": " ".join(f"127.0.0.1:{port}" for port in coordinators),
        }
        arguments: list[str | Path] = [binary, "run", "--adapter", "caddyfile", "--config", proxy.folder / "Caddyfile"]
        async with _running(proxy, arguments, environment):
            yield proxy


@contextlib.asynccontextmanager
async def _running(proxy: Proxy, arguments: list[str | Path], environment: dict[str, str] | None = None) -> AsyncIterator[None]:
    process = proxy.spawn(arguments, environment)
    try:
        await until(proxy.listens, START_S, lambda: f"{arguments[0]} is ready; its log:\n{proxy.log.read_text()[-2000:]}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Free just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
