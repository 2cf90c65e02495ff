"""Certificates of the tests' own making, and what a server shows of its own."""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime
from pathlib import Path

from service.self_signed import LOCAL_NAMES, Pair, self_signed

HANDSHAKE_S = 10.0


def make_pair(*names: str) -> Pair:
    """A certificate of its own authority, for a day; for the loopback where no names are given."""
    return self_signed(names or LOCAL_NAMES, now=datetime.now(UTC), days=1)


def put(path: Path, content: bytes) -> Path:
    """Write a file as careful people do: in one instant, and to be told from the one before."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(content)
    before = path.stat().st_mtime_ns if path.exists() else 0
    temporary.replace(path)
    if path.stat().st_mtime_ns <= before:  # the clock of files is coarse
        os.utime(path, ns=(before + 1, before + 1))
    return path


def put_pair(folder: Path, pair: Pair | None = None) -> Pair:
    """Write `cert.pem` and `key.pem` of a pair, by default a new one."""
    pair = pair or make_pair()
    put(folder / "key.pem", pair.key)
    put(folder / "cert.pem", pair.certificate)
    return pair


def trusting(folder: Path) -> ssl.SSLContext:
    """A client's context that trusts what is in `cert.pem` there, and nothing else."""
    return ssl.create_default_context(cafile=str(folder / "cert.pem"))


async def shown_at(port: int, host: str = "127.0.0.1") -> bytes:
    """The certificate (PEM) that a new handshake with that port shows."""
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    async with asyncio.timeout(HANDSHAKE_S):
        _, writer = await asyncio.open_connection(host, port, ssl=anyone)
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.transport.abort()
    return ssl.DER_cert_to_PEM_cert(der).encode()
