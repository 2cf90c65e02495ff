"""A client's end of a WebSocket of which the test sends each byte (RFC 6455 section 5.2)."""

from __future__ import annotations

import asyncio

TEXT, BINARY, PING = 1, 2, 9
LAST = 0x80


def frame(data: bytes, opcode: int = LAST | BINARY) -> bytes:
    """Masked, as all of a client's have to be: with zeros, which change nothing."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([opcode]) + length + bytes(4) + data


class RawSocket:
    """An upgraded connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, port: int, path: str, address: str = "", early: bytes = b"") -> RawSocket:
        """`address`: what a proxy says of where it comes from. `early` is sent together with the request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [f"GET {path} HTTP/1.1", "Host: here", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *([f"X-Forwarded-For: {address}"] if address else []), "", ""]
        writer.write("\r\n".join(lines).encode() + early)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    async def next(self, seconds: float) -> tuple[int, bytes]:
        """First byte and content of the frame that comes next."""
        async with asyncio.timeout(seconds):
            first, size = await self.reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly({126: 2, 127: 8}[size]), "big")
            return first, await self.reader.readexactly(size)

    async def closed(self, seconds: float) -> tuple[int, str]:
        """Code and reason of the close frame that comes sooner or later."""
        while True:
            first, content = await self.next(seconds)
            if first == 0x88:
                return int.from_bytes(content[:2], "big"), content[2:].decode()

    def close(self) -> None:
        """Hang up."""
        self.writer.close()
