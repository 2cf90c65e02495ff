"""A whole cluster over TLS: a certificate of its own from `rtcbroker dev-cert`, and its renewal while everything runs."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from rtcbroker import Client
from tests.support.certificates import shown_at, trusting
from tests.support.cluster import SECRET, START_S, Cluster, Server
from tests.support.poll import until
from tests.support.talk import heard_by_all

RENEWAL_S = 15.0
"""Files are looked at every ten seconds."""

COMMAND_S = 60.0


def rtcbroker(*arguments: str) -> str:
    """Run the command line to its end; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "rtcbroker.cli", *arguments], check=False, capture_output=True, text=True, timeout=COMMAND_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TlsCluster(Cluster):
    """One whose coordinator speaks TLS; `folder` has its pair."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, auth=True)
        self.folder = folder

    @property
    def url(self) -> str:
        """What clients dial."""
        return f"wss://localhost:{self.coordinator.port}"

    @property
    def cert(self) -> Path:
        """The certificate, which is its own authority."""
        return self.folder / "cert.pem"

    def renew(self) -> None:
        """Another pair in place of the one there is."""
        rtcbroker("dev-cert", "--out", str(self.folder), "--force")

    async def start(self) -> Server:
        """A coordinator and a comm server; returns that."""
        rtcbroker("dev-cert", "--out", str(self.folder))
        self.coordinator = self.server("coordinator", tls_cert=str(self.cert), tls_key=str(self.folder / "key.pem"))
        self.coordinator.spawn()
        await self.coordinator.ready()
        return await self.add_server(ca_file=str(self.cert))


@contextlib.asynccontextmanager
async def tls_cluster() -> AsyncIterator[tuple[TlsCluster, Server]]:
    with tempfile.TemporaryDirectory(prefix="rtcbroker-") as folder:
        made = TlsCluster(Path(folder))
        try:
            yield made, await made.start()
        finally:
            made.end()


@contextlib.asynccontextmanager
async def two_clients(made: TlsCluster, trust: ssl.SSLContext) -> AsyncIterator[tuple[Client, Client]]:
    """Ann and Bob, joined."""
    async with (
        Client(made.url, token=made.token("ann"), ssl=trust) as ann,
        Client(made.url, token=made.token("bob"), ssl=trust) as bob,
    ):
        yield ann, bob


async def talked(ann: Client, bob: Client) -> None:
    """Packets pass."""
    async with bob.subscribe("square") as packets:
        await heard_by_all(ann, "square", [packets])


async def test_a_renewed_certificate_is_taken_up_and_disturbs_nobody() -> None:
    async with tls_cluster() as (made, server):
        before = made.cert.read_bytes()
        assert await shown_at(made.coordinator.port) == before
        async with two_clients(made, trusting(made.folder)) as (ann, bob):
            await talked(ann, bob)
            states: list[object] = []
            ann.on_state(lambda state, cause: states.append((state, cause)))
            made.renew()

            async def is_renewed() -> bool:
                return await shown_at(made.coordinator.port) == made.cert.read_bytes()

            await until(is_renewed, RENEWAL_S, "new handshakes see the new certificate", interval=0.2)
            assert made.cert.read_bytes() != before
            # Who is there stays: the clients, and the comm server, on the sockets they had.
            async with two_clients(made, trusting(made.folder)) as (eve, dan):
                await talked(eve, dan)
                await talked(ann, dan)
            assert states == []
            assert await server.metric("rtcbroker_coordinator_connects_total") == 1


async def test_a_comm_server_finds_a_coordinator_that_comes_back_with_another_certificate() -> None:
    """It trusts what its file says by then."""
    async with tls_cluster() as (made, server):
        made.coordinator.kill()
        made.renew()
        made.coordinator.spawn()
        await made.coordinator.ready()
        await until(lambda: server.log.read_text().count("the coordinator knows us as") == 2, START_S, "it is back")
        async with two_clients(made, trusting(made.folder)) as (ann, bob):
            await talked(ann, bob)


async def test_a_simulation_of_a_cluster_with_tls(tmp_path: Path) -> None:
    async with tls_cluster() as (made, _):
        figures = tmp_path / "figures.json"
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        options = ["--clients", "3", "--seconds", "1", "--secret-file", str(secret), "--json", str(figures)]
        rtcbroker("simulate", "dense", "--url", made.url, "--ca-file", str(made.cert), *options)
        document = json.loads(figures.read_text())
        assert document["delivered"] == document["expected"] > 0
